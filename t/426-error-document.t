#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# With ProxyErrorOverride members serve the pages for errors of members. The
# visitor gets the page with the status of the error; the member that served
# the page has answered well.
use lib 't/lib';
use LBS::Test timeout => 120;

use LBS::Gateway;
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

# One that speaks FastCGI gets its page from mod_proxy_fcgi, as with stock httpd.
for my $scheme (qw(ajp uwsgi scgi)) {
    subtest "$scheme: the page for a request with a body" => sub {
        my @web = map { LBS::Gateway->new(scheme => $scheme, name => "g$_") } 1, 2;
        my $list = join "\n",
            map { qq(BalancerMember "$scheme://\@B$_\@" route=r$_) } 1, 2;
        my $h = governed(\@web, modules => $scheme eq 'ajp' ? [] : ["proxy_$scheme"],
            server => "ProxyTimeout 5\n", app => "LBSticky route=R\n$list",
            more => pages('app'));
        my $at = cookie_of(R => 'x.r1');
        for (1 .. 3) {
            my $r = $h->request('POST', '/app/?status=500', headers => $at, body => 'abc');
            is $r->member, 'g1', 'the page comes from a member';
            # mod_proxy_uwsgi gives the page its own status.
            is $r->status, $scheme eq 'uwsgi' ? 200 : 500, 'with the status as in stock httpd';
        }
        my ($first, $second) = @{pool_state($h, 'app')->{members}};
        is "$first->{failures} $second->{requests}", '0 0', 'which has not failed';
    };
}

# What FastCGI and SCGI members say stands apart from what others do.
for my $scheme (qw(fcgi scgi)) {
    subtest "$scheme: an answer that is thrown away" => sub {
        my @web = map { LBS::Gateway->new(scheme => $scheme, name => "g$_") } 1, 2;
        my $list = join "\n",
            map { qq(BalancerMember "$scheme://\@B$_\@" route=r$_) } 1, 2;
        my $pool = "LBSticky route=R\nLBStickyRetry status=503 budget=100\n"
            . "LBStickyEject off\n$list";
        my $h = governed(\@web, modules => $scheme eq 'fcgi' ? [] : ["proxy_$scheme"],
            app => $pool, plain => $pool, more => pages('app'));
        my $at = cookie_of(R => 'x.r1');
        my $r = $h->get('/plain/?status=503&at=g1', headers => $at);
        is $r->status, 200, 'another member is asked';
        is_deeply [$r->set_cookies], ['gw=g2'], 'no cookie of the first remains';
        is_deeply [$r->all('X-Backend')], ['g2'], 'nor any other field';
        $h->get('/app/?status=503&at=g1', headers => $at);
        is pool_state($h, 'app')->{members}[0]{responses}{'5xx'}, 1,
            'with ProxyErrorOverride it counts, too';
    };
}

done_testing;
