#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# LBStickyLimit queue=: who hangs up leaves the queue and reaches no member, and
# a stop does not wait for those who wait.
use lib 't/lib';
use LBS::Test timeout => 240;

use LBS::Governed;
use LBS::State qw(pool_state);

sub start ($web, %o) {
    my $h = governed($web, modules => [qw(ssl http2)], children => 2, threads => 16,
        app => "LBSticky none\nLBStickyLimit inflight=1 queue=16 wait=25s\n"
            . 'BalancerMember "http://@B1@" route=r1', server => <<'CONF', %o);
<VirtualHost *:@PORT2@>
    ServerName localhost
    SSLEngine on
    SSLCertificateFile "@CERT@"
    SSLCertificateKeyFile "@KEY@"
    ProxyPass "/app/" "balancer://app/"
</VirtualHost>
<VirtualHost *:@PORT3@>
    ServerName localhost
    Protocols h2c
    ProxyPass "/app/" "balancer://app/"
</VirtualHost>
CONF
    $h->announce(qr/\[ssl:warn\]/, qr/AH03490/);
    return $h;
}

sub queued ($h) { return pool_state($h, 'app')->{queued} }

sub until_queued ($h, $n, $what = "$n wait") {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return ok wait_for(sub { queued($h) == $n }, 10), $what;
}

# A request that keeps the member's only place; returns its connection.
sub hold ($h, $seconds) {
    my $c = $h->connect;
    $c->send_request('GET', "/app/?n=holder&delay=$seconds");
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok wait_for(sub { pool_state($h, 'app')->{inflight} == 1 }, 10), 'the member is full';
    return $c;
}

# Ways to queue up: each returns a connection.
my $GET = "GET /app/?n=dead HTTP/1.1\r\nHost: localhost\r\n\r\n";
my %WAYS = (
    'a GET' => sub ($h) { my $c = $h->connect; $c->write($GET); $c },
    'with another request behind it' => sub ($h) {
        my $c = $h->connect; $c->write($GET x 3); $c
    },
    'with a body that nobody has read' => sub ($h) {
        my $c = $h->connect;
        $c->write("POST /app/?n=dead HTTP/1.1\r\nHost: localhost\r\n"
            . "Content-Length: 20000\r\n\r\n" . 'x' x 20000);
        $c
    },
    'with half a body' => sub ($h) {
        my $c = $h->connect;
        $c->write("PUT /app/?n=dead HTTP/1.1\r\nHost: localhost\r\n"
            . "Content-Length: 20000\r\n\r\n" . 'x' x 200);
        $c
    },
    'by TLS' => sub ($h) { my $c = $h->connect(n => 2, tls => 1); $c->write($GET); $c },
);

# What members were asked for, by the name in the query.
sub asked ($b) { return join ' ', map { $_->{uri} =~ /n=(\w+)/ } $b->requests }

each_mpm {
    my ($mpm) = @_;
    my @web = LBS::Backend->many(1);
    my $h = start(\@web);
    my $holder = hold($h, 4);
    my $n = 0;
    for my $reset (0, 1) {
        my @c = map { my $c = $WAYS{$_}->($h); until_queued($h, ++$n, "$_ waits"); $c }
            sort keys %WAYS;
        sleep 0.2;    # many looks at the connections
        is queued($h), $n, 'no request is sent for a client that is gone';
        $_->close(reset => $reset) for @c;
        $n = 0;
        until_queued($h, 0, $reset ? 'reset: none waits' : 'closed: none waits');
    }
    my $visitor = $h->connect;
    $visitor->send_request('GET', '/app/?n=visitor');
    until_queued($h, 1, 'the next visitor finds a place');
    is $holder->response->status, 200, 'the request at work is not disturbed';
    is $visitor->response->status, 200, 'the visitor is served';
    is asked($web[0]), 'holder visitor', 'and the member was asked by nobody else';
    my $pool = pool_state($h, 'app');
    is $pool->{members}[0]{failures}, 0, 'no failure';
    is $pool->{decisions}{refused}{full}, 0, 'nobody was refused';
    $h->stop;
};

# Streams of one HTTP/2 connection that is spoken by hand.
sub streams ($h, @uris) {
    my $c = $h->connect(n => 3);
    my $frame = sub ($type, $flags, $id, $payload) {
        return substr(pack('N', length $payload), 1) . pack('CCN', $type, $flags, $id) . $payload;
    };
    my $text = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . $frame->(4, 0, 0, '');
    for my $i (0 .. $#uris) {    # GET, http, :path and :authority as literals
        my $block = "\x82\x86" . "\x04" . chr(length $uris[$i]) . $uris[$i] . "\x01\x09localhost";
        $text .= $frame->(1, 5, 2 * $i + 1, $block);
    }
    $c->write($text);
    return ($c, sub ($i) { $c->write($frame->(3, 0, 2 * $i + 1, pack 'N', 8)) });
}

subtest 'HTTP/2' => sub {
    my @web = LBS::Backend->many(1);
    my $h = start(\@web);
    my $holder = hold($h, 4);
    my ($c, $reset) = streams($h, map { "/app/?n=dead$_" } 1 .. 3);
    until_queued($h, 3, 'three streams wait');
    my ($other, $cancel) = streams($h, map { "/app/?n=stream$_" } 1 .. 3);
    until_queued($h, 6, 'and three of another connection');
    sleep 0.2;
    is queued($h), 6, 'no request is sent for a client that is gone';
    $c->close;
    until_queued($h, 3, 'a connection ends: its streams are gone');
    $cancel->(1);
    until_queued($h, 2, 'a stream is reset: it is gone');
    is $holder->response->status, 200, 'the request at work is not disturbed';
    ok wait_for(sub { my $p = pool_state($h, 'app'); $p->{queued} + $p->{inflight} == 0 }),
        'the others are served';
    is $h->get('/app/?n=visitor')->status, 200, 'there is room';
    # Streams of one connection begin at once, in any order.
    is asked($web[0]) =~ s/stream3 stream1/stream1 stream3/r,
        'holder stream1 stream3 visitor', 'the member was asked by nobody else';
    $other->close;
    $h->stop;
};

# The requests that wait would take twelve seconds.
sub crowd ($h) {
    my $holder = hold($h, 1.5);
    my @waiting = map {
        my $c = $h->connect;
        $c->send_request('GET', "/app/?n=waiting&delay=3");
        until_queued($h, $_);
        $c
    } 1 .. 4;
    return ($holder, @waiting);
}

subtest 'a stop' => sub {
    each_mpm {
        my @web = LBS::Backend->many(1);
        my $h = start(\@web);
        my @c = crowd($h);
        my $began = time;
        $h->stop;
        cmp_ok time - $began, '<', 5, sprintf 'does not wait for them: %.1f s', time - $began;
        is scalar($h->error_log(qr/AH0004[56]/)), 0, 'and ends nobody by force';
        unlike asked($web[0]), qr/waiting/, 'the member is asked no more';
    };
};

subtest 'a graceful stop' => sub {
    each_mpm {
        my @web = LBS::Backend->many(1);
        my $h = start(\@web);
        my ($holder, @waiting) = crowd($h);
        my $began = time;
        kill WINCH => $h->pid;
        my @r = map { $_->response } @waiting;
        is join(' ', map { $_->status } @r), '503 503 503 503', 'a waiting request gets 503';
        cmp_ok time - $began, '<', 2.5, 'at once';
        is verdict($r[0]), 'refused full', 'and why';
        is $holder->response->status, 200, 'the request at work gets its answer';
        ok wait_for(sub { !$h->running }, 10), 'and it ends';
        is asked($web[0]), 'holder', 'the member was asked by nobody else';
    };
};

subtest 'a reload' => sub {
    each_mpm {
        my @web = LBS::Backend->many(1);
        my $h = start(\@web);
        my $holder = hold($h, 1.5);
        my @waiting = map {
            my $c = $h->connect;
            $c->send_request('GET', '/app/?n=waiting');
            until_queued($h, $_);
            $c
        } 1 .. 3;
        $h->graceful;
        is join(' ', map { $_->response->status } $holder, @waiting), '200 200 200 200',
            'lets them wait, and they are served';
        $h->stop;
    };
};

done_testing;
