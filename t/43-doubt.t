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
        server => "LBStickySlowStart off\nLBStickyAdmin on\n" . ($o{server} // ''));
    $h->announce(@TOLD);
    return $h;
}

sub at ($n) { return cookie_of(R => "x.r$n") }
sub state_of ($h, $n, $pool = 'app') {
    return member_state($h, $pool, "r$n")->{state};
}

sub becomes ($h, $n, $state, $seconds, $pool = 'app') {
    return wait_for(sub { state_of($h, $n, $pool) eq $state }, $seconds);
}

sub events ($h, $n, $pool = 'app') {
    return map { $_->{event} } grep { $_->{pool} eq $pool
        && $_->{member} eq "r$n" } @{$h->json->{events}};
}

sub doctor ($h) {
    my $url = 'http://127.0.0.1:' . $h->port . '/lb-status';
    my $out = qx($^X bin/lbctl -u $url doctor 2>&1);
    return ($? >> 8, $out);
}

# --- is it there? -----------------------------------------------------------

subtest 'a member that refuses connections is down for all to see' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web, app => 'LBSticky route=R');
    $h->get('/app/', headers => at($_)) for 1, 2;
    is +(doctor($h))[0], 0, 'all is well';
    my @before = map { $_->stats->{connections} } @web;
    sleep 1.5;
    is_deeply [map { $_->stats->{connections} } @web], \@before,
        'nobody connects to members that are known to be well';

    $web[0]->refuse;
    my $r = $h->get('/app/', headers => at(1));
    is $r->status . ' ' . $r->member, '200 ' . $web[1]->name,
        'its visitor is served elsewhere';
    ok becomes($h, 1, 'down', 3), 'one visitor is enough: it is down';
    my $m = member_state($h, 'app', 'r1');
    like $m->{check}{last}, qr/^connect: Connection refused$/, 'JSON says why';
    cmp_ok abs($m->{since} - time), '<', 4, 'and since when';
    is join(' ', events($h, 1)), 'down', 'an event';
    is $h->wait_log(qr/LBS1603: pool app: member r1 is down: connect: /), 1, 'the log';
    my ($status, $out) = doctor($h);
    is $status, 1, 'lbctl doctor ends with 1';
    like $out, qr/r1 is down.*Connection refused/, 'and says so';
    like $h->get('/lb-status')->body,
        qr/Act now.{0,200}r1 is dead[^<]*accepts no connections/s,
        'the page: the gravest alarm';
    like $h->get('/lb-status/metrics')->body,
        qr/^lbsticky_member_up\{[^}]*member="r1"[^}]*\} 0/m, 'the metrics';
    my $failures = $m->{failures};
    is $h->get('/app/', headers => at(1))->member, $web[1]->name, 'visitors go on'
        for 1 .. 3;
    is member_state($h, 'app', 'r1')->{failures}, $failures, 'none tries it';

    my $from = time;
    $web[0]->accept;
    ok becomes($h, 1, 'up', 4), 'it is back';
    cmp_ok time - $from, '<', 2, 'within two seconds';
    is $web[0]->stats->{heads}, 1, 'found out without a request';
    is join(' ', events($h, 1)), 'down up', 'an event';
    is +(doctor($h))[0], 0, 'all is well again';
    is $h->get('/app/', headers => at(1))->member, $web[0]->name, 'and it serves';
    is member_state($h, 'app', 'r1')->{check}{last}, '', 'nothing is checked';
    @before = map { $_->stats->{connections} } @web;
    sleep 1.5;
    is_deeply [map { $_->stats->{connections} } @web], \@before,
        'nobody connects any more';
};

done_testing;
