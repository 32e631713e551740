#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A member that begins to answer 5xx is asked by the module itself: it is out
# after a few visitors' errors when all it answers is 5xx, and stays when only
# a page is broken.
use lib 't/lib';
use LBS::Test timeout => 200;

use LBS::Governed;

use constant {DELAY => 0.01, APART => 0.03};
my $TURNS = 'LBStickyMethod round-robin';

sub cookie ($line) { return [Cookie => $line =~ s/;.*//r] }

# A session for each of n visitors, in turn at the members: its member, the
# header that says so.
sub bind_visitors ($h, $n) {
    return map {
        my $r = $h->get('/app/');
        [member_of($r), cookie(($r->set_cookies)[0])];
    } 1 .. $n;
}

sub pool ($more = '') {
    my @web = LBS::Backend->many(3);
    $_->set(delay => DELAY) for @web;
    my $h = governed(\@web, app => "LBSticky cookie\n$more");
    return ($h, @web);
}

# What was fine until now: more than ten answers of each member.
sub serve_well ($h, $query, @visitors) {
    $h->get("/app/page$query", headers => [$_->[1]]) for @visitors;
    sleep 0.3;    # the members are told of each other
    return;
}

sub ejected ($h) {
    return map { "$_->{member}: $_->{reason}" }
        grep { $_->{event} eq 'ejected' } @{$h->json->{events}};
}

sub probes ($web) { return grep { $_->{method} eq 'HEAD' } $web->requests }

subtest 'a member that answers 500 at once costs a few visitors an error' => sub {
    my ($h, @web) = pool();
    my @bound = bind_visitors($h, 45);
    serve_well($h, '', @bound);
    $_->clear for @web;
    $web[0]->set(status => 500, delay => DELAY);
    my ($errors, $began, $last) = (0);
    my $ask = sub (@visitor) {
        if ($h->get('/app/page', @visitor)->status == 500) {
            $errors++;
            $last = time;
            $began //= $last;
        }
        sleep APART;
    };
    for my $visitor (@bound) {
        $ask->(headers => [$visitor->[1]]);
        $ask->();    # a new one
    }
    cmp_ok $errors, '>=', 2, 'one visitor is no evidence';
    cmp_ok $errors, '<=', 6, 'two and some probes are';
    is +(ejected($h))[0], 'r1: answers 5xx while others do not', 'it is ejected';
    # An inquiry takes half a second at least.
    my $controls = map { probes($_) } @web[1, 2];
    cmp_ok $controls, '>=', 1, 'one of the others was asked the same';
    cmp_ok $controls, '<=', 2 + ($last - $began) / 0.5, 'once for each inquiry';
};

subtest 'the probe asks for the path of LBStickyCheck' => sub {
    my ($h, @web) = pool("$TURNS\n" . 'LBStickyCheck path=/health interval=1h');
    my @bound = bind_visitors($h, 30);
    serve_well($h, '', @bound);
    $web[0]->set(status => 500, delay => DELAY);
    ok wait_for(sub {
        $h->get('/app/page', headers => [$_->[1]]) for @bound;
        ejected($h);
    }, 10), 'the member is ejected';
    cmp_ok scalar(grep { $_->{uri} eq '/health' } $web[0]->requests), '>=', 3,
        'it was asked for the path of the check';
};

# Requests of all of the first member's visitors, twice, for one page; those
# of the others go on.
sub ask_for ($h, $broken, $fine, @bound) {
    for my $visitor (@bound, @bound) {
        my $query = $visitor->[0] eq 'r1' ? $broken : $fine;
        $h->get("/app/page$query", headers => [$visitor->[1]]);
        sleep 0.01;
    }
    sleep 0.3;    # what would follow, follows
    return;
}

subtest 'a page that is broken at one member, for all of its visitors' => sub {
    # With first=off a new visitor's first request counts as one of another
    # visitor: those are over when the errors begin.
    my ($h, @web) = pool("$TURNS\nLBStickyEject window=3s");
    my @bound = bind_visitors($h, 60);
    sleep 2;
    serve_well($h, '', @bound);
    sleep 1;
    $_->clear for @web;
    ask_for($h, '?status=500', '', @bound);
    cmp_ok scalar(ejected($h)), '>=', 1,
        'ejects it by their errors, though its probes are answered well';
    cmp_ok scalar(probes($web[0])), '>=', 1, 'the member was asked';
    cmp_ok scalar(probes($web[0])), '<=', 20, 'but not for each of them';
};

subtest 'a root that is broken everywhere ejects nobody by itself' => sub {
    my ($h, @web) = pool($TURNS);
    my @bound = bind_visitors($h, 60);
    $_->set(status => 500, delay => DELAY) for @web;
    serve_well($h, '?status=200', @bound);
    $_->clear for @web;
    ask_for($h, '?status=200', '?status=200', @bound);
    is_deeply [ejected($h)], [], 'while the pages are fine';
    is scalar(map { probes($_) } @web), 0, 'nobody was asked';
    ok wait_for(sub {
        ask_for($h, '?status=500', '?status=200', @bound);
        ejected($h);
    }, 30), 'where probes say nothing, visitors are evidence as before';
    cmp_ok scalar(map { probes($_) } @web[1, 2]), '>=', 1,
        'the others were asked the same';
};

subtest 'an error that all give ejects nobody' => sub {
    my ($h, @web) = pool($TURNS);
    my @bound = bind_visitors($h, 45);
    serve_well($h, '', @bound);
    $_->set(status => 500, delay => DELAY) for @web;
    ask_for($h, '', '', @bound);
    is_deeply [ejected($h)], [], 'from one moment on';
};

subtest 'one visitor of a member ejects nobody' => sub {
    my ($h, @web) = pool($TURNS);
    my @bound = bind_visitors($h, 30);
    serve_well($h, '', @bound);
    my ($his) = grep { $_->[0] eq 'r1' } @bound;
    my @others = grep { $_->[0] ne 'r1' } @bound;
    $web[0]->set(status => 500, delay => DELAY);
    for (1 .. 30) {
        $h->get('/app/page', headers => [$his->[1]]);
        $h->get('/app/page', headers => [$others[$_][1]]) for 0, 1;
    }
    is_deeply [ejected($h)], [], 'however often';
};

done_testing;
