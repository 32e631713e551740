#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# CPU that one poll of lb-status costs httpd, everything included: microseconds
# of all its processes, kept-alive connection, with 4, 100 and 1000 members.
# What httpd itself takes is in the row of a document that is a file. TSV.
# BENCH_POLLS=300: so many of each.
use v5.36;
use lib 't/lib';
use LBS::Httpd;

my $POLLS = $ENV{BENCH_POLLS} // 300;

say join "\t", qw(document members cpu_us bytes);
for my $count (4, 100, 1000) {
    my $members = join '', map { sprintf qq(BalancerMember "http://127.0.0.1:%d" route=web%d\n), 40_000 + $_, $_ } 1 .. $count;
    my $h = LBS::Httpd->new(children => 1, conf => <<"CONF");
LBSticky cookie
MaxKeepAliveRequests 0
<Proxy "balancer://app">
$members</Proxy>
\@STATUS\@
ProxyPass "/app/" "balancer://app/"
CONF
    $h->start;
    for my $uri ('/index.html', map { "/lb-status$_" } '/json', '/metrics', '') {
        my $c = $h->connect;
        my $bytes;
        $h->get($uri, on => $c) for 1 .. 5;
        my $before = $h->cpu;
        $bytes = length $h->get($uri, on => $c)->body for 1 .. $POLLS;
        say join "\t", $uri, $count, int(($h->cpu - $before) * 1e6 / $POLLS), $bytes;
        $c->close;
    }
    $h->announce(qr/AH10159/);    # one child is all there is to be
    $h->stop;
}
