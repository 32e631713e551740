#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# When sessions go home, when members warm up, when sessions end; a wall clock
# that jumps, and tables of a handful of sessions.
use lib 't/lib';
use LBS::Test timeout => 180;
use LBS::Governed;
use LBS::State qw(:DEFAULT visit);

my @web = LBS::Backend->many(3);
my $SERVER = "LBStickyAdmin on\n";
my $JUMP = ($ENV{LBS_BUILD} // 'build') . '/t/preload/jump.so';
my $DAY = 86_400;

sub pools (%text) {
    return (server => $SERVER,
            map { $_ => "LBSticky session=sid\n$text{$_}" } keys %text);
}

subtest 'LBStickyFailback stay, return and idle=' => sub {
    my $h = governed(\@web, pools(
        stay => 'LBStickySlowStart off',
        return => "LBStickyFailback return\nLBStickySlowStart off",
        idle => "LBStickyFailback idle=2s\nLBStickySlowStart off"));
    for my $pool (qw(stay return idle)) {
        my @r1 = grep { visit($h, $_, pool => $pool)->member eq $web[0]->name } 1 .. 40;
        my $n = $r1[0];
        admin($h, $pool, 'r1', 'disable');
        my $r = visit($h, $n, pool => $pool);
        my $away = $r->member;
        is verdict($r), 'moved disabled', "$pool: moved while it is away";
        is visit($h, $n, pool => $pool)->member, $away, 'and kept where it went';
        $h->graceful;
        is visit($h, $n, pool => $pool)->member, $away, 'through a reload, too';
        admin($h, $pool, 'r1', 'enable');
        $r = visit($h, $n, pool => $pool);
        if ($pool eq 'return') {
            is verdict($r), 'moved failback', 'home with the next request';
            is $r->member, $web[0]->name, 'the old one';
            is verdict(visit($h, $n, pool => $pool)), 'kept', 'where it stays';
            next;
        }
        is $r->member, $away, 'not at once';
        my $end = time + 3;
        my %seen;
        while (time < $end) {
            $seen{visit($h, $n, pool => $pool)->member}++;
            sleep 0.3;
        }
        is_deeply [keys %seen], [$away], 'nor in the middle of a visit';
        # The expiry clock of a two-hour session steps by half a second.
        sleep 3;
        $r = visit($h, $n, pool => $pool);
        is verdict($r), $pool eq 'idle' ? 'moved failback' : 'kept',
            'but after a pause of two seconds' . ($pool eq 'idle' ? '' : ' neither');
        is $r->member, $pool eq 'idle' ? $web[0]->name : $away, 'so there it is';
    }
    $h->no_unexpected_log;
};

subtest 'slow start: new members only, not former ones' => sub {
    my $lines = sub (@n) {
        return pools(app => "LBStickySlowStart 30s\nLBStickyMethod least-sessions\n"
            . join '', map { qq(BalancerMember "http://\@B$_\@" route=r$_\n) } @n);
    };
    my $h = governed(\@web, $lines->(1, 2));
    my $states = sub { join ' ', map { $_->{state} } @{pool_state($h, 'app')->{members}} };
    is $states->(), 'up up', 'nobody warms up at the start of the server';
    visit($h, $_) for 1 .. 60;
    $h->graceful(governed_text(\@web, $lines->(1, 2, 3)));
    is $states->(), 'up up warming', 'an added member does';
    my $new = member_state($h, 'app', 'r3');
    cmp_ok $new->{effective_weight}, '<', 0.3, 'with little of its weight';
    is $new->{weight}, 1, 'which is 1';
    my %got = %{spread(map { visit($h, "n$_") } 1 .. 40)};
    cmp_ok $got{$web[2]->name} // 0, '<', 20,
        'it is not flooded, though it has the fewest sessions';
    $h->graceful;
    is $states->(), 'up up warming', 'a reload does not begin it anew';
    admin($h, 'app', 'r1', 'disable');
    admin($h, 'app', 'r1', 'enable');
    is $states->(), 'warming up warming', 'a member that comes back warms up';
    $h->stop;
    $h->start;
    is $states->(), 'up up up', 'a start ends it';
    $h->no_unexpected_log;

    my $fast = governed(\@web, pools(app => 'LBStickySlowStart 2s'));
    admin($fast, 'app', 'r1', 'disable');
    admin($fast, 'app', 'r1', 'enable');
    my $began = time;
    my $before = member_state($fast, 'app', 'r1')->{effective_weight};
    ok wait_for(sub { member_state($fast, 'app', 'r1')->{effective_weight} > 0.5 }, 4),
        'the weight grows';
    ok wait_for(sub { member_state($fast, 'app', 'r1')->{state} eq 'up' }, 4), 'and is whole';
    cmp_ok abs(time - $began - 2), '<', 0.7, 'when the time is over';
    cmp_ok $before, '<', 0.5, 'not before';

    # It counts from the return, not from when the member went.
    admin($fast, 'app', 'r1', 'disable');
    sleep 2.3;
    my $back = admin($fast, 'app', 'r1', 'enable');
    is $back->{state}, 'warming', 'away for longer than the time: it warms up, too';
    cmp_ok $back->{effective_weight}, '<', 0.5, 'from the beginning';
    $fast->no_unexpected_log;
};

# Who was kept out is asked for once: asking is a use.
subtest 'LBStickyTimeout, and expiry on time after a reload' => sub {
    my $h = governed(\@web, server => $SERVER,
        learned => "LBSticky session=sid\nLBStickyTimeout idle=2s",
        longest => "LBSticky session=sid\nLBStickyTimeout idle=2s max=4s",
        cookie => "LBSticky cookie\nLBStickyTimeout idle=2s max=5s");
    my ($busy, $idle) = map { LBS::Jar->new } 1 .. 2;
    my $first = time;
    $h->get('/cookie/', jar => $_) for $busy, $idle;
    visit($h, $_, pool => 'learned') for qw(idle busy);
    visit($h, 'x', pool => 'longest');
    $h->graceful;
    for (1 .. 3) {
        sleep 0.6;
        is verdict($h->get('/cookie/', jar => $busy)), 'kept', 'a cookie in use';
        is verdict(visit($h, 'busy', pool => 'learned')), 'kept', 'a learned one';
        is verdict(visit($h, 'x', pool => 'longest')), 'kept', 'and one with max=';
    }
    is member_state($h, 'learned', $_)->{inflight}, 0, 'quiet' for 'r1';
    sleep 1.3; # a cookie's dates are whole seconds: over after three at most
    is verdict($h->get('/cookie/', jar => $idle)), 'new expired', 'an idle cookie is over';
    like verdict(visit($h, 'idle', pool => 'learned')), qr/^new/, 'an idle learned one';
    is verdict(visit($h, 'busy', pool => 'learned')), 'kept', 'not one in use';
    while (time < $first + 6.2) {
        $h->get('/cookie/', jar => $busy) if time < $first + 4;
        visit($h, 'x', pool => 'longest') if time < $first + 3.8;
        sleep 0.3;
    }
    my %last = (cookie => $h->get('/cookie/', jar => $busy),
                longest => visit($h, 'x', pool => 'longest'));
    like verdict($last{$_}), qr/^new/, "$_: over with its longest time" for sort keys %last;
    ok wait_for(sub { pool_state($h, 'learned')->{sessions} == 0 }, 6),
        'and the sweep counts them out';
    sound($h);
    $h->no_unexpected_log;
};

subtest 'the wall clock jumps by a day, either way' => sub {
    my $h = governed(\@web, start => 0, env => {LD_PRELOAD => $JUMP, LBS_JUMP => '/'},
        server => $SERVER, app => "LBSticky cookie session=sid\nLBStickyTimeout idle=1h max=3h");
    $h->{env}{LBS_JUMP} = $h->root . '/jump';
    $h->write('jump', 0);
    $h->start;
    my %home = map { $_ => visit($h, $_)->member } 1 .. 20;
    my @jars = map { LBS::Jar->new } 1 .. 20;
    my @at = map { $h->get('/app/', jar => $_)->member } @jars;
    my $kept = sub ($when) {
        is_deeply [grep { visit($h, $_)->member ne $home{$_} } keys %home], [],
            "$when: learned sessions stay";
        is_deeply [map { $h->get('/app/', jar => $_)->member } @jars], \@at,
            'and cookies';
    };
    admin($h, 'app', 'r3', 'drain', deadline => '1h');
    for my $jump ($DAY, -$DAY, 0) {
        $h->write('jump', $jump);
        cmp_ok abs($h->json->{now} - time - $jump), '<', 3, "the date is $jump s off";
        sleep 0.5;
        $kept->('while it runs');
        $h->graceful;
        $kept->('after a reload');
    }
    is member_state($h, 'app', 'r3')->{state}, 'drain', 'the drain goes on';
    is_deeply [events($h, 'drained')], [], 'and is not over';
    is pool_state($h, 'app')->{decisions}{new}{expired}, 0, 'nothing expired';
    quiet($h);
    $h->no_unexpected_log;
};

for my $sessions (1, 2, 255, 256) {
    subtest "a full table for $sessions sessions" => sub {
        my $h = governed(\@web, app => 'LBSticky session=sid', threads => 4,
            server => "${SERVER}LBStickyTable sessions=$sessions");
        my @slow = grep { $_->elapsed > 1 } my @r = map { visit($h, $_) } 1 .. 900;
        is_deeply [grep { $_->status != 200 } @r], [], '900 visitors are served';
        is_deeply \@slow, [], 'none of them slowly';
        my $state = $h->json;
        cmp_ok $state->{table}{entries}, '>=', $sessions, 'as many as asked for are known';
        cmp_ok $state->{table}{entries}, '<=', $sessions * 2 + 32, 'not many more';
        cmp_ok $state->{table}{evicted_live}, '>', 0, 'a live session that had to give way is counted';
        is $state->{table}{entries} + $state->{table}{evicted_live}, 900,
            'nobody is counted twice';
        is visit($h, 'again')->member, visit($h, 'again')->member, 'the newest stays';
        is sound($h)->{valid} // $state->{table}{entries}, $state->{table}{entries},
            'a walk finds as many';
        $h->no_unexpected_log;
    };
}

done_testing;
