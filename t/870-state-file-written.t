#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# How the state file is written: what has changed behind an image, beside a
# reload that does not wait for the disk, by the parent alone.
use lib 't/lib';
use LBS::Test timeout => 240;
use LBS::Governed;
use LBS::State qw(:DEFAULT visit);

my @web = LBS::Backend->many(3);
my $SERVER = "LBStickyAdmin on\n";
my $SLOW = ($ENV{LBS_BUILD} // 'build') . '/t/preload/slow.so';

sub httpd (%o) {
    my $h = LBS::Httpd->new(backends => \@web, children => 2, threads => 16,
        conf => governed_text(\@web, app => 'LBSticky session=sid',
                              server => $SERVER . ($o{server} // '')),
        env => {LD_PRELOAD => $SLOW, LBS_SLOW => ''});
    $h->{env}{LBS_SLOW} = $h->root . '/slow';
    return $h;
}

sub slow ($h, $ms) {
    return $ms ? $h->write('slow', $ms) : unlink $h->root . '/slow';
}

sub file ($h) { return $h->root . '/run/lbsticky.state' }

sub inode_and_size ($h) { return (stat file($h))[1, 7] }

# Wait until it was written again, and return 1.
sub written ($h, $since = time) {
    return wait_for(sub { ((Time::HiRes::stat(file($h)))[9] // 0) > $since }, 12);
}

# The longest that a visitor waits who comes during a reload.
sub reload_takes ($h) {
    my $end = $$ . time;
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        sleep 0.1;
        kill USR1 => $h->pid;
        POSIX::_exit(0);
    }
    my ($longest, $until) = (0, time + 2.5);
    my $ready = $h->count_ready;
    while (time < $until || $h->count_ready == $ready) {
        my $begun = time;
        my $r = visit($h, 1);
        my $took = time - $begun;
        $longest = $took if $took > $longest;
        last if time > $until + 15;
        sleep 0.01;
    }
    waitpid $pid, 0;
    return $longest;
}

subtest 'a reload does not wait for the disk' => sub {
    my $h = httpd();
    $h->start;
    my %home = map { $_ => visit($h, $_)->member } 1 .. 20;
    my $quick = reload_takes($h);
    slow($h, 3000);
    visit($h, 99);
    my @slow = map { reload_takes($h) } 1 .. 2;
    note sprintf 'with a quick disk %.3f s, with a slow one %.3f and %.3f s',
        $quick, @slow;
    cmp_ok $_, '<', $quick + 1, 'flushes of 3 s delay no visitor' for @slow;
    is_deeply [grep { visit($h, $_)->member ne $home{$_} } keys %home], [],
        'nobody moved';
    slow($h, 0);
    ok written($h), 'and the file is written when the disk is quick again';
    $h->kill_all;
    $h->announce(qr/AH00098/);
    $h->start;
    is_deeply [grep { visit($h, $_)->member ne $home{$_} } keys %home], [],
        'the sessions are in it';
    $h->stop;
    $h->no_unexpected_log;
};

subtest 'a stop waits for the disk, but not for ever' => sub {
    my $h = httpd();
    $h->start;
    my %home = map { $_ => visit($h, $_)->member } 1 .. 20;
    slow($h, 1500);
    $h->stop;
    slow($h, 0);
    $h->start;
    is_deeply [grep { visit($h, $_)->member ne $home{$_} } keys %home], [],
        'flushes of 1.5 s: all is in the file';
    visit($h, $_) for 100 .. 120;
    my $home = visit($h, 110)->member;
    slow($h, 60_000);
    my $begun = time;
    $h->announce(qr/LBS1706/);
    $h->stop;
    cmp_ok time - $begun, '<', 16, 'flushes of a minute: it stops';
    is scalar($h->error_log(qr/LBS1706/)), 1, 'says so';
    slow($h, 0);
    $h->start;
    is visit($h, 110)->member, $home, 'and the file is read';
    $h->stop;
    ok !-e file($h) . '.new', 'no other file is left';
    $h->no_unexpected_log;
};

subtest 'changed words are written, not the whole table' => sub {
    my $h = httpd(server => "LBStickyTable sessions=200000\n");
    $h->start;
    visit($h, $_) for 1 .. 200;
    ok written($h), 'changes are written';
    my ($inode, $size) = inode_and_size($h);
    visit($h, $_) for 201 .. 260;
    ok written($h), 'and once more';
    my ($same, $more) = inode_and_size($h);
    is $same, $inode, 'into the same file';
    cmp_ok $more - $size, '>', 60 * 8, 'sixty sessions';
    cmp_ok $more - $size, '<', 6000, 'in few bytes: ' . ($more - $size);
    is sprintf('%04o', (stat file($h))[2] & 07777), '0600', 'for nobody else';
    unlink file($h);
    visit($h, 300);
    ok wait_for(sub { -s file($h) }, 12), 'a file that was removed is made anew';
    my %home = map { $_ => visit($h, $_)->member } 1 .. 260;
    ok written($h), 'written';
    $h->announce(qr/AH00098/);
    $h->kill_all;
    $h->start;
    is_deeply [grep { visit($h, $_)->member ne $home{$_} } keys %home], [],
        'all 260 sessions survive a crash';
    sound($h);
    $h->stop;
    $h->no_unexpected_log;
};

subtest 'a crash in mid-writing' => sub {
    my $h = httpd();
    $h->start;
    my %home = map { $_ => visit($h, $_)->member } 1 .. 20;
    ok written($h), 'twenty sessions are written';
    my $size;
    visit($h, $_) for 21 .. 40;
    ok written($h), 'and twenty more';
    $h->announce(qr/AH00098/);
    $h->kill_all;
    (undef, $size) = inode_and_size($h);
    truncate file($h), $size - 1 or die "truncate: $!";
    $h->start;
    is scalar($h->error_log(qr/LBS1700.*while it wrote the last of it/)), 1,
        'a byte short: the log says that something was left out';
    is_deeply [grep { visit($h, $_)->member ne $home{$_} } 1 .. 20], [],
        'sessions stay';
    is scalar($h->error_log(qr/LBS1701/)), 0, 'nothing is refused';
    $h->kill_all;
    open my $f, '>>', file($h) or die $!;
    print $f 'more' . "\0" x 100;
    close $f;
    $h->start;
    is_deeply [grep { visit($h, $_)->member ne $home{$_} } 1 .. 20], [],
        'something that is no change at the end';
    $h->stop;
    $h->no_unexpected_log;
};

subtest 'a reload that httpd refuses loses nothing' => sub {
    my $h = httpd();
    $h->start;
    my %home = map { $_ => visit($h, $_)->member } 1 .. 50;
    my $good = LBS::Proc::slurp($h->root . '/conf/httpd.conf');
    $h->write('conf/httpd.conf', "$good\nNoSuchDirective on\n");
    kill USR1 => $h->pid;
    ok wait_for(sub { !$h->running }, 10), 'httpd ends';
    $h->kill_all;
    $h->write('conf/httpd.conf', $good);
    $h->announce(qr/AH00526|AH00098/);
    $h->start;
    is_deeply [grep { visit($h, $_)->member ne $home{$_} } keys %home], [],
        'sessions of the second before are there';
    $h->stop;
    $h->no_unexpected_log;
};

# Every process but the parent, and what it has open of the file.
sub open_in_children ($h) {
    return map {
        my $pid = $_;
        map { "$pid: $_" } grep { /lbsticky\.state/ }
            map { readlink($_) // '' } glob "/proc/$pid/fd/*"
    } $h->children;
}

subtest 'no child has the file open' => sub {
    plan skip_all => 'only root sees what others have open' if $> != 0;
    my $h = httpd(server => "MaxConnectionsPerChild 3\n");
    $h->announce(qr/AH03490/); # children that end have a place for a while
    $h->start;
    visit($h, 1);
    slow($h, 700);
    my (@open, %seen);
    for my $n (1 .. 60) {
        $h->graceful if $n == 25;
        $h->get('/app/', headers => [['Cookie', "sid=$n"], ['Connection', 'close']]);
        $seen{$_} = 1 for $h->children;
        push @open, open_in_children($h);
        sleep 0.05;
    }
    cmp_ok scalar keys %seen, '>', 8, 'children were born while it was written: '
        . keys %seen;
    is_deeply \@open, [], 'and none of them can write it';
    slow($h, 0);
    $h->stop;
    $h->no_unexpected_log;
};

done_testing;
