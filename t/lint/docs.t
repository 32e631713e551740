#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What the documents point at is there: links and their anchors, and the files
# of this tree that they name.
use v5.36;
use lib 't/lib';
use Test::More;
use LBS::Source qw(files slurp none_of %LEVEL);

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

# Section 2 of the design is the list of folders, with the order in which they
# include each other.
my ($tree) = slurp('docs/design.md') =~ /^## 2\. .*?\n(.*?)^## 3\. /ms;
my %told;
$told{$2} = $1 while $tree =~ m{^ {4}(\d+)\s+(src/\S+)\s+\S}mg;
my %folder = map { (m{^(src/(?:httpd/)?[^/]+)/} ? ($1 => 1) : ()) } files(qr{^src/.*\.[ch]$});
none_of('each folder has its line in the design', scalar keys %folder,
    (map { "$_ has no line" } grep { !defined $told{$_} } sort keys %folder),
    (map { "$_ is no folder" } grep { !$folder{$_} } sort keys %told),
    map { "$_: $told{$_}, but its level is $LEVEL{s{^src/}{}r}" }
        grep { defined $LEVEL{s{^src/}{}r} && $told{$_} != $LEVEL{s{^src/}{}r} } sort keys %told);

done_testing;
