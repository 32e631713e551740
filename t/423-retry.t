#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What is sent again, where, with which body; and what never is.
use lib 't/lib';
use LBS::Test timeout => 300;

use Digest::SHA qw(sha256_hex);
use LBS::Governed;
use LBS::State qw(pool_state);

# mod_proxy tells of every connection that it could not open or lost.
my @TOLD = (qr/\[proxy(?:_http)?:error\]/, qr/\[proxy_http:warn\]/);

# Pools whose visitors are sent to the member their cookie R names, and which
# nothing but the test takes a member out of. One child, one connection pool.
sub start ($web, %pools) {
    my $h = governed($web, children => 1,
        server => "MinSpareThreads 1\nMaxSpareThreads 16",
        map { $_ => "LBSticky route=R\nLBStickyEject off\n$pools{$_}" }
        keys %pools);
    $h->announce(@TOLD);
    return $h;
}

sub at ($n) { return cookie_of(R => "x.r$n") }

sub member ($h, $name, $n) { return pool_state($h, $name)->{members}[$n - 1] }

sub clear (@web) { $_->clear for @web; return }

# How often each backend got the request, as "1 0 2".
sub got (@web) { return join ' ', map { $_->deliveries } @web }

# One request for member 1, which is told how to behave.
sub try_first ($h, $web, $method, $behaviour, %o) {
    clear(@$web);
    return $h->request($method,
        "/$o{pool}/?$behaviour&at=" . $web->[0]->name, %o,
        headers => [@{at(1)}, @{$o{headers} // []}]);
}

subtest 'no connection: any method moves on, its body whole' => sub {
    my @web = LBS::Backend->many(3);
    my $h = start(\@web, app => '');
    $_->refuse for @web[0, 1];
    for my $method (qw(GET POST PATCH PUT DELETE)) {
        clear($web[2]);
        my $r = $h->request($method, '/app/', headers => at(1), body => 'abc');
        is $r->status, 200, "$method is answered";
        is got($web[2]), 1, 'delivered once';
        is $r->json->{body_length}, 3, 'with its body';
        like attempts_of($r), qr/^[23]$/, 'each member was asked once';
    }
    for my $size (1, 1000, 65_535, 65_536, 65_537, 300_000, 10_000_000) {
        my $body = join '', map { chr(($_ * 7 + $size) % 256) } 0 .. 65_535;
        $body = substr $body x ($size / 65_536 + 1), 0, $size;
        for my $chunked (0, 1) {
            clear($web[2]);
            my $r = $h->post('/app/', $body, headers => at(1),
                             chunked => $chunked);
            my $how = $chunked ? 'chunked' : 'with a length';
            is $r->status, 200, "$size bytes $how";
            is $r->json->{body_sha256}, sha256_hex($body), 'the same bytes';
            is got($web[2]), 1, 'delivered once';
        }
    }
    is pool_state($h, 'app')->{retries}, 0, 'none of them is a repetition';
};

subtest 'a reset before the first byte' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web, app => 'LBStickyRetry budget=100');
    for my $end (qw(reset close)) {
        for my $method (qw(GET PUT DELETE OPTIONS)) {
            my $r = try_first($h, \@web, $method, "$end=before", pool => 'app');
            is $r->status . ' ' . got(@web), '200 1 1', "$method again ($end)";
        }
        is try_first($h, \@web, 'HEAD', "$end=before", pool => 'app')->status,
            200, 'HEAD again';
        for my $method (qw(POST PATCH)) {
            my $r = try_first($h, \@web, $method, "$end=before", pool => 'app',
                              body => 'abc');
            is $r->status . ' ' . got(@web), '502 1 0', "$method never";
            $r = try_first($h, \@web, $method, "$end=before", pool => 'app',
                body => 'abc', headers => [['Idempotency-Key', '"k1"']]);
            is $r->status . ' ' . got(@web), '200 1 1',
                'but with an Idempotency-Key';
            is $r->json->{body_sha256}, sha256_hex('abc'), 'the body whole';
        }
    }
    my $r = try_first($h, \@web, 'GET', 'size=100000&reset=500', pool => 'app');
    ok $r->incomplete, 'an answer that broke off';
    is got(@web), '1 0', 'is not repeated: it was begun';
};

subtest 'only a body that was kept whole is sent again' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web, app => 'LBStickyRetry budget=100 body=1000',
                  none => 'LBStickyRetry budget=100 body=0');
    for my $chunked (0, 1) {
        for ([app => 1000, 1], [app => 1001, 0], [app => 200_000, 0],
             [none => 1, 0]) {
            my ($pool, $size, $again) = @$_;
            my $body = 'z' x $size;
            my $r = try_first($h, \@web, 'PUT', 'reset=before', pool => $pool,
                              body => $body, chunked => $chunked);
            is $r->status . ' ' . got(@web), $again ? '200 1 1' : '502 1 0',
                "$size bytes in $pool";
            is $r->json->{body_sha256}, sha256_hex($body), 'whole' if $again;
        }
    }
    is try_first($h, \@web, 'PUT', 'reset=before', pool => 'none')->status,
        200, 'no body needs no room';
};

subtest 'a POST on a stale kept-alive connection is delivered once' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web, app => 'LBStickyRetry budget=100');
    for my $how (qw(close reset)) {
        for my $body (undef, 'abc') {
            $h->get('/app/', headers => at(1));
            clear(@web);
            $web[0]->set(reuse => $how);
            my $r = $h->request('POST', '/app/', headers => at(1),
                                body => $body);
            cmp_ok $web[0]->deliveries + $web[1]->deliveries, '<=', 1,
                "just closing ($how): at most one delivery";
            like $r->status, qr/^(?:200|502)$/, 'and an answer';
            $web[0]->set;
        }
        $h->get('/app/', headers => at(1));
        $web[0]->set(reuse => $how);
        sleep 1.2;
        clear(@web);
        my $r = $h->post('/app/', 'abc', headers => at(1));
        is $r->status . ' ' . got(@web), '200 1 0',
            "after a second it goes out on a new one ($how)";
        $web[0]->set;

        # Two connections, one of them used just now: the second of two has
        # to take the other.
        in_parallel(2, sub ($i) {
            $h->get('/app/?delay=0.2', headers => at(1))->status });
        sleep 1.2;
        $h->get('/app/', headers => at(1));
        clear(@web);
        $web[0]->set(reuse => $how);
        my @status = in_parallel(2, sub ($i) {
            sleep $i * 0.1;
            $h->post('/app/?delay=0.2', 'abc', headers => at(1))->status });
        cmp_ok $web[0]->deliveries + $web[1]->deliveries, '<=', 2,
            'two at once: at most two deliveries';
        is $status[1], 200, 'an idle connection is not taken';
        $web[0]->set;
    }
    is member($h, 'app', 1)->{failures}, 0, 'no failure';
};

subtest 'a body too long to be sent twice goes out on a new connection' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web, app => 'LBStickyRetry budget=100 body=1000');
    for my $how (qw(close reset)) {
        for my $chunked (0, 1) {
            $h->get('/app/', headers => at(1));
            $web[0]->set(reuse => $how);
            sleep 1.2;
            clear(@web);
            my $r = $h->request('PUT', '/app/', headers => at(1),
                                body => 'a' x 20_000, chunked => $chunked);
            is $r->status . ' ' . got(@web), '200 1 0',
                $chunked ? "chunked ($how)" : "with a length ($how)";
            is $r->json->{body_length}, 20_000, 'whole' if $r->status == 200;
            $web[0]->set;
        }
    }
};

# Many at once, so that one of them gets a connection that was idle for longer
# than those above it: it is refused, with the body read already.
subtest 'a connection is refused: the body is whole all the same' => sub {
    my @web = LBS::Backend->many(1);
    my %pools = (off => 'LBStickyRetry off', none => 'LBStickyRetry body=0',
                 app => '');
    my $h = governed(\@web, children => 1, threads => 80,
        server => "MinSpareThreads 1\nMaxSpareThreads 80",
        map { $_ => "LBSticky none\n$pools{$_}" } keys %pools);
    $h->announce(@TOLD);
    for my $pool (sort keys %pools) {
        my $began = time;
        my $wave = sub ($at, $n, $method, $delay) {
            my $wait = $began + $at - time;
            sleep $wait if $wait > 0;
            my @c = map { $h->connect } 1 .. $n;
            $_->send_request($method, "/$pool/?delay=$delay",
                             $method eq 'POST' ? (body => 'abc') : ()) for @c;
            return map { $_->response($method) } @c;
        };
        $wave->(0, 40, 'GET', 0.4);
        $wave->(0.9, 34, 'GET', 0.2);
        my %seen;
        $seen{$_->status . ' ' . ($_->json // {})->{body_length}}++
            for $wave->(1.7, 40, 'POST', 0.3);
        is_deeply \%seen, {'200 3' => 40}, $pool;
    }
};

subtest 'a stale kept-alive connection is no failure' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web, app => '');
    for my $how (qw(close reset)) {
        for my $method (qw(GET PUT)) {
            $web[0]->set;
            $h->get('/app/', headers => at(1));
            clear(@web);
            $web[0]->set(reuse => $how);
            my $r = $h->request($method, '/app/', headers => at(1));
            is $r->status . ' ' . got(@web), '200 1 0',
                "$method again on a new connection to the same member ($how)";
            is verdict($r), 'kept', 'the session stays';
        }
    }
    my $pool = pool_state($h, 'app');
    is $pool->{members}[0]{failures}, 0, 'no failure';
    is $pool->{retries}, 0, 'no repetition elsewhere';
};

subtest 'a connection that ends while a body is sent is no time-out' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web, app => 'LBStickyRetry budget=100 body=4m');
    for my $how (qw(close reset)) {
        $h->get('/app/', headers => at(1));
        $web[0]->set(reuse => $how);
        my $r = $h->request('PUT', '/app/', headers => at(1),
                            body => 'b' x 3_000_000);
        is $r->status . ' ' . $r->member, '200 ' . $web[0]->name,
            "stale, 3 MB to come ($how): again on a new one";
        is $r->json->{body_length}, 3_000_000, 'whole';
        $web[0]->set;
    }
    is member($h, 'app', 1)->{failures}, 0, 'no failure';
};

subtest 'a kept-alive client connection gets an answer, not a close' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web, app => '');
    my $c = $h->connect;
    my $name = $web[0]->name;
    for my $n (1 .. 3) {
        is $h->get('/app/', on => $c, headers => at(1))->status, 200, 'fine';
        is $h->post("/app/?reset=before&at=$name", 'a', on => $c,
                    headers => at(1))->status, 502, 'a reset says so';
    }
};

# LBS_SOAK=120 does it for two minutes.
subtest 'requests just as the member closes its connections' => sub {
    my $rounds = int(($ENV{LBS_SOAK} // 18) / 2);
    my @web = LBS::Backend->many(2);
    $_->set(idle => 2) for @web;
    my $h = start(\@web, app => 'LBStickyEject failures=3');
    my @all = in_parallel(8, sub ($i) {
        my ($bad, $sent) = (0, 0);
        for (1 .. $rounds) {
            my $method = $i % 2 ? 'POST' : 'GET';
            my $r = $h->request($method, '/app/', headers => at(1 + $i % 2),
                                $i % 2 ? (body => 'x') : ());
            $sent++;
            $bad++ if $r->status != 200;
            sleep 1.9 + rand 0.2;
        }
        return [$sent, $bad];
    });
    is join(' ', map { "$_->[0]/$_->[1]" } @all), join(' ', ("$rounds/0") x 8),
        'each is answered';
    for my $m (@{pool_state($h, 'app')->{members}}) {
        is "$m->{failures} $m->{eject}{count} $m->{state}", '0 0 up',
            'no failure, no ejection';
    }
};

subtest 'one time-out is one 504, unless on=timeout' => sub {
    my @web = LBS::Backend->many(2);
    my $list = join "\n", map {
        qq(BalancerMember "http://\@B$_\@" route=r$_ timeout=1) } 1, 2;
    my $h = start(\@web,
        app => "LBStickyRetry budget=100\nLBStickyEject failures=3\n$list",
        late => "LBStickyRetry on=timeout budget=100\n$list");
    my $r = try_first($h, \@web, 'GET', 'hang=before', pool => 'app');
    is $r->status . ' ' . got(@web), '504 1 0', 'without';
    my $m = member($h, 'app', 1);
    is "$m->{failures} $m->{state}", '1 up', 'a failure, but the member stays';
    is $h->get('/app/', headers => at(1))->member, $web[0]->name,
        'and goes on with its sessions';
    $r = try_first($h, \@web, 'GET', 'hang=before', pool => 'late');
    is $r->status . ' ' . got(@web), '200 1 1', 'on=timeout: elsewhere';
    $r = try_first($h, \@web, 'POST', 'hang=before', pool => 'late',
                   body => 'a');
    is $r->status . ' ' . got(@web), '504 1 0', 'but no POST';
    is member($h, 'late', 1)->{failures}, 2, 'both are failures';
};

subtest 'off, on=, tries= and status=' => sub {
    my @web = LBS::Backend->many(4);
    my $h = start(\@web, off => 'LBStickyRetry off',
        connect => 'LBStickyRetry on=connect budget=100',
        reset => 'LBStickyRetry on=reset budget=100',
        one => 'LBStickyRetry tries=1 budget=100',
        three => 'LBStickyRetry tries=3 budget=100',
        status => 'LBStickyRetry status=503,520-529 tries=1 budget=100');
    my $all = join ',', map { $_->name } @web;
    my $r = try_first($h, \@web, 'GET', 'reset=before', pool => 'off');
    is $r->status, 502, 'off: nothing is repeated';
    $r = try_first($h, \@web, 'GET', 'reset=before', pool => 'connect');
    is $r->status, 502, 'on=connect: no reset is';
    for (['one', 2], ['three', 4]) {
        my ($pool, $attempts) = @$_;
        clear(@web);
        $r = $h->get("/$pool/?reset=before&at=$all", headers => at(1));
        my @times = sort map { $_->deliveries } @web;
        is $r->status, 502, "$pool: in the end the error";
        is "@times", join(' ', (0) x (4 - $attempts), (1) x $attempts),
            "after $attempts attempts, no member twice";
    }
    for (['503', '200 1'], ['525', '200 1'], ['500', '500 0']) {
        my ($status, $want) = @$_;
        $r = try_first($h, \@web, 'GET', "status=$status&cookie=a%3Db",
                       pool => 'status');
        my $others = $web[1]->deliveries + $web[2]->deliveries
            + $web[3]->deliveries;
        is $r->status . " $others", $want, "status $status";
        is scalar($r->set_cookies), $status == 500 ? 1 : 0,
            'nothing of the first answer is left';
    }
    $r = try_first($h, \@web, 'POST', 'status=503', pool => 'status',
                   body => 'a');
    is $r->status . ' ' . $r->member, '503 ' . $web[0]->name,
        'a POST gets the 503 as it came';
    clear(@web);
    $r = $h->get("/status/?status=503&size=70000&at=$all", headers => at(1));
    is $r->status . ' ' . length $r->body, '503 70000',
        'the last one allowed is handed on whole';
    $web[0]->refuse;
    is $h->get('/off/', headers => at(1))->status, 503,
        'off: not even a connect failure moves';
    is $h->get('/reset/', headers => at(1))->status, 503, 'on=reset: neither';
    is $h->get('/connect/', headers => at(1))->status, 200, 'on=connect: it does';
};

subtest 'maxattempts and nofailover keep their meaning' => sub {
    my @web = LBS::Backend->many(4);
    my $h = start(\@web, two => 'ProxySet maxattempts=1', four => '',
        no => 'ProxySet nofailover=On',
        yes => "ProxySet nofailover=On\nLBStickyFailover on");
    $_->refuse for @web[0 .. 2];
    for (1 .. 6) {
        my $r = $h->get('/two/', headers => at(1));
        like $r->status, qr/^(?:200|503)$/, 'an answer';
        cmp_ok attempts_of($r), '<=', 2, 'after two members at the most';
    }
    is $h->get('/four/', headers => at(1))->status, 200, 'without: all of them';
    my $r = $h->get('/no/', headers => at(1));
    is $r->status . ' ' . verdict($r), '503 refused down',
        'nofailover: the session is not moved';
    is attempts_of($r), 1, 'nobody else is asked';
    is $h->get('/no/')->status, 200, 'a new visitor is served';
    is $h->get('/yes/', headers => at(1))->status, 200,
        'LBStickyFailover wins over it';
};

subtest 'the budget' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web, app => 'LBStickyRetry budget=20',
                  least => 'LBStickyRetry budget=0');
    my $name = $web[0]->name;
    for (['least', 30, 3, 3], ['app', 60, 3, 12]) {
        my ($pool, $n, $low, $high) = @$_;
        my %got;
        $got{$h->get("/$pool/?reset=before&at=$name", headers => at(1))
            ->status}++ for 1 .. $n;
        my $p = pool_state($h, $pool);
        is $got{200} + $got{502}, $n, "$pool: all are answered";
        is $p->{retries}, $got{200}, 'each repetition helped';
        is $p->{retries_denied}, $got{502}, 'the others were denied';
        cmp_ok $p->{retries}, '>=', $low, "at least $low";
        cmp_ok $p->{retries}, '<=', $high, "at most $high";
    }
    $web[0]->refuse;
    is $h->get('/least/', headers => at(1))->status, 200,
        'a request that was not sent needs no budget';
};

subtest 'a member is never asked twice, whatever the redirects say' => sub {
    my @web = LBS::Backend->many(3);
    my $list = join "\n",
        map { qq(BalancerMember "http://\@B$_->[0]\@" route=r$_->[0]$_->[1]) }
        [1, ' redirect=r2'], [2, ' redirect=r3'], [3, ' redirect=r1'];
    my $h = start(\@web, app => "LBStickyRetry budget=100 tries=20\n$list");
    my $all = join ',', map { $_->name } @web;
    my $r = $h->get("/app/?reset=before&at=$all", headers => at(1));
    is $r->status . ' ' . got(@web), '502 1 1 1', 'a cycle of resets ends';
    $_->refuse for @web;
    $r = $h->get('/app/', headers => at(1));
    is $r->status, 503, 'nobody is there';
    ok defined $r->header('Retry-After'), 'try again later';
    is attempts_of($r), 3, 'three were asked';
    cmp_ok $r->elapsed, '<', 0.5, 'at once';
};

subtest 'an application that says 500 stays' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web, app => 'LBStickyEject failures=3 window=10s');
    my $name = $web[0]->name;
    my @status = map { $h->get("/app/?status=$_&at=$name", headers => at(1))
        ->status } (500, 503) x 50;
    is scalar(grep { $_ >= 500 } @status), 100, '100 times 5xx handed on';
    my $m = member($h, 'app', 1);
    is "$m->{failures} $m->{state} $m->{eject}{count}", '0 up 0',
        'no failure, no ejection';
    is $h->get('/app/', headers => at(1))->member, $name, 'still at work';
};

subtest 'a client that hangs up is no failure' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web, app => 'LBStickyEject failures=3');
    for my $n (1 .. 100) {
        my $c = $h->connect;
        $c->send_request('GET', $n % 4 ? '/app/?size=3000000'
                                       : '/app/?delay=0.05&size=3000000',
                         headers => at(1));
        $c->read_bytes(1000) if $n % 4;
        $c->close(reset => $n % 2);
    }
    for my $n (1 .. 10) {
        my $c = $h->connect;
        $c->write("POST /app/ HTTP/1.1\r\nHost: localhost\r\n"
            . "Cookie: R=x.r1\r\nContent-Length: 100000\r\n\r\nabc");
        $c->close(reset => $n % 2);
    }
    ok wait_for(sub { member($h, 'app', 1)->{inflight} == 0 }, 10),
        '0 in flight afterwards';
    my $m = member($h, 'app', 1);
    is "$m->{failures} $m->{state}", '0 up', 'no failure';
};

subtest 'a connection pool that is used up is no failure' => sub {
    plan skip_all => 'with prefork each process has connections of its own'
        if ($ENV{LBS_MPM} // '') eq 'prefork';
    my @web = LBS::Backend->many(2);
    my $h = start(\@web, app => "LBStickyEject failures=1\n" . join "\n",
        map { qq(BalancerMember "http://\@B$_\@" route=r$_ max=1 acquire=50) }
        1, 2);
    my $c = $h->connect;
    $c->send_request('GET', '/app/?delay=1', headers => at(1));
    sleep 0.2;
    for my $method (qw(GET POST)) {
        my $r = $h->request($method, '/app/', headers => at(1));
        is $r->status . ' ' . $r->member, '200 ' . $web[1]->name,
            "$method is served by another";
        is verdict($r), 'moved full', 'for this once';
    }
    is $c->response->status, 200, 'the one that had it';
    my $m = member($h, 'app', 1);
    is "$m->{failures} $m->{state}", '0 up', 'no failure';
    is $h->get('/app/', headers => at(1))->member, $web[0]->name, 'and back';
};

subtest 'garbage, 10 000 header lines, nothing: an error for one request' => sub {
    my @web = LBS::Backend->many(2);
    my $list = join "\n", map {
        qq(BalancerMember "http://\@B$_\@" route=r$_ timeout=1) } 1, 2;
    my $h = start(\@web, app => "LBStickyEject failures=10\n$list");
    for (['garbage=1', '502'], ['many=10000', '200|502'],
         ['hang=before', '504'], ['size=100000&hang=100', '200']) {
        my ($how, $want) = @$_;
        my $r = try_first($h, \@web, 'GET', $how, pool => 'app');
        like $r->status, qr/^(?:$want)$/, "$how: " . $r->status;
        cmp_ok $r->elapsed, '<', 3, 'in time';
        is $h->get('/app/', headers => at(1))->member, $web[0]->name,
            'the next one is fine';
    }
    my $m = member($h, 'app', 1);
    is "$m->{state} $m->{inflight}", 'up 0', 'the member is';
};

done_testing;
