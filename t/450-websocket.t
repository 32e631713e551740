#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# WebSockets (upgrade=websocket): they go where the session is, count while
# they are open, and otherwise are as mod_proxy does them: each thing is asked
# of a pool without this module as well.
use lib 't/lib';
use LBS::Test timeout => 120;

use LBS::Fake qw(take);
use LBS::Governed;
use LBS::State qw(pool_state);


sub start ($web, $more = '') {
    my $list = join "\n", map { qq(BalancerMember "http://\@B$_\" route=r$_ )
        . 'upgrade=websocket timeout=2' } 1 .. @$web;
    $list =~ s/(\@B\d+)"/$1@"/g;
    my $h = governed($web, server => 'LBStickySlowStart off',
        app => "LBSticky cookie\n$more\n$list",
        stock => "LBSticky off\n$list");
    $h->announce(qr/\[proxy(?:_http)?:(?:error|warn)\]/);
    return $h;
}

sub member ($h, $name) {
    my ($m) = grep { $_->{name} =~ /:\Q$name\E$/ }
        @{pool_state($h, 'app')->{members}};
    return $m;
}

# Nothing is in flight any more.
sub all_over ($h, @web) {
    return wait_for(sub {
        !grep { member($h, $_->port)->{inflight} } @web }, 5);
}

# Shake hands; the connection and the answer.
sub open_ws ($h, $uri, %o) {
    my $c = $h->connect;
    my @cookie = defined $o{cookie} ? (['Cookie', $o{cookie}]) : ();
    my $r = $c->request('GET', $uri, headers => [['Connection', 'Upgrade'],
        ['Upgrade', 'websocket'], ['Sec-WebSocket-Version', '13'],
        ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='], @cookie]);
    return ($c, $r);
}

sub echo ($c, $text) {
    $c->write($text);
    return $c->read_bytes(length $text, 3);
}

subtest 'it goes where the session is, and counts while it is open' => sub {
    my @web = LBS::Backend->many(3);
    my $h = start(\@web);
    for my $n (1 .. 6) {
        my $jar = LBS::Jar->new;
        my $home = $h->get('/app/', jar => $jar)->member;
        my ($b) = grep { $_->name eq $home } @web;
        my ($c, $r) = open_ws($h, '/app/',
            cookie => $jar->header(host => 'localhost', path => '/app/'));
        is $r->status . ' ' . $r->member, "101 $home", 'the same member';
        is echo($c, "hello $n"), "hello $n", 'bytes go and come back';
        is member($h, $b->port)->{inflight}, 1, 'in flight';
        is echo($c, 'x' x 50_000), 'x' x 50_000, 'many of them';
        $c->close;
        ok wait_for(sub { member($h, $b->port)->{inflight} == 0 }, 5),
            'until it is closed';
        is member($h, $b->port)->{failures}, 0, 'which is no failure';
    }
    my ($c, $r) = open_ws($h, '/app/');
    is $r->status, 101, 'without a session, too';
    $c->close;
    ok all_over($h, @web), 'that one, too';
};

subtest 'a visitor begins with a handshake' => sub {
    my @web = LBS::Backend->many(3);
    my $h = start(\@web, 'LBStickyMethod round-robin');
    for my $n (1 .. 3) {
        my ($c, $r) = open_ws($h, '/app/?cookie=theirs%3D1');
        my $token = token_in($r, 'LBSTICKY_app');
        like $token, qr/^[\w-]{1,48}$/, 'a cookie with the 101';
        is_deeply [$r->set_cookies('theirs')], ['theirs=1'], 'beside the application\'s';
        is echo($c, 'hello'), 'hello', 'the tunnel works';
        my @shown = (headers => cookie_of(LBSTICKY_app => $token));
        my $page = $h->get('/app/', @shown);
        is_deeply [verdict($page), $page->member], ['kept', $r->member],
            'pages come from where the tunnel is, while it is open';
        is_deeply [$page->set_cookies('LBSTICKY_app')], [], 'without a cookie once more';
        my ($again, $second) = open_ws($h, '/app/', cookie => "LBSTICKY_app=$token");
        is_deeply [$second->member, $second->set_cookies('LBSTICKY_app')], [$r->member],
            'nor does another tunnel get one';
        $_->close for $c, $again;
    }
    my ($c, $r) = open_ws($h, '/app/?status=403');
    is $r->status, 403, 'a handshake that is refused';
    is scalar(my @once = $r->set_cookies('LBSTICKY_app')), 1, 'gets one cookie as well';
    $c->close;
    ok all_over($h, @web), 'nothing is left';
};

subtest 'a key of the handshake is learned while the tunnel is open' => sub {
    my @web = LBS::Backend->many(3);
    my $h = start(\@web, "LBSticky session=sid header=X-Key\nLBStickyMethod round-robin");
    my ($c, $r) = open_ws($h, '/app/?cookie=sid%3Dfresh');
    my ($pool) = grep { $_->{name} eq 'app' } @{$h->json->{pools}};
    is $pool->{requests}, 1, 'the decision is counted';
    for (1 .. 3) {
        my $page = $h->get('/app/', headers => cookie_of(sid => 'fresh'));
        is_deeply [verdict($page), $page->member], ['kept', $r->member],
            'a session that the 101 sets';
    }
    $c->close;
    ok all_over($h, @web), 'nothing is left';
};

subtest 'a tunnel that works ends a hold' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web, "LBStickyEject hold=1s-1s\nLBStickyMethod round-robin");
    my ($c, $r) = open_ws($h, '/app/');
    my ($b) = grep { $_->name eq $r->member } @web;
    $c->close;
    $b->set(reset => 'before');
    for (1 .. 20) {
        last if member($h, $b->port)->{state} eq 'ejected';
        $h->get('/app/');
    }
    is member($h, $b->port)->{state}, 'ejected', 'a member is ejected';
    $b->set;
    sleep 1.3;
    my @tunnels = map { [open_ws($h, '/app/')] } 1 .. 4;
    cmp_ok scalar(grep { $_->[1]->member eq $b->name } @tunnels), '>', 1,
        'after its time it is tried out, and is in use at once';
    is member($h, $b->port)->{state}, 'up', 'while the tunnels are open';
    $_->[0]->close for @tunnels;
    ok all_over($h, @web), 'nothing is left';
};

subtest 'no connection, no upgrade' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web);
    my $jar = LBS::Jar->new;
    my $home = $h->get('/app/', jar => $jar)->member;
    my ($b) = grep { $_->name eq $home } @web;
    $b->refuse;
    my $cookie = $jar->header(host => 'localhost', path => '/app/');
    my ($c, $r) = open_ws($h, '/app/', cookie => $cookie);
    is $r->status, 101, 'the member is gone: another one takes it';
    isnt $r->member, $home, 'not the one that is gone';
    is echo($c, 'hello'), 'hello', 'and it works';
    $c->close;
    $b->accept;
    ($c, $r) = open_ws($h, '/app/?garbage=1');
    is $r->status, 502, 'who does not speak HTTP';
    $r = $h->get('/app/');
    is $r->status, 200, 'and requests without upgrade go on';
};

# How a tunnel behaves: what the client reads, and after which time it ends,
# if it does within 5 s: the members' time-out is 2 s.
sub behaviour ($h, $uri, $what) {
    my ($c, $r) = open_ws($h, $uri);
    my $start = time;
    my $read = $what->($c);
    my $rest = $c->slurp(5);
    return {status => $r->status, read => $read, rest => $rest,
            ended => sprintf '%.0f', time - $start};
}

subtest 'idle for twice the time-out, half closed: as mod_proxy does it' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web);
    for (['idle', sub ($c) { '' }],
         ['busy, then idle', sub ($c) {
             my $got = '';
             for (1 .. 3) { $got .= echo($c, 'ping'); sleep 0.9 }
             return $got }],
         ['half closed', sub ($c) {
             $c->write('last words'); $c->shutdown; return '' }]) {
        my ($name, $what) = @$_;
        my @both = in_parallel(2, sub ($i) {
            behaviour($h, $i ? '/stock/' : '/app/', $what) });
        is_deeply $both[0], $both[1], "$name: the same";
        is $both[0]{status}, 101, 'it was open';
    }
    ok wait_for(sub { !grep { $_->{inflight} } map { member($h, $_->port) }
        @web }, 5), 'none in flight';
    is_deeply [map { member($h, $_->port)->{failures} } @web], [0, 0],
        'no failures';
};

subtest 'silence in a tunnel is no stall' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web, 'LBStickyEject stall=1s');
    my @tunnels = map { (open_ws($h, '/app/'))[0] } 1 .. 10;
    is echo($tunnels[0], 'a'), 'a', 'ten are open';
    my $end = time + 1.7;
    while (time < $end) {
        is $h->get('/app/')->status, 200, 'while others are answered'
            for 1 .. 2;
        sleep 0.1;
    }
    is join(' ', map { member($h, $_->port)->{state} } @web), 'up up',
        'both are up';
    is scalar(grep { $_->{event} eq 'ejected' } @{$h->json->{events}}), 0,
        'and were';
    is echo($tunnels[0], 'b'), 'b', 'the tunnels work';
    $_->close for @tunnels;
    ok all_over($h, @web), 'until they are closed';
};

subtest 'the child that holds a tunnel is killed' => sub {
    my @web = LBS::Backend->many(1);
    my $h = start(\@web);
    my @open = map { (open_ws($h, '/app/'))[0] } 1 .. 4;
    is member($h, $web[0]->port)->{inflight}, 4, 'four are open';
    $h->kill_child('KILL', $_) for $h->children;
    ok wait_for(sub { member($h, $web[0]->port)->{inflight} == 0 }, 5),
        'none is in flight';
    $_->close for @open;
};

subtest 'a member without upgrade= gets no WebSocket: the log says what to write' => sub {
    my @web = LBS::Backend->many(2);
    my %pool = (app => 'LBSticky cookie', other => 'LBSticky cookie',
        ok => "LBSticky cookie\n" . join "\n", map {
            qq(BalancerMember "http://\@B$_\@" upgrade=websocket) } 1, 2);
    my $h = governed(\@web, %pool);
    $h->announce(qr/LBS3501/);
    my $lines = sub { $h->error_log(qr/LBS3501/) };
    my $ask = sub ($uri) {
        my ($c, $r) = open_ws($h, $uri);
        $c->close;
        return $r->status;
    };
    is $ask->('/app/?status=302'), 302, 'an application that sends elsewhere';
    is $ask->('/app/?status=403'), 403, 'an application that refuses by itself';
    is $h->get('/app/?status=400')->status, 400, 'and an error of a page';
    is $ask->('/ok/?status=400'), 400, 'and of a member that has upgrade=';
    is scalar($lines->()), 0, 'are no reason to say anything';
    is $ask->('/app/?status=400'), 400, 'a handshake that arrives without Upgrade';
    ok wait_for(sub { $lines->() == 1 }), 'is';
    like(($lines->())[0], qr{LBS3501: pool app: a client asked for a WebSocket at /app/ and got 400.*write BalancerMember "http://127\.0\.0\.1:\d+" upgrade=websocket},
        'with the line to write');
    $ask->("/app/?status=$_") for 200, 400, 404, 426;
    is $ask->('/other/?status=426'), 426, 'the same of another pool';
    ok wait_for(sub { $lines->() == 2 }), 'is said once for each pool';
};

# What comes with the head of the 101 is read with it.
subtest 'a member that speaks first, in the packet of its 101' => sub {
    my $m = LBS::Fake->member(name => 'first')->serve_by(sub ($c) {
        my $head = '';
        $head .= take($c, 1) while $head !~ /\r\n\r\n/;
        syswrite $c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            . "Connection: Upgrade\r\n\r\nHELLO";
        take($c, 1);
    });
    my $h = start([$m]);
    for my $pool (qw(app stock)) {
        my ($c, $r) = open_ws($h, "/$pool/");
        is $r->status, 101, "$pool: it is open";
        is $c->read_bytes(5, 3), 'HELLO', "$pool: and its first words are there";
    }
};

done_testing;
