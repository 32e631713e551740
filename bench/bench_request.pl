#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# CPU time of httpd per forwarded request, beside stock mod_proxy_balancer in
# the same run: both httpds answer the same keep-alive load in turns, so that
# the noise of the machine meets both. TSV: what, members, microseconds of CPU
# per request (median of the rounds), ratio to stock.
use v5.36;
use lib 't/lib';
use LBS::Httpd;
use LBS::Backend;

my $ROUNDS = $ENV{BENCH_ROUNDS} // 5;
my $REQUESTS = $ENV{BENCH_REQUESTS} // 4000;

sub config ($members, $lbsticky) {
    my $text = $lbsticky ? "LBSticky cookie\n" : '';
    my $sticky = $lbsticky ? '' : ' stickysession=ROUTEID';
    $text .= qq(<Proxy "balancer://app"$sticky>\n);
    # All members are the same two servers, told apart by their paths.
    $text .= sprintf qq(BalancerMember "http://\@B%d\@/m%d" route=r%d\n),
        $_ % 2 + 1, $_, $_ for 1 .. $members;
    return $text . qq(</Proxy>\nProxyPass "/" "balancer://app/"\n);
}

# Seconds of CPU that a process and its children have used.
sub cpu ($h) {
    my $ticks = 0;
    for my $pid ($h->pids) {
        open my $in, '<', "/proc/$pid/stat" or next;
        my @f = split ' ', (<$in> =~ s/^.*\) //r);
        $ticks += $f[11] + $f[12];
    }
    return $ticks / 100;
}

sub load ($h, $cookie) {
    my $before = cpu($h);
    my $pid = open my $out, '-|', 'h2load', '--h1', '-n', $REQUESTS, '-c', 4,
        '-t', 1, '-H', "Cookie: $cookie", sprintf 'http://127.0.0.1:%d/x', $h->port;
    my $text = join '', <$out>;
    close $out;
    my ($good) = $text =~ /(\d+) succeeded/ or die "h2load said: $text";
    die "$good of $REQUESTS answered\n" if $good != $REQUESTS;
    return (cpu($h) - $before) / $REQUESTS * 1e6;
}

sub median (@n) { return (sort { $a <=> $b } @n)[@n / 2] }

my @backends = LBS::Backend->many(2);
say join "\t", qw(httpd members cpu_us_per_request ratio_to_stock);
for my $members (4, 1000) {
    my %h = map {
        $_ => LBS::Httpd->new(backends => \@backends, children => 2,
                              conf => config($members, $_ eq 'lbsticky'))
    } qw(stock lbsticky);
    my %us;
    for my $h (values %h) {
        $h->announce(qr/./);
        $h->start;
    }
    # The last member: what stock looks for longest.
    my %cookie = (stock => "ROUTEID=x.r$members");
    ($cookie{lbsticky}) = map { s/;.*//r } $h{lbsticky}->get('/')->set_cookies;
    for my $round (0 .. $ROUNDS) {
        for (sort keys %h) {
            my $us = load($h{$_}, $cookie{$_});
            push @{$us{$_}}, $us if $round;    # the first one warms up
        }
    }
    my %m = map { $_ => median(@{$us{$_}}) } keys %us;
    printf "%s\t%d\t%.1f\t%.2f\n", $_, $members, $m{$_}, $m{$_} / $m{stock}
        for qw(stock lbsticky);
    $_->stop for values %h;
}
