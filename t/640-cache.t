#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# mod_cache before the pool: a cached page needs no member, never holds our
# cookie, and never moves a visitor.
use lib 't/lib';
use LBS::Test timeout => 60;

my @web = LBS::Backend->many(2, name => 'web');

my %store = (disk => 'CacheRoot "@ROOT@/cache"', socache => 'CacheSocache shmcb');

for my $kind (qw(disk socache)) {
    for my $quick (qw(on off)) {
        subtest "cache_$kind, CacheQuickHandler $quick" => sub {
            my $h = LBS::Httpd->new(backends => \@web, conf => <<"CONF",
CacheQuickHandler $quick
CacheEnable $kind "/page"
$store{$kind}
CacheHeader on
LBSticky cookie
LBStickyCookie first=off
LBStickyMethod round-robin
<Proxy "balancer://app">
    BalancerMember "http://\@B1\@" route=w1
    BalancerMember "http://\@B2\@" route=w2
</Proxy>
\@STATUS\@
ProxyPass "/" "balancer://app/"
CONF
                modules => ['cache', "cache_$kind", 'socache_shmcb']);
            mkdir $h->root . '/cache';
            chmod 01777, $h->root . '/cache';
            $h->start;
            my $page = '/page?header=Cache-Control:max-age%3D60';
            my $first = $h->get($page);
            is scalar($first->set_cookies), 1,
                'the first visitor gets the page and a cookie';
            ok wait_for(sub { ($h->get($page)->header('X-Cache') // '') =~ /^HIT/ }),
                'the page is cached';
            my $before = $h->json->{pools}[0];
            for (1 .. 5) {
                my $r = $h->get($page);
                is scalar($r->set_cookies), 0, 'a client that gets the page from the cache gets no cookie';
                unlike $r->header('Cache-Control') // '', qr/private/,
                    'and what the application said of caching';
            }
            is $h->json->{pools}[0]{requests}, $before->{requests},
                'no member was needed';

            my $jar = LBS::Jar->new;
            my $home = $h->get('/own', jar => $jar)->member;
            my $shown = $jar->header(host => 'localhost', path => '/', tls => 0);
            $h->get($page, jar => $jar) for 1 .. 3;
            is $jar->header(host => 'localhost', path => '/', tls => 0), $shown,
                'a cached page leaves a visitor their cookie';
            is_deeply [map { $h->get('/own', jar => $jar)->member } 1 .. 4],
                [($home) x 4], 'and their member';
            $h->stop;
            $h->no_unexpected_log;
        };
    }
}

done_testing;
