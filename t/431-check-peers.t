#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Checks of servers that balance themselves: the one that is asked answers,
# it does not pass the question on to another.
use lib 't/lib';
use LBS::Test;
use LBS::Pair;

my @h = LBS::Pair::make(2, pool => <<'POOL');
LBSticky cookie
LBStickyMethod round-robin
LBStickyCheck path=/health.txt?a=b interval=200ms rise=1 fall=1
POOL
$_->write('htdocs/health.txt', "well\n") for @h;
$_->start for @h;

sub last_of ($h, $n) {
    return $h->json->{pools}[0]{members}[$n - 1]{check}{last};
}

sub say_both ($n, $text) {
    return wait_for(sub { !grep { last_of($_, $n) ne $text } @h }, 5);
}

ok say_both(1, 'HTTP 200') && say_both(2, 'HTTP 200'), 'both are well';
unlink $h[1]->root . '/htdocs/health.txt';
ok say_both(2, 'HTTP 404, want 200-399'), 'both know that the second is not';
my %seen;
for (1 .. 30) {
    $seen{last_of($h[$_ % 2], 1)}++;
    sleep 0.05;
}
is_deeply \%seen, {'HTTP 200' => 30}, 'and that the first one is';
for my $h (@h) {
    is_deeply [map { $_->{state} } @{$h->json->{pools}[0]{members}}],
        ['up', 'down'], 'one is up, the other down';
    $h->no_unexpected_log;
}
# One httpd is stopped before the other: for the one that is left, or is about
# to go, nobody is well then.
$_->announce(qr/LBS3000/) for @h;
done_testing;
