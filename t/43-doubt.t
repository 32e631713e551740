#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Finding out whether a member lives, without risking a visitor.
use lib 't/lib';
use LBS::Test timeout => 150;

use LBS::Gateway;
use LBS::Governed;
use LBS::State qw(pool_state member_state admin);

# What mod_proxy tells of connections it lost or could not open.
my @TOLD = (qr/\[proxy(?:_[a-z0-9]+)?:(?:error|warn)\]/);

sub start ($web, %o) {
    my $h = governed($web, threads => 40, %o,
        server => "LBStickySlowStart off\nLBStickyAdmin on");
    $h->announce(@TOLD);
    return $h;
}

sub at ($n) { return cookie_of(R => "x.r$n") }
sub state_of ($h, $n, $pool = 'app') { return member_state($h, $pool, "r$n")->{state} }

sub becomes ($h, $n, $state, $seconds, $pool = 'app') {
    return wait_for(sub { state_of($h, $n, $pool) eq $state }, $seconds);
}

sub events ($h, $n, $pool = 'app') {
    return map { "$_->{event}: $_->{reason}" } grep { $_->{pool} eq $pool
        && $_->{member} eq "r$n" } @{$h->json->{events}};
}

sub doctor ($h) {
    my $out = `@{[$h->lbctl_command]} doctor 2>&1`;
    return ($? >> 8, $out);
}
