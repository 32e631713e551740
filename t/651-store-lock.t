#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The lock of a store that only one process may use at a time: held by a
# process that hangs, by one that dies, and not there any more. No request
# waits for it longer than timeout=.
use lib 't/lib';
use LBS::Test;
use LBS::Governed;
use List::Util qw(max sum);

my $SEM_UNDO = 0x1000;
my $IPC_RMID = 0;
my @web = LBS::Backend->many(2);

sub semaphores () {
    my (undef, @lines) = split /\n/, LBS::Proc::slurp('/proc/sysvipc/sem');
    return map { (split)[1] } @lines;
}

# An httpd whose lock is a semaphore, and that semaphore.
sub start () {
    my $h = LBS::Httpd->new(backends => \@web, modules => ['socache_shmcb'],
        children => 2, conf => governed_text(\@web,
            app => 'LBSticky header=X-Key', server => <<'CONF'));
LBStickyMethod round-robin
LBStickyStore  shmcb:@ROOT@/run/store(512000) timeout=200ms
Mutex sysvsem lbsticky-store
@STATUS@
CONF
    my %before = map { $_ => 1 } semaphores();
    $h->announce(qr/LBS2502/);
    $h->start;
    my @new = grep { !$before{$_} } semaphores();
    is @new, 1, 'the store has one lock' or die "semaphores: @new\n";
    return ($h, $new[0]);
}

sub visit ($h, $key) { return $h->get('/app/', headers => [['X-Key', $key]]) }
sub told ($h, $event) {
    return scalar grep { $_->{event} eq $event } @{$h->json->{events}};
}

# A process that takes the lock as this module's children do, and sleeps.
sub hold ($lock) {
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        $SIG{$_} = 'DEFAULT' for qw(TERM INT HUP);
        alarm 60;
        semop $lock, pack 's!3', 0, -1, $SEM_UNDO or POSIX::_exit(1);
        sleep 60;
        POSIX::_exit(0);
    }
    wait_for(sub { (semctl $lock, 0, 12, 0) == 0 }) or die "not held\n";
    return $pid;
}

# Visitors of whom some are known: all are answered, and how long it took.
sub all_served ($h, $name, $home) {
    my @r = map { visit($h, "$name$_") } 1 .. 12;
    my @kept = map { visit($h, $_) } sort keys %$home;
    is scalar(grep { $_->status == 200 } @r, @kept), 12 + @kept,
        "$name: requests go on";
    is join(' ', map { $_->member } @kept),
        join(' ', map { $home->{$_} } sort keys %$home),
        'known sessions stay where they are';
    my @took = map { $_->elapsed } @r, @kept;
    cmp_ok max(@took), '<', 1.2, 'nobody waits much longer than timeout=';
    cmp_ok sum(@took), '<', 4, 'and soon nobody waits at all';
    ok wait_for(sub { told($h, 'store-down') }), 'the event store-down';
    is scalar($h->error_log(qr/LBS2502/)), 1, 'one warning';
    return;
}

subtest 'held by a process that hangs, then dies' => sub {
    my ($h, $lock) = start();
    my %home = map { $_ => visit($h, $_)->member } map { "before$_" } 1 .. 6;
    is told($h, 'store-down'), 0, 'the store is used';
    my $pid = hold($lock);
    all_served($h, 'held', \%home);
    kill KILL => $pid;
    waitpid $pid, 0;
    my $n = 0;
    ok wait_for(sub { visit($h, 'after' . $n++); told($h, 'store-up') }, 15),
        'its death ends it: store-up';
    $h->stop;
    $h->no_unexpected_log;
};

subtest 'held while httpd is reloaded and stopped' => sub {
    my ($h, $lock) = start();
    my %home = map { $_ => visit($h, $_)->member } map { "before$_" } 1 .. 6;
    my $pid = hold($lock);
    all_served($h, 'held', \%home);
    $h->graceful;
    is scalar(grep { visit($h, $_)->member ne $home{$_} } keys %home), 0,
        'after a reload everybody is known';
    my $from = time;
    $h->stop;
    cmp_ok time - $from, '<', 5, 'a stop does not wait for it';
    is scalar($h->error_log(qr/AH00046/)), 0, 'nobody is ended by force';
    kill KILL => $pid;
    waitpid $pid, 0;
    $h->no_unexpected_log(qr/AH00045/);
};

subtest 'httpd is stopped while calls wait for it' => sub {
    my ($h, $lock) = start();
    my %home = map { $_ => visit($h, $_)->member } map { "before$_" } 1 .. 6;
    my $pid = hold($lock);
    my @c = map { my $c = $h->connect;
        $c->send_request('GET', '/app/', headers => [['X-Key', "new$_"]]); $c } 1 .. 6;
    sleep 0.1;
    my $from = time;
    $h->stop;
    cmp_ok time - $from, '<', 5, sprintf 'a stop, %.1f s', time - $from;
    is scalar($h->error_log(qr/AH00046/)), 0, 'nobody is ended by force';
    kill KILL => $pid;
    waitpid $pid, 0;
    $h->no_unexpected_log;
};

subtest 'a lock that cannot be taken at all' => sub {
    my ($h, $lock) = start();
    my %home = map { $_ => visit($h, $_)->member } map { "before$_" } 1 .. 6;
    semctl $lock, 0, $IPC_RMID, 0 or die "semctl: $!";
    all_served($h, 'gone', \%home);
    is told($h, 'store-up'), 0, 'that is no answer of the store';
    $h->stop;
    $h->no_unexpected_log;
};

done_testing;
