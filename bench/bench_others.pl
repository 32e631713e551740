#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Processor time per forwarded request, beside what else could stand there:
# stock httpd, nginx and HAProxy in front of the same four servers, over
# loopback, on kept connections. They answer in turns, so that the noise of the
# machine meets all. TSV: what, microseconds per request (the least of the
# rounds), percent of them spent in the kernel, ratio to HAProxy.
# BENCH_ROUNDS=5, BENCH_REQUESTS=4000: of each, so many times so many.
use v5.36;
use lib 't/lib';
use LBS::Backend;
use LBS::Peers;
use LBS::Proc;

my $ROUNDS = $ENV{BENCH_ROUNDS} // 5;
my $REQUESTS = $ENV{BENCH_REQUESTS} // 4000;

my @backends = LBS::Backend->many(4);
my %peer = map {
    my $mpm = $_;
    map { ($_->name . ", $mpm" => $_) }
        LBS::Peers::lbsticky(\@backends, timeout => 3, mpm => $mpm),
        LBS::Peers::stock(\@backends, timeout => 3, mpm => $mpm)
} qw(event worker);
for my $name (qw(nginx haproxy)) {
    die "no $name: tools/bootstrap bench installs it\n"
        if system("command -v $name >/dev/null") != 0;
    $peer{$name} = LBS::Peers->can($name)->(\@backends, timeout => 3);
}

# What one visitor's requests take: microseconds each, and of these in the
# kernel.
sub load ($peer, $cookie) {
    my $url = sprintf 'http://127.0.0.1:%d/', $peer->port;
    my @before = LBS::Proc::cpu_of($peer->pids);
    my $said = qx(h2load --h1 -n $REQUESTS -c 4 -t 1 -H 'Cookie: $cookie' $url 2>&1);
    die $peer->name . ": h2load said: $said" if $said !~ /\b$REQUESTS succeeded/;
    my @after = LBS::Proc::cpu_of($peer->pids);
    my ($user, $kernel) = map { ($after[$_] - $before[$_]) * 1e6 / $REQUESTS } 0, 1;
    return [$user + $kernel, $kernel];
}

my %cookie;
for my $what (keys %peer) {
    $peer{$what}->start;
    my ($line) = LBS::Client->new(port => $peer{$what}->port)->request('GET', '/')->set_cookies;
    $cookie{$what} = ($line // 'sid=visitor') =~ s/;.*//sr;
}
my %least;
for my $round (0 .. $ROUNDS) {
    for my $what (sort keys %peer) {
        my $took = load($peer{$what}, $cookie{$what});
        next if $round == 0;    # to warm up
        $least{$what} = $took
            if !$least{$what} || $took->[0] < $least{$what}[0];
    }
}
say join "\t", qw(what cpu_us_per_request percent_in_kernel ratio_to_haproxy);
printf "%s\t%.1f\t%.0f\t%.2f\n", $_, $least{$_}[0],
    100 * $least{$_}[1] / $least{$_}[0], $least{$_}[0] / $least{haproxy}[0]
    for sort { $least{$a}[0] <=> $least{$b}[0] } keys %least;
