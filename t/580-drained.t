#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The event `drained`: as soon as nobody is left, once for each drain.
use lib 't/lib';
use LBS::Test;
use LBS::Governed;
use LBS::State qw(:DEFAULT visit);

my @web = LBS::Backend->many(2);

sub start (%o) {
    return governed(\@web, %o, server => "LBStickyAdmin on\n"
        . "LBStickyMethod round-robin\nLBStickySlowStart off\n" . ($o{server} // ''));
}

sub drained ($h) { return scalar events($h, 'drained') }
sub reason ($h) {
    my ($last) = sort { $b->{at} <=> $a->{at} }
        grep { $_->{event} eq 'drained' } @{$h->json->{events}};
    return $last->{reason};
}

# The numbers of those among the first `n` visitors who are with r1.
sub at_home ($h, $n) {
    return grep { visit($h, $_)->member eq $web[0]->name } 1 .. $n;
}

# A request that takes a second, of a visitor of r1, once it is in flight.
sub send_off ($h, $visitor, $seconds = 1) {
    my $c = $h->connect;
    $c->send_request('GET', "/app/?delay=$seconds",
                     headers => [['Cookie', "sid=s$visitor"]]);
    ok wait_for(sub { member_state($h, 'app', 'r1')->{inflight} == 1 }, 3),
        'a request is in flight';
    return $c;
}

subtest 'the last session and the last request' => sub {
    my $h = start(app => 'LBSticky session=sid');
    my @there = at_home($h, 8);
    is @there, 4, 'half of them';
    admin($h, app => 'r1', 'drain');
    admin($h, app => 'r1', 'forget', key => "session=sid:s$_") for @there[1 .. 3];
    sleep 0.5;
    is drained($h), 0, 'one session is left: nothing is told';
    my $slow = send_off($h, $there[0]);
    my $m = admin($h, app => 'r1', 'forget', key => "session=sid:s$there[0]");
    is "$m->{drain}{sessions_left} $m->{inflight}", '0 1', 'then a request';
    sleep 0.4;
    is drained($h), 0, 'nothing is told yet';
    is $slow->response->status, 200, 'it is answered';
    # What was answered is remembered, as it ever is.
    is member_state($h, 'app', 'r1')->{drain}{sessions_left}, 1,
        'and is a session again';
    admin($h, app => 'r1', 'forget', key => "session=sid:s$there[0]");
    my $ended = time;
    ok wait_for(sub { drained($h) == 1 }, 3), 'nobody: an event';
    cmp_ok time - $ended, '<', 0.7, 'within a moment';
    is reason($h), 'no known session and no request is left', 'says why';
    is_deeply [events($h, 'drained')], ['r1'], 'and of whom';
    is member_state($h, 'app', 'r1')->{state}, 'drain', 'it still drains';
    $h->graceful;
    sleep 0.5;
    is drained($h), 1, 'a reload does not tell it again';
    $h->stop;
    $h->start;
    sleep 0.5;
    is member_state($h, 'app', 'r1')->{state}, 'drain', 'a stop and a start';
    is drained($h), 0, 'nor does that';
    admin($h, app => 'r1', 'drain');
    ok wait_for(sub { drained($h) == 1 }, 3), 'another drain does';
    admin($h, app => 'r1', 'enable');
    sleep 0.3;
    is drained($h), 1, 'enabled: nothing more';
    $h->no_unexpected_log;
};

subtest 'after the deadline requests count, sessions do not' => sub {
    my $h = start(app => 'LBSticky session=sid');
    my @there = at_home($h, 4);
    my $slow = send_off($h, $there[0], 2);
    admin($h, app => 'r1', 'drain', deadline => '500ms');
    ok wait_for(sub { verdict(visit($h, $there[1])) eq 'moved drained' }, 3),
        'the deadline is over';
    is drained($h), 0, 'but not the request';
    is $slow->response->status, 200, 'until it is answered';
    ok wait_for(sub { drained($h) == 1 }, 3), 'nobody is left';
    is reason($h), 'the deadline is over, and no request is left', 'says why';
    $h->no_unexpected_log;
};

subtest 'lbctl drain --wait waits for the same' => sub {
    my $h = start(app => 'LBSticky session=sid');
    my @there = at_home($h, 2);
    my $log = $h->root . '/lbctl.log';
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open STDOUT, '>', $log;
        open STDERR, '>&', \*STDOUT;
        exec 'bin/lbctl', '-u', 'http://127.0.0.1:' . $h->port . '/lb-status',
            qw(drain app r1 --wait --timeout 20s) or POSIX::_exit(126);
    }
    ok wait_for(sub { LBS::Httpd::slurp($log) =~ /1 session left/ }, 5), 'it waits';
    is waitpid($pid, POSIX::WNOHANG()) . ' ' . drained($h), '0 0', 'nobody is done';
    admin($h, app => 'r1', 'forget');
    is waitpid($pid, 0), $pid, 'it returns';
    is $?, 0, 'with success';
    ok wait_for(sub { drained($h) == 1 }, 0.5), 'and the event is there';
    $h->no_unexpected_log;
};

# Who is not in the table is not counted; the cookie still leads there.
subtest 'a visitor that only a cookie knows' => sub {
    my $h = start(app => "LBSticky cookie\nLBStickyCookie first=off",
                  server => 'LBStickyTable sessions=1');
    my %home;
    for (1 .. 40) {
        my $r = $h->get('/app/');
        push @{$home{$r->member}}, token_in($r, 'LBSTICKY_app');
    }
    admin($h, app => 'r1', 'drain');
    admin($h, app => 'r1', 'forget', cookie => $_)
        for grep { $h->json("/lb-status/explain?pool=app&cookie=$_")->{table}{found} }
            @{$home{$web[0]->name}};
    ok wait_for(sub { drained($h) == 1 }, 3), 'nobody that the table knows';
    my @kept = grep {
        verdict($h->get('/app/', headers => cookie_of(LBSTICKY_app => $_))) eq 'kept'
    } @{$home{$web[0]->name}};
    cmp_ok scalar @kept, '>', 0, 'others come, and are served';
    sleep 0.3;
    is drained($h), 1, 'it is not told again when they leave';
    $h->no_unexpected_log;
};

subtest 'pools whose sessions are not counted' => sub {
    my $h = start(app => 'LBSticky route=R', none => 'LBSticky none');
    for my $pool (qw(app none)) {
        $h->get("/$pool/");
        admin($h, $pool => 'r1', 'drain');
        my $told = $pool eq 'app' ? 1 : 2;
        ok wait_for(sub { drained($h) == $told }, 3), "$pool: no request is left";
    }
    $h->no_unexpected_log;
};

done_testing;
