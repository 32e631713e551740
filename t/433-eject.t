#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# When a member's own answers take it out, and how it comes back.
use lib 't/lib';
use LBS::Test timeout => 150;

use LBS::Governed;
use LBS::State qw(pool_state admin);

# What mod_proxy tells of connections it lost or could not open.
my @TOLD = (qr/\[proxy(?:_http)?:error\]/, qr/\[proxy_http:warn\]/);

# Pools whose visitors are sent to the member their cookie R names.
sub start ($web, %pools) {
    my $h = governed($web, server => "LBStickySlowStart off\nLBStickyAdmin on",
        threads => 40, map { $_ => "LBSticky route=R\n$pools{$_}" } keys %pools);
    $h->announce(@TOLD);
    return $h;
}

sub at ($n) { return cookie_of(R => "x.r$n") }
sub member ($h, $name, $n) { return pool_state($h, $name)->{members}[$n - 1] }
sub state_of ($h, $name, $n) { return member($h, $name, $n)->{state} }

# [event, reason, at] of a pool's member, the oldest first; what is told of its
# connections is told in t/432-doubt.t.
sub events ($h, $name, $n) {
    return map { [@$_{qw(event reason at)}] }
        grep { $_->{pool} eq $name && $_->{member} eq "r$n"
            && $_->{event} ne 'down' && $_->{reason} ne 'connected' }
        @{$h->json->{events}};
}

# Make member n fail so often in a row, by resets.
sub fail_in_row ($h, $web, $name, $n, $times) {
    my $b = $web->[$n - 1]->name;
    $h->get("/$name/?reset=before&at=$b", headers => at($n)) for 1 .. $times;
    return;
}

subtest 'failures in a row take a member out' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web, app => 'LBStickyEject failures=3 hold=30s-60s',
                  off => 'LBStickyEject off');
    fail_in_row($h, \@web, 'app', 1, 2);
    is $h->get('/app/', headers => at(1))->member, $web[0]->name, 'two do not';
    fail_in_row($h, \@web, 'app', 1, 2);
    is state_of($h, 'app', 1), 'up', 'an answer begins the row anew';
    fail_in_row($h, \@web, 'app', 1, 1);
    is state_of($h, 'app', 1), 'ejected', 'the third does';
    my $r = $h->get('/app/', headers => at(1));
    is $r->member . ' ' . verdict($r), $web[1]->name . ' moved ejected',
        'its sessions move';
    is_deeply [map { "$_->[0], $_->[1]" } events($h, 'app', 1)],
        ['ejected, failures in a row'], 'one event';
    is $h->wait_log(qr/LBS1600: pool app: member r1 ejected: failures in a row/),
        1, 'one line in the log';
    my $m = member($h, 'app', 1);
    is $m->{eject}{count}, 1, 'counted';
    cmp_ok $m->{eject}{until} - time, '>', 20, 'held as long as it says';
    fail_in_row($h, \@web, 'off', 1, 20);
    is state_of($h, 'off', 1), 'up', 'off: never';
};

subtest 'half of the requests, and answers that break off' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web,
        half => 'LBStickyEject failures=100 hold=30s-60s',
        body => 'LBStickyEject failures=3 hold=30s-60s');
    my $name = $web[0]->name;
    for (1 .. 4) {
        fail_in_row($h, \@web, 'half', 1, 1);
        $h->get('/half/', headers => at(1));
    }
    is state_of($h, 'half', 1), 'up', 'eight requests are too few';
    $h->get('/half/', headers => at(1));
    fail_in_row($h, \@web, 'half', 1, 1);
    is state_of($h, 'half', 1), 'ejected', 'ten are enough';
    $h->get("/body/?size=9000&reset=100&at=$name", headers => at(1))
        for 1 .. 3;
    is state_of($h, 'body', 1), 'ejected', 'heads alone are no answers';
};

subtest 'status= and failonstatus' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web,
        plain => 'LBStickyEject failures=3',
        listed => 'LBStickyEject failures=3 hold=30s-60s status=500,503-504',
        param => "LBStickyEject failures=3 hold=30s-60s\n"
            . 'ProxySet failonstatus=503');
    my $name = $web[0]->name;
    for (['plain', 503, 'up'], ['listed', 502, 'up'], ['listed', 504, 'ejected'],
         ['param', 500, 'up'], ['param', 503, 'ejected']) {
        my ($pool, $status, $want) = @$_;
        my @got = map { $h->get("/$pool/?status=$status&at=$name",
            headers => at(1))->status } 1 .. 3;
        is "@got", "$status $status $status", "$pool: $status is handed on";
        is state_of($h, $pool, 1), $want, "then it is $want";
    }
};

subtest 'at the end of a hold exactly one tries' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web, app => 'LBStickyEject failures=1 hold=1s-1s');
    fail_in_row($h, \@web, 'app', 1, 1);
    ok wait_for(sub { (events($h, 'app', 1))[-1][0] eq 'half-open' }, 3),
        'the hold is over';
    $web[0]->clear;
    $web[0]->set(delay => 0.9);
    my $go = time + 1;
    my @all = in_parallel(50, sub ($i) {
        sleep $go - time;
        my $r = $h->get('/app/', headers => at(1));
        return [$r->status, $r->member];
    });
    is scalar(grep { $_->[0] == 200 } @all), 50, '50 at once, all answered';
    is scalar(grep { $_->[1] eq $web[0]->name } @all), 1, 'one by the member';
    is $web[0]->deliveries, 1, 'which nobody else asked';
    is state_of($h, 'app', 1), 'up', 'it answered and is back';
    $web[0]->set;
    is $h->get('/app/', headers => at(1))->member, $web[0]->name,
        'its visitors, too';
};

subtest 'back at the end of the hold, not before; holds double' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web, app => 'LBStickyEject failures=1 hold=400ms-2s');
    $web[0]->refuse;
    my $end = time + longer(20);
    my @lines;
    while (@lines < 5 && time < $end) {
        $h->get('/app/', headers => at(1));
        sleep 0.02;
        @lines = $h->error_log(qr/LBS1600/);
    }
    # The log has fractions of seconds; from one ejection to the next it takes
    # the hold, a tick and the next visitor, each as late as the machine is.
    my @at = map { /(\d+):(\d+):([\d.]+)/ ? $1 * 3600 + $2 * 60 + $3 : 0 }
        @lines;
    for my $i (0 .. 3) {
        my $want = (0.4, 0.8, 1.6, 2)[$i];
        my $held = ($at[$i + 1] // 0) - $at[$i];
        ok $held >= $want && $held < $want + 1.2,
            sprintf 'held for %.1f s: %.2f', $want, $held;
    }
    my @events = events($h, 'app', 1);
    is_deeply [map { $_->[0] } @events[0 .. 3]],
        [qw(ejected half-open ejected half-open)], 'turn by turn';
    is $events[2][1], 'failed when tried again', 'and why';
    is scalar @lines, scalar(grep { $_->[0] eq 'ejected' } @events), 'a line for each';
    $web[0]->accept;
    ok wait_for(sub {
        $h->get('/app/', headers => at(1))->member eq $web[0]->name }, 4),
        'it is back';
    is $h->wait_log(qr/LBS1601: pool app: member r1 answers again/), 1,
        'one line';
};

subtest 'the cap, and the last one' => sub {
    my @web = LBS::Backend->many(4);
    my $h = start(\@web, half => 'LBStickyEject failures=1 hold=30s-60s',
        all => 'LBStickyEject failures=1 hold=30s-60s cap=100');
    for my $pool (qw(half all)) {
        fail_in_row($h, \@web, $pool, $_ % 3 + 1, 1) for 0 .. 8;
        my @out = grep { $_->{state} eq 'ejected' }
            @{pool_state($h, $pool)->{members}};
        is scalar @out, $pool eq 'half' ? 2 : 3, "$pool: of four";
        fail_in_row($h, \@web, $pool, 4, 3);
        is state_of($h, $pool, 4), 'up', 'the last one never';
        is $h->get("/$pool/", headers => at(4))->status, 200, 'and answers';
    }
};

subtest 'the last member is not ejected, nor a member that becomes the last' => sub {
    my @web = LBS::Backend->many(2);
    my $eject = 'LBStickyEject failures=3 hold=30s-60s';
    my $h = start(\@web, zero => $eject, close => $eject);
    admin($h, 'zero', 'r2', 'weight', weight => 0);
    ok wait_for(sub { fail_in_row($h, \@web, 'zero', 1, 3);
        $h->get('/zero/')->status == 200 }, 2), 'new visitors are served';
    is state_of($h, 'zero', 1), 'up',
        'a drained member does not stand in for an ejected one';
    fail_in_row($h, \@web, 'close', 1, 3);
    is state_of($h, 'close', 1), 'ejected', 'of two';
    admin($h, 'close', 'r2', 'disable');
    ok wait_for(sub { state_of($h, 'close', 1) eq 'up' }, 2),
        'the other is disabled: it is back before its hold is over';
    is $h->get('/close/')->status, 200, 'and serves';
    is((events($h, 'close', 1))[-1][1], 'nobody else is left', 'said so');
    fail_in_row($h, \@web, 'close', 1, 3);
    is state_of($h, 'close', 1), 'up', 'as the last one it stays';
};

subtest 'a member that hangs is left' => sub {
    my @web = LBS::Backend->many(3);
    my $list = join "\n", map {
        qq(BalancerMember "http://\@B$_\@" route=r$_ timeout=6) } 1 .. 3;
    my $h = start(\@web, app => "LBStickyEject hold=1s-60s\n$list");
    my ($hung) = $web[0]->name;
    $h->get('/app/', headers => at($_)) for 1 .. 3;
    $web[0]->set(hang => 'before');
    my $start = time;
    # Four visitors of the member that hangs, and others that keep coming.
    my @got = in_parallel(7, sub ($i) {
        my @r;
        while (time < $start + 2.5) {
            my $r = $h->request($i == 3 ? 'POST' : 'GET', '/app/',
                headers => at($i < 4 ? 1 : 2), $i == 3 ? (body => 'x') : ());
            push @r, [$r->status, $r->elapsed, $r->member];
            last if $i == 3;
            sleep 0.05;
        }
        return \@r;
    });
    for my $i (0 .. 2) {
        my @r = @{$got[$i]};
        is scalar(grep { $_->[0] != 200 } @r), 0, 'each GET is answered';
        cmp_ok $r[0][1], '<', 1.5, 'waiting requests are served elsewhere in 1.5 s';
        is scalar(grep { $_->[1] > 0.6 } @r[1 .. $#r]) <= 1, 1,
            'later requests move at once';
    }
    is $got[3][0][0], 504, 'a POST that was sent waits to its end';
    my @events = events($h, 'app', 1);
    is "$events[0][0], $events[0][1]",
        'ejected, stalled while others answered', 'said so';
    is state_of($h, 'app', 2), 'up', 'the others stay';

    # No visitor finds out that it hangs still.
    ok wait_for(sub {
        member($h, 'app', 1)->{eject}{until} == 0 || undef }, 8), 'hold over';
    my $r = $h->get('/app/', headers => at(1));
    is $r->status, 200, 'it hangs again: served elsewhere';
    cmp_ok $r->elapsed, '<', 2, 'soon';
    ok wait_for(sub { (events($h, 'app', 1))[-1][1] eq 'failed when tried again' },
        3), 'held again';
};

subtest 'nothing that cannot be repeated goes where it may be lost' => sub {
    my @web = LBS::Backend->many(2);
    my $list = join "\n", map {
        qq(BalancerMember "http://\@B$_\@" route=r$_ timeout=4) } 1 .. 2;
    my $h = start(\@web, app => "LBStickyEject hold=30s-60s\n$list",
        off => 'LBStickyEject off');
    $h->get('/app/', headers => at($_)) for 1 .. 2;
    $web[0]->set(hang => 'before');
    my $start = time;
    # Three who wait at the member that hangs, others that keep the pool
    # alive, and a POST at a time when a stall is not yet found.
    my @got = in_parallel(5, sub ($i) {
        return $h->get('/app/', headers => at(1))->status if $i < 3;
        if ($i == 3) {
            sleep $start + 0.6 - time;
            my $r = $h->post('/app/', 'x', headers => at(1));
            return [$r->status . ' ' . verdict($r), $r->elapsed];
        }
        while (time < $start + 1.8) {
            $h->get('/app/', headers => at(2));
            sleep 0.05;
        }
        return 0;
    });
    my ($post, $elapsed) = @{$got[3]};
    is $post, '200 moved ejected',
        'silent for half a second: a POST waits and is served elsewhere';
    cmp_ok $elapsed, '>', 0.2, 'once that is known';
    cmp_ok $elapsed, '<', 2, 'soon';
    is scalar(grep { $_->{method} eq 'POST' } $web[0]->requests), 0,
        'it never was where it would have been lost';

    $web[0]->set;
    my $name = $web[1]->name;
    my $lose = sub ($pool) {
        return $h->get("/$pool/?size=9000&reset=100&at=$name", headers => at(2));
    };
    for (['app', 0.35, 1], ['off', 0, 0.3]) {
        my ($pool, $least, $most) = @$_;
        $lose->($pool);
        my $r = $h->post("/$pool/", 'x', headers => at(2));
        is $r->status . ' ' . $r->member, "200 $name",
            "$pool: after one answer that broke off a POST is sent";
        cmp_ok $r->elapsed, '>=', $least, "but waits for others ($least s)";
        cmp_ok $r->elapsed, '<', $most, 'and not for ever';
    }
    $lose->('app');
    $h->get('/app/', headers => at(2));
    cmp_ok $h->post('/app/', 'x', headers => at(2))->elapsed, '<', 0.3,
        'not at all after an answer';
};

subtest 'an interim answer is none' => sub {
    my @web = LBS::Backend->many(2);
    my $list = join "\n", map {
        qq(BalancerMember "http://\@B$_\@" route=r$_ timeout=5) } 1 .. 2;
    my $h = start(\@web, app => "LBStickyEject stall=1s hold=30s-60s\n$list");
    $h->get('/app/', headers => at($_)) for 1 .. 2;
    $web[0]->set(early => 103, hang => 'before');
    for (three_wait($h)) {
        is $_->[0], 200, 'a request that waited after a 103 is answered';
        cmp_ok $_->[2], '<', 2, 'elsewhere, when the stall was found';
    }
    is state_of($h, 'app', 1), 'ejected', 'it is out';
};

subtest 'a failure by its status is an answer: a POST need not wait' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web, app => 'LBStickyEject status=503 failures=100');
    is $h->get('/app/?status=503&at=' . $web[0]->name, headers => at(1))->status,
        503, 'a failure';
    my $r = $h->post('/app/', 'x', headers => at(1));
    is $r->status . ' ' . $r->member, '200 ' . $web[0]->name, 'a POST is sent';
    cmp_ok $r->elapsed, '<', 0.3, 'at once';
};

subtest 'a member that is slow does not hang' => sub {
    my @web = LBS::Backend->many(3);
    my $h = start(\@web, app => 'LBStickyEject stall=1s');
    $web[0]->set(delay => 0.7);
    my $end = time + 4;
    my @bad = in_parallel(8, sub ($i) {
        my $bad = 0;
        sleep 0.1 * $i;
        while (time < $end) {
            my $r = $h->get('/app/', headers => at($i < 5 ? 1 : 2));
            $bad++ if $r->status != 200;
            sleep 0.02;
        }
        return [$bad];
    });
    is join(' ', map { @$_ } @bad), '0 0 0 0 0 0 0 0', 'all answered';
    is_deeply [events($h, 'app', 1)], [], 'nothing happened to it';
};

subtest 'a slow trial is a trial, and a POST is none' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web, app => 'LBStickyEject failures=1 hold=300ms-300ms');
    fail_in_row($h, \@web, 'app', 1, 1);
    ok wait_for(sub { (events($h, 'app', 1))[-1][0] eq 'half-open' }, 3),
        'half-open';
    my $r = $h->post('/app/', 'x', headers => at(1));
    is $r->status . ' ' . $r->member, '200 ' . $web[1]->name,
        'a POST goes where it is safe';
    # None is tried before a question of the module's was answered.
    wait_for(sub {
        $r = $h->get('/app/?delay=0.6&at=' . $web[0]->name, headers => at(1));
        $r->member eq $web[0]->name
    });
    is $r->status . ' ' . $r->member, '200 ' . $web[0]->name,
        'a GET of 0.6 s is waited for';
    is state_of($h, 'app', 1), 'up', 'and counts';

    # Nobody but POSTs: that it answers has to be enough.
    fail_in_row($h, \@web, 'app', 1, 1);
    ok wait_for(sub { $h->post('/app/', 'x', headers => at(1))->member
        eq $web[0]->name }, 4), 'nobody but POSTs: it is back all the same';
    is state_of($h, 'app', 1), 'up', 'a POST was no trial';
};

subtest 'all members gone: an answer at once, and no spinning' => sub {
    my @web = LBS::Backend->many(3);
    my $h = start(\@web, app => 'LBStickyEject failures=1 cap=100');
    $_->refuse for @web;
    my $before = $h->cpu;
    my @r = map { $h->get('/app/', headers => at(1 + $_ % 3)) } 1 .. 50;
    is scalar(grep { $_->status == 503 && $_->header('Retry-After') } @r), 50,
        '503 and when to try again';
    cmp_ok percentile(90, map { $_->elapsed } @r), '<', 0.1, 'at once';
    sleep 1;
    cmp_ok $h->cpu - $before, '<', 1.5, 'hardly any processor time';
    $_->accept for @web;
    ok wait_for(sub { $h->get('/app/')->status == 200 }, 4), 'and back';
};

done_testing;
