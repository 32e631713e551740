#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A directive is five things: its row, its setter, its default, its place in
# the merge, its entry in docs/directives.md. None comes without the others.
use v5.36;
use lib 't/lib';
use Test::More;
use LBS::Source qw(files slurp code none_of);

my $settings = slurp('src/httpd/config/lbs_settings.c');
my ($struct) = slurp('src/httpd/config/lbs_settings.h')
    =~ /typedef struct lbs_settings_t \{(.*?)\}/s;
my %field = map { $_ => 1 } $struct =~ /\*(\w+);/g;
my ($defaults) = $settings =~ /lbs_settings_t defaults = \{(.*?)\n\};/s;
my %default = map { $_ => 1 } $defaults =~ /\.(\w+) =/g;
my %merged = map { $_ => 1 } $settings =~ /\bCHOOSE\((\w+)\);/g;

# Rows: name => [setter, field, contexts]. The setter is named after the
# field, except for what is only on or off.
my %row;
for my $file (files(qr{^src/httpd/.*\.c$})) {
    my $text = slurp($file);
    $row{$1} = [$2, $3 // '', $4]
        while $text =~ /AP_INIT_\w+\(\s*"(\w+)",\s*(\w+),\s*
                        (?:FIELD\((\w+)\)|NULL),\s*([\w|\ ]+),/gx;
}
none_of('directives start with LBSticky', scalar keys %row,
        grep { !/^LBSticky/ } keys %row);

# Main server directives (S) hold for all and are not merged.
my @merging = grep { $row{$_}[2] ne 'S' } sort keys %row;
my %set = map { $row{$_}[1] => $_ } @merging;
none_of('a setter is named after its field', scalar @merging,
        grep { $row{$_}[0] !~ /^set_(?:$row{$_}[1]|switch)$/ } @merging);
none_of('a directive for pools has a field', scalar @merging,
        map { $set{$_} } grep { !$field{$_} } keys %set);
none_of('a field has a directive', scalar keys %field,
        grep { !$set{$_} } sort keys %field);
none_of('a field has a default', scalar keys %field,
        grep { !$default{$_} } sort keys %field);
none_of('a field is merged', scalar keys %field,
        grep { !$merged{$_} } sort keys %field);

my $doc = 'docs/directives.md';
my $text = -f $doc ? slurp($doc) : '';
my %entry = $text =~ /^### (LBSticky\w*)\n(.*?)(?=^###? |\z)/msg;
none_of("every directive is in $doc", scalar keys %entry,
        grep { !defined $entry{$_} } sort keys %row);
none_of("$doc has no others", scalar keys %entry,
        grep { !$row{$_} } sort keys %entry);
none_of('entries are complete', scalar keys %entry, map {
    my $name = $_;
    map { $entry{$name} =~ /^\W*$_:/m ? () : "$name: no $_" }
        qw(Description Syntax Default Context Applies)
} sort keys %entry);

# The defaults that the entries and the overview tell are the same text.
my %told = map { $_ => [$entry{$_} =~ /^\W*Default:\W*(.*?)\s*`?$/m] }
    keys %entry;
none_of('a default names its directive', scalar keys %told,
        grep { ($told{$_}[0] // '') !~ /^$_ / } sort keys %told);

none_of('the context told is that of the row', scalar keys %entry, map {
    my ($level) = $row{$_} ? $row{$_}[2] =~ /^(\w)$/ : ();
    my ($where) = $entry{$_} =~ /^\W*Context:(.*)$/m;
    my $proxy = ($where // '') =~ /<Proxy/;
    my $vhost = ($where // '') =~ /virtual host/;
    !defined $level ? ()
        : ($level eq 'P') != $proxy || ($level ne 'S') != $vhost
        ? "$_: the row says $level, the entry$where" : ()
} sort keys %entry);

done_testing;
