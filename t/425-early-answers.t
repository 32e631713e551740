#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A member that answers the head of an upload and reads no more of it: whatever
# it speaks, its answer reaches the client, and it has not failed.
use lib 't/lib';
use LBS::Test timeout => 300;

use LBS::Gateway;
use LBS::Governed;
use LBS::State qw(pool_state);

my @TOLD = (qr/\[proxy\w*:(?:error|warn)\]/);

sub at ($n) { return cookie_of(R => "x.r$n") }

sub start ($web, $scheme, %o) {
    my $list = join "\n",
        map { qq(BalancerMember "$scheme://\@B$_\@" route=r$_) } 1 .. @$web;
    my $h = governed($web, children => 1, mpm => $o{mpm} // 'event',
        modules => [$scheme =~ /^(?:fcgi|ajp)$/ ? () : "proxy_$scheme",
                    @{$o{modules} // []}],
        server => "ProxyTimeout 5\n" . ($o{server} // ''),
        app => "LBSticky route=R\nLBStickyRetry budget=100\n$list");
    $h->announce(@TOLD);
    return $h;
}

sub members ($scheme) {
    return map { LBS::Gateway->new(scheme => $scheme, name => "g$_") } 1, 2;
}

# What a member does instead of reading the body. Where the answer has no length
# its end is that of the connection, and a reset by itself ends nothing. One
# that closes at once may do so between a look at the connection and the write
# that follows it, where scgi, uwsgi and fcgi write by themselves.
my @WAYS = ('how=close', 'how=reset&delay=0.2', 'how=linger&delay=0.2',
            'how=close&delay=0.2', 'how=close&delay=0.2&length=0');

for my $scheme (qw(scgi uwsgi fcgi ajp)) {
    subtest "$scheme: the answer to a head" => sub {
        my @web = members($scheme);
        my $h = start(\@web, $scheme);
        my $cut = 0;
        for my $way (@WAYS) {
            for my $size (1000, 200_000, 5_000_000) {
                next if $way =~ /length=0/ && $size < 5_000_000;
                next if $way eq 'how=close' && $scheme ne 'ajp';
                my $ask = sub {
                    return $h->request('POST', "/app/?deaf=413&$way", headers => at(1),
                        body => 'z' x $size);
                };
                my $r = $ask->();
                # The first part of a body is sent over AJP without being asked for:
                # a member that closes over it resets, in the middle of its answer
                # where that is read slowly.
                if ($scheme eq 'ajp' && $r->incomplete) {
                    $cut++;
                    $r = $ask->();
                }
                is $r->status . ' ' . ($r->member // ''), '413 g1', "$way, $size bytes";
                is $r->body, "nay\n", 'whole';
                ok !$r->incomplete, 'and ended as such';
            }
        }
        my ($first, $second) = @{pool_state($h, 'app')->{members}};
        is "$first->{failures} $first->{state} $second->{requests}", "$cut up 0", 'no failure';
        cmp_ok $cut, '<=', 1, 'one answer was cut at most';
        my $r = $h->request('POST', '/app/', headers => at(1), body => 'z' x 3_000_000);
        is $r->json->{body_length}, 3_000_000, 'a member that reads all is sent all';
    };
}

# mod_proxy_scgi and mod_proxy_uwsgi take no body in chunks.
subtest 'a body in chunks, and a client that speaks HTTP/2' => sub {
    my ($g) = members('fcgi');
    my $h = start([$g], 'fcgi');
    my $r = $h->request('POST', '/app/?deaf=413&delay=0.2', headers => at(1),
        body => 'z' x 5_000_000, chunked => 1);
    is $r->status . ' ' . $r->body, "413 nay\n", 'fcgi, in chunks';
    my $file = $h->write('upload', 'z' x 5_000_000);
    for my $scheme (qw(scgi uwsgi fcgi)) {
        my ($web) = members($scheme);
        $h = start([$web], $scheme, server => "Protocols h2c http/1.1\n", modules => ['http2']);
        my $url = 'http://localhost:' . $h->port . '/app/?deaf=413&delay=0.2';
        my $out = qx(curl -s -m 20 -w '%{http_code}' --http2-prior-knowledge --data-binary \@$file '$url');
        is $out, "nay\n413", "$scheme, HTTP/2";
        is pool_state($h, 'app')->{members}[0]{failures}, 0, 'no failure';
    }
};

subtest 'one that answers early and goes on reading gets all' => sub {
    for my $scheme (qw(scgi uwsgi)) {
        my ($g) = members($scheme);
        my $h = start([$g], $scheme);
        my $r = $h->request('POST', '/app/?deaf=200&how=hear', headers => at(1),
            body => 'z' x 5_000_000);
        is $r->status . ' ' . $r->body, "200 nay\n", $scheme;
        ok wait_for(sub { $g->requests }, 10), 'it has read on';
        is +($g->requests)[0]{body_length}, 5_000_000, 'to the end';
    }
};

subtest 'one process for each request' => sub {
    plan skip_all => 'no prefork under tsan (LBS::Test)' if under_tsan;
    for my $scheme (qw(scgi uwsgi fcgi)) {
        my @web = members($scheme);
        my $h = start(\@web, $scheme, mpm => 'prefork');
        for (1 .. 3) {
            my $r = $h->request('POST', '/app/?deaf=401&delay=0.2', headers => at(1),
                body => 'z' x 5_000_000);
            is $r->status . ' ' . $r->body, "401 nay\n", $scheme;
        }
        is pool_state($h, 'app')->{members}[0]{failures}, 0, 'no failure';
    }
};

subtest 'a member that closes without an answer has failed' => sub {
    for my $scheme (qw(scgi uwsgi fcgi)) {
        my @web = members($scheme);
        my $h = start(\@web, $scheme);
        my $r = $h->request('POST', '/app/?deaf=mute&delay=0.2', headers => at(1),
            body => 'z' x 5_000_000);
        like $r->status, qr/^50[0-4]$/, "$scheme: no answer";
        my ($first, $second) = @{pool_state($h, 'app')->{members}};
        is "$first->{failures} $second->{requests}", '1 0', 'a failure, not repeated';
    }
};

done_testing;
