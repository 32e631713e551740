#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Every message has a number of its own, from the block of its file, and an
# entry in docs/messages.md; no entry speaks of a message that is gone.
use v5.36;
use lib 't/lib';
use Test::More;
use LBS::Source qw(files slurp code none_of);

use constant BLOCK => 100;

my (%place, %block, @twice, @mixed, @bare);
my $calls = 0;
for my $file (files(qr{^src/.*\.c$})) {
    my $text = slurp($file);
    my %own;
    while ($text =~ /\bLBSNO\((\d+)\)/g) {
        my $where = "$file:" . (1 + substr($text, 0, $-[0]) =~ tr/\n//);
        push @twice, "$where: $1 is also at $place{$1}" if $place{$1};
        $place{$1} = $where;
        $own{int $1 / BLOCK} = 1;
    }
    for my $n (sort keys %own) {
        push @mixed, "$file: numbers from the block of $block{$n}"
            if $block{$n};
        $block{$n} = $file;
    }
    push @mixed, "$file: more than one block" if keys %own > 1;

    # A call that logs at DEBUG or finer may go without.
    while ($text =~ /\bap_log_[a-z]*(?:error|rdata)\(([^;]*)/g) {
        my $args = $1;
        $calls++;
        next if $args =~ /APLOG_(?:DEBUG|TRACE\d)/ || $args =~ /LBSNO\(\d+\)/;
        push @bare, "$file:" . (1 + substr($text, 0, $-[0]) =~ tr/\n//);
    }
}
none_of('numbers are unique', scalar keys %place, @twice);
none_of('each file has a block of its own', scalar keys %block, @mixed);
none_of('what is logged above DEBUG has a number', $calls, @bare);

my $doc = 'docs/messages.md';
my %documented = -f $doc ? map { $_ => 1 } slurp($doc) =~ /\bLBS(\d{4})\b/g : ();
none_of("every message is in $doc", scalar keys %documented,
        map { "LBS$_ ($place{$_})" } grep { !$documented{$_} } sort keys %place);
none_of("$doc has no others", scalar keys %documented,
        map { "LBS$_" } grep { !$place{$_} } sort keys %documented);

done_testing;
