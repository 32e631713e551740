#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# LBStickyLimit inflight=auto: the limit of a member with few workers is found
# from its answers, its visitors wait less, and nobody is refused.
use lib 't/lib';
use LBS::Test timeout => 240;

use IO::Socket::INET;
use LBS::Governed;
use LBS::State qw(pool_state);

my @pids;
END { local $?; kill KILL => @pids; waitpid $_, 0 for @pids }

# A server of so many processes that each answer one request at a time, after
# some milliseconds. Others wait in the queue of its socket. Returns its address.
sub member ($workers, $ms) {
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 256)
        or die "listen: $!";
    for (1 .. $workers) {
        my $pid = fork // die "fork: $!";
        if ($pid == 0) {
            while (1) {
                my $c = $listen->accept or next;
                my $head = '';
                while ($head !~ /\r\n\r\n/) { last if !sysread $c, $head, 4096, length $head }
                sleep $ms / 1000;
                syswrite $c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
                close $c;
            }
        }
        push @pids, $pid;
    }
    return sprintf '127.0.0.1:%d', $listen->sockport;
}

sub limits ($h) { return map { $_->{limit} } @{pool_state($h, 'app')->{members}} }

# A visitor of r1 that asks again and again until the file is there: answers
# that are not 200, and how long the last ones took.
sub visit ($h, $stop, $most) {
    my (@wrong, @took);
    my $end = time + $most;
    while (!-e $stop && time < $end) {
        my $r = $h->get('/app/', headers => cookie_of(R => 'x.r1'));
        push @wrong, $r->status . ' ' . verdict($r) if $r->status != 200;
        push @took, $r->elapsed;
        shift @took if @took > 20;
    }
    return [\@wrong, percentile(50, @took)];
}

my ($small, $large) = (member(2, 30), member(30, 30));
my $members = qq(BalancerMember "http://$small" route=r1\n)
    . qq(BalancerMember "http://$large" route=r2);

sub start ($limit) {
    return governed([], app => "LBSticky route=R\nLBStickyEject off\n$limit\n$members",
                    children => 2, threads => 32);
}

# What twelve of them get.
sub crowd ($h, $stop, $most, @more) {
    return in_parallel(12 + @more, sub ($i) { $i < 12 ? visit($h, $stop, $most) : $more[0]->() });
}

my $off = start('LBStickyLimit off');
my @off = crowd($off, $off->root . '/stop', 4);
$off->stop;
my $wait = percentile(50, map { $_->[1] } @off);
is join(', ', map { @{$_->[0]} } @off), '', sprintf 'without a limit: %.0f ms', 1000 * $wait;

subtest 'a limit is found for the member with two workers' => sub {
    my $h = start('LBStickyLimit inflight=auto');
    is join(' ', limits($h)), '0 0', 'at first there is none';
    my $stop = $h->root . '/warm';
    my @r = (in_parallel(1, sub ($i) { visit($h, $stop, 4) }));
    is join(' ', limits($h)), '0 0', 'one visitor needs none';
    is scalar @{$r[0][0]}, 0, 'and is served';

    $stop = $h->root . '/found';
    @r = crowd($h, $stop, 90, sub () {
        my ($near, @seen) = (0);
        for (1 .. 400) {
            sleep 0.2;
            my ($limit) = limits($h);
            push @seen, $limit if !@seen || $seen[-1] != $limit;
            $near = $limit >= 1 && $limit <= 6 ? $near + 1 : 0;
            last if $near == 15;
        }
        open my $touch, '>', $stop or die;
        return [$near, "@seen"];
    });
    my $found = pop @r;
    is $found->[0], 15, "the limit is near two: $found->[1]";
    is join(', ', map { @{$_->[0]} } @r), '', 'nobody is refused';
    my $after = percentile(50, map { $_->[1] } @r);
    cmp_ok $after, '<', 0.75 * $wait,
        sprintf 'and visitors wait less: %.0f ms', 1000 * $after;
    my $pool = pool_state($h, 'app');
    cmp_ok $pool->{decisions}{moved}{full}, '>', 0, 'they are served elsewhere';
    is $pool->{decisions}{refused}{full}, 0, 'none is refused';
    like $h->get('/lb-status/metrics')->body, qr/^lbsticky_member_limit\{[^}]*member="r1"\} [1-9]/m,
        'the metrics show the limit';
    $h->stop;
};

subtest 'a request that finds no room is sent all the same' => sub {
    my %pool = (
        alone => qq(BalancerMember "http://$small" route=r1),
        stay => "LBStickyFailover off\n$members",
        once => "ProxySet maxattempts=0\n$members",
    );
    my $auto = "LBSticky route=R\nLBStickyEject off\nLBStickyLimit inflight=auto";
    my $h = governed([], children => 2, threads => 32,
                     map { $_ => "$auto\n$pool{$_}" } keys %pool);
    my @names = sort keys %pool;
    my @r = in_parallel(24, sub ($i) {
        my ($end, @wrong) = (time + 8);
        my $uri = "/$names[$i % 3]/";
        while (time < $end) {
            my $r = $h->get($uri, $i % 2 ? (headers => cookie_of(R => 'x.r1')) : ());
            push @wrong, "$uri " . $r->status . ' ' . verdict($r) if $r->status != 200;
        }
        return \@wrong;
    });
    is join(', ', map { ref eq 'ARRAY' ? @$_ : %$_ } @r), '', 'nobody is refused';
};

done_testing;
