#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A stop and start, a crash of everything, a crash of the parent alone: what
# the state file carries over, and how old it may be.
# Not under tsan: idle times of three seconds, shorter than some starts there.
use lib 't/lib';
use LBS::Test timeout => 240;
use LBS::Crowd;
use LBS::Governed;
use LBS::State qw(:DEFAULT visit);

my @KINDS = qw(cookie session ip);
my @web = LBS::Backend->many(4);
my $SERVER = "LBStickyAdmin on\n";

sub saved_at ($h) { return (Time::HiRes::stat($h->root . '/run/lbsticky.state'))[9] // 0 }

# The figures that must outlive everything, by the members' ids.
sub figures ($h, $pool) {
    my $p = pool_state($h, $pool);
    return [$p->{requests}, $p->{decisions},
            {map { $_->{id} => [@$_{qw(route state weight requests sessions
                                       bytes_in override)}] } @{$p->{members}}}];
}

subtest 'a full stop and start' => sub {
    my $h = LBS::Httpd->new(backends => \@web, conf => crowd_conf([1 .. 4]));
    $h->start;
    my $crowd = LBS::Crowd->new($h, map { $_ => 1000 } @KINDS);
    unharmed($crowd->arrive, 'arriving');
    admin($h, 'session', 'r2', 'drain', idle => '1h');
    admin($h, 'session', 'r3', 'weight', weight => '2.5');
    quiet($h);
    my $before = {map { $_ => figures($h, $_) } @KINDS};
    my $started = $h->json->{started};
    $h->stop;
    is sprintf('%04o', (stat $h->root . '/run/lbsticky.state')[2] & 07777), '0600',
        'the file is for nobody else';
    ok !-e $h->root . '/run/lbsticky.state.new', 'no other is left beside it';
    $h->start;
    is_deeply {map { $_ => figures($h, $_) } @KINDS}, $before,
        'counters, sessions, changes: all as before';
    is $h->json->{generation}, 1, 'but it is a start';
    cmp_ok $h->json->{started}, '>=', $started, 'with its own time';
    unharmed($crowd->visit, '3000 visitors of three kinds');
    sound($h);
    is scalar($h->error_log(qr/LBS1700/)), 1, 'the log says what was read';
    # Another order, another size: the file is read by identity.
    $h->stop;
    $h->conf(crowd_conf([3, 1, 4, 2], server => 'LBStickyTable sessions=7000'));
    $h->start;
    unharmed($crowd->visit, 'a start with another order and table size');
    is member_state($h, 'session', 'r2')->{state}, 'drain', 'drained stays drained';
    is member_state($h, 'session', 'r3')->{weight}, 2.5, 'and so do weights';
    is $h->json->{table}{capacity}, 7000, 'the table has its new size';
    sound($h);
    $h->no_unexpected_log;
};

# A lonely visitor's answer takes long: nothing else happens meanwhile that
# would need a file. It ends while the next test runs.
my $still = governed(\@web, app => 'LBSticky session=sid', server => $SERVER);
my $slow = $still->connect(timeout => 60);
$slow->send_request('GET', '/app/?body_delay=22&size=10000',
                    headers => [['Cookie', 'sid=s1']]);

# Sessions come steadily; the youngest that was saved tells the file's age.
subtest 'kill -9 of the parent and every child' => sub {
    my $h = LBS::Httpd->new(backends => \@web, conf => crowd_conf([1 .. 4]));
    $h->announce(qr/AH00098/);
    $h->start;
    my $crowd = LBS::Crowd->new($h, map { $_ => 200 } @KINDS);
    unharmed($crowd->arrive, 'arriving');
    my ($wrote, $longest, @late) = (saved_at($h), 0);
    my $until = time + 24;
    while (time < $until) {
        my $one = LBS::Crowd->new($h, session => 1);
        $one->{all}[0]{n} = 1000 + @late;
        my $came = $one->arrive;
        push @late, [time, $one] if !$came->{failed} && !$came->{broken};
        my $now = saved_at($h);
        $longest = $now - $wrote if $now - $wrote > $longest;
        $wrote = $now;
        sleep 0.1;
    }
    cmp_ok $longest, '>', 0, 'the file is written while it runs';
    cmp_ok $longest, '<=', 10, sprintf 'every %.2f s at most', $longest;
    my $killed = time;
    $h->kill_all;
    $h->start;
    unharmed($crowd->visit, 'everybody older than the file');
    my @lost = grep { $_->[1]->visit->{moved} } @late;
    my $age = @lost ? $killed - (sort map { $_->[0] } @lost)[0] : 0;
    note sprintf 'file %.2f s old, oldest session that moved %.2f s',
        $killed - $wrote, $age;
    cmp_ok $age, '<=', 10, 'learned sessions: what is lost is not older than 10 s';
    sound($h);
    quiet($h);
    $h->no_unexpected_log;
};

subtest 'a request that is counted long after its begin' => sub {
    my $home = $slow->response->member;
    my $sent = sub {
        my ($m) = grep { $_->{requests} } @{pool_state($still, 'app')->{members}};
        return $m->{bytes_out};
    };
    my $ended = time;
    quiet($still);
    my $before = $sent->();
    # It is in a file within 10 s; one that was written meanwhile may have it.
    wait_for(sub { saved_at($still) > $ended + 0.5 || time > $ended + 10 });
    $still->announce(qr/AH00098/);
    $still->kill_all;
    $still->start;
    is $before, 10_000, 'the bytes of an answer';
    is $sent->(), $before, 'survive a crash';
    my $r = visit($still, 1);
    is_deeply [verdict($r), $r->member], ['kept', $home], 'and so does its session';
    $still->no_unexpected_log;
};

subtest 'cookies need no file' => sub {
    my $h = governed(\@web, app => 'LBSticky cookie', start => 0,
        server => $SERVER . "LBStickySecret file:\@ROOT\@/conf/secret\nLBStickyPersist off");
    $h->write('conf/secret', "a secret that is long enough\n", 0600);
    $h->announce(qr/AH00098/);
    $h->start;
    my %home;
    for my $n (1 .. 100) {
        my $jar = LBS::Jar->new;
        $home{$n} = [$jar, $h->get('/app/', jar => $jar)->member];
    }
    is $h->json->{table}{persist}, 'off', 'nothing is written';
    $h->kill_all;
    $h->start;
    is_deeply [grep { $h->get('/app/', jar => $home{$_}[0])->member ne $home{$_}[1] }
               keys %home], [], 'none of 100 moved, seconds after a crash';
    ok !-e $h->root . '/run/lbsticky.state', 'there was no file';
    $h->no_unexpected_log;
};

subtest 'kill -9 of the parent alone, and a start again' => sub {
    my $h = governed(\@web, app => 'LBSticky session=sid', server => $SERVER);
    $h->announce(qr/AH00098/);
    my %home = map { $_ => visit($h, $_)->member } 1 .. 50;
    my %old = map { $_ => 1 } $h->children;
    $h->graceful;    # writes the file
    ok wait_for(sub {
        my @children = $h->children;
        @children && !grep { $old{$_} } @children
    }), 'a new generation';
    my @orphans = $h->kill_parent;
    cmp_ok scalar @orphans, '>', 0, 'children are left';
    is_deeply [grep { visit($h, $_)->member ne $home{$_} } keys %home], [],
        'they go on serving, and no session moves';
    is pool_state($h, 'app')->{inflight}, 0, 'nothing in flight';
    kill KILL => @orphans;
    ok wait_for(sub { !grep { LBS::Proc::alive($_) } @orphans }, 5), 'now they are gone, too';
    $h->start;
    is_deeply [grep { visit($h, $_)->member ne $home{$_} } keys %home], [],
        'nobody moved after the start';
    is scalar @{pool_state($h, 'app')->{members}}, 4, 'each member once';
    sound($h);
    $h->no_unexpected_log;
};

# What httpd and its modules put into files, for others to find.
sub left_behind ($h) { return sort map { s{.*/}{}r } glob $h->root . '/run/*' }

subtest 'crashes leave nothing that piles up' => sub {
    my $h = governed(\@web, app => 'LBSticky session=sid', server => $SERVER);
    $h->announce(qr/AH00098/);
    my $home = visit($h, 1)->member;
    $h->graceful;    # writes the file
    my @left;
    for my $n (1 .. 4) {
        $h->kill_all;
        push @left, join ' ', left_behind($h);
        $h->start;
        is visit($h, 1)->member, $home, "start after crash $n: nobody moved";
    }
    is $left[3], $left[0], 'four crashes leave no more files than one';
    $h->stop;
    is_deeply [left_behind($h)], ['lbsticky.state'], 'after a stop the state file alone';
    $h->no_unexpected_log;
};

subtest 'expiry goes on while httpd is stopped' => sub {
    my $h = governed(\@web, server => $SERVER,
        app => "LBSticky session=sid\nLBStickyTimeout idle=3s");
    my %home = map { $_ => visit($h, $_)->member } 1 .. 20;
    $h->stop;
    sleep 1.2;
    $h->start;
    is_deeply [grep { verdict(visit($h, $_)) ne 'kept' } 1 .. 10], [],
        'within its idle time a session is known';
    $h->stop;
    sleep 2.2;
    $h->start;
    is_deeply [grep { verdict(visit($h, $_)) ne 'kept' } 1 .. 10], [],
        'and its time began anew with its last use';
    is_deeply [grep { verdict(visit($h, $_)) !~ /^new/ } 11 .. 20], [],
        'others are over';
    $h->no_unexpected_log;
};

done_testing;
