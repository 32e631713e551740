#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Handlers that use a socket by themselves, where no filter sees what they do:
# what goes out on a kept connection, and what was never sent.
use lib 't/lib';
use LBS::Test timeout => 120;

use Digest::SHA qw(sha256_hex);
use LBS::Gateway;
use LBS::Governed;
use LBS::State qw(pool_state);

my @TOLD = (qr/\[proxy\w*:error\]/);

sub at ($n) { return cookie_of(R => "x.r$n") }

# A pool of two whose visitors are sent to the member their cookie R names.
# One child, one connection pool.
sub start ($web, $scheme, $module = undef, $lines = '') {
    my $list = join "\n", map {
        qq(BalancerMember "$scheme://\@B$_\@" route=r$_ enablereuse=on) } 1, 2;
    my $h = governed($web, children => 1,
        modules => [$scheme =~ /^(?:fcgi|ajp)$/ ? () : "proxy_$scheme", $module // ()],
        more => $lines,
        server => "MinSpareThreads 1\nTimeout 20",
        app => "LBSticky route=R\nLBStickyEject off\n$list");
    $h->announce(@TOLD);
    return $h;
}

sub members ($scheme) {
    return map { LBS::Gateway->new(scheme => $scheme, name => "g$_") } 1, 2;
}

subtest 'a POST goes out on a connection that is new, or was just in use' => sub {
    for my $scheme (qw(ajp fcgi)) {
        my @web = members($scheme);
        my $h = start(\@web, $scheme);
        my $ask = sub ($method, $idle) {
            my $before = $h->get('/app/', headers => at(1))->json->{connection};
            sleep $idle if $idle;
            my $r = $h->request($method, '/app/', headers => at(1),
                                body => $method eq 'POST' ? 'abc' : undef);
            is $r->status, 200, "$scheme: $method is answered";
            return $r->json->{connection} == $before ? 'kept' : 'new';
        };
        is $ask->('GET', 1.2), 'kept', "$scheme: a GET may go out on an old one";
        is $ask->('POST', 1.2), 'new', "$scheme: a POST may not";
        is $ask->('POST', 0), 'kept', "$scheme: or on one that was just used";
    }
};

subtest 'no connection: a POST moves on, its body whole' => sub {
    for my $scheme (qw(ajp fcgi scgi uwsgi)) {
        my @web = members($scheme);
        my $h = start(\@web, $scheme);
        $web[0]->kill;
        for my $size (0, 5, 16_384, 20_000, 100_000) {
            my $body = 'p' x $size;
            my $r = $h->post('/app/', $body, headers => at(1));
            is $r->status, 200, "$scheme: $size bytes";
            is $r->json->{body_sha256}, sha256_hex($body), 'whole';
        }
        is pool_state($h, 'app')->{retries}, 0, 'no repetition';
    }
};

# mod_proxy counts for each member what is sent there by all. A body in chunks
# that shall go on with a length is read before the connection is opened.
subtest 'no connection, while another request was sent there' => sub {
    my @web = members('fcgi');
    my $h = start(\@web, 'fcgi', 'env', 'SetEnv proxy-sendcl 1');
    my $c = $h->connect(timeout => 15);
    $c->write("POST /app/ HTTP/1.1\r\nHost: localhost\r\n"
        . "Cookie: R=x.r1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n");
    ok wait_for(sub { pool_state($h, 'app')->{inflight} == 1 }, 5), 'it is on its way';
    is $h->post('/app/', 'abc', headers => at(1))->status, 200, 'another is answered';
    $web[0]->kill;
    sleep 1.3;    # a kept connection that was used so recently would be trusted
    $c->write("5\r\nfghij\r\n0\r\n\r\n");
    my $r = $c->response('POST');
    is $r->status, 200, 'the first one moves on';
    is $r->status == 200 && $r->json->{body_length}, 10, 'whole';
};

done_testing;
