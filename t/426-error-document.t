#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# With ProxyErrorOverride members serve the pages for errors of members. The
# visitor gets the page with the status of the error; the member that served
# the page has answered well.
use lib 't/lib';
use LBS::Test timeout => 120;

use LBS::Governed;
use LBS::State qw(pool_state);

sub pages (@pools) {
    return join '', map { <<"CONF" } @pools;
<Location "/$_/">
    ProxyErrorOverride On
    ErrorDocument 500 /$_/page
    ErrorDocument 503 /$_/page
</Location>
CONF
}

sub codes ($h, $pool) {
    return {map { $_->{route} => $_->{responses}{'2xx'} . ' ' . $_->{responses}{'5xx'} }
            @{pool_state($h, $pool)->{members}}};
}

my @web = LBS::Backend->many(3);
my $broken = $web[0]->name;

subtest 'the page counts as the answer that the member gave' => sub {
    my $h = governed(\@web, more => pages('plain', 'strict'), plain => <<'PLAIN', strict => <<'STRICT');
LBSticky none
LBStickyMethod round-robin
LBStickyEject off
PLAIN
LBSticky none
LBStickyMethod round-robin
LBStickyEject status=500 hold=60s-60s
STRICT
    my %status;
    $status{$h->get("/plain/?status=500&at=$broken")->status}++ for 1 .. 30;
    is_deeply \%status, {200 => 15, 500 => 15}, 'errors stay errors for visitors';
    is_deeply codes($h, 'plain'), {r1 => '0 15', r2 => '15 0', r3 => '15 0'},
        'and are counted where they were made';
    $h->get("/strict/?status=500&at=$broken") for 1 .. 30;
    is_deeply [map { $_->{failures} > 0 ? 'failed' : 'sound' }
               @{pool_state($h, 'strict')->{members}}],
        [qw(failed sound sound)], 'a page is no failure';
};

subtest 'a page that takes a second attempt' => sub {
    my $h = governed(\@web, more => pages('refused', 'again'), refused => <<'REFUSED', again => <<'AGAIN');
LBSticky route=R
LBStickyMethod round-robin
LBStickyEject off
BalancerMember "http://@B1@" route=r1
BalancerMember "http://127.0.0.1:@FREE1@" route=gone
REFUSED
LBSticky cookie
LBStickyMethod round-robin
LBStickyEject off
LBStickyRetry status=503 budget=100
AGAIN
    $h->announce(qr/AH00957: http: attempt|AH01114: HTTP: failed to make/);
    my %status;
    $status{$h->get('/refused/?status=500')->status}++ for 1 .. 8;
    is_deeply \%status, {500 => 8}, 'the next member serves it, with the error';
    my $r = $h->get('/again/?status=503');
    is $r->status, 503, 'all refuse, and one serves the page';
    like $r->json->{uri}, qr{/page$}, 'which is the page';
    my @five = map { $_->{responses}{'5xx'} } @{pool_state($h, 'again')->{members}};
    is "@five", '1 1 1', 'one error of each that was asked';
};

subtest 'a page that this httpd serves itself' => sub {
    my $h = LBS::Httpd->new(backends => [$web[0]], conf => <<'CONF');
LBStickySecret file:@ROOT@/secret
LBStickyLocal self
<Proxy "balancer://app">
    LBSticky none
    LBStickyMethod round-robin
    LBStickyEject off
    BalancerMember "http://@B1@" route=other
    BalancerMember "http://127.0.0.1:@PORT@" route=self
</Proxy>
Alias "/app/" "@ROOT@/htdocs/"
ProxyErrorOverride On
ErrorDocument 500 /app/page.html
ProxyPass "/app/" "balancer://app/"
@STATUS@
CONF
    $h->write('secret', 'x' x 40);
    $h->write('htdocs/page.html', 'page');
    $h->write('htdocs/x', 'x');
    $h->start;
    my %got;
    for (1 .. 6) {
        my $r = $h->get("/app/x?status=500&at=$broken");
        $got{$r->status . ' ' . $r->body}++;
    }
    is_deeply \%got, {'500 page' => 6}, 'errors stay errors, with the page';
    is_deeply codes($h, 'app'), {other => '0 6', self => '6 0'},
        'the page is no error of the server that has it';
};

done_testing;
