#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What another module is told, that was built with this header, an older one
# or a newer one.
use lib 't/lib';
use LBS::Proc qw(slurp);
use LBS::Test;
use Cwd qw(abs_path);

my $ASKS = abs_path(($ENV{LBS_BUILD} // 'build') . '/t/modules/asks.so');
plan skip_all => 'no build/t/modules/asks.so: run make tools-built'
    if !defined $ASKS || !-e $ASKS;

my $web = LBS::Backend->new(name => 'web');
my $h = LBS::Httpd->new(backends => [$web]);
$h->conf(<<"CONF");
LoadModule asks_module $ASKS
LogFormat  "%U %{asked}n %{older}n %{newer}n" asked
CustomLog  "\@ROOT\@/logs/asked" asked
<Proxy "balancer://app">
    LBSticky cookie
    BalancerMember "http://\@B1\@" route=r1
</Proxy>
ProxyPass "/app/" "balancer://app/"
CONF
$h->start;
my $jar = LBS::Jar->new;
is $h->get("/app/$_", jar => $jar)->status, 200, "a request: $_" for 1, 2;
is $h->get('/index.html')->status, 200, 'and one that no pool is for';

sub told ($path) {
    my $line = wait_for(sub {
        slurp($h->root . '/logs/asked') =~ /^\Q$path\E (.*)\n/m ? $1 : '';
    });
    return split ' ', $line;
}

my ($asked, $older, $newer) = told('/app/1');
like $asked, qr/^app\|r1\|new\|first\|[^|]*\|1$/, 'a module is told pool, member, decision, reason and attempts';
is $older, 'app|r1', 'a module of an older header gets its fields, and nothing is written behind them';
is $newer, $asked, 'a module of a newer header gets these fields, and zero for those that are not known';
like +(told('/app/2'))[0], qr/^app\|r1\|kept\|[^|]*\|cookie\|1$/, 'a session that is kept';
is +(told('/index.html'))[0], 'declined', 'a request that no pool is for is declined';

done_testing;
