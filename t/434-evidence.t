#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A member that answers 5xx where the others do not: its answers are evidence,
# beside theirs.
#
#   LBS_VISITORS=600 prove -It/lib t/434-evidence.t     the long form
use lib 't/lib';
use LBS::Test timeout => 300;

use LBS::Governed;
use LBS::Pair;
use LBS::State qw(pool_state);

# New visitors a second; so many come before the window is over.
use constant {RATE => 60, CLIENTS => 12};
my $VISITORS = $ENV{LBS_VISITORS} // 180;
my $WINDOW = $VISITORS / RATE;

sub agent ($name) { return ['User-Agent' => $name] }
sub cookie ($line) { return [Cookie => $line =~ s/;.*//r] }

# New visitors at their times, whatever becomes of those before, each with a
# browser of its own. @return [seconds after the first, status] of each
sub visitors ($h, $path, $n) {
    my $go = time + 0.5;
    return sort { $a->[0] <=> $b->[0] } map {
        die $_->{died} if ref eq 'HASH';
        @$_;
    } in_parallel(CLIENTS, sub ($c) {
        my @seen;
        for (my $i = $c; $i < $n; $i += CLIENTS) {
            my $due = $i / RATE;
            sleep $go + $due - time if $go + $due > time;
            my $r = $h->get($path, headers => [agent("visitor $$ $i")]);
            push @seen, [$due, $r->status];
        }
        return \@seen;
    });
}

sub errors (@seen) { return scalar grep { $_->[1] >= 500 } @seen }

sub ejected ($h, $name) {
    return map { "$_->{member}: $_->{reason}" } grep {
        $_->{pool} eq $name && $_->{event} eq 'ejected' } @{$h->json->{events}};
}

# What visitors of two windows saw; `share` is the failing member's part.
sub is_spared ($share, @seen) {
    my @first = grep { $_->[0] < $WINDOW } @seen;
    my @second = grep { $_->[0] < 1 } @seen;
    my @late = grep { $_->[0] >= $WINDOW } @seen;
    note sprintf '%d of %d in the first second, %d of %d in the window, %d '
        . 'of %d after it', errors(@second), scalar @second, errors(@first),
        scalar @first, errors(@late), scalar @late;
    cmp_ok errors(@second), '<', @second * $share,
        'fewer 500s than its share in the first second';
    cmp_ok errors(@first), '<', @first * $share / 2,
        'less than half in the window';
    cmp_ok errors(@late), '<=', 2 + @late / 100, 'nearly none after it';
    return;
}

subtest 'new visitors are kept from a member that answers 500 at once' => sub {
    my @web = LBS::Backend->many(3);
    my $h = governed(\@web, threads => 50,
        map { $_ => "LBSticky cookie\nLBStickyEject window=${WINDOW}s "
            . "status=$_\nLBStickyCookie first=" . ($_ eq 'off' ? 'off' : '10s')
        } qw(auto off));
    $web[0]->set(status => 500);
    $web[1]->set(delay => 0.005);
    $web[2]->set(delay => 0.09);
    for my $name (qw(auto off)) {
        note "status=$name";
        is_spared(1 / 3, visitors($h, "/$name/", 2 * $VISITORS));
    }
    is_deeply [ejected($h, 'off')], [], 'status=off ejects nobody';
};

subtest 'the same where one of two machines raises in its program' => sub {
    my ($m1, $m2) = LBS::Pair::make(2, local => 'self',
        pool => "LBSticky cookie\nLBStickyEject window=${WINDOW}s");
    $_->announce(qr/wsgi:error|proxy/) for $m1, $m2;
    $m1->write('wsgi/app.py', "def application(env, start):\n"
        . "    raise RuntimeError('broken')\n");
    $_->start for $m1, $m2;
    is_spared(1 / 2, visitors($m1, '/wsgi/x', 2 * $VISITORS));
    is_spared(1 / 2, visitors($m2, '/wsgi/x', $VISITORS));
};

# A session for each of n visitors, in turn at the members.
sub bind_visitors ($h, $name, $n) {
    return map {
        my $r = $h->get("/$name/");
        [member_of($r), cookie(($r->set_cookies)[0])];
    } 1 .. $n;
}

sub turns ($more = '') {
    return "LBSticky cookie\nLBStickyMethod round-robin\n$more";
}

subtest 'its sessions move; those of others stay' => sub {
    my @web = LBS::Backend->many(3);
    my $h = governed(\@web, app => turns('LBStickyEject hold=30s-60s'));
    my @bound = bind_visitors($h, 'app', 30);
    $web[0]->set(status => 500);
    my ($errors, %moved) = (0);
    for my $round (1 .. 3) {
        for my $visitor (@bound) {
            my $r = $h->get('/app/', headers => [$visitor->[1]]);
            $errors++ if $r->status == 500;
            $moved{$visitor->[0]}++ if member_of($r) ne $visitor->[0];
        }
        sleep 0.3;
    }
    # The others of the ten answers are those to probes.
    cmp_ok $errors, '>=', 2, 'two visitors at least had answers of 500';
    cmp_ok $errors, '<=', 20, 'and not all of them';
    is_deeply [keys %moved], ['r1'], 'only its own sessions moved';
    is_deeply [ejected($h, 'app')], ['r1: answers 5xx while others do not'],
        'it is ejected, and the event says why';
    is $h->wait_log(qr/LBS1600: pool app: member r1 ejected: answers 5xx/), 1,
        'so does the log';
};

subtest 'a trial that is answered 500 has failed' => sub {
    my @web = LBS::Backend->many(2);
    my $h = governed(\@web, app => turns('LBStickyEject hold=300ms-60s'));
    my @bound = bind_visitors($h, 'app', 20);
    $web[0]->set(status => 500);
    my $ask = sub {
        $h->get('/app/', headers => [$_->[1]]) for @bound;
        $h->get('/app/') for 1 .. 4;    # somebody has to try it
        sleep 0.15;
    };
    ok wait_for(sub { $ask->(); ejected($h, 'app') >= 3 }, 20),
        'it is ejected again and again';
    is +(ejected($h, 'app'))[0], 'r1: answers 5xx while others do not',
        'for its answers';
    is +(ejected($h, 'app'))[-1], 'r1: failed when tried again',
        'then by one trial';
    $web[0]->set;
    ok wait_for(sub {
        $ask->();
        pool_state($h, 'app')->{members}[0]{state} =~ /^(up|warming)$/;
    }, 20), 'and is back when a trial is answered well';
};

subtest 'no member is ejected for errors that are not its fault' => sub {
    my @web = LBS::Backend->many(3);
    my $h = governed(\@web, (map { $_ => turns() } qw(alike page lonely)),
                     keyless => "LBSticky none\nLBStickyMethod round-robin",
                     list => turns('LBStickyEject status=503'));
    my $at = 'at=' . $web[0]->name;
    $h->get('/alike/?status=500') for 1 .. 60;
    is_deeply [ejected($h, 'alike')], [], 'an error that all give alike';

    my ($his) = grep { $_->[0] eq 'r1' } bind_visitors($h, 'page', 30);
    sleep 0.3;    # the members are told of each other
    $h->get('/page/?status=500', headers => [$his->[1]]) for 1 .. 60;
    is_deeply [ejected($h, 'page')], [], 'one visitor with a broken page';

    my @bound = bind_visitors($h, 'lonely', 30);
    sleep 12;     # the window is over, and nobody else was asked since
    for my $visitor (grep { $_->[0] eq 'r1' } @bound) {
        $h->get('/lonely/?status=500', headers => [$visitor->[1]]) for 1 .. 3;
    }
    is_deeply [ejected($h, 'lonely')], [], 'a pool in which nobody else was asked';

    $h->get("/keyless/?status=500&$at", headers => [agent('one')])
        for 1 .. 90;
    is_deeply [ejected($h, 'keyless')], [], 'one client without a session';
    my @listed = bind_visitors($h, 'list', 30);
    $h->get("/list/?status=500&$at", headers => [$_->[1]]) for @listed, @listed;
    is_deeply [ejected($h, 'list')], [], 'status=LIST: what is not listed';
};

subtest 'a few sessions that ask for a broken page, beside other visitors' => sub {
    my @web = LBS::Backend->many(3);
    my $h = governed(\@web, app => turns('LBStickyEject hold=30s-60s'));
    my @bound = grep { $_->[0] eq 'r1' } bind_visitors($h, 'app', 60);
    my $step = 0;
    for (1 .. 80) {    # of three requests one is a visitor's
        $h->get('/app/?status=500', headers => [$bound[$step++ % 5][1]]) for 1, 2;
        $h->get('/app/');
        sleep 0.05;
    }
    is_deeply [ejected($h, 'app')], [], 'nobody is ejected for them';
    $web[0]->set(status => 500);
    ok wait_for(sub { $h->get('/app/') for 1 .. 3; ejected($h, 'app') }, 20),
        'for what everybody meets the member is';
};

subtest 'clients without a session are told apart' => sub {
    my @web = LBS::Backend->many(3);
    my $h = governed(\@web, keyless => "LBSticky none\n"
        . "LBStickyMethod round-robin\nLBStickyEject hold=30s-60s");
    my $at = 'at=' . $web[0]->name;
    for my $i (1 .. 90) {
        $h->get("/keyless/?status=500&$at",
                headers => [agent('a' . $i % 7)]);
        sleep 0.01;
    }
    is_deeply [ejected($h, 'keyless')],
        ['r1: answers 5xx while others do not'], 'seven are evidence';
};

# How many of 40 new visitors the first member gets, two seconds long.
sub picked ($h, $name) {
    my $picked = 0;
    for my $i (1 .. 40) {
        $picked += member_of($h->get("/$name/")) eq 'r1';
        sleep 0.01;
    }
    return $picked;
}

subtest 'one refused connection keeps no visitors away for long' => sub {
    my @web = LBS::Backend->many(2);
    $_->set(delay => 0.04) for @web;
    my $h = governed(\@web, map { $_->[0] => "LBSticky cookie\n$_->[1]" }
        [on => ''], [off => 'LBStickyEject off']);
    $h->announce(qr/\[proxy(?:_http)?:error\]/);
    for my $name (qw(on off)) {
        my $first = sub { pool_state($h, $name)->{members}[0] };
        picked($h, $name);
        $web[0]->refuse;
        ok wait_for(sub { $h->get("/$name/"); $first->()->{failures} }, 10),
            "eject $name: a visitor was refused";
        $web[0]->accept;
        ok wait_for(sub { $first->()->{latency_ms}{ewma} < 120 }, 5),
            'seconds later its estimate is that of the pool';
        ok wait_for(sub { picked($h, $name) > 10 }, 12), 'and so is its share';
    }
};

done_testing;
