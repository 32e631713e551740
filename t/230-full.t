#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# LBStickyLimit: a member that has as many requests as it may have, the queue
# before it, and what becomes of its sessions meanwhile.
use lib 't/lib';
use LBS::Test;
use LBS::Governed;
use LBS::State qw(pool_state);

my @web = LBS::Backend->many(3, name => 'web');
my $one = 'BalancerMember "http://@B1@" route=r1';
my $two = join "\n", $one, 'BalancerMember "http://@B2@" route=r2';
my $h = governed(\@web,
    line   => "LBSticky none\nLBStickyLimit inflight=2 queue=40 wait=10s\n$one",
    sharp  => "LBSticky none\nLBStickyLimit inflight=1\n$one",
    jump   => "LBSticky route=R cookie\nLBStickyLimit inflight=1\n$two",
    home   => "LBSticky cookie\nLBStickyLimit inflight=1\n$two",
    wait   => "LBSticky route=R\nLBStickyLimit inflight=1 queue=1 wait=400ms\n$two",
    strict => "LBSticky route=R\nLBStickyFailover off\n"
        . "LBStickyLimit inflight=1 queue=4 wait=300ms\n$two",
    children => 4, threads => 16, server => <<'CONF');
LBStickyMethod round-robin
ErrorDocument 503 /sorry.html
CONF
$h->write('htdocs/sorry.html', "sorry\n");

sub pool ($name) { return pool_state($h, $name) }

# A request that takes its time, with a member's route; ended by the test.
sub occupy ($name, $seconds, %o) {
    my $c = $h->connect;
    my $inflight = pool($name)->{inflight};
    $c->send_request('GET', "/$name/?delay=$seconds", %o);
    wait_for(sub { pool($name)->{inflight} > $inflight }, 5)
        or die "$name: it did not arrive";
    return $c;
}

sub route ($n) { return headers => [['Cookie', "R=x.r$n"]] }

subtest 'never more than inflight=, over all processes' => sub {
    my $begun = time;
    my @got = in_parallel(20, sub ($i) {
        my $r = $h->get('/line/?delay=0.1');
        {status => $r->status, at => $r->json->{at}}
    });
    is scalar(grep { $_->{status} == 200 } @got), 20, 'all are served';
    cmp_ok time - $begun, '>=', 0.95, 'two at a time';
    # The third that arrives after one comes when that one has been answered.
    my @at = sort { $a <=> $b } map { $_->{at} } @got;
    is scalar(grep { $at[$_ + 2] - $at[$_] < 0.09 } 0 .. $#at - 2), 0,
        'as the member saw it';
    my $pool = pool('line');
    is "$pool->{inflight} $pool->{queued}", '0 0', 'and nothing is left';
    is $pool->{requests}, 20, 'each counts once';
};

subtest 'one full member without a queue: 503' => sub {
    my $c = occupy('sharp', 1.5);
    my $r = $h->get('/sharp/');
    is $r->status, 503, 'full';
    cmp_ok $r->elapsed, '<', 1, 'and at once';
    is $r->header('Retry-After'), '1', 'it will not take long';
    is $r->body, "sorry\n", 'ErrorDocument';
    my ($line) = grep { $_->{DECISION} eq 'refused' } decided($h, 1, '/sharp/');
    is $line->{REASON}, 'full', 'refused, full';
    is $c->response->status, 200, 'a session of the full member is served';
    is $h->get('/sharp/')->status, 200, 'and so is a later one';
};

subtest 'a session of a full member is served elsewhere, once' => sub {
    my $c = occupy('jump', 1.2, route(1));
    my $r = $h->get('/jump/', route(1));
    is verdict($r) . ' ' . $r->member, 'moved full web2', 'elsewhere';
    is scalar(my @set = $r->set_cookies), 0, 'without a cookie';
    is $c->response->member, 'web1', 'the member was only busy';
    $r = $h->get('/jump/', route(1));
    is verdict($r) . ' ' . $r->member, 'kept web1', 'then at home again';

    my $jar = LBS::Jar->new;
    my $home = $h->get('/home/', jar => $jar)->member;
    my @cookie = (headers => [['Cookie', 'LBSTICKY_home='
        . $jar->value('LBSTICKY_home')]]);
    my $sessions = pool('home')->{sessions};
    $c = occupy('home', 1.2, @cookie);
    $r = $h->get('/home/', @cookie);
    is verdict($r), 'moved full', 'with a cookie of ours, too';
    isnt $r->member, $home, 'elsewhere';
    is scalar(@set = $r->set_cookies), 0, 'without a new one';
    $c->response;
    $r = $h->get('/home/', @cookie);
    is verdict($r) . ' ' . $r->member, "kept $home", 'the session stays';
    is pool('home')->{sessions}, $sessions, 'and is one';
};

subtest 'the queue' => sub {
    # Free before the time is over: it was worth waiting.
    my $c = occupy('wait', 0.2, route(1));
    my $r = $h->get('/wait/', route(1));
    is verdict($r) . ' ' . $r->member, 'kept web1', 'its turn came';
    $c->response;

    # Not free in time.
    $c = occupy('wait', 2, route(1));
    my $waiting = $h->connect;
    $waiting->send_request('GET', '/wait/', route(1));
    ok wait_for(sub { pool('wait')->{queued} == 1 }, 3), 'one waits';
    $r = $h->get('/wait/', route(1));
    is verdict($r) . ' ' . $r->member, 'moved full web2', 'there is room for one';
    cmp_ok $r->elapsed, '<', 0.35, 'so the next does not wait';
    $r = $waiting->response;
    is verdict($r) . ' ' . $r->member, 'moved full web2', 'wait= is over';
    cmp_ok $r->elapsed, '>=', 0.38, 'after that time';
    cmp_ok $r->elapsed, '<', 1.5, 'not much later';
    is pool('wait')->{queued}, 0, 'nobody waits';
    $c->response;

    # Whose client is gone does not keep the place for ever.
    $c = occupy('wait', 0.8, route(1));
    my $gone = $h->connect;
    $gone->send_request('GET', '/wait/', route(1));
    ok wait_for(sub { pool('wait')->{queued} == 1 }, 3), 'one waits';
    $gone->close(reset => 1);
    ok wait_for(sub { pool('wait')->{queued} == 0 }, 3), 'and goes';
    $c->response;
    is $h->get('/wait/', route(1))->member, 'web1', 'the member is free';
};

subtest 'LBStickyFailover off waits, and refuses then' => sub {
    my $c = occupy('strict', 1, route(1));
    my $r = $h->get('/strict/', route(1));
    is $r->status, 503, 'not elsewhere';
    cmp_ok $r->elapsed, '>=', 0.28, 'after wait=';
    is $r->header('Retry-After'), '1', 'when to come again';
    my ($line) = grep { $_->{DECISION} eq 'refused' } decided($h, 1, '/strict/');
    is $line->{REASON}, 'full', 'refused, full';
    is $h->get('/strict/', route(2))->member, 'web2', 'others are served';
    is $c->response->status, 200, 'and sessions that were there';
};

subtest 'a child that is killed gives its places back' => sub {
    my $c = occupy('wait', 20, route(1));
    my $waiting = $h->connect;
    $waiting->send_request('GET', '/wait/', route(1));
    $h->announce(qr/AH10392: children are killed successively/);
    my @children = $h->children;
    kill KILL => @children;
    ok wait_for(sub { !grep { LBS::Proc::alive($_) } @children }), 'all are gone';
    my $pool;
    ok wait_for(sub {
        $pool = eval { pool('wait') };
        $pool && $pool->{inflight} == 0 && $pool->{queued} == 0
    }, 15), 'nothing in flight, nobody waits';
    my $r = $h->get('/wait/', route(1));
    is verdict($r) . ' ' . $r->member, 'kept web1', 'there is room';
};

# 64 pools: each combination of up, gone, standby and full of three members.
subtest 'every subset of gone, standby and full' => sub {
    my (%pools, @subsets);
    for my $code (0 .. 63) {
        my @is = (qw(u g h f))[$code & 3, $code >> 2 & 3, $code >> 4];
        my $name = join '', @is;
        push @subsets, $name;
        $pools{"s-$name"} = join "\n", 'LBSticky route=R cookie',
            'LBStickyLimit inflight=1', map {
                my $at = $is[$_ - 1] eq 'g' ? "127.0.0.1:\@FREE$_\@" : "\@B$_\@";
                qq(BalancerMember "http://$at" route=r$_)
                    . ($is[$_ - 1] eq 'h' ? ' status=+H' : '')
            } 1 .. 3;
    }
    my $many = governed(\@web, %pools, threads => 40, server => <<'CONF');
LBStickyMethod round-robin
LBStickyEject off
CONF
    $many->announce(qr/\[proxy(?:_http)?:error\]/);
    my @busy;
    for my $name (@subsets) {
        for my $n (grep { substr($name, $_ - 1, 1) eq 'f' } 1 .. 3) {
            push @busy, $many->connect;
            # A POST: what is not repeated elsewhere when it breaks off.
            $busy[-1]->send_request('POST', "/s-$name/?hang=before",
                                    route($n), body => 'x');
        }
    }
    my $inflight = sub {
        my $sum = 0;
        $sum += $_->{inflight} for @{$many->json->{pools}};
        return $sum;
    };
    ok wait_for(sub { $inflight->() == @busy }), @busy . ' members are full';

    my ($slowest, $slow) = (0, '');
    for my $name (@subsets) {
        my %of;
        push @{$of{substr $name, $_ - 1, 1}}, "web$_" for 1 .. 3;
        my %may = map { $_ => 1 } @{$of{u} // $of{h} // []};
        my $best;
        for my $try (1 .. 3) {
            my $begun = time;
            my $r = $many->get("/s-$name/?size=1");
            my $took = time - $begun;
            $best = $took if !defined $best || $took < $best;
            if (%may) {
                ok $r->status == 200 && $may{$r->member},
                    "$name: " . $r->status . ' ' . $r->member;
                next;
            }
            my $why = !$of{f} ? 'down' : !$of{g} ? 'full' : '(?:down|full)';
            is $r->status, 503, "$name: nobody";
            like verdict($r), qr/^refused $why$/, 'and why';
            like $r->header('Retry-After'), qr/^\d+$/, 'when to come again';
        }
        ($slowest, $slow) = ($best, $name) if $best > $slowest;
    }
    cmp_ok $slowest, '<', 0.1, "answered at once, $slow too";
    is $inflight->(), @busy, 'and they are as full as before';
    $_->drop for @web;
    ok wait_for(sub { $inflight->() == 0 }), 'then they are not';
    $many->no_unexpected_log;
};

$h->no_unexpected_log;
done_testing;
