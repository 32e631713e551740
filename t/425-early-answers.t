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
        modules => [$scheme =~ /^(?:fcgi|ajp)$/ ? () : "proxy_$scheme"],
        server => "ProxyTimeout 5\n",
        app => "LBSticky route=R\nLBStickyRetry budget=100\n$list");
    $h->announce(@TOLD);
    return $h;
}

sub members ($scheme) {
    return map { LBS::Gateway->new(scheme => $scheme, name => "g$_") } 1, 2;
}

# What a member does instead of reading the body. Where the answer has no length
# its end is that of the connection, and a reset by itself ends nothing.
my @WAYS = ('how=close', 'how=reset&delay=0.2', 'how=linger&delay=0.2',
            'how=close&delay=0.2', 'how=close&delay=0.2&length=0');

for my $scheme (qw(scgi uwsgi fcgi ajp)) {
    subtest "$scheme: the answer to a head" => sub {
        my @web = members($scheme);
        my $h = start(\@web, $scheme);
        for my $way (@WAYS) {
            for my $size (1000, 200_000, 5_000_000) {
                next if $way =~ /length=0/ && $size < 5_000_000;
                my $r = $h->request('POST', "/app/?deaf=413&$way", headers => at(1),
                    body => 'z' x $size);
                is $r->status . ' ' . ($r->member // ''), '413 g1', "$way, $size bytes";
                is $r->body, "nay\n", 'whole';
                ok !$r->incomplete, 'and ended as such';
            }
        }
        my ($first, $second) = @{pool_state($h, 'app')->{members}};
        is "$first->{failures} $first->{state} $second->{requests}", '0 up 0', 'no failure';
        my $r = $h->request('POST', '/app/', headers => at(1), body => 'z' x 3_000_000);
        is $r->json->{body_length}, 3_000_000, 'a member that reads all is sent all';
    };
}

subtest 'one process for each request' => sub {
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
