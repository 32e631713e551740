#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# CPU time of httpd per forwarded request, beside stock mod_proxy_balancer in
# the same run: both httpds answer the same keep-alive load in turns, so that
# the noise of the machine meets both. TSV: what, members, microseconds of CPU
# per request (the least of the rounds), ratio to stock.
# BENCH_ROUNDS=5, BENCH_REQUESTS=4000: so many rounds of so many requests.
use v5.36;
use lib 't/lib';
use List::Util qw(min);
use LBS::Httpd;
use LBS::Backend;

my $ROUNDS = $ENV{BENCH_ROUNDS} // 5;
my $REQUESTS = $ENV{BENCH_REQUESTS} // 4000;

sub config ($members, $lbsticky) {
    my $text = $lbsticky ? "LBSticky cookie\n" : '';
    my $sticky = $lbsticky ? '' : ' stickysession=ROUTEID';
    $text .= qq(<Proxy "balancer://app"$sticky>\n);
    # All members are the same two servers, told apart by their paths; none of
    # these begins with another, or mod_proxy would take both for one member.
    $text .= sprintf qq(BalancerMember "http://\@B%d\@/m%04d" route=r%d\n),
        $_ % 2 + 1, $_, $_ for 1 .. $members;
    return $text . qq(</Proxy>\nProxyPass "/" "balancer://app/"\n);
}

sub load ($h, $cookie) {
    my $before = $h->cpu;
    my $pid = open my $out, '-|', 'h2load', '--h1', '-n', $REQUESTS, '-c', 4,
        '-t', 1, '-H', "Cookie: $cookie", sprintf 'http://127.0.0.1:%d/x', $h->port;
    my $text = join '', <$out>;
    close $out;
    my ($good) = $text =~ /(\d+) succeeded/ or die "h2load said: $text";
    die "$good of $REQUESTS answered\n" if $good != $REQUESTS;
    return ($h->cpu - $before) / $REQUESTS * 1e6;
}

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
    # Noise only adds.
    my %m = map { $_ => min @{$us{$_}} } keys %us;
    printf "%s\t%d\t%.1f\t%.2f\n", $_, $members, $m{$_}, $m{$_} / $m{stock}
        for qw(stock lbsticky);
    $_->stop for values %h;
}
