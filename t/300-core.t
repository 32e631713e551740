#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The core of it under every MPM: visitors spread and stay, sessions are
# learned, failures move them, and a child that is new knows all of it.
use lib 't/lib';
use LBS::Test timeout => 240;
use LBS::Governed;

my @web = LBS::Backend->many(3, name => 'web');

each_mpm {
    my $h = governed(\@web,
        app  => 'LBSticky cookie',
        sess => 'LBSticky session=APP',
        addr => "LBSticky ip\nLBStickyMethod hash",
        server => "LBStickyMethod round-robin\nLBStickyEject off");
    $h->announce(qr/refused|failed to make connection|LBS\d+/);

    # Many at once, so that all children take part.
    my @seen = in_parallel(6, sub ($i) {
        my %r = (miss => 0);
        for my $visitor (1 .. 8) {
            my $jar = LBS::Jar->new;
            my $first = $h->get('/app/', jar => $jar);
            $r{start}{$first->member}++;
            for (1 .. 5) {
                my $r = $h->get('/app/', jar => $jar);
                $r{miss}++ if verdict($r) ne 'kept'
                    || $r->member ne $first->member || $r->set_cookies;
            }
            my $id = "s$i-$visitor";
            my $home = $h->get("/sess/?cookie=APP%3D$id")->member;
            for (1 .. 5) {
                my $r = $h->get('/sess/', headers => [['Cookie', "APP=$id"]]);
                $r{lost}++ if verdict($r) ne 'kept' || $r->member ne $home;
            }
            my $from = "127.0.$i.$visitor";
            my %at = map { $h->get('/addr/', from => $from)->member => 1 } 1 .. 4;
            $r{strayed}++ if keys %at != 1;
        }
        \%r
    });
    my %start;
    for my $r (@seen) {
        ok !$r->{died}, 'a client' or diag $r->{died};
        $start{$_} += $r->{start}{$_} for keys %{$r->{start}};
    }
    is_deeply \%start, {web1 => 16, web2 => 16, web3 => 16}, 'visitors spread';
    is scalar(grep { $_->{miss} } @seen), 0, 'and stay';
    is scalar(grep { $_->{lost} } @seen), 0, 'learned sessions are kept';
    is scalar(grep { $_->{strayed} } @seen), 0, 'an address is, too';

    my $jar = LBS::Jar->new;
    my $home = $h->get('/app/', jar => $jar)->member;
    my ($b) = grep { $_->name eq $home } @web;
    $b->refuse;
    my @moved = in_parallel(6, sub ($i) {
        my $r = $h->post('/app/', 'x' x 100_000, jar => $jar);
        {status => $r->status, verdict => verdict($r),
         length => $r->json->{body_length}}
    });
    is scalar(grep { $_->{status} != 200 || $_->{length} != 100_000 } @moved), 0,
        'a lost member: everybody is served';
    my $r = $h->get('/app/', jar => $jar);
    my $there = $r->member;
    isnt $there, $home, 'the visitor has moved';
    $b->accept;
    is $h->get('/app/', jar => $jar)->member, $there, 'and stays';

    # A child dies, a generation ends: what was learned is there.
    # (Prefork has others in reserve and does not replace it at once.)
    my $pid = ($h->children)[-1];
    kill KILL => $pid;
    ok wait_for(sub { !LBS::Proc::alive($pid) }), 'a child was killed';
    $r = $h->get('/app/', jar => $jar);
    is $r->member, $there, 'after a crash of a child'
        or diag $r->status, ' ', $r->error // '';
    $h->graceful;
    is $h->get('/app/', jar => $jar)->member, $there, 'after a reload';
    is verdict($h->get('/sess/', headers => [['Cookie', 'APP=s0-1']])), 'kept',
        'a learned session as well';
    $h->no_unexpected_log;
    $h->stop;
};

# Each child serves one connection: every request is the first one of a child.
subtest 'the first request in a new child' => sub {
    plan skip_all => 'no prefork under tsan (LBS::Test)' if under_tsan;
    my $h = governed(\@web, app => 'LBSticky cookie', sess => 'LBSticky session=APP',
        mpm => 'prefork', children => 400, threads => 1, server => <<'CONF');
LBStickyMethod round-robin
StartServers 300
MinSpareServers 200
MaxConnectionsPerChild 1
CONF
    my ($jar, $home, $learned) = (LBS::Jar->new);
    $home = $h->get('/app/', jar => $jar)->member;
    $learned = $h->get('/sess/?cookie=APP%3Dx')->member;
    my @miss = map { @$_ } in_parallel(2, sub ($i) {
        [grep { defined } map {
            my $r = $i ? $h->get('/app/', jar => $jar)
                : $h->get('/sess/', headers => [['Cookie', 'APP=x']]);
            my $is = verdict($r) . ' ' . $r->member;
            $is eq 'kept ' . ($i ? $home : $learned) ? undef : "$_: $is"
        } 1 .. 250]
    });
    is "@miss", '', '500 requests, no miss';
    $h->no_unexpected_log;
};

done_testing;
