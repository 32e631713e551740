#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# LBStickyLocal under every MPM: two httpds that are balancer and web server,
# asked by many at once, and one of them dies.
use lib 't/lib';
use LBS::Test timeout => 120;
use LBS::Pair;

use constant {VISITORS => 4, ROUNDS => 5};

each_mpm {
    my ($m1, $m2) = LBS::Pair::make(2, local => 'files self', pool => <<'POOL');
LBSticky cookie
LBStickyCookie first=off
LBStickyMethod round-robin
LBStickySlowStart off
POOL
    $_->start for $m1, $m2;

    # What was decided for an answer by the server that was asked.
    my $decided = \&LBS::Pair::decided;
    my @seen = in_parallel(VISITORS, sub ($i) {
        my $jar = LBS::Jar->new;
        my $first = $m1->get('/wsgi', host => 'pair', jar => $jar)->member;
        my %r = (home => $first, elsewhere => 0, files => 0);
        for (1 .. ROUNDS) {
            for my $h ($m1, $m2) {
                my $n = $h->{pair}[0];
                my $r = $h->post('/wsgi', 'x' x 50_000, host => 'pair',
                                 jar => $jar);
                $r{elsewhere}++ if $r->status != 200 || $r->member ne $first
                    || $decided->($r, $n) ne "kept $first"
                    || $r->json->{body_length} != 50_000;
                my $file = $h->get('/who.txt', host => 'pair', jar => $jar);
                $r{files}++ if $file->body eq "m$n\n"
                    && $decided->($file, $n) eq 'local';
            }
        }
        \%r
    });
    my %home;
    for my $r (@seen) {
        ok !$r->{died}, 'a visitor' or diag $r->{died};
        $home{$r->{home}}++;
    }
    is_deeply \%home, {m1 => VISITORS / 2, m2 => VISITORS / 2},
        'visitors spread over both';
    is scalar(grep { $_->{elsewhere} } @seen), 0,
        'and are answered by their own server, whichever is asked';
    is scalar(grep { $_->{files} != 2 * ROUNDS } @seen), 0,
        'the server that is asked answers a file';

    my $pool = $m1->json('/lb-status/json', host => 'pair')->{pools}[0];
    is_deeply [map { $_->{inflight} } @{$pool->{members}}], [0, 0],
        'nothing is left in flight';
    is $pool->{decisions}{local}, VISITORS * ROUNDS * 3 / 2,
        'files and what the other one forwarded count as local';

    my $jar = LBS::Jar->new;
    $jar = LBS::Jar->new
        while $m1->get('/wsgi', host => 'pair', jar => $jar)->member ne 'm2';
    $m2->stop;
    $m1->announce(qr/Connection refused|failed to make connection|LBS\d+/);
    my $r = $m1->get('/wsgi', host => 'pair', jar => $jar);
    is $decided->($r, 1), 'moved down m1', 'its visitor is answered here';
};

done_testing;
