#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The tail of response times with real balancers: eight servers of four
# workers, of which two are half and two a quarter as fast as the others, and
# visitors who come by chance and do not wait for each other. Once nobody keeps
# a cookie, so that each request is a pick, at 70 % of what the servers can do
# together. Once 200 visitors came one after the other before, and each stays
# with their server: at 35 %, which an equal share of them makes nearly all that
# the slowest servers can do.
#
# The balancers have their turns one after the other, round by round, and the
# same arrivals. TSV: how, what, answers, errors, p50, p99, p99.9 in ms, as the
# median of the rounds, and in brackets the least and the most.
#
# BENCH_ROUNDS=5, BENCH_SECONDS=20: so many turns of so many seconds.
# BENCH_NGINX, BENCH_HAPROXY: programs to take in place of those installed; an
# nginx from 1.31 on has least_time and sticky cookies, which are used then.
use v5.36;
use lib 't/lib';
use IPC::Open2 qw(open2);
use LBS::Peers;

my $ROUNDS = $ENV{BENCH_ROUNDS} // 5;
my $SECONDS = $ENV{BENCH_SECONDS} // 20;
my $NGINX = $ENV{BENCH_NGINX} // 'nginx';
my $HAPROXY = $ENV{BENCH_HAPROXY} // 'haproxy';
my %LOAD = (picks => 0.7, bound => 0.35);
my %VISITORS = (picks => 0, bound => 200);
my ($MS, $WORKERS, @SPEEDS) = (20, 4, 1, 1, 1, 1, 0.5, 0.5, 0.25, 0.25);
my $TOOL = ($ENV{LBS_BUILD} // 'build') . '/t/tools/uneven';

my $capacity = 0;
$capacity += $_ * $WORKERS / $MS * 1000 for @SPEEDS;
my $pid = open2(my $said, my $alive, $TOOL, 'serve', $MS, $WORKERS, @SPEEDS);
my @ports = split ' ', scalar readline $said;
my $modern = qx($NGINX -v 2>&1) =~ m{nginx/1\.(\d+)} && $1 >= 31;

# A line for each server: PORT and N are put in.
sub servers ($format) {
    my $n = 0;
    return join '', map { $n++; "$format\n" =~ s/PORT/$_/r =~ s/\bN\b/$n/gr } @ports;
}

sub httpd ($name, $lines, %o) {
    my $list = servers('BalancerMember http://127.0.0.1:PORT route=wN');
    $list =~ s/route=wN/'route=w' . ++$o{n}/ge;
    my $h = LBS::Httpd->new(children => 2, threads => 200, modules => ['lbmethod_bybusyness'],
                              conf => <<"CONF", %o);
Header add Set-Cookie "ROUTEID=.%{BALANCER_WORKER_ROUTE}e; path=/" env=BALANCER_ROUTE_CHANGED
<Proxy "balancer://app">
    $lines
    $list
</Proxy>
ProxyPass "/" "balancer://app/"
CONF
    $h->announce(qr/./);
    return bless {name => $name, httpd => $h, port => $h->port}, 'LBS::Peers';
}

sub nginx ($name, $lines) {
    my $list = servers('server 127.0.0.1:PORT;');
    return LBS::Peers::other($name, <<"CONF", $NGINX, qw(-p @DIR@ -c @DIR@/conf));
worker_processes 1;
daemon off;
pid \@DIR\@/pid;
error_log \@DIR\@/error.log;
events { worker_connections 4096; }
http {
    access_log off;
    client_body_temp_path \@DIR\@/body;
    proxy_temp_path \@DIR\@/proxy;
    fastcgi_temp_path \@DIR\@/fastcgi;
    uwsgi_temp_path \@DIR\@/uwsgi;
    scgi_temp_path \@DIR\@/scgi;
    upstream app {
        zone app 256k;
        $lines
        $list
        keepalive 256;
    }
    server {
        listen 127.0.0.1:\@PORT\@;
        keepalive_requests 1000000;
        location / {
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }
    }
}
CONF
}

sub haproxy ($name, $cookie) {
    my $n = 0;
    my $list = servers("    server wN 127.0.0.1:PORT");
    $list =~ s/wN (\S+)/$n++; "w$n $1" . ($cookie ? " cookie w$n" : '')/ge;
    $cookie = $cookie ? 'cookie SRV insert indirect nocache' : '';
    return LBS::Peers::other($name, <<"CONF", $HAPROXY, qw(-db -f @DIR@/conf));
global
    maxconn 4096
    nbthread 1
defaults
    mode http
    timeout client 30s
    timeout connect 5s
    timeout server 30s
frontend in
    bind 127.0.0.1:\@PORT\@
    default_backend app
backend app
    balance leastconn
    http-reuse always
    $cookie
$list
CONF
}

my @without = (without => ['lbsticky']);
my @peers = (
    [picks => httpd('mod_lbsticky', 'LBSticky none')],
    [picks => httpd('mod_proxy_balancer, bybusyness', 'ProxySet lbmethod=bybusyness', @without)],
    [picks => nginx($modern ? 'nginx, least_time' : 'nginx, least_conn',
                    $modern ? 'least_time header;' : 'least_conn;')],
    [picks => haproxy('HAProxy, leastconn', 0)],
    [bound => httpd('mod_lbsticky', "LBSticky cookie\nLBStickyCookie first=off")],
    [bound => httpd('mod_lbsticky, inflight=auto',
                    "LBSticky cookie\nLBStickyCookie first=off\n"
                        . 'LBStickyLimit inflight=auto queue=16 wait=200ms')],
    [bound => httpd('mod_proxy_balancer, bybusyness',
                    'ProxySet lbmethod=bybusyness stickysession=ROUTEID', @without)],
    $modern ? [bound => nginx('nginx, least_time', "least_time header;\nsticky cookie srv_id;")] : (),
    [bound => haproxy('HAProxy, leastconn', 1)],
);

my %found;
for my $round (1 .. $ROUNDS) {
    for my $p (@peers) {
        my ($what, $peer) = @$p;
        $peer->start;
        my $line = join ' ', $TOOL, 'visit', $peer->port, $capacity * $LOAD{$what},
            $SECONDS, $VISITORS{$what}, $round;
        $line = qx($line);
        die $peer->name . ": nothing was measured\n" if $? != 0;
        $peer->stop;
        my @value = split ' ', $line;
        push @{$found{$what}{$peer->name}[$_]}, $value[$_] for 0 .. $#value;
    }
}

say join "\t", qw(what balancer answers errors p50_ms p99_ms p999_ms);
for my $p (@peers) {
    my ($what, $peer) = @$p;
    my ($answers, $errors, @ms) = map { [sort { $a <=> $b } @$_] }
        @{$found{$what}{$peer->name}};
    my $sum = sub ($list) { my $n = 0; $n += $_ for @$list; $n };
    say join "\t", $what, $peer->name, $sum->($answers), $sum->($errors),
        map { sprintf '%.0f (%.0f-%.0f)', $_->[@$_ / 2], $_->[0], $_->[-1] } @ms;
}
close $alive;
waitpid $pid, 0;
