#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# How members are chosen for requests that have none yet: every method, with
# weights, and what happens to the others' visitors when one member goes.
use lib 't/lib';
use LBS::Test timeout => 180;
use LBS::Governed;
use LBS::State qw(pool_state);

my @web = LBS::Backend->many(4, name => 'web');
my @METHODS = qw(least-load least-busy least-sessions round-robin hash);
my $weighted = join "\n", map {
    qq(BalancerMember "http://\@B$_\@" route=r$_ loadfactor=$_)
} 1 .. 3;

my %pools = map { ("m-$_" => "LBSticky none\nLBStickyMethod $_\n",
                   "d-$_" => "LBSticky cookie\nLBStickyMethod $_\n",
                   "w-$_" => "LBSticky cookie\nLBStickyMethod $_\n$weighted")
} @METHODS;
my $h = governed(\@web, %pools,
    quarter => <<'POOL',
LBSticky none
LBStickyMethod round-robin
BalancerMember "http://@B1@" route=r1 loadfactor=1.25
BalancerMember "http://@B2@" route=r2 loadfactor=1
BalancerMember "http://@B3@" route=r3 loadfactor=100
POOL
    bound => "LBSticky header=X-Key\nLBStickyMethod hash bound=1.25",
    keyed => "LBSticky query=id\nLBStickyMethod hash",
    zero => "LBSticky cookie\nLBStickyMethod round-robin\n"
        . 'LBStickyLimit inflight=2 queue=20 wait=5s',
    server => <<'CONF');
RemoteIPHeader X-Forwarded-For
RemoteIPInternalProxy 127.0.0.1
LBStickySlowStart off
LBStickyEject hold=1s-2s
LBStickyAdmin on
CONF

sub act ($pool, $member, $action, %more) {
    my $r = $h->post('/lb-status/admin', {pool => $pool, member => $member,
        action => $action, %more}, headers => [['LBSticky-Admin', '1']]);
    is $r->status, 200, "$action $pool $member" or diag $r->body;
    return;
}

sub client ($n) { return [['X-Forwarded-For', "10.1.$n.7"]] }

# $n requests from each of $clients at once; how often each member answered.
sub load ($uri, $clients, $n, %o) {
    my %sum;
    for my $part (in_parallel($clients, sub ($i) {
        my $c = $h->connect;
        spread(map { $h->get($uri, on => $c, %o) } 1 .. $n)
    })) {
        $sum{$_} += $part->{$_} for keys %$part;
    }
    return \%sum;
}

sub shares ($got, @want) {
    my $sum = 0;
    $sum += $_ for values %$got;
    my $all = 0;
    $all += $_ for @want;
    return join ' ', map {
        sprintf '%.2f', ($got->{'web' . ($_ + 1)} // 0) / $sum * $all / $want[$_]
    } grep { $want[$_] } 0 .. $#want;
}

sub sessions ($name) {
    return {map { ('web' . substr($_->{route}, 1) => $_->{sessions}) }
            @{pool_state($h, $name)->{members}}};
}

subtest 'every method uses every member' => sub {
    for my $method (@METHODS) {
        # Those who go by what is in flight or how long it took need some load.
        my $got = $method eq 'hash'
            ? spread(map { $h->get("/m-$method/", headers => client($_)) } 1 .. 80)
            : load("/m-$method/?delay=0.02", 8, 10);
        is keys %$got, 4, $method;
        my $sum = 0;
        $sum += $_ for values %$got;
        is $sum, 80, 'each request was answered by a member';
        is delete $got->{''}, undef, 'none by nobody';
        my @verdicts = map { verdict($h->get("/m-$method/")) } 1 .. 2;
        is "@verdicts", 'none none', 'LBSticky none: no decision';
    }
};

subtest 'weights' => sub {
    my $got = load('/w-round-robin/?size=1', 3, 60);
    is_deeply $got, {web1 => 30, web2 => 60, web3 => 90},
        'round-robin: exactly, over all processes';
    $got = load('/w-least-busy/?delay=0.05', 12, 5);
    for (split ' ', shares($got, 1, 2, 3)) {
        cmp_ok abs($_ - 1), '<', 0.35, "least-busy: $_ of its share";
    }
    $h->get('/w-least-sessions/?size=1') for 1 .. 120;
    is_deeply sessions('w-least-sessions'), {web1 => 20, web2 => 40, web3 => 60},
        'least-sessions: exactly, also in a burst';
    # What is gone from a member is filled up there first.
    is $h->post('/lb-status/admin', {pool => 'w-least-sessions',
        member => 'r3', action => 'forget'},
        headers => [['LBSticky-Admin', '1']])->status, 200, 'web3 forgets';
    is sessions('w-least-sessions')->{web3}, 0, 'all of them';
    sleep 0.3;    # the picks hear of it with the next tick
    $h->get('/w-least-sessions/?size=1') for 1 .. 60;
    is_deeply sessions('w-least-sessions'), {web1 => 20, web2 => 40, web3 => 60},
        'new visitors go to the member with the fewest';
    $got = spread(map { $h->get('/w-hash/?size=1', headers => client($_)) }
                  0 .. 254);
    for (split ' ', shares($got, 1, 2, 3)) {
        # Addresses fall as they like: four standard deviations for web1.
        cmp_ok abs($_ - 1), '<', 0.6, "hash: $_ of its share";
    }
    $got = load('/w-least-load/?delay=0.02', 12, 20);
    is keys %$got, 3, 'least-load: all';
    cmp_ok $got->{web3}, '>', $got->{web1}, 'the heaviest has most';

    $got = load('/quarter/?size=1', 1, 409);
    is_deeply $got, {web1 => 5, web2 => 4, web3 => 400}, '1.25, 1 and 100';
};

subtest 'least-load sends less to a slow member' => sub {
    my $got = load('/m-least-load/?delay=0.06&at=web1', 4, 60);
    my @others = map { $got->{"web$_"} // 0 } 2 .. 4;
    cmp_ok $got->{web1} // 0, '<', $_ / 2, 'web1 has the least' for @others;
};

# What one visitor did is over: it is no reason to keep others away.
subtest 'sticky load is no debt' => sub {
    for my $method (grep { $_ ne 'hash' } @METHODS) {
        my $jar = LBS::Jar->new;
        my $home = $h->get("/d-$method/", jar => $jar)->member;
        my $c = $h->connect;
        $h->get("/d-$method/?size=1", on => $c, jar => $jar) for 1 .. 300;
        my $got = load("/d-$method/?delay=0.02", 8, 5);
        cmp_ok $got->{$home} // 0, '>=', 4,
            "$method: of 40 new ones its member gets some";
    }
};

subtest 'weights that are none' => sub {
    for my $factor ('0', '-1', '101', '1e9', 'x', '""') {
        my $bad = LBS::Httpd->new(backends => \@web, conf => <<"CONF");
<Proxy "balancer://app">
    LBSticky cookie
    BalancerMember "http://\@B1\@" route=r1 loadfactor=$factor
</Proxy>
CONF
        my ($status, $said) = $bad->configtest;
        isnt $status, 0, "loadfactor=$factor is refused";
        my $r = $h->post('/lb-status/admin', {pool => 'zero', member => 'r1',
            action => 'weight', weight => $factor eq '0' ? '-0.1' : $factor},
            headers => [['LBSticky-Admin', '1']]);
        is $r->status, 400, 'by the administrator too';
    }
};

# Weight 0 and a drained member, while all others are full and queue.
subtest 'a draining or zero-weight member never gets new visitors' => sub {
    my $jar = LBS::Jar->new;
    my $r;
    for (1 .. 30) {
        $jar->clear;
        $r = $h->get('/zero/', jar => $jar);
        last if $r->member eq 'web1';
    }
    is $r->member, 'web1', 'a visitor of web1';
    act('zero', 'r1', 'weight', weight => '0');
    act('zero', 'r2', 'drain');
    my @got = in_parallel(12, sub ($i) {
        [map { my $r = $h->get('/zero/?delay=0.05'); $r->status . $r->member }
            1 .. 5]
    });
    my %seen;
    $seen{$_}++ for map { @$_ } @got;
    is_deeply [sort keys %seen], ['200web3', '200web4'],
        'under pressure only the open ones answer';
    for (1 .. 3) {
        my $kept = $h->get('/zero/', jar => $jar);
        is verdict($kept) . ' ' . $kept->member, 'kept web1', 'sessions of the member stay';
    }
    act('zero', 'r1', 'reset');
    act('zero', 'r2', 'enable');
    ok wait_for(sub {
        my $got = spread(map { $h->get('/zero/') } 1 .. 8);
        keys %$got == 4
    }), 'back in use';
};

# Where each of many addresses goes.
sub places ($pool, $n) {
    my $c = $h->connect;
    return {map {
        my $addr = join '.', 172, 16 + $_ % 16, $_ >> 8, $_ & 255;
        my $r = $h->get("/$pool/?size=1", on => $c,
                        headers => [['X-Forwarded-For', $addr]]);
        ($addr => $r->member)
    } 1 .. $n};
}

sub moved ($before, $after) {
    return grep { $before->{$_} ne $after->{$_} } keys %$before;
}

subtest 'hash: only a lost member\'s keys move, and they come back' => sub {
    my $before = places('m-hash', 400);
    my %share;
    $share{$_}++ for values %$before;
    my $of = sub ($name) { grep { $before->{$_} eq $name } keys %$before };
    for my $how (qw(disable drain weight)) {
        act('m-hash', 'r2', $how, $how eq 'weight' ? (weight => 0) : ());
        my $during = places('m-hash', 400);
        is_deeply [sort(moved($before, $during))], [sort($of->('web2'))],
            "$how: its keys move, no others";
        my %to;
        $to{$during->{$_}}++ for $of->('web2');
        is keys %to, 3, 'to all others';
        is_deeply places('m-hash', 400), $during, 'always to the same';
        act('m-hash', 'r2', 'reset');
        is_deeply places('m-hash', 400), $before, 'back where they were';
    }

    # The same by a member that nobody answers for.
    $h->announce(qr/refused|failed to make connection|LBS\d+/);
    $web[2]->refuse;
    my $during = places('m-hash', 400);
    is_deeply [sort(moved($before, $during))], [sort($of->('web3'))],
        'down: its keys move, no others';
    $web[2]->accept;
    ok wait_for(sub { !moved($before, places('m-hash', 400)) }, 20),
        'back where they were';
};

subtest 'hash: keys of a source, and a bound' => sub {
    my %at = map { ($_ => $h->get("/keyed/?size=1&id=$_")->member) } 1 .. 100;
    is keys %{{reverse %at}}, 4, 'all members have keys';
    $h->graceful;
    # The table still knows them; a pool without one computes the same.
    my @other = grep { $h->get("/keyed/?size=1&id=$_")->member ne $at{$_} }
        keys %at;
    is "@other", '', 'a reload moves nobody';

    # All of one key at once: more than one member must take it.
    $h->get('/bound/', headers => [['X-Key', 'all the same']]);
    my $got = load('/bound/?delay=0.05', 12, 3,
                   headers => [['X-Key', 'all the same']]);
    is keys %$got, 1, 'a session that is known stays for all that';
    my @hot = in_parallel(12, sub ($i) {
        $h->get('/bound/?delay=0.3', headers => client(5))->member
    });
    my %hot;
    $hot{$_}++ for @hot;
    cmp_ok keys %hot, '>', 1, 'new ones spill over at 1.25 of the mean';
};

$h->no_unexpected_log;
done_testing;
