#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What the documents point at is there: links and their anchors, and the files
# of this tree that they name.
use v5.36;
use lib 't/lib';
use Test::More;
use LBS::Source qw(files slurp none_of);

my @docs = files(qr{^(?:README|docs/.*\.md|demo/README)$});

# The anchor GitHub and most others make of a heading.
sub anchor ($heading) {
    my $text = lc $heading;
    $text =~ s/[^\w\s-]//g;
    return $text =~ s/ /-/gr;
}

my %anchors;
sub anchors ($file) {
    return $anchors{$file} //= {map { anchor($_) => 1 }
        slurp($file) =~ /^#{1,6} (.+)$/mg};
}

my (@dead, @missing);
my ($links, $paths) = (0, 0);
for my $file (@docs) {
    my $text = slurp($file);
    my ($dir) = $file =~ m{^(.*/)};
    $dir //= '';
    while ($text =~ /\]\(([^)\s]*?)(?:#([^)\s]+))?\)/g) {
        my ($to, $fragment) = ($1, $2);
        next if $to =~ /^\w+:/;
        $links++;
        my $target = $to eq '' ? $file : $dir . $to;
        if (!-f $target) { push @dead, "$file: $target" }
        elsif (defined $fragment && !anchors($target)->{$fragment}) {
            push @dead, "$file: $target#$fragment";
        }
    }
    # Directories of this tree; a word in capitals stands for any.
    while ($text =~ m{(?<![\w./@-])((?:src|t|docs|conf|bench|tools|demo|fuzz|bin)/[\w./*-]*\w)}g) {
        my $path = $1;
        next if $path =~ /[A-Z]{3}|\*/;
        $paths++;
        push @missing, "$file: $path" if !-e $path && !glob("$path.*");
    }
}
none_of('links lead somewhere', $links, @dead);
none_of('files that are named exist', $paths, @missing);

done_testing;
