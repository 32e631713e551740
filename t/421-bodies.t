#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A member gets the request that the client sent and httpd's own filters made
# of it, whole, or nothing that looks whole.
use lib 't/lib';
use LBS::Test timeout => 300;

use Digest::SHA qw(sha256_hex);
use IO::Compress::Gzip qw(gzip);
use LBS::Gateway;
use LBS::Governed;
use LBS::Schemes qw(two_members);
use LBS::State qw(pool_state);

my @TOLD = (qr/\[(?:proxy\w*|reqtimeout|deflate|http|core|ssl|sed):(?:error|warn)\]/);

sub at ($n) { return cookie_of(R => "x.r$n") }
sub got (@web) { return join ' ', map { $_->deliveries } @web }
sub clear (@web) { $_->clear for @web; return }

# Pools whose visitors are sent to the member their cookie R names.
sub start ($web, $scheme, %o) {
    my $list = join "\n", map {
        qq(BalancerMember "$scheme://\@B$_\@" route=r$_ )
            . ($o{params} // '') } 1 .. @$web;
    my $h = governed($web, children => 1,
        modules => [$scheme eq 'http' || $scheme eq 'fcgi' || $scheme eq 'ajp'
            ? () : 'proxy_' . ($scheme eq 'h2c' ? 'http2' : $scheme),
            @{$o{modules} // []}],
        server => "MinSpareThreads 1\nTimeout 20\n" . ($o{server} // ''),
        more => $o{more} // '',
        app => "LBSticky route=R\nLBStickyRetry budget=100\n"
            . ($o{app} // '') . "\n$list");
    $h->announce(@TOLD);
    return $h;
}

# What a client writes behind its head, and then perhaps hangs up.
sub ask_raw ($h, $method, $coding, $body, %o) {
    my $c = $h->connect(timeout => 15);
    $c->write("$method /app/x HTTP/1.1\r\nHost: localhost\r\n"
        . "Cookie: R=x.r1\r\n$coding\r\n\r\n");
    my $at = 0;
    for my $part (ref $body ? @$body : $body) {
        sleep 0.15 if $at++;
        $c->write($part);
    }
    if ($o{hang_up}) {
        sleep 0.1;
        $c->shutdown;
    }
    my $r = $c->response($method);
    $c->close;
    return $r;
}

my $CHUNKED = 'Transfer-Encoding: chunked';
my $LONG = "5000\r\n" . 'x' x 0x5000 . "\r\n";
my %bad = (
    'a chunk that is none, after a good one' => [$CHUNKED,
        "d\r\namount=100&to\r\nZZ\r\n", 400],
    'the same a moment later' => [$CHUNKED,
        ["d\r\namount=100&to\r\n", "ZZ\r\n"], 400],
    'a chunk that is none, at once' => [$CHUNKED, "ZZ\r\n", 400],
    'a chunk size that overflows' => [$CHUNKED,
        "3\r\nabc\r\n" . 'f' x 20 . "\r\n", 413],
    'a chunk that is none, after 20 kB' => [$CHUNKED,
        [$LONG, "ZZ\r\n"], undef],
    'a chunk that is too short' => [$CHUNKED, "10\r\nabc", undef, 1],
    'no end of the chunks' => [$CHUNKED, "3\r\nabc\r\n", undef, 1],
    'half of what was announced' => ['Content-Length: 60',
        'x' x 30, undef, 1],
    'half of what was announced, of 60 kB' => ['Content-Length: 60000',
        ['x' x 20_000, 'x' x 10_000], undef, 1],
);

for my $scheme (qw(http h2c ajp fcgi scgi uwsgi)) {
    subtest "$scheme: no member gets a refused body as if it were whole" => sub {
        my @web = two_members($scheme);
        my $h = start(\@web, $scheme, app => 'LBStickyEject failures=3');
        my %was;
        for my $what (sort keys %bad) {
            my ($coding, $body, $status, $hang_up) = @{$bad{$what}};
            # These two take no chunks: 411.
            next if $coding eq $CHUNKED && $scheme =~ /^(?:scgi|uwsgi)$/;
            for my $method (qw(POST PUT)) {
                my $r = ask_raw($h, $method, $coding, $body,
                                hang_up => $hang_up);
                is $r->status, $status, "$method, $what: $status"
                    if $status && ($scheme ne 'h2c' || $r->status);
                ok !$r->status || $r->status >= 400, 'no success for it'
                    or diag "$method, $what: " . $r->status;
                is got(@web), '0 0', 'nobody has it' or clear(@web);
                $was{$_->{state}}++ for @{pool_state($h, 'app')->{members}};
            }
        }
        is join(' ', keys %was), 'up', 'nobody is taken out';
        ok wait_for(sub { pool_state($h, 'app')->{inflight} == 0 }, 5), 'quiet';
        my $pool = pool_state($h, 'app');
        is join(' ', map { $_->{failures} } @{$pool->{members}}), '0 0',
            'nobody has failed';
        is $pool->{retries}, 0, 'nothing was tried again';
        my $r = $h->post('/app/x', 'abc', headers => at(1));
        is $r->status, 200, 'the next one is fine';
        is got(@web), '1 0', 'and there';
    };
}

subtest 'a body that comes too slowly, or is no gzip, is the client\'s affair' => sub {
    for my $scheme (qw(http h2c ajp fcgi scgi uwsgi)) {
        my @web = two_members($scheme);
        my $h = start(\@web, $scheme, app => 'LBStickyEject failures=3',
            modules => ['reqtimeout', 'deflate'],
            server => 'RequestReadTimeout body=1', more => <<'MORE');
<Location "/app/">
    SetInputFilter DEFLATE
</Location>
MORE
        my @r = in_parallel(4, sub ($i) {
            ask_raw($h, 'PUT', 'Content-Length: 60000', 'x' x 30_000)->status });
        is join(' ', @r), '408 408 408 408', "$scheme: slow: it is told so"
            if $scheme ne 'h2c';
        for (1 .. 4) {
            my $r = ask_raw($h, 'PUT',
                "Content-Encoding: gzip\r\nContent-Length: 40", 'y' x 40);
            cmp_ok $r->status, '>=', 400, "$scheme: no gzip: " . $r->status
                if $scheme ne 'h2c';
        }
        ok wait_for(sub { pool_state($h, 'app')->{inflight} == 0 }, 5), 'quiet';
        is join(' ', map { "$_->{failures} $_->{state}" }
            @{pool_state($h, 'app')->{members}}), '0 up 0 up', 'no failure';
        is got(@web), '0 0', 'nobody has any of them';
    }
};

# Filters that change what the client sent, each with a body to show it.
my $plain = join ' ', 1 .. 400;
gzip(\$plain, \my $zipped);
my %filter = (
    InputSed => ['sed', "SetInputFilter Sed\nInputSed \"s/1/one/g\"", $plain,
                 ($plain =~ s/1/one/gr) . "\n"],
    CaseFilterIn => ['case_filter_in', 'SetInputFilter CaseFilterIn', $plain,
                     $plain],
    ext_filter => ['ext_filter', 'SetInputFilter up', $plain,
                   $plain =~ tr/0-9/a-j/r],
    DEFLATE => ['deflate', 'SetInputFilter DEFLATE', $zipped, $plain],
    BUFFER => ['buffer', 'SetInputFilter BUFFER', $plain, $plain],
);

for my $name (sort keys %filter) {
    subtest "$name: a repetition sends what the first attempt sent" => sub {
        my ($module, $lines, $body, $want) = @{$filter{$name}};
        my @web = LBS::Backend->many(2);
        my $server = $name eq 'CaseFilterIn' ? 'CaseFilterIn on' : '';
        $server .= qq(ExtFilterDefine up mode=input cmd="/usr/bin/tr 0-9 a-j")
            if $name eq 'ext_filter';
        my $h = start(\@web, 'http', modules => [$module], server => $server,
            app => 'LBStickyEject off',
            more => qq(<Location "/app/">\n$lines\n</Location>));
        my @headers = (@{at(1)}, $name eq 'DEFLATE'
            ? ['Content-Encoding', 'gzip'] : ());
        my $put = sub ($query) {
            clear(@web);
            return $h->request('PUT', "/app/$query", body => $body,
                               headers => \@headers);
        };
        my $r = $put->('');
        is $r->json->{body_sha256}, sha256_hex($want), 'without a fault';
        my @fields = grep { $_->[0] !~ /^X-/ } @{$r->json->{headers}};
        my $first = $web[0]->name;
        for my $how (qw(reset close)) {
            $r = $put->("?$how=before&at=$first");
            if ($r->status == 200) {
                is $r->json->{body_sha256}, sha256_hex($want),
                    "after a $how: the same";
                is_deeply [grep { $_->[0] !~ /^X-/ } @{$r->json->{headers}}],
                    \@fields, 'with the same header';
            }
            else {
                is got(@web), '1 0', 'not sent again';
            }
        }
        for (1 .. 4) {
            $h->get('/app/', headers => at(1));
            $web[0]->set(reuse => 'reset');
            $r = $put->('');
            ok $r->status != 200
                || $r->json->{body_sha256} eq sha256_hex($want),
                'a kept connection that ends: the same, or none';
            $web[0]->set;
        }
        $web[0]->refuse;
        $r = $put->('');
        is $r->json->{body_sha256}, sha256_hex($want),
            'a connection that is refused: the same';
    };
}

# Handlers read ahead, each in its own way.
subtest 'sizes around what handlers read ahead, all schemes' => sub {
    for my $scheme (qw(http h2c ajp fcgi scgi uwsgi)) {
        my @web = (LBS::Backend->new(name => 'mute'), (two_members($scheme))[1]);
        my $h = start(\@web, $scheme, app => 'LBStickyEject off');
        for my $size (0, 1, 8000, 16_383, 16_385, 40_000, 65_536) {
            my $body = join '', map { chr(($_ * 7 + $size) % 256) }
                0 .. $size - 1;
            clear(@web);
            $web[0]->set(hang => 'before');
            my $c = $h->connect;
            $c->send_request('PUT', '/app/x', headers => at(1),
                             body => $body);
            ok wait_for(sub { $web[0]->stats->{connections} > 0 }, 5),
                "$scheme, $size bytes";
            sleep 0.05;
            $web[0]->drop(reset => 1);
            my $r = $c->response('PUT');
            is $r->status, 200, 'sent again';
            my ($seen) = $web[1]->requests;
            $seen = ref $seen ? $seen->{body_sha256}
                : ($seen // '') =~ s/.* //r;
            is $seen, sha256_hex($body), 'the same bytes';
        }
    }
};

subtest 'what one handler has read goes to the member of another' => sub {
    my @web = (LBS::Gateway->new(scheme => 'fcgi', name => 'g1'),
               LBS::Gateway->new(scheme => 'ajp', name => 'g2'),
               LBS::Backend->many(1));
    my @url = ('fcgi://@B1@', 'ajp://@B2@', 'http://@B3@');
    for my $there (0 .. 2) {
        for my $gone (0 .. 2) {
            next if $gone == $there;
            my $dead = $url[$gone] =~ s/\@B\d\@/127.0.0.1:\@FREE1\@/r;
            my $h = governed(\@web, server => "SetEnv proxy-sendcl 1",
                app => <<"POOL");
LBSticky route=R
LBStickyRetry body=1k
BalancerMember "$dead" route=r1
BalancerMember "$url[$there]" route=r2
POOL
            $h->announce(@TOLD);
            for my $chunked (0, 1) {
                next if $chunked && $gone == 2 && $there == 1;
                for my $size (500, 100_000) {
                    my $body = 'ab' x ($size / 2);
                    clear(@web);
                    my $r = $h->post('/app/x', $body, headers => at(1),
                                     chunked => $chunked);
                    is $r->status, 200, "$dead, $url[$there], $size";
                    my ($seen) = $web[$there]->requests;
                    is $seen->{body_sha256}, sha256_hex($body), 'whole';
                }
            }
        }
    }
};

done_testing;
