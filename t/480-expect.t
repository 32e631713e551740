#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Expect: 100-continue: a 100 is no answer, and what is lost before the answer
# is repeated where it may be.
use lib 't/lib';
use LBS::Test timeout => 120;
use Digest::SHA qw(sha256_hex);
use LBS::Governed;
use LBS::State;

# The body is sent when the 100 is there, as curl does it.
sub ask ($h, $method, $body, %o) {
    my $c = $o{on} // $h->connect;
    $c->send_request($method, '/app/', headers => [['Expect', '100-continue'],
        ['Content-Length', length $body], @{$o{headers} // []}]);
    my $deadline = time + 10;
    1 while $c->{buf} !~ /\r\n\r\n/ && $c->fill($deadline);
    $c->write($body) if $c->{buf} =~ m{^HTTP/1\.1 100 };
    return $c->response($method);
}

sub seen ($r) { return join ' ', @{$r->early}, $r->status }

sub start ($web, %o) {
    my $h = governed($web, %o, app => "LBSticky none\nLBStickyMethod round-robin\n"
        . "LBStickyRetry budget=100 body=64k\nLBStickyEject off\n",
        server => qq(<Location "/lb-status">\nSetHandler lb-status\n</Location>\n));
    $h->announce(qr/\[proxy(?:_http)?:(?:error|warn)\]/);
    return $h;
}

# Four at two members in turn: some of them come to the one that breaks.
sub four ($h, $method, $body, %o) {
    return map { ask($h, $method, $body, %o) } 1 .. 4;
}

for (['before the 100', expect => 'reset'], ['after it', reset => 'before']) {
    my ($when, @behaviour) = @$_;
    subtest "the member resets $when" => sub {
        my @web = LBS::Backend->many(2);
        my $h = start(\@web);
        $web[0]->set(@behaviour);
        my $body = join ' ', 1 .. 5000;
        my @r = four($h, 'PUT', $body);
        is_deeply [map { seen($_) } @r], [('100 200') x 4],
            'PUT: each client sees one 100, and an answer';
        is_deeply [map { $_->json->{body_sha256} } @r], [(sha256_hex($body)) x 4],
            'of a member that has the whole body';
        is_deeply [map { $_->member } @r], [($web[1]->name) x 4], 'the other one';
        my $came = $web[0]->stats->{heads};
        cmp_ok $came, '>', 0, 'some came to the one that breaks';
        my ($m) = @{pool_state($h, 'app')->{members}};
        is $m->{failures}, $came, 'each time it has failed';

        my $broken = sub (@how) {
            my $before = $web[0]->stats->{heads};
            my $failed = grep { $_->status == 502 } four($h, @how);
            return [$failed, $web[0]->stats->{heads} - $before];
        };
        my $lost = $broken->('POST', $body);
        is $lost->[0], $lost->[1], "POST is not repeated: $lost->[1] of 4 fail";
        cmp_ok $lost->[1], '>', 0, 'which is some';
        is $broken->('POST', $body, headers => [['Idempotency-Key', 'k']])->[0], 0,
            'with an Idempotency-Key it is';
        $lost = $broken->('PUT', 'x' x 100_000);
        is $lost->[0], $when =~ /before/ ? 0 : $lost->[1],
            'a body that cannot be kept: only if none of it was read';
        quiet($h);
    };
}

# What was kept and has answered a 100 was not stale: the member has failed.
subtest 'on a connection that was kept' => sub {
    plan skip_all => 'with prefork each process has connections of its own'
        if ($ENV{LBS_MPM} // '') eq 'prefork';
    my @web = LBS::Backend->many(2);
    my $h = start(\@web, children => 1);    # each keeps its own
    $h->get('/app/') for 1 .. 8;
    $_->clear for @web;
    $web[0]->set(reset => 'before', times => 1);
    my @r = four($h, 'PUT', 'hello');
    is_deeply [map { seen($_) } @r], [('100 200') x 4], 'all are answered';
    cmp_ok +($web[0]->requests)[0]{request}, '>', 1, 'the first there was on a kept one';
    my ($m) = @{pool_state($h, 'app')->{members}};
    is $m->{failures}, 1, 'it is a failure of the member';
};

subtest 'early hints are no answer either' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web);
    my @r = map { $h->get('/app/?early=103&status=204') } 1 .. 2;
    is_deeply [map { seen($_) } @r], ['103 204', '103 204'], 'they pass';
};

done_testing;
