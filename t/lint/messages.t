#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Every message has a number of its own, from a block of its folder, and an
# entry in docs/messages.md; no entry speaks of a message that is gone.
use v5.36;
use lib 't/lib';
use Test::More;
use LBS::Source qw(files slurp code room none_of);

use constant BLOCK => 100;

# Written elsewhere than when they were numbered; a number stays.
my %MOVED = map { $_ => 1 } qw(1103 1107);

my (%place, %block, @twice, @mixed, @bare);
my $calls = 0;
for my $file (files(qr{^src/.*\.c$})) {
    my $text = slurp($file);
    my ($room) = room($file);
    while ($text =~ /\bLBSNO\(\s*(\d+)\)/g) {
        my $where = "$file:" . (1 + substr($text, 0, $-[0]) =~ tr/\n//);
        push @twice, "$where: $1 is also at $place{$1}" if $place{$1};
        $place{$1} = $where;
        my $n = int $1 / BLOCK;
        next if $MOVED{$1};
        push @mixed, "$where: $1 is from the block of $block{$n}"
            if ($block{$n} //= $room) ne $room;
    }

    # A call that logs at DEBUG or finer may go without.
    while ($text =~ /\bap_log_[a-z]*(?:error|rdata)\(([^;]*)/g) {
        my $args = $1;
        $calls++;
        # The text of a finding has its number in front.
        next if $args =~ /APLOG_(?:DEBUG|TRACE\d)/ || $args =~ /LBSNO\(\d+\)/
            || $args =~ /finding->text/;
        push @bare, "$file:" . (1 + substr($text, 0, $-[0]) =~ tr/\n//);
    }
}
none_of('numbers are unique', scalar keys %place, @twice);
none_of('a block of numbers is one folder\'s', scalar keys %block, @mixed);
none_of('what is logged above DEBUG has a number', $calls, @bare);

my $doc = 'docs/messages.md';
my %documented = -f $doc ? map { $_ => 1 } slurp($doc) =~ /\bLBS(\d{4})\b/g : ();
none_of("every message is in $doc", scalar keys %documented,
        map { "LBS$_ ($place{$_})" } grep { !$documented{$_} } sort keys %place);
none_of("$doc has no others", scalar keys %documented,
        map { "LBS$_" } grep { !$place{$_} } sort keys %documented);

done_testing;
