#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Two balancers before the same members: a session is in one place, whichever
# of the two its requests pass.
use lib 't/lib';
use LBS::Governed;
use LBS::Store;
use LBS::State;
use LBS::Test timeout => 150;

my @web = LBS::Backend->many(3);
my $VISITORS = 24;
my @NOISE = (qr/AH00957|AH01114|AH01102|AH00898/, qr/socache_redis/, qr/LBS2502/);

sub balancers ($app, $server = '') {
    my @h = map {
        my $h = governed(\@web, start => 0, modules => ['socache_redis'], app => $app, server =>
            qq(LBStickySecret "file:\@ROOT\@/conf/secret"\nLBStickyAdmin on\n$server));
        $h->write('conf/secret', "one secret for both of them\n", 0600);
        $h->announce(@NOISE);
        $h
    } 1, 2;
    $_->start for @h;
    return @h;
}

# What a visitor shows: the cookie of a jar, or an id of the application's.
sub visitor ($by, $n) {
    my $jar = LBS::Jar->new;
    return sub ($h) { $h->get('/app/', jar => $jar) } if $by eq 'cookie';
    return sub ($h) { $h->get('/app/', headers => cookie_of(sid => "id$n")) };
}

# Everybody goes to the two in turn. Who of them was anywhere else than where
# they were after the first move?
sub restless ($h, $visitors, $rounds) {
    my (@at, %moved, @status);
    for my $round (1 .. $rounds) {
        for my $n (0 .. $#$visitors) {
            my $r = $visitors->[$n]->($h->[($round + $n) % 2]);
            push @status, $r->status if $r->status != 200;
            $at[$n] //= $r->member;
            $moved{$n} = 1 if $r->member ne $at[$n];
        }
    }
    is_deeply \@status, [], 'all are served';
    return scalar keys %moved;
}

# They begin, at either balancer, and show themselves at both.
sub begin ($h, $by) {
    my @visitors = map { visitor($by, $_) } 1 .. $VISITORS;
    is restless($h, \@visitors, 4), 0, 'before: each is in one place';
    return @visitors;
}

sub lose ($h, $how) {
    if ($how eq 'dies') {
        $web[0]->refuse;
        return;
    }
    admin($_, 'app', 'r1', 'disable') for @$h;
    return;
}

sub regain ($h, $how) {
    return $web[0]->accept if $how eq 'dies';
    admin($_, 'app', 'r1', 'enable') for @$h;
    return;
}

sub check ($by, @h) {
    for my $how (qw(disabled dies)) {
        my @visitors = begin(\@h, $by);
        lose(\@h, $how);
        is restless(\@h, \@visitors, 8), 0, "r1 $how: in one place, after one move";
        my @homeless = grep { $_->($h[0])->member eq 'web1' } @visitors;
        is scalar(@homeless), 0, 'which is not r1';
        regain(\@h, $how);
        is restless(\@h, \@visitors, 4), 0, 'back: nobody moves again';
    }
    $_->stop for @h;
    $_->no_unexpected_log for @h;
    return;
}

subtest 'cookie' => sub { check('cookie', balancers("LBSticky cookie\nLBStickySlowStart off")) };

subtest 'session= with a store' => sub {
    my $redis = LBS::Store->redis;
    my $port = $redis->port;
    check('session', balancers("LBSticky session=sid\nLBStickySlowStart off",
        "LBStickyStore redis:127.0.0.1:$port timeout=500ms"));
    $redis->kill;
};

subtest 'requests of one visitor at both balancers in the same moment' => sub {
    my @h = balancers("LBSticky cookie\nLBStickySlowStart off\nLBStickyMethod round-robin");
    my @visitors = begin(\@h, 'cookie');
    my @jars = map { LBS::Jar->new } @visitors;
    $h[0]->get('/app/', jar => $_) for @jars;
    my @old = map { $_->value('LBSTICKY_app') } @jars;
    admin($_, 'app', 'r1', 'disable') for @h;
    # Each balancer is shown the old token: neither knows of the other's move.
    $h[1]->get('/app/');    # it is another one's turn there
    my %two;
    for my $n (0 .. $#old) {
        my @r = map { $_->get('/app/', headers => cookie_of(LBSTICKY_app => $old[$n])) } @h;
        $two{$n} = 1 if $r[0]->member ne $r[1]->member;
        $jars[$n]->learn($_, path => '/app/', host => '127.0.0.1') for @r;
    }
    ok scalar(keys %two), scalar(keys %two) . ' of them at two members';
    sleep 10.5;    # so long a move is one that is just being made
    my @later = map { my $jar = $_; sub ($h) { $h->get('/app/', jar => $jar) } } @jars;
    $_->($h[0]), $_->($h[1]) for @later;
    is restless(\@h, \@later, 4), 0, 'and in one place after the next visit';
    $_->stop for @h;
    $_->no_unexpected_log for @h;
};

subtest 'a member that one of the two alone takes out' => sub {
    my @h = balancers("LBSticky cookie\nLBStickySlowStart off\nLBStickyCookie first=off");
    my @visitors = begin(\@h, 'cookie');
    for my $how ('disable', 'drain') {
        admin($h[0], 'app', 'r1', $how, $how eq 'drain' ? (deadline => 0) : ());
        my @at = map { $_->($h[0])->member } @visitors;
        is scalar(grep { $_ eq 'web1' } @at), 0, "$how: nobody is there";
        my @follow = map { $_->($h[1])->member } @visitors;
        is_deeply \@follow, \@at, 'the other one follows, though it has them there';
        is restless(\@h, \@visitors, 6), 0, 'each is in one place';
        admin($h[0], 'app', 'r1', 'enable');
        is restless(\@h, \@visitors, 4), 0, 'enabled: nobody moves again';
        @visitors = begin(\@h, 'cookie');
    }
    $_->stop for @h;
    $_->no_unexpected_log for @h;
};

subtest 'a client that goes on showing its old cookie follows the move' => sub {
    my ($h, $other) = balancers("LBSticky cookie\nLBStickySlowStart off");
    my $jar = LBS::Jar->new;
    my $home = member_of($h->get('/app/', jar => $jar));
    my @old = (headers => cookie_of(LBSTICKY_app => $jar->value('LBSTICKY_app')));
    admin($h, 'app', $home, 'disable');
    my $moved = member_of($h->get('/app/', @old));
    isnt $moved, $home, 'moved';
    admin($h, 'app', $home, 'enable');
    is_deeply {map { member_of($h->get('/app/', @old)) => 1 } 1 .. 6}, {$moved => 1},
        'and it stays there, whatever it shows';
    $_->stop for $h, $other;
    $_->no_unexpected_log for $h, $other;
};

done_testing;
