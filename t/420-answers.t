#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What a member breaks off reaches the client as broken off, never with
# something appended, whatever the scheme; and of an answer that is thrown away
# nothing is seen or waited for.
use lib 't/lib';
use LBS::Test timeout => 300;

use IO::Socket::SSL ();
use POSIX ();
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use LBS::Framed;
use LBS::Governed;
use LBS::Ports;
use LBS::Schemes qw(two_members);
use LBS::State qw(pool_state);

my @TOLD = (qr/\[(?:proxy\w*|http2?|core|ssl):(?:error|warn)\]/);

sub at ($n) { return cookie_of(R => "x.r$n") }

sub start ($web, $scheme, %o) {
    my $list = join "\n",
        map { qq(BalancerMember "$scheme://\@B$_\@" route=r$_) } 1 .. @$web;
    my $h = governed($web, children => 1,
        modules => ['http2', $scheme =~ /^(?:http|fcgi|ajp)$/ ? ()
            : 'proxy_' . ($scheme eq 'h2c' ? 'http2' : $scheme),
            @{$o{modules} // []}],
        server => "MinSpareThreads 1\nProtocols h2c http/1.1\n"
            . "ProxyTimeout 3\n" . ($o{server} // ''),
        more => $o{more} // '',
        app => "LBSticky route=R\nLBStickyRetry budget=100\n$o{app}\n$list");
    $h->announce(@TOLD);
    return $h;
}

# An HTTP/2 client's word of it: its output and whether it ended well.
sub curl ($h, $uri) {
    my $url = 'http://localhost:' . $h->port . $uri;
    my $out = qx(curl -s -m 8 --http2-prior-knowledge -H 'Cookie: R=x.r1' '$url');
    return ($out, $? >> 8);
}

# Each way in which a member ends, by scheme, after 20000 of 60000 bytes.
my %ends = (
    http => ['size=60000&close=20000', 'size=60000&reset=20000',
             'size=60000&chunked=1&close=20000'],
    fcgi => [map { "size=60000&end=20000&how=$_" } qw(close reset)],
    ajp => [map { "size=60000&end=20000&how=$_" } qw(close reset)],
    uwsgi => ['size=60000&end=20000&how=close', 'size=60000&end=20000&how=reset'],
    scgi => ['size=60000&end=20000&how=close',
             'size=60000&end=20000&how=reset',
             'size=60000&end=20000&how=reset&length=0'],
    h2c => [qw(die reset)],
);

for my $scheme (sort keys %ends) {
    subtest "$scheme: an answer that breaks off" => sub {
        my @web = two_members($scheme);
        my $h = start(\@web, $scheme, app => 'LBStickyEject off');
        my $failed = 0;
        # mod_http2 may drop what it has not sent when it resets a stream.
        my $proper = $scheme eq 'h2c' ? qr/^(?:part of it)?\z/ : qr/^x*\z/;
        for my $end (@{$ends{$scheme}}) {
            $web[0]->set($end) if $scheme eq 'h2c';
            my $uri = '/app/x' . ($scheme eq 'h2c' ? '' : "?$end&at="
                . $web[0]->name);
            for my $http ('1.1', '1.0') {
                my $r = $h->get($uri, headers => at(1), http => $http);
                $failed++;
                is $r->status, 200, "$end, HTTP/$http: begun";
                like $r->body, $proper, 'nothing is appended';
                ok $r->incomplete || $http eq '1.0', 'and cut';
            }
            my ($out, $error) = curl($h, $uri);
            $failed++;
            isnt $error, 0, 'HTTP/2: the stream is reset';
            like $out, $proper, 'nothing is appended';
            # For HTTP/1.0 without a length there is no sign at all.
        }
        my ($first, $second) = @{pool_state($h, 'app')->{members}};
        is $first->{failures}, $failed, 'each is a failure of the member';
        is $second->{requests}, 0, 'none is repeated';
        $web[0]->set('answer') if $scheme eq 'h2c';
        my ($out, $error) = curl($h, '/app/x');
        is $error, 0, 'a whole one ends well';
    };
}

subtest 'h2c: trailers pass, and a stream without them is no whole one' => sub {
    my @web = map { LBS::Framed->new(name => "f$_", does => 'grpc') } 1, 2;
    my $h = start(\@web, 'h2c', app => 'LBStickyEject off');
    my $url = 'http://localhost:' . $h->port . '/app/x';
    my $out = qx(curl -sv -m 8 --http2-prior-knowledge -H 'Cookie: R=x.r1' '$url' 2>&1);
    like $out, qr/^f1 0$/m, 'the message';
    like $out, qr/grpc-status: 0/, 'the trailer';
    $web[0]->set('die');
    (my $body, my $error) = curl($h, '/app/x');
    like $body, qr/^(?:part of it)?\z/, 'a member that dies: no byte more';
    isnt $error, 0, 'the stream is reset';
};

subtest 'a refused answer is not waited for' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web, 'http', app => "LBStickyEject off\n"
        . "LBStickyRetry status=503 budget=100");
    my $name = $web[0]->name;
    for (['a trickle', 'size=2000&drip=0.3'], ['one that hangs', 'size=90000&hang=100'],
         ['50 MB', 'size=50000000'], ['one without an end', 'size=9999999&chunked=1&hang=200000'],
         ['none', 'size=0'], ['a short one', 'size=100']) {
        my ($what, $query) = @$_;
        my $r = $h->get("/app/?status=503&$query&at=$name", headers => at(1));
        is $r->status . ' ' . $r->member, '200 ' . $web[1]->name, $what;
        cmp_ok $r->elapsed, '<', 2.5, 'at once';
    }
    my $r = $h->get("/app/?status=503&size=100000&at=" . join(',', map { $_->name } @web),
                    headers => at(1));
    is $r->status . ' ' . length $r->body, '503 100000', 'the last one is whole';
    is pool_state($h, 'app')->{members}[0]{failures}, 0, 'a status is no failure';
};

subtest 'output filters see one answer' => sub {
    my @web = LBS::Backend->many(2);
    my %filter = (sed => "SetOutputFilter Sed\nOutputSed \"s/backend/BACKEND/\"",
        ext => 'SetOutputFilter up', deflate => 'SetOutputFilter DEFLATE',
        sub => "SetOutputFilter SUBSTITUTE\nSubstitute s/backend/BACKEND/");
    my $places = join '', map { qq(<Location "/app/$_">\n$filter{$_}\n</Location>\n) }
        sort keys %filter;
    my $h = start(\@web, 'http',
        modules => [qw(sed ext_filter deflate filter substitute)],
        server => 'ExtFilterDefine up mode=output cmd="/usr/bin/tr a-z A-Z"',
        more => $places, app => "LBStickyEject off\nLBStickyRetry status=503 budget=100");
    for my $place (sort keys %filter) {
        my @r = map { $h->get("/app/$place?$_", headers => [@{at($_ eq 'x' ? 2 : 1)},
            ['Accept-Encoding', 'gzip']]) }
            'x', 'status=503&at=' . $web[0]->name, 'status=503&size=0&at=' . $web[0]->name;
        is $r[0]->status, 200, "$place: without";
        for my $r (@r[1, 2]) {
            is $r->status, 200, 'with one thrown away';
            is scalar($r->all('Content-Encoding')), scalar($r[0]->all('Content-Encoding')),
                'encoded as often';
            my ($one, $two) = map { $_->body =~ s/\d+//gr } $r[0], $r;
            ok $place eq 'deflate' ? length $two : $two =~ /"BACKEND"/,
                'filtered as the other';
            ok !$r->incomplete, 'whole';
        }
    }
};

subtest 'an early answer to a long upload' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web, 'http', app => 'LBStickyEject failures=3');
    for my $size (1000, 200_000, 5_000_000, 20_000_000) {
        for my $chunked (0, 1) {
            for my $status (405, 413, 401) {
                my $r = $h->request('POST', "/app/?deaf=$status", headers => at(1),
                    body => 'z' x $size, chunked => $chunked);
                is $r->status . ' ' . ($r->member // ''), "$status " . $web[0]->name,
                    "$status to $size bytes" . ($chunked ? ' in chunks' : '');
                is $r->body, "nay\n", 'whole';
            }
        }
    }
    my ($first, $second) = @{pool_state($h, 'app')->{members}};
    is "$first->{failures} $first->{state} $second->{requests}", '0 up 0', 'no failure';
    is $h->get('/app/', headers => at(1))->status, 200, 'the next one is fine';
};

# A member with TLS that answers the head of a request and closes. It listens
# before anybody is told its port.
sub deaf_with_tls ($listener, @files) {
    my $pid = fork // die "fork: $!";
    return $pid if $pid;
    $SIG{$_} = 'DEFAULT' for qw(TERM INT);
    alarm 60;
    while (1) {
        my $socket = $listener->accept or next;
        setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
        my $c = IO::Socket::SSL->start_SSL($socket, SSL_server => 1,
            SSL_cert_file => $files[0], SSL_key_file => $files[1]) or next;
        my $head = '';
        while ($head !~ /\r\n\r\n/) {
            sysread $c, $head, 4096, length $head or last;
        }
        syswrite $c, "HTTP/1.1 413 No\r\nContent-Length: 4\r\nConnection: close\r\n\r\nnay\n";
        close $c;
    }
    POSIX::_exit(1);
}

subtest 'the same from a member with TLS' => sub {
    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 16,
                                         ReuseAddr => 1) // die "listen: $!";
    my $port = $listener->sockport;
    my $h = governed([], children => 1, modules => ['ssl'], start => 0,
        server => "SSLProxyEngine on\nSSLProxyVerify none\nSSLProxyCheckPeerName off\n",
        app => "LBSticky none\nLBStickyEject failures=3\n"
            . qq(BalancerMember "https://127.0.0.1:$port" route=r1));
    my $pid = deaf_with_tls($listener, map { $h->certificate($_) } qw(cert key));
    $h->start;
    $h->announce(@TOLD);
    for my $size (1000, 200_000, 5_000_000) {
        for my $chunked (0, 1) {
            my $r = $h->request('POST', '/app/x', body => 'z' x $size, chunked => $chunked);
            is $r->status . ' ' . $r->body, "413 nay\n",
                "$size bytes" . ($chunked ? ' in chunks' : '');
        }
    }
    is pool_state($h, 'app')->{members}[0]{failures}, 0, 'no failure';
    kill KILL => $pid;
    waitpid $pid, 0;
};

done_testing;
