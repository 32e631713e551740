#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Every message has a number of its own, from a block of its folder, and an
# entry in docs/messages.md; no entry speaks of a message that is gone. Message
# and entry say to whom it happened and what to do.
use v5.36;
use lib 't/lib';
use Test::More;
use LBS::Source qw(files slurp code room none_of);

use constant BLOCK => 100;

# Written elsewhere than when they were numbered; a number stays.
my %MOVED = map { $_ => 1 } qw(1103 1107);

# What a message asks its reader to do.
my $ASKS = qr/\b(?:add|ask|correct|give|install|let|load|look|make|open|raise|reload|set|start|stop|take|test|update|wanted|write)\b|\ba2enmod\b|othing is to be done/i;

# A change of a member, and the end of trouble: what is to be done is in the
# entry of the trouble.
my %NEWS = map { $_ => 1 } qw(1600 1601 1602 1603 1700 1703 2100 2101 2503 3001 3601 3602 3603
    3605);

# One for the whole server, whose name is in front of the line.
my %WHOLE = map { $_ => 1 } qw(1400 3100);

# The literals up to the end of the call.
sub said ($rest) {
    my ($depth, @texts) = (1);
    while ($depth > 0 && $rest =~ /\G(?:"((?:[^"\\]|\\.)*)"|([()])|[^"()]+)/gc) {
        push @texts, $1 if defined $1;
        $depth += $2 eq '(' ? 1 : -1 if defined $2;
    }
    return join '', @texts;
}

my (%place, %block, @twice, @mixed, @bare, @vague, @idle);
my $calls = 0;
for my $file (files(qr{^src/.*\.c$})) {
    my $text = slurp($file);
    my ($room) = room($file);
    while ($text =~ /\bLBSNO\(\s*(\d+)\)/g) {
        my $number = $1;
        my $where = "$file:" . (1 + substr($text, 0, $-[0]) =~ tr/\n//);
        push @twice, "$where: $number is also at $place{$number}" if $place{$number};
        $place{$number} = $where;
        my $said = said(substr $text, $+[0]);
        push @vague, "$where: LBS$number names nobody: which pool, member, directive or file?"
            if $said !~ /%[^%]/ && !$WHOLE{$number};
        push @idle, "$where: LBS$number does not say what to do"
            if $said !~ $ASKS && !$NEWS{$number};
        my $n = int $number / BLOCK;
        next if $MOVED{$number};
        push @mixed, "$where: $number is from the block of $block{$n}"
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
none_of('a message names whom it happened to', scalar keys %place, @vague);
none_of('a message says what to do', scalar keys %place, @idle);
none_of('numbers are unique', scalar keys %place, @twice);
none_of('a block of numbers is one folder\'s', scalar keys %block, @mixed);
none_of('what is logged above DEBUG has a number', $calls, @bare);

my $doc = 'docs/messages.md';
my %documented = -f $doc ? map { $_ => 1 } slurp($doc) =~ /\bLBS(\d{4})\b/g : ();
none_of("every message is in $doc", scalar keys %documented,
        map { "LBS$_ ($place{$_})" } grep { !$documented{$_} } sort keys %place);
none_of("$doc has no others", scalar keys %documented,
        map { "LBS$_" } grep { !$place{$_} } sort keys %documented);

# An entry, up to the next heading.
my %entry = slurp($doc) =~ /^### LBS(\d{4})\b[^\n]*\n(.*?)(?=^\#|\z)/gms;
none_of("an entry of $doc says what to do", scalar keys %entry,
        map { "LBS$_: what shall its reader do?" }
            grep { !$NEWS{$_} && $entry{$_} !~ $ASKS }
            sort keys %entry);
none_of("every heading of $doc has its words", scalar keys %entry,
        map { "LBS$_" } grep { $entry{$_} !~ /\w.*[.?]\s*\z/s } sort keys %entry);

done_testing;
