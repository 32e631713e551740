#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# See bench_local.sh.
use v5.36;
use List::Util qw(sum0);
use LBS::Httpd;

use constant {REQUESTS => 10_000, CLIENTS => 8, ROUNDS => 5, COUNTED => 500};

my $POOL = <<'CONF';
LBStickySecret "file:@ROOT@/conf/secret"
LBSticky cookie
<Proxy "balancer://app">
    BalancerMember "http://127.0.0.1:@MEMBER@" route=m
</Proxy>
ProxyPass "/" "balancer://app/"
CONF

sub httpd ($conf, %o) {
    my $h = LBS::Httpd->new(%o);
    $h->write('conf/secret', "a secret for measuring\n", 0600);
    $h->write('htdocs/page.html', 'x' x 4096);
    my $member = $o{member} // $h->port;
    $conf =~ s/\@MEMBER\@/$member/g;
    # Lines in a log cost as much everywhere; they are not what is measured.
    $h->conf("$conf\nLogLevel warn\nMaxKeepAliveRequests 0\n");
    return $h->start;
}

my $plain = httpd('', without => ['lbsticky']);
my %set = (
    'plain httpd' => [$plain],
    'LBStickyLocal files' => [httpd("LBStickyLocal files\n$POOL",
                                   member => $plain->port)],
    'LBStickyLocal self' => [httpd("LBStickyLocal self\n$POOL")],
    'a hop' => [httpd($POOL, member => $plain->port), $plain],
);

# A visitor who was here before; where there is no cookie, one as long is sent.
my %cookie = map {
    my ($cookie) = $set{$_}[0]->post('/page.html')->set_cookies;
    $_ => ($cookie // 'a=' . 'b' x 59) =~ s/;.*//sr
} keys %set;

my %best;
for my $round (0 .. ROUNDS) {
    for my $what (sort keys %set) {
        my @h = @{$set{$what}};
        my $before = sum0 map { $_->cpu } @h;
        my $said = qx(h2load --h1 -n ${\REQUESTS} -c ${\CLIENTS} -H 'Cookie: $cookie{$what}' http://127.0.0.1:${\$h[0]->port}/page.html 2>&1);
        die "$what: $said" if $said !~ /${\REQUESTS} succeeded/;
        my $us = (sum0(map { $_->cpu } @h) - $before) / REQUESTS * 1e6;
        next if $round == 0;    # to warm up
        $best{$what} = $us if !$best{$what} || $us < $best{$what};
    }
}
# Instructions of the process per request, of one that valgrind runs: they are
# the same each time. Counted from when a connection is taken to its end.
sub instructions ($h, $cookie) {
    my $said = $h->root . '/logs/callgrind';
    # It is no parent of root's: the state file is not its to write.
    $h->announce(qr/LBS1702/);
    $h->stop;
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open STDERR, '>', $said;
        open STDOUT, '>&', \*STDERR;
        exec qw(valgrind --tool=callgrind --callgrind-out-file=/dev/null
                --toggle-collect=ap_run_process_connection),
            $h->command('-X') or POSIX::_exit(127);
    }
    my $end = time + 60;
    sleep 1 while !$h->answers && time < $end;
    my $c = $h->connect(timeout => 60);
    for (1 .. COUNTED) {
        my $r = $c->request('GET', '/page.html', headers => [['Cookie', $cookie]]);
        die 'under valgrind: ', $r->status if $r->status != 200;
    }
    $c->close;
    sleep 1;
    kill TERM => $pid;
    waitpid $pid, 0;
    return LBS::Proc::slurp($said) =~ /Collected : (\d+)/ ? $1 / COUNTED : undef;
}

my $valgrind = grep { -x "$_/valgrind" } split /:/, $ENV{PATH};
say join "\t", 'what', 'us of processor per request', 'ratio',
    'instructions per request', 'ratio';
my $base;
for my $what ('plain httpd', 'LBStickyLocal files', 'LBStickyLocal self', 'a hop') {
    # What a hop costs is in two httpds and the kernel between them.
    my $n = $valgrind && $what ne 'a hop'
        ? instructions($set{$what}[0], $cookie{$what}) : undef;
    $base //= $n;
    say join "\t", $what, sprintf('%.1f', $best{$what}),
        sprintf('%.2f', $best{$what} / $best{'plain httpd'}),
        defined $n ? (sprintf('%.0f', $n), sprintf('%.2f', $n / $base)) : ('-', '-');
}
