#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# LBStickyLimit: so many at once over all processes, and who waits for a place.
use lib 't/lib';
use LBS::Test timeout => 120;

use LBS::Governed;
use LBS::State qw(pool_state);

my $ONE = 'BalancerMember "http://@B1@" route=r1';

sub start ($web, %o) {
    my %httpd = map { exists $o{$_} ? ($_ => delete $o{$_}) : () }
        qw(mpm children threads);
    return governed($web, %httpd, %o);
}

sub at ($n) { return cookie_of(R => "x.r$n") }

# A request that is answered after a while; returns its connection.
sub send_off ($h, $uri, %o) {
    my $c = $h->connect;
    $c->send_request('GET', $uri, %o);
    return $c;
}

sub until_queued ($h, $name, $n) {
    return wait_for(sub { pool_state($h, $name)->{queued} == $n }, 5);
}

sub until_inflight ($h, $name, $n) {
    return wait_for(sub { pool_state($h, $name)->{inflight} == $n }, 5);
}

# Which child serves this connection.
sub child_of ($h, $client) {
    my $ends = sprintf '0100007F:%04X 0100007F:%04X', $h->port,
        $client->socket->sockport;
    my ($inode) = map { (split)[9] } grep { index($_, $ends) >= 0 }
        split /\n/, LBS::Proc::slurp('/proc/net/tcp');
    for my $pid ($h->children) {
        return $pid if grep { (readlink // '') eq "socket:[$inode]" }
            glob "/proc/$pid/fd/*";
    }
    return;
}

subtest 'no more than the limit, over all processes' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web, app => "LBSticky none\nLBStickyLimit inflight=2",
                  free => 'LBSticky none');
    my @r = in_parallel(16, sub ($i) {
        my $r = $h->get('/app/?delay=2');
        return [$r->status, $r->elapsed, $r->header('Retry-After'), verdict($r)];
    });
    my @full = grep { $_->[0] == 503 } @r;
    is scalar(grep { $_->[0] == 200 } @r), 4, 'two at each of two';
    is scalar @full, 12, 'no place for the others';
    is scalar(grep { ($_->[2] // '') =~ /^[1-9]\d*$/ } @full), 12,
        'who are told to try again';
    is scalar(grep { $_->[3] eq 'refused full' } @full), 12, 'and why';
    cmp_ok percentile(90, map { $_->[1] } @full), '<', 0.5, 'at once';
    is pool_state($h, 'app')->{inflight}, 0, 'nothing is left in flight';
    is pool_state($h, 'app')->{decisions}{refused}{full}, 12, 'counted';
    @r = in_parallel(16, sub ($i) { [$h->get('/free/?delay=0.3')->status] });
    is scalar(grep { $_->[0] == 200 } @r), 16, 'off: all at once';
};

subtest 'waiting requests are served in the order of arrival' => sub {
    my @web = LBS::Backend->many(1);
    my $h = start(\@web,
        app => "LBSticky none\nLBStickyLimit inflight=1 queue=10 wait=5s\n$ONE");
    my $holder = send_off($h, '/app/?n=0&delay=0.8');
    ok until_inflight($h, 'app', 1), 'one is at work';
    my @waiting;
    for my $n (1 .. 4) {
        push @waiting, send_off($h, "/app/?n=$n&delay=0.1");
        ok until_queued($h, 'app', $n), "$n wait";
    }
    is $holder->response->status, 200, 'the first is done';
    is join(' ', map { $_->response->status } @waiting), '200 200 200 200',
        'all that waited are served';
    is join(' ', map { $_->{uri} =~ /n=(\d)/ } $web[0]->requests), '0 1 2 3 4',
        'one after the other, in order';
    is pool_state($h, 'app')->{queued}, 0, 'nobody waits any more';
};

subtest 'too long, and too many' => sub {
    my @web = LBS::Backend->many(1);
    my $h = start(\@web,
        app => "LBSticky none\nLBStickyLimit inflight=1 queue=1 wait=600ms\n$ONE");
    my $holder = send_off($h, '/app/?delay=2');
    ok until_inflight($h, 'app', 1), 'one is at work';
    my $waiting = send_off($h, '/app/');
    ok until_queued($h, 'app', 1), 'one waits';
    my $r = $h->get('/app/');
    is $r->status . ' ' . verdict($r), '503 refused full',
        'one more than may wait';
    cmp_ok $r->elapsed, '<', 0.5, 'at once';
    $r = $waiting->response;
    is $r->status . ' ' . verdict($r), '503 refused full', 'past wait=';
    like $r->header('Retry-After'), qr/^[1-9]\d*$/, 'when to try again';
    cmp_ok $r->elapsed, '>', 0.55, 'not before';
    cmp_ok $r->elapsed, '<', 1.2, 'not long after';
    is $holder->response->status, 200, 'the one at work is not disturbed';
    is $h->get('/app/')->status, 200, 'then there is room';
    is scalar($web[0]->requests), 2, 'refused requests were not sent';
};

subtest 'a session waits for its member, then goes elsewhere for once' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web,
        app => "LBSticky cookie\nLBStickyLimit inflight=1 queue=5 wait=500ms",
        off => "LBSticky route=R\nLBStickyFailover off\n"
            . 'LBStickyLimit inflight=1 queue=5 wait=300ms');
    my $jar = LBS::Jar->new;
    my $home = $h->get('/app/', jar => $jar)->member;
    my $cookie = [['Cookie', $jar->header(host => 'localhost', path => '/app/')]];
    my $holder = send_off($h, '/app/?delay=0.3', headers => $cookie);
    ok until_inflight($h, 'app', 1), 'its member is full';
    my $r = $h->get('/app/', jar => $jar);
    is $r->member . ' ' . verdict($r), "$home kept", 'it waits for it';
    cmp_ok $r->elapsed, '>', 0.05, 'a little';
    $holder->response;

    $holder = send_off($h, '/app/?delay=2', headers => $cookie);
    ok until_inflight($h, 'app', 1), 'full again';
    $r = $h->get('/app/', jar => $jar);
    is $r->status . ' ' . verdict($r), '200 moved full', 'the time is over';
    isnt $r->member, $home, 'another one serves it';
    is scalar(my @set = $r->set_cookies), 0, 'without a cookie';
    $holder->response;
    $r = $h->get('/app/', jar => $jar);
    is $r->member . ' ' . verdict($r), "$home kept", 'the session stays at home';

    $holder = send_off($h, '/off/?delay=1', headers => at(1));
    ok until_inflight($h, 'off', 1), 'without failover';
    $r = $h->get('/off/', headers => at(1));
    is $r->status . ' ' . verdict($r), '503 refused full', 'it is refused';
    $holder->response;
};

subtest 'a killed child frees its places' => sub {
    plan skip_all => 'no prefork under tsan (LBS::Test)' if under_tsan;
    my @web = LBS::Backend->many(1);
    my $h = start(\@web, mpm => 'prefork', children => 4, threads => 2,
        app => "LBSticky none\nLBStickyLimit inflight=1 queue=10 wait=8s\n$ONE");
    my $holder = send_off($h, '/app/?hang=before');
    ok until_inflight($h, 'app', 1), 'one is at work';
    my $waiting = send_off($h, '/app/');
    ok until_queued($h, 'app', 1), 'one waits';
    my $start = time;
    $h->kill_child('KILL', child_of($h, $holder) // die 'no child');
    my $r = $waiting->response;
    is $r->status, 200, 'the child that holds the place is killed: the waiting request is served';
    cmp_ok time - $start, '<', 3, 'soon';

    $holder = send_off($h, '/app/?delay=2.5');
    ok until_inflight($h, 'app', 1), 'another is at work';
    my @waiting = map {
        my $c = send_off($h, "/app/?n=$_");
        ok until_queued($h, 'app', $_), "$_ wait";
        $c
    } 1 .. 2;
    $h->kill_child('KILL', child_of($h, $waiting[0]) // die 'no child');
    ok until_queued($h, 'app', 1), 'the place of a killed child is free';
    is $holder->response->status, 200, 'the holder is done';
    $r = $waiting[1]->response;
    is $r->status, 200, 'the next is served';
    ok until_inflight($h, 'app', 0), 'nothing is left in flight';
    is pool_state($h, 'app')->{queued}, 0, 'or waiting';
};

subtest 'a client that waits and hangs up' => sub {
    my @web = LBS::Backend->many(1);
    my $h = start(\@web,
        app => "LBSticky none\nLBStickyLimit inflight=1 queue=10 wait=9s\n$ONE");
    my $holder = send_off($h, '/app/?delay=1.5');
    ok until_inflight($h, 'app', 1), 'one is at work';
    my @waiting = map {
        my $c = send_off($h, '/app/');
        ok until_queued($h, 'app', $_), "$_ wait";
        $c
    } 1 .. 5;
    $_->close(reset => 1) for @waiting;
    is $holder->response->status, 200, 'the holder is done';
    ok wait_for(sub { my $p = pool_state($h, 'app');
        $p->{queued} + $p->{inflight} == 0 }, 5), 'their places are free';
    is pool_state($h, 'app')->{members}[0]{failures}, 0, 'no failure';
    is $h->get('/app/')->status, 200, 'and it works';
};

done_testing;
