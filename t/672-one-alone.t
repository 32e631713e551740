#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Two balancers that share a store, of which one alone cannot use a member: a
# session is in one place all the same.
use lib 't/lib';
use LBS::Governed;
use LBS::State;
use LBS::Store;
use LBS::Test timeout => 240;

my @web = LBS::Backend->many(3);
my $VISITORS = 24;
my @NOISE = (qr/AH00957|AH01110|AH01114|AH01102|AH00898/, qr/socache_redis/, qr/LBS2502/);

my $redis = LBS::Store->redis;

my $number = 0;
sub balancers ($app, %o) {
    my $secret = 'one secret for both of them ' . $number++;    # nothing of another test is found
    my @h = map {
        my $h = governed(\@web, start => 0, modules => ['socache_redis'],
            app => "$app\nLBStickySlowStart off", server =>
            qq(LBStickySecret "file:\@ROOT\@/conf/secret"\nLBStickyAdmin on\n)
            . "LBStickyStore redis:127.0.0.1:@{[$redis->port]} timeout=1s");
        $h->write('conf/secret', "$secret\n", 0600);
        $h->announce(@NOISE);
        $h
    } 1, 2;
    $_->start for @h;
    return @h;
}

sub finish (@h) {
    $_->stop for @h;
    $_->no_unexpected_log for @h;
    return;
}

my %SHOWS = (
    session => ['LBSticky session=sid',
        sub ($h, $n) { $h->get('/app/', headers => cookie_of(sid => "id$n")) }],
    header => ['LBSticky header=X-Key',
        sub ($h, $n) { $h->get('/app/', headers => [['X-Key', "id$n"]]) }],
    query => ['LBSticky query=sid', sub ($h, $n) { $h->get("/app/?sid=id$n") }],
    path => ['LBSticky path=sid', sub ($h, $n) { $h->get("/app/;sid=id$n") }],
    expr => ['LBSticky "expr=%{HTTP:X-Key}"',
        sub ($h, $n) { $h->get('/app/', headers => [['X-Key', "id$n"]]) }],
);

# The members of all visitors at a balancer.
sub places ($h, $get) {
    return join ' ', map { member_of($get->($h, $_)) } 1 .. $VISITORS;
}

# How many visitors are at two members, once the servers have heard of each
# other; and how many requests were to another member than the one before.
sub restless ($h, $get, $rounds) {
    my (@at, %two);
    for my $round (1 .. $rounds) {
        for my $n (1 .. $VISITORS) {
            my $m = member_of($get->($h->[($round + $n) % 2], $n));
            $two{$n}++ if defined $at[$n] && $at[$n] ne $m;
            $at[$n] = $m;
        }
    }
    return \%two;
}

sub settles ($h, $get, $what) {
    my $left;
    ok wait_for(sub { !%{$left = restless($h, $get, 2)} }, 10), "$what: each is in one place"
        or diag explain $left;
    is_deeply restless($h, $get, 4), {}, "$what: and stays there";
    return;
}

for my $by (sort keys %SHOWS) {
    my ($app, $get) = $SHOWS{$by}->@*;
    subtest "$by: one balancer alone takes a member out" => sub {
        my @h = balancers($app);
        is_deeply restless(\@h, $get, 4), {}, 'before: each is in one place';
        my @deeds = $by eq 'session' ? (['disable'], ['drain', deadline => 0]) : (['disable']);
        for my $deed (@deeds) {
            my ($how, @with) = @$deed;
            my $before = places($h[1], $get);
            like $before, qr/r1/, 'some are at r1';
            admin($h[0], 'app', 'r1', $how, @with);
            my $at = places($h[0], $get);
            unlike $at, qr/r1/, "$how: nobody is there";
            my @moved = grep { (split / /, $before)[$_] ne (split / /, $at)[$_] } 0 .. $VISITORS - 1;
            is scalar(grep { (split / /, $before)[$_] ne 'r1' } @moved), 0, 'nobody else moves';
            settles(\@h, $get, $how);
            is places($h[1], $get), $at, 'where the first one has moved them';
            admin($h[0], 'app', 'r1', 'enable');
            is_deeply restless(\@h, $get, 4), {}, 'enabled: nobody moves again';
            # Some go to r1 again.
            admin($_, 'app', 'r2', 'disable') for @h;
            settles(\@h, $get, 'r2 disabled at both');
            admin($_, 'app', 'r2', 'enable') for @h;
        }
        finish(@h);
    };
}

subtest 'each cannot use another member' => sub {
    my ($app, $get) = $SHOWS{session}->@*;
    my @h = balancers($app);
    restless(\@h, $get, 2);
    admin($h[0], 'app', 'r1', 'disable');
    admin($h[1], 'app', 'r2', 'disable');
    settles(\@h, $get, 'r1 here, r2 there');
    unlike places($_, $get), qr/r1|r2/, 'all are at the third' for @h;
    finish(@h);
};

subtest 'a visitor who comes back later' => sub {
    my ($app, $get) = $SHOWS{session}->@*;
    my @h = balancers($app);
    my $before = places($h[1], $get);
    is places($h[0], $get), $before, 'both know them';
    admin($h[0], 'app', 'r1', 'disable');
    my $at = places($h[0], $get);
    admin($h[0], 'app', 'r1', 'enable');
    sleep 5;    # the first one has said for long that it moves no session any more
    is places($h[1], $get), $at, 'the other one follows though all is well again';
    finish(@h);
};

subtest 'the table of a server that was away' => sub {
    my ($app, $get) = $SHOWS{session}->@*;
    my @h = balancers($app);
    restless(\@h, $get, 2);
    $h[1]->stop;
    admin($h[0], 'app', 'r1', 'disable');
    my $at = places($h[0], $get);
    admin($h[0], 'app', 'r1', 'enable');
    $h[1]->start;
    is places($h[1], $get), $at, 'it asks for what it has not seen since its start';
    finish(@h);
};

# Each visit begins an idle time anew.
sub goes_home ($h, $get, $before, $mode) {
    if ($mode eq 'return') {
        ok wait_for(sub { places($h->[0], $get) eq $before }), 'enabled: they go home';
    }
    else {
        sleep 6;
        is places($h->[0], $get), $before, 'enabled: they go home';
    }
    return;
}

for my $mode ('return', 'idle=3s') {
    subtest "LBStickyFailback $mode" => sub {
        my ($app, $get) = $SHOWS{session}->@*;
        my @h = balancers("$app\nLBStickyFailback $mode\nLBStickyTimeout idle=60s");
        restless(\@h, $get, 2);
        my $before = places($h[0], $get);
        is places($h[1], $get), $before, 'both know them';

        admin($_, 'app', 'r1', 'disable') for @h;
        settles(\@h, $get, 'disabled at both');
        unlike places($h[0], $get), qr/r1/, 'nobody is there';
        admin($_, 'app', 'r1', 'enable') for @h;
        goes_home(\@h, $get, $before, $mode);
        settles(\@h, $get, 'at home');

        admin($h[0], 'app', 'r1', 'disable');
        settles(\@h, $get, 'disabled at one');
        unlike places($_, $get), qr/r1/, 'nobody is there' for @h;
        my $away = places($h[0], $get);
        admin($h[0], 'app', 'r1', 'enable');
        goes_home(\@h, $get, $before, $mode);
        settles(\@h, $get, 'at home again');
        is places($h[1], $get), $before, 'at both';
        finish(@h);
    };
}

subtest 'LBStickyFailback return with the module\'s cookie' => sub {
    my @jar = map { LBS::Jar->new } 0 .. $VISITORS;
    my $get = sub ($h, $n) { $h->get('/app/', jar => $jar[$n]) };
    my @h = balancers("LBSticky cookie\nLBStickyFailback return");
    restless(\@h, $get, 2);
    my $before = places($h[0], $get);
    admin($_, 'app', 'r1', 'disable') for @h;
    settles(\@h, $get, 'disabled at both');
    admin($_, 'app', 'r1', 'enable') for @h;
    for my $h (@h) {
        ok wait_for(sub { places($h, $get) eq $before }), 'enabled: all go home';
    }
    is_deeply restless(\@h, $get, 4), {}, 'and stay there';
    finish(@h);
};

subtest 'a request that outlives what the store keeps' => sub {
    my @h = balancers("LBSticky session=sid\nLBStickyTimeout idle=4s");
    my $get = sub ($h) { $h->get('/app/', headers => cookie_of(sid => 'stream')) };
    my $member = member_of($get->($h[0]));
    my $c = $h[0]->connect;
    $c->send_request('GET', '/app/?hang=20&size=100', headers => cookie_of(sid => 'stream'));
    sleep 9;
    my $r = $get->($h[1]);
    is verdict($r) . ' ' . member_of($r), "kept $member", 'the other balancer knows the session';
    $c->close;
    $_->drop for @web;    # httpd waits for what the member still has to say
    finish(@h);
};

$redis->kill;
done_testing;
