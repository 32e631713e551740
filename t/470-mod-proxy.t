# SPDX-License-Identifier: Apache-2.0
# What mod_proxy and its modules are told about the members of a governed pool:
# checks, members added at run time, pools that virtual hosts inherit.
use lib 't/lib';
use IO::Select;
use LBS::Test;
use LBS::Gateway;
use LBS::Governed;
use LBS::State qw(:DEFAULT visit);

subtest 'hcmethod= says that it is ignored, and is' => sub {
    my @web = LBS::Backend->many(2);
    my $h = governed(\@web, modules => ['proxy_hcheck'], app => <<'POOL');
LBSticky none
LBStickyMethod round-robin
BalancerMember "http://@B1@" route=r1 hcmethod=GET hcuri=/no hcinterval=1 hcfails=1
BalancerMember "http://@B2@" route=r2
POOL
    $h->announce(qr/LBS1107: pool app: hcmethod= of member \S+ is ignored/);
    ok $h->wait_log(qr/LBS1107/), 'at start';
    is scalar(my @said = $h->error_log(qr/LBS1107/)), 1, 'for that member only';
    $web[0]->set(status => 500);
    sleep 2.5;    # mod_proxy_hcheck would have seen that
    is $web[0]->deliveries, 0, 'nobody checks';
    $web[0]->set;
    my $got = spread(map { $h->get('/app/x') } 1 .. 20);
    cmp_ok $got->{$_->name}, '>', 2, $_->name . ' is used' for @web;
};

subtest 'a member that balancer-manager adds' => sub {
    my @web = LBS::Backend->many(3);
    my $h = governed(\@web, children => 1, more => <<'MORE', app => <<'POOL');
<Location "/manager">
    SetHandler balancer-manager
</Location>
MORE
LBSticky none
BalancerMember "http://@B1@" route=r1
BalancerMember "http://@B2@" route=r2
ProxySet growth=4
POOL
    $h->announce(qr/LBS1401: pool app: balancer-manager added a member/);
    my $from = ['Referer', 'http://localhost:' . $h->port . '/manager'];
    my ($nonce) = $h->request('GET', '/manager', headers => [$from])->body =~ /nonce=([0-9a-f-]{36})/;
    sleep 1.5;    # until somebody counted
    my $r = $h->request('POST', '/manager', body => "b=app&b_wyes=1&nonce=$nonce"
        . '&b_nwrkr=http%3A%2F%2F' . $web[2]->addr,
        headers => [$from, ['Content-Type', 'application/x-www-form-urlencoded']]);
    is $r->status, 200, 'added';
    ok $h->wait_log(qr/LBS1401/, 10), 'the log tells of it';
    my $got = spread(map { $h->get('/app/x') } 1 .. 20);
    is join(' ', sort keys %$got), join(' ', sort map { $_->name } @web[0, 1]),
        'and the others go on';
};

# Virtual hosts that inherit the pool app, name => lines of its own.
sub hosts (@hosts) {
    my $text = '';
    while (my ($name, $lines) = splice @hosts, 0, 2) {
        $text .= <<"HOST";
<VirtualHost 127.0.0.1:\@PORT\@>
    ServerName $name
    $lines
    ProxyPass "/app/" "balancer://app/"
    \@STATUS\@
</VirtualHost>
HOST
    }
    return $text;
}

subtest 'a virtual host has a say in a pool that it inherits' => sub {
    my @web = LBS::Backend->many(2);
    my $h = governed(\@web, app => 'LBSticky route=R', more => hosts(main => '',
        firm => "LBStickyFailover off\nLBStickyEject status=503 failures=1"));
    $h->announce(qr/\[proxy(?:_http)?:error\]/);
    $web[0]->refuse;
    my $ask = sub ($host) {
        $h->request('GET', '/app/x', host => $host,
                    headers => cookie_of(R => 'x.r1'));
    };
    is $ask->('main')->status, 200, 'one moves the visitor';
    is $ask->('firm')->status, 503, 'the other does not';
};

subtest 'a pool that ejects no member does not bring back a member that another pool ejected' => sub {
    my @web = LBS::Backend->many(2);
    my $hosts = hosts(off => "LBStickyEject off\nLBStickySlowStart off", on => '');
    my $h = governed(\@web, more => $hosts, mount => 0,
        server => "LBStickyEject hold=2s-60s\nLBStickySlowStart 30s",
        app => 'LBSticky route=R');
    $h->announce(qr/\[proxy(?:_http)?:error\]/);
    my $ask = sub ($host, $query = '') {
        $h->get("/app/$query", host => $host, headers => cookie_of(R => 'x.r1'));
    };
    my $state = sub {
        my $state = $h->get('/lb-status/json', host => 'on')->json;
        return $state->{pools}[0]{members}[0]{state};
    };
    my $fail = '?reset=before&at=' . $web[0]->name;
    $ask->('off', $fail) for 1 .. 4;
    is $state->(), 'up', 'off: nothing happens';
    $ask->('on', $fail) for 1 .. 3;
    is $state->(), 'ejected', 'on: ejected';
    sleep 0.5;    # some ticks
    is $state->(), 'ejected', 'and stays so';
    is $ask->('off')->member, $web[1]->name, 'for all of them';
    ok wait_for(sub { $ask->('on')->member eq $web[0]->name }, 4),
        'until its hold is over';
    sleep 0.5;
    is $state->(), 'warming', 'and it takes up its share slowly';
};

# Its members are the same ones for all: one expiry clock, one limit.
subtest 'members of an inherited pool do what each of their virtual hosts says' => sub {
    my @web = LBS::Backend->many(2);
    my $hosts = hosts(main => '', firm => 'LBStickyTimeout idle=2h',
                      short => 'LBStickyTimeout idle=5s',
                      tight => 'LBStickyLimit inflight=1',
                      tighter => 'LBStickyLimit inflight=3');
    my $h = governed(\@web, app => 'LBSticky session=sid', more => $hosts,
                     server => 'LBStickyTimeout idle=1s');
    for my $end ([main => 1], [firm => 7200], [short => 5]) {
        my ($host, $idle) = @$end;
        visit($h, $host, host => $host);
        my $table = $h->get("/lb-status/explain?pool=app&key=session=sid:s$host",
                            host => $host)->json->{table};
        cmp_ok $table->{expires_in_s}, '>=', $idle - 2, "$host: not too early";
        cmp_ok $table->{expires_in_s}, '<=', $idle + 2, "$host: nor too late";
    }
    my @r = in_parallel(6, sub ($i) {
        [$h->get('/app/?delay=1', host => (qw(main tight tighter))[$i % 3])->status]
    });
    is scalar(grep { $_->[0] == 200 } @r), 2, 'the lowest limit is that of all';
};

subtest 'no page names a member' => sub {
    my $h = governed([], header => 0, name => <<'POOL', port => <<'POOL');
LBSticky none
LBStickyRetry off
BalancerMember "http://secret-host.invalid:8099"
POOL
LBSticky none
LBStickyRetry off
BalancerMember "http://127.0.0.1:@FREE1@"
POOL
    $h->announce(qr/\[proxy(?:_http)?:error\]/);
    for my $pool (qw(name port)) {
        my $r = $h->get("/$pool/x");
        cmp_ok $r->status, '>=', 500, "$pool: an error";
        my $port = $h->free_port(1);
        unlike join("\n", $r->body, map { "@$_" } @{$r->headers}),
            qr/secret-host|8099|127\.0\.0\.1|$port/, "$pool: nobody is named";
    }
};

subtest 'bytes of an answer of unknown length are counted' => sub {
    my $member = LBS::Gateway->new(scheme => 'scgi');
    my $h = governed([$member], modules => ['proxy_scgi'],
        app => qq(LBSticky none\nBalancerMember "scgi://\@B1\@"));
    my $r = $h->get('/app/x');
    is $r->status, 200, 'answered';
    ok wait_for(sub {
        $h->json->{pools}[0]{members}[0]{bytes_out} >= length $r->body
    }, 2), 'and counted';
};

# mod_proxy_fcgi reads of the body before it connects.
subtest 'bytes that no connection took are not counted' => sub {
    my $member = LBS::Gateway->new(scheme => 'fcgi', name => 'f1');
    my $h = governed([$member], app => <<'POOL');
LBSticky route=R
BalancerMember "fcgi://127.0.0.1:@FREE@" route=gone
BalancerMember "fcgi://@B1@" route=there
POOL
    $h->announce(qr/\[proxy(?:_fcgi)?:error\]/);
    my $r = $h->post('/app/x', 'z' x 50_000,
                     headers => cookie_of(R => 'x.gone'));
    is verdict($r) . ' ' . member_of($r), 'moved down there', 'moved';
    is $r->json->{body_length}, 50_000, 'with its body';
    is_deeply [map { $_->{bytes_in} } @{$h->json->{pools}[0]{members}}],
        [0, 50_000], 'which one of the two got';
};

# What takes the connection and reads, and is no member of any kind.
subtest 'a request that was lost after it was sent, without http' => sub {
    for my $scheme (qw(fcgi ajp scgi uwsgi)) {
        my @web = (LBS::Backend->new(name => 'mute'),
                   LBS::Gateway->new(scheme => $scheme, name => 'good'));
        my $h = governed(\@web, modules => ["proxy_$scheme"], app => <<"POOL");
LBSticky route=R
LBStickyEject off
LBStickyRetry budget=100
BalancerMember "$scheme://\@B1\@" route=mute
BalancerMember "$scheme://\@B2\@" route=good
POOL
        $h->announce(qr/\[proxy(?:_\w+)?:(?:error|warn)\]/);
        for my $method (qw(POST GET PUT)) {
            my $c = $h->connect;
            $web[0]->clear;
            $c->send_request($method, '/app/x',
                headers => cookie_of(R => 'x.mute'),
                $method eq 'GET' ? () : (body => 'abc' x 9000));
            ok wait_for(sub { $web[0]->stats->{connections} }, 5), "$scheme: a $method";
            # It may be the module's, which asks whether the member is there.
            my $answer = IO::Select->new($c->socket);
            for (1 .. 50) {
                last if $answer->can_read(0.1);
                $web[0]->drop(reset => 1);
            }
            my $r = $c->response($method);
            if ($method eq 'POST') {
                cmp_ok $r->status, '>=', 500, 'is not sent again';
                next;
            }
            is $r->status . ' ' . $r->member, '200 good', 'is sent again';
            is $r->json->{body_length}, 27_000, 'with its body'
                if $method eq 'PUT' && $r->status == 200;
        }
    }
};

done_testing;
