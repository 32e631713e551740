#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The harness itself: a backend that misbehaves on request, a client that
# reports what it saw, a jar that keeps cookies as browsers do. What the other
# tests conclude is worth no more than this.
# Not under tsan: the harness alone, without the module.
use lib 't/lib';
use LBS::Test;
use LBS::Failures qw(at_length in_short);
use LBS::Gateway;

sub fetch ($backend, $uri, %o) {
    my $c = LBS::Client->new(port => $backend->port, timeout => 5);
    return $c->request('GET', $uri, %o);
}

subtest 'a backend tells what arrived' => sub {
    my $b = LBS::Backend->new(name => 'one');
    my $c = LBS::Client->new(port => $b->port);
    my $r = $c->request('POST', "/a%20b;x=1?q=\xff", host => 'h.example',
        headers => [['X-A', '1'], ['x-a', "\xe4 2"]], body => 'abc');
    my $seen = $r->json;
    is $r->status, 200, 'status';
    is $r->member, 'one', 'name of the member';
    is $seen->{uri}, "/a%20b;x=1?q=\xff", 'the URI byte for byte';
    is_deeply $seen->{headers}, [['Host', 'h.example'], ['X-A', '1'],
        ['x-a', "\xe4 2"], ['Content-Length', '3']], 'the header in order';
    is $seen->{body_sha256}, 'ba7816bf8f01cfea414140de5dae2223'
        . 'b00361a396177a9cb410ff61f20015ad', 'digest of the body';
    $r = $c->request('POST', '/', body => 'x' x 200_000, chunked => 1);
    is $r->json->{body_length}, 200_000, 'a chunked body';
    is $r->json->{request}, 2, 'second request of the connection';
    is $b->deliveries, 2, 'deliveries are counted';
    is(($b->requests)[1]{method}, 'POST', 'and kept');
    $b->clear;
    is $b->deliveries, 0, 'until cleared';
};

subtest 'a backend misbehaves as told' => sub {
    my ($b, $other) = LBS::Backend->many(2);
    my $r = fetch($b, '/?status=503&cookie=a%3Db&cookie=c%3Dd&header=X-Y:z');
    is $r->status, 503, 'status';
    is_deeply [$r->set_cookies], ['a=b', 'c=d'], 'cookies';
    is $r->header('x-y'), 'z', 'a header field';
    is scalar(@{fetch($b, '/?many=300')->headers}), 303, 'many of them';
    is fetch($b, '/?status=204')->body, '', 'no body with 204';
    is length fetch($b, '/?size=1000000')->body, 1_000_000, 'a long body';
    is length fetch($b, '/?size=100000&chunked=1')->body, 100_000, 'chunks';
    is_deeply fetch($b, '/?early=103')->early, [103], 'an early status';
    cmp_ok fetch($b, '/?delay=0.2')->head_elapsed, '>=', 0.2, 'a delay';
    $r = fetch($b, '/?reset=before');
    is $r->status, 0, 'no answer';
    like $r->error, qr/reset by peer/, 'but a reset';
    is fetch($b, '/?close=before')->error, 'closed', 'or an end of file';
    $r = fetch($b, '/?size=1000&reset=10');
    ok $r->incomplete && length $r->body == 10, 'a broken body';
    like fetch($b, '/?garbage=1')->error, qr/no HTTP/, 'garbage';
    is fetch($b, '/?hang=before', timeout => 0.3)->error, 'timeout', 'silence';
    is fetch($b, '/?status=500&at=other')->status, 200, 'at= names another';

    $b->set(status => 500, times => 2);
    is join(' ', map { fetch($b, '/')->status } 1 .. 3), '500 500 200',
        'for a number of requests';
    $b->set(status => 404);
    is fetch($other, '/')->status, 200, 'the neighbour is another server';
    $b->set;
    is fetch($b, '/')->status, 200, 'and back to normal';
};

subtest 'connections' => sub {
    my $b = LBS::Backend->new;
    my $c = LBS::Client->new(port => $b->port);
    is $c->request('GET', '/')->status, 200, 'first request';
    $b->set(reuse => 'close');
    is $c->request('GET', '/')->error, 'closed', 'the second meets a close';
    is $b->deliveries, 1, 'and was not processed';
    $b->set(idle => 0.1);
    $c = LBS::Client->new(port => $b->port);
    $c->request('GET', '/');
    ok wait_for(sub { $b->stats->{open} == 0 }, 3), 'closed when idle';
    $b->set;
    $c = LBS::Client->new(port => $b->port);
    $c->request('GET', '/');
    $b->refuse;
    ok !eval { fetch($b, '/') }, 'refused';
    is $c->request('GET', '/')->status, 0, 'open ones are closed';
    $b->accept;
    is fetch($b, '/')->status, 200, 'and accepted again';

    $c = LBS::Client->new(port => $b->port);
    my $r = $c->request('GET', '/ws', headers => [['Connection', 'Upgrade'],
        ['Upgrade', 'websocket'],
        ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ==']]);
    is $r->status, 101, 'websocket';
    is $r->header('Sec-WebSocket-Accept'), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
        'the example of RFC 6455';
    $c->write('ping');
    is $c->read_bytes(4), 'ping', 'and bytes come back';

    my @many = LBS::Backend->many(200);
    is scalar(keys %{{map { $_->port => 1 } @many}}), 200, '200 servers';
    is fetch($many[199], '/')->member, $many[199]->name, 'each by its name';
};

subtest 'a FastCGI member splits a long answer into records' => sub {
    my $member = LBS::Gateway->new(scheme => 'fcgi');
    my $c = LBS::Client->new(port => $member->port);
    my $record = \&LBS::Gateway::fcgi_record;
    my ($name, $value) = ('QUERY_STRING', 'size=200000');
    my $params = pack 'CCa*a*', length $name, length $value, $name, $value;
    $c->write(join '', map { $record->($_->[0], 1, $_->[1]) }
        [LBS::Gateway::FCGI_BEGIN, pack 'nCx5', 1, 0], [LBS::Gateway::FCGI_PARAMS, $params],
        [LBS::Gateway::FCGI_PARAMS, ''], [LBS::Gateway::FCGI_STDIN, '']);
    my ($text, $type) = ('', 0);
    while ($type != LBS::Gateway::FCGI_END) {
        (undef, $type, undef, my $length) = unpack 'CCnn', $c->read_bytes(8);
        my $data = $length ? $c->read_bytes($length) : '';
        $text .= $data if $type == LBS::Gateway::FCGI_STDOUT;
    }
    is length($text =~ s/.*?\r\n\r\n//sr), 200_000, 'nothing is lost';
};

subtest 'the jar' => sub {
    my $jar = LBS::Jar->new;
    my %at = (host => 'www.example.com', path => '/a/b', now => 1000);
    my $set = sub ($line, %o) { $jar->set($line, %at, %o) };
    my $get = sub (%o) { $jar->header(%at, %o) // '' };

    $set->('x=1');
    is $get->(), 'x=1', 'default path';
    is $get->(path => '/other'), '', 'is the directory of the request';
    is $get->(host => 'example.com'), '', 'default domain is the host';
    $set->('x=2; Path=/');
    is $get->(), 'x=1; x=2', 'another path is another cookie, longest first';
    $set->('x=; Path=/; Max-Age=0');
    is $get->(), 'x=1', 'Max-Age=0 deletes';
    $set->('x=; Expires=Thu, 01 Jan 1970 00:00:00 GMT');
    is $get->(), '', 'so does a past date';
    $set->('d=1; Domain=example.com; Path=/');
    is $get->(host => 'other.example.com:8080'), 'd=1', 'Domain';
    ok !$set->('e=1; Domain=example.org'), 'but not of somebody else';
    $jar->clear;
    ok !$set->('s=1; Secure'), 'Secure is refused without TLS';
    $set->('s=1; Secure; Path=/', tls => 1);
    is $get->(), '', 'and not sent without';
    is $get->(tls => 1), 's=1', 'only with';
    $jar->clear;
    $set->('m=1; Max-Age=10; Path=/');
    is $get->(now => 1009), 'm=1', 'before its end';
    is $get->(now => 1011), '', 'and after';
    $jar->clear;
    $set->('p=1; Path=/foo');
    is $get->(path => '/foobar'), '', '/foo is not a prefix of /foobar';
    is $get->(path => '/foo/x?y', now => 2000), 'p=1', 'but of /foo/x';
};

subtest 'parallel work' => sub {
    is_deeply [in_parallel(3, sub ($i) { {n => $i * $i} })],
        [{n => 0}, {n => 1}, {n => 4}], 'results in order';
    is_deeply [in_parallel(2, sub ($i) { $i })], [0, 1], 'also a number, 0 among them';
    my ($bad) = in_parallel(1, sub ($i) { die "oops\n" });
    is $bad->{died}, "oops\n", 'and failures';
    ($bad) = in_parallel(1, sub ($i) { POSIX::_exit(1) });
    is $bad->{died}, 'no result', 'and a process that ends without one';
    is percentile(50, 1 .. 100), 50, 'median';
    is percentile(99, 5), 5, 'of one number';
};

subtest 'what a failing file printed, in short' => sub {
    my @lines = split /\n/, <<'TAP';
# Subtest: outer
    ok 1 - fine
    # Subtest: inner
        not ok 1 - deep

        #   Failed test 'deep'
        #   at t/x.t line 3.
        #     Structures begin differing at:
        #          $got->{a} = '2'
        1..1
        # Looks like you failed 1 test of 1.
    not ok 2 - inner

    #   Failed test 'inner'
    #   at t/x.t line 3.
    not ok 3
    #   Failed test at t/x.t line 4.
    1..3
not ok 1 - outer
ok 2 - well
# a note
not ok 3 - known # TODO later
not ok 4 - block
# failed at t/unit/x.c:7: got 1, want 2
1..4
TAP
    is_deeply [in_short(@lines)],
        [q(outer: inner: deep; Structures begin differing at:; $got->{a} = '2'),
         'outer: line 4', 'block; failed at t/unit/x.c:7: got 1, want 2'],
        'each failing test once, with its subtests and what was found';
    is_deeply [in_short(grep { !/not ok/ } @lines)], [], 'nothing when all passed';
    is scalar(at_length((@lines) x 30)), 61, 'at length is not without end';
};

done_testing;
