#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A request for which nobody is left tries the ejected members before it is
# refused: a 503 is for when nobody answers.
use lib 't/lib';
use LBS::Test timeout => 150;

use LBS::Governed;
use LBS::Ports;
use LBS::State qw(pool_state admin);

my @TOLD = (qr/\[proxy(?:_http)?:error\]/, qr/\[proxy_http:warn\]/);

sub at ($n) { return cookie_of(R => "x.r$n") }

sub start ($web, %pools) {
    my $h = governed($web, server => "LBStickyAdmin on\nLBStickySlowStart off",
        threads => 40, map { $_ => "LBSticky route=R cookie\n$pools{$_}" }
        keys %pools);
    $h->announce(@TOLD);
    return $h;
}

# Lost requests eject member n.
sub eject ($h, $web, $name, $n) {
    my $b = $web->[$n - 1]->name;
    $h->get("/$name/?reset=before&at=$b", headers => at($n)) for 1 .. 3;
    return pool_state($h, $name)->{members}[$n - 1]{state};
}

sub statuses (@r) { return join ' ', map { $_->status } @r }

subtest 'one member is ejected and well again, the other one refuses' => sub {
    for my $hold ('1s-60s', '20s-60s') {
        my @web = LBS::Backend->many(2);
        my $h = start(\@web, app => "LBStickyEject hold=$hold");
        is eject($h, \@web, 'app', 2), 'ejected', "hold=$hold: b is ejected";
        $web[0]->refuse;
        my @r = map { $h->get('/app/') } 1 .. 5;
        is statuses(@r), '200 200 200 200 200', 'new visitors are answered';
        @r = map { $h->request('POST', '/app/', body => 'x' x 100) } 1 .. 5;
        is statuses(@r), '200 200 200 200 200', 'a POST, too';
        @r = map { $h->get('/app/', headers => at(1)) } 1 .. 3;
        is statuses(@r), '200 200 200', 'and so are visitors of a';
        is scalar(grep { $_->member eq $web[1]->name } @r), 3, 'all by b';
        is verdict($h->get('/app/', headers => at(2))), 'kept',
            'sessions of that member have not moved';
    }
};

subtest 'many at once' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web, app => 'LBStickyEject hold=1s-60s');
    eject($h, \@web, 'app', 2);
    $web[0]->refuse;
    $web[1]->set(delay => 0.3);
    my @got = in_parallel(20, sub ($i) {
        my @seen;
        for my $k (1 .. 5) {
            push @seen, ($i % 2
                ? $h->request('POST', '/app/', body => 'x')
                : $h->get('/app/'))->status;
        }
        return \@seen;
    });
    my %seen;
    $seen{$_}++ for map { ref eq 'ARRAY' ? @$_ : 'died' } @got;
    is_deeply \%seen, {200 => 100}, '0 of 100 are refused';
};

subtest 'the member that was ejected first is tried first, each once' => sub {
    my @web = LBS::Backend->many(4);
    my $h = start(\@web, app => "LBStickyEject hold=30s-60s cap=100\n"
        . 'LBStickyRetry on=connect');
    for my $n (3, 2, 4) {
        is eject($h, \@web, 'app', $n), 'ejected', "$n is ejected";
        sleep 0.1;
    }
    $web[0]->refuse;
    my $r = $h->get('/app/');
    is $r->member, $web[2]->name, 'the third was first';
    is attempts_of($r), 2, 'after the one that is open';
    eject($h, \@web, 'app', 3);
    $_->refuse for @web[2, 3];
    $r = $h->get('/app/');
    is $r->member, $web[1]->name, 'the second is next';
    eject($h, \@web, 'app', 2);
    $web[1]->refuse;
    $r = $h->get('/app/');
    is $r->status, 503, 'nobody answers: 503';
    is tries_of($h, '/app/'), 4, 'each was tried, once';
};

subtest 'closed is closed' => sub {
    my @web = LBS::Backend->many(3);
    my $h = start(\@web, app => 'LBStickyEject hold=30s-60s',
        firm => "LBStickyEject hold=30s-60s\nLBStickyFailover off",
        few => "LBStickyEject hold=30s-60s\nProxySet maxattempts=0");
    eject($h, \@web, 'app', 2);
    eject($h, \@web, 'firm', 2);
    eject($h, \@web, 'few', 2);
    admin($h, 'app', 'r2', 'disable');
    admin($h, $_, 'r3', 'disable') for qw(app firm few);
    $web[0]->refuse;
    my $asked = $web[1]->deliveries;
    is $h->get('/app/')->status, 503, 'a disabled member is not asked';
    is $h->get('/firm/', headers => at(2))->status, 503,
        'LBStickyFailover off: refused';
    is $h->get('/few/', headers => at(1))->status, 503,
        'nor above maxattempts';
    is $web[1]->deliveries, $asked, 'it saw nothing of this';
};

subtest 'one member of many answers' => sub {
    my ($alive) = LBS::Backend->many(1);
    my $dead = LBS::Ports::free();
    my $members = join '', map { qq(BalancerMember "http://127.1.0.$_:$dead" route=d$_\n) } 1 .. 199;
    # Each pool is asked when it knows nothing of its members yet.
    my @names = map { "p$_" } 1 .. 6;
    my $h = governed([$alive], map {
        $_ => qq(LBSticky cookie\nLBStickyEject off\nLBStickyMethod least-busy\n$members)
            . qq(BalancerMember "http://\@B1\@" route=alive) } @names);
    $h->announce(@TOLD, qr/LBS1602|AH00957|AH01114/);
    is statuses(map { $h->get("/$_/") } @names), join(' ', (200) x @names),
        'the first visitor comes to it, whoever was tried before';
};

done_testing;
