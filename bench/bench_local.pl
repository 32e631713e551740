#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# See bench_local.sh.
use v5.36;
use List::Util qw(sum0);
use LBS::Httpd;
use LBS::Proc qw(slurp);

use constant {REQUESTS => 2_000, CLIENTS => 8, ROUNDS => 40, COUNTED => 500};

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

my $self = httpd("LBStickyLocal self\n$POOL");
my $plain = httpd('', without => ['lbsticky']);

# What the answer to a new visitor carries, from who knows nothing of visitors.
my $new = $self->post('/page.html');
my $fields = httpd(join("\n", map {
    sprintf 'Header set %s "%s"', $_, $new->header($_)
} 'Set-Cookie', 'Cache-Control'), without => ['lbsticky']);

# Every request has a cookie of the same length, whoever is asked; known is
# only the visitor whom $self has given it.
my ($known) = $new->header('Set-Cookie') =~ /^([^;]*)/;
my $unknown = 'a=' . 'b' x (length($known) - 2);
my @what = (
    ['plain httpd', $unknown, $plain],
    ['plain httpd, with the fields of an answer to a new visitor', $unknown, $fields],
    ['LBStickyLocal files', $unknown,
     httpd("LBStickyLocal files\n$POOL", member => $plain->port)],
    ['LBStickyLocal self', $known, $self],
    ['LBStickyLocal self, a new visitor', $unknown, $self],
    ['a hop', $unknown, httpd($POOL, member => $plain->port), $plain],
);

# Nanoseconds that the threads of httpds have run.
sub ran (@h) {
    return sum0 map { (split ' ', slurp($_))[0] }
        map { glob "/proc/$_/task/*/schedstat" } map { $_->pids } @h;
}

sub median (@n) { return (sort { $a <=> $b } @n)[@n / 2] }

my (%us, %ratio);
for my $round (0 .. ROUNDS) {
    for (@what) {
        my ($what, $cookie, @h) = @$_;
        my $before = ran(@h);
        my $said = qx(h2load --h1 -n ${\REQUESTS} -c ${\CLIENTS} -H 'Cookie: $cookie' http://127.0.0.1:${\$h[0]->port}/page.html 2>&1);
        die "$what: $said" if $said !~ /${\REQUESTS} succeeded/;
        next if $round == 0;    # to warm up
        push @{$us{$what}}, (ran(@h) - $before) / REQUESTS / 1000;
        push @{$ratio{$what}}, $us{$what}[-1] / $us{'plain httpd'}[-1];
    }
}

# Instructions of the process per request, of one that valgrind runs: they are
# the same each time. Counted from when a connection is taken to its end.
sub instructions ($h, $cookie) {
    my $said = $h->root . '/logs/callgrind';
    # It is no parent of root's: the state file is not its to write, nor can it
    # take its pid file away.
    $h->announce(qr/LBS1702|AH00098/);
    $h->stop if $h->running;
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
    return slurp($said) =~ /Collected : (\d+)/ ? $1 / COUNTED : undef;
}

my $valgrind = grep { -x "$_/valgrind" } split /:/, $ENV{PATH};
say join "\t", 'what', 'us of processor per request', 'ratio',
    'instructions per request', 'ratio';
my $base;
for (@what) {
    my ($what, $cookie, @h) = @$_;
    # What a hop costs is in two httpds and the kernel between them.
    my $n = $valgrind && @h == 1 ? instructions($h[0], $cookie) : undef;
    $base //= $n;
    say join "\t", $what, sprintf('%.1f', median(@{$us{$what}})),
        sprintf('%.2f', median(@{$ratio{$what}})),
        defined $n ? (sprintf('%.0f', $n), sprintf('%.2f', $n / $base)) : ('-', '-');
}
