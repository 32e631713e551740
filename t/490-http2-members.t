#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Members that speak HTTP/2: a connection says much before there is an answer,
# and mod_proxy_http2 sends again by itself what was lost.
use lib 't/lib';
use LBS::Test timeout => 150;

use LBS::Fault;
use LBS::Governed;
use LBS::State qw(pool_state quiet);

my @TOLD = (qr/\[proxy(?:_http2?)?:(?:error|warn)\]/, qr/\[http2:(?:error|warn)\]/);

# The members are httpds; behind each stands a backend that does what the test
# wants.
my @web = LBS::Backend->many(2);
my @front = map { front($_) } @web;

sub front ($web) {
    my $h = LBS::Httpd->new(modules => ['http2'], children => 1, threads => 40,
        backends => [$web], conf => <<'CONF');
Protocols h2c http/1.1
MinSpareThreads 1
GracefulShutdownTimeout 1
ProxyTimeout 15
ProxyPass "/" "http://@B1@/" disablereuse=on
CONF
    $h->announce(@TOLD, qr/exit signal Killed/, qr/AH0004[56]/);
    return $h->start;
}

# Pools whose visitors are sent to the member their cookie R names.
sub start (%pools) {
    my $list = join "\n", map {
        'BalancerMember "h2c://127.0.0.1:' . $front[$_]->port
            . qq(" route=r@{[$_ + 1]} timeout=3) } 0, 1;
    my $h = governed(\@web, modules => ['proxy_http2'], children => 1,
        threads => 40, server => 'MinSpareThreads 1',
        map { $_ => "LBSticky route=R\n$pools{$_}\n$list" } keys %pools);
    $h->announce(@TOLD);
    return $h;
}

sub at ($n) { return cookie_of(R => "x.r$n") }
sub member ($h, $name, $n) { return pool_state($h, $name)->{members}[$n - 1] }
sub clear { $_->set, $_->clear for @web; return }
sub got { return join ' ', map { $_->deliveries } @web }

subtest 'the time of an answer ends with the answer' => sub {
    my $h = start(app => '');
    # One connection after the other is new.
    my @c = map { my $c = $h->connect;
        $c->send_request('GET', '/app/?delay=0.4', headers => at(1)); $c } 1 .. 5;
    is scalar(grep { $_->response('GET')->status == 200 } @c), 5, 'answered';
    cmp_ok member($h, 'app', 1)->{latency_ms}{p50}, '>', 350,
        'not with the first frame of a new connection';
    quiet($h);
};

subtest 'a connection that is lost before an answer' => sub {
    my $h = start(app => "LBStickyEject off\nLBStickyRetry budget=100");
    for (['GET', 200, '1 1'], ['POST', 503, '1 0']) {
        my ($method, $status, $deliveries) = @$_;
        clear();
        $web[0]->set(hang => 'before', times => 1);
        my $c = $h->connect;
        $c->send_request($method, '/app/', headers => at(1),
                         $method eq 'POST' ? (body => 'x') : ());
        ok wait_for(sub { $web[0]->deliveries == 1 }, 5), "$method is there";
        kill KILL => $front[0]->children;
        is $c->response($method)->status, $status, "is answered $status";
        is got(), $deliveries, 'after so many deliveries to each';
        ok wait_for(sub {
            $h->get('/app/', headers => at(1))->member eq $web[0]->name }, 10),
            'the member is back';
    }
    is member($h, 'app', 1)->{failures}, 1,
        'a failure on a new connection, none on one that was kept';
    quiet($h);
};

subtest 'a time-out is one attempt, one failure and a 504' => sub {
    my $h = start(app => "LBStickyEject off\nLBStickyRetry budget=100",
                  late => "LBStickyEject off\nLBStickyRetry on=timeout budget=100");
    for (['app', 504, '1 0'], ['late', 200, '1 1']) {
        my ($pool, $status, $deliveries) = @$_;
        clear();
        $web[0]->set(hang => 'before', times => 1);
        my $r = $h->get("/$pool/", headers => at(1));
        is $r->status, $status, "$pool: $status";
        is got(), $deliveries, 'deliveries';
        is member($h, $pool, 1)->{failures}, 1, 'a failure';
    }
};

subtest 'requests waiting at a hung member are served elsewhere' => sub {
    my $h = start(app => 'LBStickyEject stall=1s hold=30s-60s');
    clear();
    $h->get('/app/', headers => at($_)) for 1, 2;
    $web[0]->set(hang => 'before');
    for (three_wait($h)) {
        is "$_->[0] $_->[1]", '200 ' . $web[1]->name, 'served by the other';
        cmp_ok $_->[2], '<', 1.8, 'when the stall was found';
    }
    is member($h, 'app', 1)->{state}, 'ejected', 'it is out';
    is scalar(grep { $_->{method} eq 'GET' } $web[0]->requests), 4,
        'nothing was sent there again';
    clear();
    quiet($h);
};

subtest 'kept connections that ended are no failure' => sub {
    my $h = start(app => 'LBStickyRetry budget=100');
    clear();
    for my $method (qw(GET POST)) {
        $h->get('/app/', headers => at(1));
        $front[0]->restart;
        my $r = $h->request($method, '/app/', headers => at(1),
                            $method eq 'POST' ? (body => 'x') : ());
        is $r->status . ' ' . $r->member, '200 ' . $web[0]->name,
            "$method goes to the same member";
    }
    is member($h, 'app', 1)->{failures}, 0, 'no failure';
};

subtest 'a client that falls silent in its body' => sub {
    # A time for reading the body would end it in HTTP/1.1: there is none.
    my $h = governed(\@web, modules => ['proxy_http2'], children => 1, threads => 40,
        server => "MinSpareThreads 1\nTimeout 2\n", app => "LBSticky route=R\n"
            . 'BalancerMember "h2c://127.0.0.1:' . $front[0]->port . '" route=r1');
    $h->announce(@TOLD);
    my $c = $h->connect;
    $c->write("POST /app/x HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n" . 'z' x 100);
    is $c->response('POST', timeout => 30)->status, 408, 'HTTP/1.1: the time is over';
    quiet($h);
    is member($h, 'app', 1)->{failures}, 0, 'and no failure of the member';
    my $fault = LBS::Fault->new(lanes => {h2c => 2});
    is_deeply [$fault->run(map { LBS::Fault::Cases::of_id($_) }
        'h2c:POST:cl:5535:h2:kept:0:client:cut:4885:stall:cl:5000',
        'h2c:PUT:te:16385:h2:fresh:1:client:cut:2318:stall:cl:20000')], [],
        'HTTP/2: the same';
};

done_testing;
