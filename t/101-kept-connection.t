#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A kept-alive connection remembers the token it showed: what it shows next is
# judged as on a connection of its own.
use lib 't/lib';
use LBS::Test;
use LBS::Governed;

my @web = LBS::Backend->many(3, name => 'web');
my $h = governed(\@web, one => 'LBSticky cookie', two => 'LBSticky cookie',
    brief => "LBSticky cookie\nLBStickyTimeout idle=4s max=2s",
    server => 'LBStickyMethod round-robin');

sub token ($pool) { token_in($h->get("/$pool/"), "LBSTICKY_$pool") }

sub shown ($c, $pool, $token) {
    return $h->get("/$pool/", on => $c,
        headers => cookie_of("LBSTICKY_$pool", $token));
}

my ($token, $other) = (token('one'), token('one'));
my $home = member_of(shown($h->connect, 'one', $token));
my $away = member_of(shown($h->connect, 'one', $other));
isnt $home, $away, 'two visitors at two members';

my $c = $h->connect;
for my $n (1 .. 3) {
    my $r = shown($c, 'one', $token);
    is verdict($r), 'kept', "shown for time $n";
    is member_of($r), $home, 'at home';
}

for my $at (0, 20, 47) {
    my $forged = $token;
    substr($forged, $at, 1) = substr($forged, $at, 1) eq 'A' ? 'B' : 'A';
    is verdict(shown($c, 'one', $forged)), 'new forged', "byte $at is another";
    is verdict(shown($c, 'one', $token)), 'kept', 'the good one again';
}
is verdict(shown($c, 'one', substr $token, 0, 47)), 'new unknown', 'a byte less';
is verdict(shown($c, 'one', "${token}A")), 'new unknown', 'a byte more';

for (1 .. 2) {
    is member_of(shown($c, 'one', $other)), $away, 'another visitor';
    is member_of(shown($c, 'one', $token)), $home, 'and the first one again';
}
is verdict(shown($c, 'two', $token)), 'new forged', 'a token of another pool';
is verdict(shown($c, 'one', $token)), 'kept', 'is still good for its own';

subtest 'a session ends while its connection is kept' => sub {
    my $brief = token('brief');
    is verdict(shown($c, 'brief', $brief)), 'kept', 'it is known';
    ok wait_for(sub { verdict(shown($c, 'brief', $brief)) eq 'new expired' }, 20),
        'max= ends it though its token has been seen';
};

done_testing;
