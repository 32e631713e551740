#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Reloads: nothing that is known of sessions and members depends on where a
# member stands in the configuration, nor on which process answers.
use lib 't/lib';
use LBS::Test timeout => 300;
use LBS::Crowd;
use LBS::Governed;
use LBS::State qw(:DEFAULT visit);

my $RESTARTS = $ENV{LBS_RESTARTS} // 20;
my @KINDS = qw(cookie session ip);
my @web = LBS::Backend->many(5);

my $SERVER = "LBStickyAdmin on\n";

sub table_of ($sessions) { return "LBStickyTable sessions=$sessions" }

# The files that httpd's shared memory has: some modules give theirs a name.
sub segments ($h) {
    my %files = map { $_ => 1 }
        LBS::Proc::slurp('/proc/' . $h->pid . '/maps') =~ m{ (/\S+)}g;
    return grep { m{/shm/} || /\.shm$/ } sort keys %files;
}

subtest 'sessions of all kinds stay through reloads under load' => sub {
    my $h = LBS::Httpd->new(backends => \@web, conf => crowd_conf([1 .. 4]));
    $h->start;
    my $crowd = LBS::Crowd->new($h, map { $_ => 1000 } @KINDS);
    unharmed($crowd->arrive, 'arriving');
    is scalar keys %{$crowd->homes($_)}, 4, "all members have $_ sessions"
        for @KINDS;
    admin($h, $_, 'r2', 'drain') for @KINDS;
    my %before = map { $_ => member_state($h, $_, 'r2')->{sessions} } @KINDS;

    my $walk = $crowd->walk(2);
    my @size = (250_000, 5000, 6000, 300_000);
    for my $i (1 .. $RESTARTS) {
        my @order = (5, 4, 3, 1, 2);
        push @order, shift @order for 1 .. $i % 5;
        @order = grep { $_ != 5 } @order if $i < 3;
        $h->graceful(crowd_conf(\@order, server => table_of($size[$i % @size])));
        sleep 0.2;
    }
    my $seen = $walk->stop;
    unharmed($seen, "during $RESTARTS reloads");
    cmp_ok $seen->{visits}, '>', $RESTARTS * 10, 'there was load';
    unharmed($crowd->visit, 'after them');
    is $crowd->size, 3000, 'that was everybody';
    my $state = $h->json;
    is $state->{generation}, $RESTARTS + 1, 'generations';
    is $state->{table}{capacity}, $size[$RESTARTS % @size], 'the size asked for';
    for my $name (@KINDS) {
        my $pool = pool_state($h, $name);
        my $drained = member_state($h, $name, 'r2');
        is scalar @{$pool->{members}}, 5, "$name: one member more";
        is $drained->{state}, 'drain', 'drained stays drained';
        is $drained->{sessions}, $before{$name}, 'and gets nobody';
        is $pool->{decisions}{new}{unknown} + $pool->{decisions}{new}{first},
            1000, 'each of them was new once';
    }
    quiet($h);
    # Reloads that come faster than old children end.
    $h->no_unexpected_log(qr/AH03490/);
};

# As many sizes as reloads: more than there can be tables at a time.
subtest '50 graceful restarts with changing table size' => sub {
    my $h = governed(\@web, app => 'LBSticky session=sid', server => $SERVER);
    my (%home, @bad);
    for my $i (1 .. 50) {
        $h->graceful(governed_text(\@web, app => 'LBSticky session=sid',
                                   server => $SERVER . table_of(1000 + 37 * $i)));
        $home{$_} = visit($h, $_)->member for map { "$i-$_" } 1 .. 4;
        push @bad, grep { visit($h, $_)->member ne $home{$_} }
            map { "$_-1" } grep { $_ > 0 } $i - 1, $i - 7;
    }
    push @bad, grep { visit($h, $_)->member ne $home{$_} } sort keys %home;
    is_deeply \@bad, [], 'all 200 sessions stay where they were';
    my @segments = segments($h);
    cmp_ok scalar @segments, '<', 5, "one generation's shared memory";
    $h->stop;
    is_deeply [grep { -e } @segments], [], 'which is not left behind';
    $h->no_unexpected_log(qr/LBS1004/);
};

subtest 'sizes that come back find their sessions' => sub {
    my $conf = sub ($size) {
        return governed_text(\@web, app => 'LBSticky session=sid',
                             server => $SERVER . table_of($size));
    };
    my $h = governed(\@web, app => 'LBSticky session=sid', server => $SERVER);
    my %home;
    for my $i (1 .. 12) {
        my $size = (3000, 4000, 5000)[$i % 3];
        $h->graceful($conf->($size));
        $home{$_} = visit($h, $_)->member for map { "$i-$_" } 1 .. 3;
        is $h->json->{table}{capacity}, $size, "reload $i: capacity";
    }
    is_deeply [grep { visit($h, $_)->member ne $home{$_} } sort keys %home], [],
        'nobody moved';
    $h->no_unexpected_log;
};

subtest 'the number of members is the same after 10 reloads' => sub {
    my $h = governed(\@web, app => 'LBSticky session=sid', server => $SERVER);
    visit($h, $_) for 1 .. 10;
    $h->graceful for 1 .. 10;
    visit($h, $_) for 1 .. 10;
    my $pool = pool_state($h, 'app');
    is scalar @{$pool->{members}}, 5, 'members';
    is scalar @{$h->json->{pools}}, 1, 'pools';
    is $pool->{requests}, 20, 'each request once';
    is $pool->{sessions}, 10, 'each session once';
    $h->no_unexpected_log;
};

subtest 'state belongs to the identity: a reversed member list' => sub {
    my $lines = sub (@n) {
        return "LBSticky session=sid\n" . join '',
            map { qq(BalancerMember "http://\@B$_\@" route=r$_\n) } @n;
    };
    my $h = governed(\@web, app => $lines->(1 .. 5), server => $SERVER);
    my %home = map { $_ => visit($h, $_)->member } 1 .. 200;
    my $count = sub {
        return {map { $_->{id} => [@$_{qw(name route requests sessions bytes_in)}] }
                @{pool_state($h, 'app')->{members}}};
    };
    my $before = $count->();
    $h->graceful(governed_text(\@web, app => $lines->(reverse 1 .. 5),
                               server => $SERVER));
    is_deeply $count->(), $before, 'the counters of each id are the same';
    is_deeply [grep { visit($h, $_)->member ne $home{$_} } keys %home], [],
        'and nobody moved';
    is_deeply [events($h, 'added'), events($h, 'removed')], [],
        'nobody came or went';
    $h->no_unexpected_log;
};

subtest 'another URL under the same route, another weight, another route' => sub {
    my $lines = sub ($first) {
        return "LBSticky session=sid\nLBStickySlowStart off\n$first\n"
            . qq(BalancerMember "http://\@B2\@" route=two);
    };
    my $h = governed(\@web, server => $SERVER,
        app => $lines->('BalancerMember "http://@B1@" route=one'));
    my %home = map { $_ => visit($h, $_)->member } 1 .. 40;
    my @ones = grep { $home{$_} eq $web[0]->name } keys %home;
    $h->graceful(governed_text(\@web, server => $SERVER,
        app => $lines->('BalancerMember "http://@B3@" route=one loadfactor=7')));
    is_deeply spread(map { visit($h, $_) } @ones), {$web[2]->name => scalar @ones},
        'a server that moved takes its sessions along';
    is member_state($h, 'app', 'one')->{weight}, 7, 'the new weight counts';
    $h->graceful(governed_text(\@web, server => $SERVER,
        app => $lines->('BalancerMember "http://@B3@" route=uno')));
    my @r = map { visit($h, $_) } @ones;
    is_deeply [grep { verdict($_) ne 'moved removed' } @r], [],
        'a renamed one is another: its sessions move';
    is_deeply [grep { $_->status != 200 } @r], [], 'without an error';
    is_deeply [events($h, 'removed')], ['one'], 'which the events tell';
    $h->no_unexpected_log;
};

subtest 'two virtual hosts with a pool of one name share nothing' => sub {
    my $host = sub ($name, @n) {
        return qq(<VirtualHost *:\@PORT\@>\nServerName $name\n)
            . qq(LBSticky session=sid\n<Proxy "balancer://app">\n)
            . join('', map { qq(BalancerMember "http://\@B$_\@" route=r$_\n) } @n)
            . qq(</Proxy>\nProxyPass "/app/" "balancer://app/"\n)
            . "LBStickyAdmin on\n\@STATUS\@\n</VirtualHost>\n";
    };
    my $h = LBS::Httpd->new(backends => \@web,
                            conf => $host->('a.example', 1, 2));
    $h->start;
    my %home = map { $_ => visit($h, $_, host => 'a.example')->member } 1 .. 50;
    $h->graceful($host->('b.example', 1, 2, 3) . $host->('a.example', 1, 2));
    is_deeply [grep { visit($h, $_, host => 'a.example')->member ne $home{$_} }
               keys %home], [], 'a virtual host in front of it changes nothing';
    my ($a, $b) = map { my $v = $_; (grep { $_->{vhost} =~ /^\Q$v\E/ }
        @{$h->json('/lb-status/json', host => 'a.example')->{pools}})[0]
    } qw(a.example b.example);
    is $a->{requests}, 100, 'requests of the first';
    is $b->{requests}, 0, 'none of the second';
    visit($h, $_, host => 'b.example') for 1 .. 50;
    ($a, $b) = map { my $v = $_; (grep { $_->{vhost} =~ /^\Q$v\E/ }
        @{$h->json('/lb-status/json', host => 'a.example')->{pools}})[0]
    } qw(a.example b.example);
    is $b->{decisions}{new}{unknown}, 50, 'a key of one is unknown to the other';
    is_deeply [map { $_->{sessions} } $a, $b], [50, 50], 'sessions';
    my %ids = map { $_->{id} => 1 } @{$a->{members}}, @{$b->{members}};
    is scalar keys %ids, 5, 'members of one route are different ones';
    $h->no_unexpected_log;
};

subtest 'ServerName in capitals is the same server' => sub {
    my $conf = sub ($name) {
        return governed_text(\@web, app => 'LBSticky cookie', mount => 0,
            server => "LBSticky off", more => <<"HOST");
<VirtualHost 127.0.0.1:\@PORT\@>
    ServerName $name
    LBSticky cookie
    <Proxy "balancer://shop">
        BalancerMember "http://\@B1\@" route=r1
        BalancerMember "http://\@B2\@" route=r2
    </Proxy>
    ProxyPass "/" "balancer://shop/"
</VirtualHost>
HOST
    };
    my $h = LBS::Httpd->new(backends => \@web, conf => $conf->('www.example.org'));
    $h->start;
    my $r = $h->get('/', host => 'www.example.org');
    my $cookie = cookie_of(LBSTICKY_shop => token_in($r, 'LBSTICKY_shop'));
    for my $name (qw(WWW.Example.org www.example.org)) {
        $h->graceful($conf->($name));
        my $again = $h->get('/', host => 'www.example.org', headers => $cookie);
        is verdict($again), 'kept', "$name: the cookie is good";
        is $again->member, $r->member, 'for the same member';
    }
    $h->no_unexpected_log;
};

subtest 'a member is removed while 200 requests hold it' => sub {
    my $lines = sub (@n) {
        return "LBSticky session=sid\n" . join '',
            map { qq(BalancerMember "http://\@B$_\@" route=r$_\n) } @n;
    };
    my $h = governed(\@web, app => $lines->(1), server => $SERVER, threads => 128,
                     mpm => 'event');    # 200 of them are there at once
    visit($h, $_) for 1 .. 200;
    my @open = map { $h->connect } 1 .. 200;
    $open[$_ - 1]->send_request('GET', '/app/?delay=2',
        headers => [['Cookie', "sid=s$_"]]) for 1 .. 200;
    ok wait_for(sub { pool_state($h, 'app')->{inflight} == 200 }, 5),
        '200 in flight';
    $h->graceful(governed_text(\@web, app => $lines->(2, 3), server => $SERVER));
    # A child of the old configuration may have accepted a connection already.
    ok wait_for(sub { visit($h, 0)->member ne $web[0]->name }, 5), 'a new child serves';
    my @early = map { visit($h, $_) } 1 .. 20;
    is_deeply [grep { verdict($_) ne 'moved removed' } @early], [],
        'meanwhile its sessions move';
    my @r = map { $_->response('GET', timeout => 10) } @open;
    is_deeply spread(@r), {$web[0]->name => 200}, 'all 200 are answered by it';
    quiet($h);
    is_deeply [map { $_->{route} } @{pool_state($h, 'app')->{members}}],
        ['r2', 'r3'], 'and it is gone';
    is_deeply [grep { visit($h, $_)->status != 200 } 1 .. 200], [],
        'its sessions go elsewhere';
    # Both old children still work, and more are not allowed.
    $h->no_unexpected_log(qr/AH03490/);
};

subtest 'a reload with a request that does not end' => sub {
    my $h = governed(\@web, app => 'LBSticky session=sid', server => $SERVER);
    my $slow = $h->connect;
    my $home = visit($h, 'x')->member;
    $slow->send_request('GET', '/app/?delay=4', headers => [['Cookie', 'sid=sx']]);
    ok wait_for(sub { pool_state($h, 'app')->{inflight} == 1 }, 5), 'in flight';
    $h->graceful;
    is pool_state($h, 'app')->{inflight}, 1, 'still counted after the reload';
    # Another one than its: that is not drained while it is there.
    my $idle = $home eq $web[0]->name ? 'r2' : 'r1';
    admin($h, 'app', $idle, 'drain', deadline => '1s');
    ok wait_for(sub { join(' ', events($h, 'drained')) eq $idle }, 3),
        'the new generation keeps time';
    is pool_state($h, 'app')->{inflight}, 1, 'while the old one still works';
    is $slow->response('GET')->status, 200, 'which is answered';
    quiet($h);
    $h->no_unexpected_log;
};

done_testing;
