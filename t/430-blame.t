#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Nobody is blamed for somebody else: what a client did or chose, what httpd
# refuses by itself, a request that fails wherever it is sent.
use lib 't/lib';
use LBS::Test timeout => 300;

use Digest::SHA qw(sha256_hex);
use IO::Socket::INET;
use POSIX ();
use LBS::Governed;
use LBS::Schemes qw(two_members);
use LBS::State qw(pool_state);

my @TOLD = (qr/\[(?:proxy\w*|http2?|core|ssl|cgid?):(?:error|warn)\]/, qr/AH0242\d/,
            qr/LBS\d+/);

sub at ($n) { return cookie_of(R => "x.r$n") }

sub start ($web, $scheme, %o) {
    my $list = join "\n", map {
        qq(BalancerMember "$scheme://\@B$_\@" route=r$_ ) . ($o{params} // '') } 1 .. @$web;
    my $h = governed($web, children => 1,
        modules => $scheme =~ /^(?:http|fcgi|ajp)$/ ? []
            : ['proxy_' . ($scheme eq 'h2c' ? 'http2' : $scheme)],
        server => "MinSpareThreads 1\n" . ($o{server} // ''),
        app => "LBSticky route=R\nLBStickyRetry budget=100\n"
            . "LBStickyEject failures=3\n" . ($o{app} // '') . "\n$list");
    $h->announce(@TOLD);
    return $h;
}

# "failures state" of each.
sub blamed ($h) {
    ok wait_for(sub { pool_state($h, 'app')->{inflight} == 0 }, 5), 'quiet';
    return join ' ', map { "$_->{failures} $_->{state}" }
        @{pool_state($h, 'app')->{members}};
}

my $NONE = '0 up 0 up';

for my $scheme (qw(http ajp uwsgi)) {
    subtest "$scheme: an answer that only httpd's limits refuse" => sub {
        my @web = two_members($scheme);
        my $h = start(\@web, $scheme);
        for my $method (qw(GET POST)) {
            for (1 .. 6) {
                my $r = $h->request($method, '/app/x?head=9000', headers => at(1),
                                    $method eq 'POST' ? (body => 'x') : ());
                cmp_ok $r->status, '>=', 500, "$method: " . $r->status;
            }
        }
        is $web[1]->deliveries, 0, 'the other one is not asked';
        is blamed($h), $NONE, 'no failure';
        is $h->get('/app/x?head=7000', headers => at(1))->status, 200,
            'a head that is just small enough';
    };
}

for my $scheme (qw(scgi fcgi)) {
    subtest "$scheme: an answer whose head httpd refuses" => sub {
        my @web = two_members($scheme);
        my $h = start(\@web, $scheme);
        for (1 .. 6) {
            my $r = $h->get('/app/x?head=9000', headers => at(1));
            cmp_ok $r->status, '>=', 500, 'status ' . $r->status;
        }
        is blamed($h), $NONE, 'no failure';
    };
}

subtest 'more interim answers than httpd takes' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web, 'http');
    for my $n (1, 9, 12, 12, 12, 12) {
        my $r = $h->get("/app/?early=103&earlies=$n", headers => at(1));
        is $r->status, $n < 10 ? 200 : 502, "$n of them";
    }
    is blamed($h), $NONE, 'no failure';
    is $web[1]->deliveries, 0, 'the other one is not asked';
};

subtest 'a request that fails at two members' => sub {
    my @web = LBS::Backend->many(3);
    my $h = start(\@web, 'http', app => 'LBStickyRetry tries=1 budget=100');
    my $both = join ',', map { $_->name } @web;
    for (1 .. 8) {
        is $h->get("/app/?reset=before&at=$both", headers => at(1))->status, 502,
            'at each of them';
    }
    is join(' ', map { "$_->{failures} $_->{state}" } @{pool_state($h, 'app')->{members}}),
        '0 up 0 up 0 up', 'is to blame itself';
    my $one = $web[0]->name;
    for (1 .. 3) {
        is $h->get("/app/?reset=before&at=$one", headers => at(1))->status, 200,
            'answered by another';
    }
    my ($first) = @{pool_state($h, 'app')->{members}};
    is "$first->{failures} $first->{state}", '3 ejected', 'the member is to blame';
};

subtest 'a POST that fails once is a failure' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web, 'http');
    $h->post('/app/?reset=before&at=' . $web[0]->name, 'x', headers => at(1)) for 1 .. 3;
    is blamed($h), '3 ejected 0 up', 'of the member';
};

subtest 'requests that mod_proxy or a handler refuses' => sub {
    my %of = (
        http => [['POST', "Transfer-Encoding: gzip, chunked", "0\r\n\r\n"],
                 ['GET', "Max-Forwards: 0", '']],
        ajp => [['BREWX', '', ''], ['GET', 'X-Long: ' . 'x' x 8150, ''],
                ['POST', "Transfer-Encoding: gzip, chunked", "0\r\n\r\n"]],
        scgi => [['POST', 'Transfer-Encoding: chunked', "1\r\nx\r\n0\r\n\r\n"]],
        uwsgi => [['POST', 'Transfer-Encoding: chunked', "1\r\nx\r\n0\r\n\r\n"],
                  ['GET', '', '', '/app/%2500']],
    );
    for my $scheme (sort keys %of) {
        my @web = two_members($scheme);
        my $h = start(\@web, $scheme);
        for my $case (@{$of{$scheme}}) {
            my ($method, $header, $body, $uri) = @$case;
            my $what = "$scheme: $method " . substr $header . ($uri // ''), 0, 30;
            my @status;
            for (1 .. 6) {
                my $c = $h->connect;
                $c->write("$method " . ($uri // '/app/x') . " HTTP/1.1\r\nHost: localhost\r\n"
                    . "Cookie: R=x.r1\r\n" . ($header ? "$header\r\n" : '') . "\r\n$body");
                push @status, $c->response($method)->status;
            }
            note "$what: @status";
        }
        is blamed($h), $NONE, "$scheme: no failure";
        is $web[1]->deliveries, 0, 'and nobody else is asked';
    }
};

subtest 'a conditional request that a CGI\'s answer leaves to httpd' => sub {
    for my $scheme (qw(scgi fcgi)) {
        my @web = two_members($scheme);
        my $h = start(\@web, $scheme);
        for (1 .. 6) {
            my $r = $h->request('GET', '/app/x?modified=1', headers => [@{at(1)},
                ['If-Modified-Since', 'Thu, 01 Jan 2026 00:00:00 GMT']]);
            is $r->status, 304, "$scheme: not modified";
        }
        is blamed($h), $NONE, 'no failure';
        my ($first, $second) = @{pool_state($h, 'app')->{members}};
        is "$first->{responses}{'3xx'} $second->{requests}", '6 0', 'six answers';
    }
};

subtest 'silence after the first byte is no failure' => sub {
    my %quiet = (http => 'size=60000&hang=20000', map {
        $_ => 'size=60000&end=20000&how=hang' } qw(ajp fcgi scgi uwsgi));
    for my $scheme (sort keys %quiet) {
        my @web = two_members($scheme);
        my $h = start(\@web, $scheme, server => 'ProxyTimeout 1');
        my @r = in_parallel(6, sub ($i) {
            my $r = $h->get("/app/x?$quiet{$scheme}&at=" . $web[0]->name, headers => at(1));
            [$r->status, $r->incomplete ? 1 : 0]
        });
        is_deeply \@r, [([200, 1]) x 6], "$scheme: begun and cut";
        is blamed($h), $NONE, 'no failure';
        @r = in_parallel(3, sub ($i) {
            [$h->get('/app/x?' . ($scheme eq 'http' ? 'hang=before' : 'end=before&how=hang')
                . '&at=' . $web[0]->name, headers => at(1))->status] });
        is_deeply \@r, [([504]) x 3], 'before it: a time-out';
        like blamed($h), qr/^3 ejected /, 'and a failure';
    }
};

# A member that gives up when nobody takes what it sends for a second.
sub impatient () {
    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 8)
        // die "listen: $!\n";
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        $SIG{PIPE} = 'IGNORE';
        $SIG{$_} = 'DEFAULT' for qw(TERM INT);
        alarm 60;
        while (my $c = $listener->accept) {
            my $head = '';
            while ($head !~ /\r\n\r\n/) {
                sysread $c, $head, 1, length $head or last;
            }
            $c->blocking(0);
            my $left = 60_000_000;
            syswrite $c, "HTTP/1.1 200 OK\r\nContent-Length: $left\r\n\r\n";
            my $at = time;
            while ($left > 0 && time - $at < 1.5) {
                my $n = syswrite $c, 'x' x 65_536;
                ($left, $at) = ($left - $n, time) if $n;
                sleep 0.02 if !$n;
            }
            close $c;
        }
        POSIX::_exit(0);
    }
    return ($pid, $listener->sockport);
}

subtest 'a client that takes an answer too slowly for the member' => sub {
    my ($pid, $port) = impatient();
    my $h = governed([], children => 1, server => "MinSpareThreads 1\n",
        app => "LBSticky none\nLBStickyEject failures=3\n"
        . qq(BalancerMember "http://127.0.0.1:$port" route=r1));
    $h->announce(@TOLD);
    for (1 .. 4) {
        my $c = $h->connect(timeout => 20);
        $c->send_request('GET', '/app/x');
        sleep 3;
        my $r = $c->response('GET');
        ok $r->status == 200 && $r->incomplete, 'it is cut';
    }
    is blamed($h), '0 up', 'no failure';
    kill TERM => $pid;
    waitpid $pid, 0;
};

subtest 'a stream that was not begun is sent elsewhere, any method' => sub {
    for my $does (qw(refuse goaway)) {
        my @web = two_members('h2c');
        my $h = start(\@web, 'h2c');
        $web[0]->set($does);
        for my $method (qw(POST GET PATCH POST POST)) {
            my $body = $method eq 'GET' ? '' : 'abc' x 5000;
            $_->clear for @web;
            my $r = $h->request($method, '/app/x', headers => at(1),
                                $method eq 'GET' ? () : (body => $body));
            is $r->status . ' ' . ($r->member // ''), '200 f2', "$does: $method";
            is(($web[1]->requests)[0] // '', length($body) . ' ' . sha256_hex($body), 'whole');
            is $web[1]->deliveries, 1, 'once';
        }
        is blamed($h), $NONE, 'no failure';
        is pool_state($h, 'app')->{retries}, 0, 'no repetition';
        my $r = $h->post('/app/x', 'z' x 300_000, headers => at(1));
        ok $r->status == 200 ? ($web[1]->requests)[1] =~ /^300000 / : $r->status >= 500,
            'a body that cannot be kept: whole, or not at all';
    }
};

subtest 'a member that never says 100' => sub {
    for my $scheme (qw(http h2c)) {
        my @web = two_members($scheme);
        my $h = start(\@web, $scheme, server => 'Timeout 6');
        $web[0]->set(expect => 'mute') if $scheme eq 'http';
        for my $size (10, 100_000) {
            my $body = 'e' x $size;
            $_->clear for @web;
            my $c = $h->connect;
            $c->send_request('PUT', '/app/x', headers => [@{at(1)}, ['Expect', '100-continue'],
                ['Content-Length', $size]]);
            my $deadline = time + 8;
            1 while $c->{buf} !~ /\r\n\r\n/ && $c->fill($deadline);
            like $c->{buf}, qr{^HTTP/1\.1 100 }, "$scheme, $size bytes: the client hears one";
            $c->write($body);
            my $r = $c->response('PUT');
            is $r->status, 200, 'and is answered';
            cmp_ok $r->elapsed, '<', 4, 'soon';
            my ($seen) = $web[0]->requests;
            is ref $seen ? $seen->{body_sha256} : $seen =~ s/.* //r, sha256_hex($body),
                'the member has its body';
        }
        is blamed($h), $NONE, 'no failure';
    }
};

done_testing;
