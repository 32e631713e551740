#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Instructions of httpd per forwarded request: a plain ProxyPass (the floor),
# stock mod_proxy_balancer as httpd's manual sets it up, and this module, one
# after the other under callgrind. Counted is what the threads that serve
# connections do; the tick, which goes by time and not by requests, is not.
# Two runs of different length, their difference divided by that of their
# requests: starting and loading cancel out. TSV: httpd, visitor, members,
# instructions per request, ratio to stock's with a visitor of that kind.
#
#   BENCH_MEMBERS='4 1000' BENCH_MPM=worker bench/bench_instructions.pl
#   BENCH_ONLY='lbsticky-known'   only these rows
#   BENCH_KEEP=/tmp/x             keeps callgrind's files there
use v5.36;
use lib 't/lib';
use POSIX ();
use Time::HiRes qw(sleep);
use LBS::Httpd;
use LBS::Backend;

my @MEMBERS = split ' ', $ENV{BENCH_MEMBERS} // '4 100 1000 4000';
my $MPM = $ENV{BENCH_MPM} // 'event';
my ($SHORT, $LONG) = (300, 1500);
my @backends = LBS::Backend->many(2);
my @only = split ' ', $ENV{BENCH_ONLY} // '';

# Each row: the httpd, its visitor, and what the pool's lines are beside it.
my $STOCK = <<'CONF';
Header add Set-Cookie "ROUTEID=.%{BALANCER_WORKER_ROUTE}e; path=/" env=BALANCER_ROUTE_CHANGED
CONF
my @ROWS = (
    ['floor', 'any', ''],
    ['stock', 'known', $STOCK], ['stock', 'new', $STOCK], ['stock', 'keyless', ''],
    ['lbsticky', 'known', "LBSticky cookie\n"],
    ['lbsticky', 'new', "LBSticky cookie\n"],
    ['lbsticky', 'keyless', "LBSticky none\n"],
);

sub config ($members, $httpd, $line) {
    my $head = "MinSpareThreads 1\n$line";
    return qq(${head}ProxyPass "/" "http://\@B1\@/m0001/"\n) if $httpd eq 'floor';
    my $sticky = $line =~ /ROUTEID/ ? ' stickysession=ROUTEID' : '';
    $head .= "LBStickySecret file:\@ROOT\@/secret\n" if $httpd ne 'stock';
    return qq($head<Proxy "balancer://app"$sticky>\n)
        . join('', map { sprintf qq(BalancerMember "http://\@B%d\@/m%04d" route=r%d\n),
            $_ % 2 + 1, $_, $_ } 1 .. $members)
        . qq(</Proxy>\nProxyPass "/" "balancer://app/"\n);
}

sub ask ($h, $count, $cookie) {
    my @cookie = defined $cookie ? ('-H', "Cookie: $cookie") : ();
    my $command = join ' ', map { "'$_'" } 'h2load', '--h1', '-n', $count,
        '-c', 2, '-t', 1, @cookie, sprintf 'http://127.0.0.1:%d/x', $h->port;
    my $text = qx($command 2>&1);
    my ($good) = $text =~ /(\d+) succeeded/ or die "h2load said: $text";
    die "$good of $count answered\n" if $good != $count;
}

# callgrind writes at the end, when httpd is its own user long since.
sub start ($h, $file) {
    my @as = $> == 0 ? ('setpriv', '--reuid=www-data', '--regid=www-data',
        '--clear-groups') : ();
    system 'chown', '-R', 'www-data', $h->root if @as;
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        POSIX::setsid();
        open STDERR, '>', $h->root . '/logs/valgrind';
        open STDOUT, '>&', \*STDERR;
        exec @as, 'valgrind', '--tool=callgrind', "--callgrind-out-file=$file",
            '--toggle-collect=ap_run_process_connection', $h->command('-X')
            or POSIX::_exit(127);
    }
    for (1 .. 2400) {
        return $pid if defined eval { $h->get('/first') };
        sleep 0.05;
    }
    die "httpd does not answer under valgrind\n";
}

# One run: instructions of the serving threads.
sub count ($h, $requests, $cookie, $file) {
    unlink $file;
    my $pid = start($h, $file);
    ask($h, $requests, $cookie);
    kill TERM => $pid;
    waitpid $pid, 0;
    open my $in, '<', $file or die "$file: $!";
    while (my $line = <$in>) {
        return $1 if $line =~ m{^(?:summary|totals): (\d+)};
    }
    die "no sum in $file\n";
}

# What a known visitor shows.
sub cookie_for ($h, $httpd, $visitor, $members) {
    return undef if $visitor ne 'known';
    return "ROUTEID=.r$members" if $httpd eq 'stock';
    $h->start;
    my ($cookie) = map { s/;.*//r } $h->get('/')->set_cookies;
    $h->stop;
    return $cookie;
}

sub measure ($members, $httpd, $visitor, $line) {
    my $h = LBS::Httpd->new(backends => \@backends, children => 1, mpm => $MPM);
    $h->announce(qr/./);
    $h->write(secret => "a secret that every run shares\n");
    $h->conf(config($members, $httpd, $line));
    my $cookie = cookie_for($h, $httpd, $visitor, $members);
    my $dir = $ENV{BENCH_KEEP} // $h->root;
    my @sum = map { count($h, $_, $cookie, "$dir/$httpd-$visitor-$members.$_") }
        $SHORT, $LONG;
    return ($sum[1] - $sum[0]) / ($LONG - $SHORT);
}

say join "\t", qw(httpd visitor members instructions ratio_to_stock);
for my $members (@MEMBERS) {
    my %stock;
    for my $row (@ROWS) {
        my ($httpd, $visitor, $line) = @$row;
        next if @only && !grep { $_ eq "$httpd-$visitor" } @only;
        my $each = measure($members, $httpd, $visitor, $line);
        $stock{$visitor} = $each if $httpd eq 'stock';
        printf "%s\t%s\t%d\t%.0f\t%s\n", $httpd, $visitor, $members, $each,
            $stock{$visitor} ? sprintf '%.3f', $each / $stock{$visitor} : '-';
        STDOUT->flush;
    }
}
