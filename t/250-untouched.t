#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A pool that LBSticky does not govern is mod_proxy_balancer's alone: the same
# answers, to the byte, as from an httpd without this module.
use lib 't/lib';
use LBS::Test;
use LBS::Governed;

my @web = LBS::Backend->many(3, name => 'web');
my $members = join "\n", map {
    qq(    BalancerMember "http://\@B$_\@" route=r$_ retry=60)
} 1 .. 3;
my $CONF = <<"CONF";
Header always set X-Balancer "%{BALANCER_NAME}e|%{BALANCER_WORKER_NAME}e|%{BALANCER_WORKER_ROUTE}e|%{BALANCER_SESSION_STICKY}e|%{BALANCER_SESSION_ROUTE}e|%{BALANCER_ROUTE_CHANGED}e|%{LBSTICKY_POOL}e|%{LBSTICKY_DECISION}e"
Header add Set-Cookie "ROUTEID=.%{BALANCER_WORKER_ROUTE}e; path=/" env=BALANCER_ROUTE_CHANGED
<Proxy "balancer://plain">
    \@OFF\@
$members
</Proxy>
<Proxy "balancer://sticky">
    \@OFF\@
$members
    ProxySet stickysession=ROUTEID
</Proxy>
<Proxy "balancer://failing">
    \@OFF\@
$members
    ProxySet failonstatus=503 nofailover=On stickysession=ROUTEID
</Proxy>
ProxyPass "/plain/" "balancer://plain/"
ProxyPass "/sticky/" "balancer://sticky/"
ProxyPass "/failing/" "balancer://failing/"
CONF

# A pool of ours beside them must not matter.
my $GOVERNED = <<'CONF';
<Proxy "balancer://ours">
    LBSticky cookie
    BalancerMember "http://@B1@" route=r1
    BalancerMember "http://@B2@" route=r2
</Proxy>
ProxyPass "/ours/" "balancer://ours/"
CONF

sub httpd ($conf, $off, @more) {
    $conf =~ s/\@OFF\@/$off/g;
    my $h = LBS::Httpd->new(backends => \@web, conf => $conf, @more);
    $h->announce(qr/refused|failed to make connection|AH\d+/);
    return $h->start;
}

my %h = (
    without => httpd($CONF, '', without => ['lbsticky']),
    loaded  => httpd($CONF, ''),
    beside  => httpd("$CONF$GOVERNED", ''),
    off     => httpd("LBSticky cookie\nLBStickyMethod hash\n$CONF$GOVERNED",
                     'LBSticky off'),
);

# The whole answer, without what differs from one httpd to the next.
sub show ($h, $uri, @headers) {
    my $raw = $h->raw("GET $uri HTTP/1.1\r\nHost: localhost\r\n"
        . join('', map { "$_\r\n" } @headers) . "Connection: close\r\n\r\n");
    $raw =~ s/^Date: [^\r]*\r\n//m;
    my ($port, %port) = ($h->port);
    $raw =~ s/(?<=localhost:)$port\b/PORT/g;
    $raw =~ s/"(?:at|connection|request)":[\d.]+,?//g;
    $raw =~ s/^Content-Length: \d+\r\n//m;
    return $raw;
}

# The same story told to each of them.
my @story;
push @story, map { ['/plain/'] } 1 .. 7;
push @story, map { ['/sticky/'], ['/sticky/', "Cookie: ROUTEID=.r$_"],
    ["/sticky/?ROUTEID=.r$_"], ["/sticky/;ROUTEID=x.r$_"],
    ['/sticky/', "Cookie: a=b; ROUTEID=abc.r$_; c=d"],
    ['/sticky/', "Cookie: ROUTEID=\".r$_\""] } 1 .. 3;
push @story, ['/sticky/', 'Cookie: ROUTEID=.none'], ['/sticky/', 'Cookie: ROUTEID='],
    ['/sticky/', 'Cookie: LBSTICKY_sticky=' . 'A' x 48],
    ['/sticky/', 'X-Forwarded-Proto: https', 'Host: twice'],
    ['/plain/', 'X-Forwarded-Proto: https', 'X-Forwarded-Port: 1'],
    ['/sticky/?cookie=ROUTEID%3Dz.r1&cookie=a%3Db'], ['/sticky/?status=404'];

subtest 'the same answers' => sub {
    my $answered = 0;
    for my $part (@story) {
        my ($want, $name) = (show($h{without}, @$part), "@$part");
        $answered += $want =~ m{^HTTP/1\.1 200 .*^X-Backend: web}ms;
        for my $kind (qw(loaded beside off)) {
            is show($h{$kind}, @$part), $want, "$kind: $name";
        }
    }
    cmp_ok $answered, '>', @story - 5, 'by members';
    my $r = $h{off}->get('/ours/');
    is scalar(my @set = $r->set_cookies('LBSTICKY_ours')), 1, 'ours is governed';
};

subtest 'the same failures' => sub {
    my @parts = (['/failing/?status=503', 'Cookie: ROUTEID=.r1'],
                 (['/failing/', 'Cookie: ROUTEID=.r1']) x 2, ['/failing/'],
                 ['/failing/', 'Cookie: ROUTEID=.r2']);
    for my $part (@parts) {
        my ($want, $name) = (show($h{without}, @$part), "@$part");
        is show($h{$_}, @$part), $want, "$_: $name" for qw(loaded beside off);
    }
    like show($h{off}, '/failing/', 'Cookie: ROUTEID=.r1'), qr{^HTTP/1\.1 503 },
        'a member in the error state is not tried: retry= acts';
    $web[1]->refuse;
    for (1 .. 4) {
        my $want = show($h{without}, '/sticky/', 'Cookie: ROUTEID=.r2');
        is show($h{$_}, '/sticky/', 'Cookie: ROUTEID=.r2'), $want, "$_: refused"
            for qw(loaded beside off);
    }
    $web[1]->accept;
    $web[1]->clear;
    for my $kind (qw(without loaded beside off)) {
        show($h{$kind}, '/sticky/', 'Cookie: ROUTEID=.r2');
    }
    is $web[1]->deliveries, 0, 'and is left alone for retry=';
};

subtest 'stickysession= on a governed pool' => sub {
    my $h = LBS::Httpd->new(backends => \@web, conf => <<'CONF');
LBStickyMethod round-robin
<Proxy "balancer://app">
    LBSticky cookie
    BalancerMember "http://@B1@" route=r1
    BalancerMember "http://@B2@" route=r2
    ProxySet stickysession=JSESSIONID
</Proxy>
ProxyPass "/" "balancer://app/"
CONF
    $h->start;
    my @warned = $h->error_log(qr/LBS1103/);
    is @warned, 1, 'one warning';
    like $warned[0], qr/warn.*stickysession=JSESSIONID.*route=/, 'that says what to write';
    my %seen = map { $h->get('/', headers => [['Cookie', 'JSESSIONID=x.r1'],
        ['User-Agent', "agent $_"]])->member => 1 } 1 .. 6;
    is keys %seen, 2, 'and it is ignored';
    $h->no_unexpected_log(qr/LBS1103/);
};

$_->no_unexpected_log for values %h;
done_testing;
