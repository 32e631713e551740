#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Children that die, in any way, at any moment: no torn entry, nobody waits for
# ever, and nothing stays in flight.
use lib 't/lib';
use LBS::Test timeout => 300;
use LBS::Crowd;
use LBS::Governed;
use LBS::State qw(:DEFAULT visit);

my %KILLS = (event => $ENV{LBS_KILLS} // 100, worker => 20, prefork => 20);
my @KINDS = qw(cookie session ip);
my @web = LBS::Backend->many(3);
my $SERVER = "LBStickyAdmin on\n";

# httpd's own words about children that end so fast.
my @BUSY = (qr/AH0028[78]|AH1039[23]|AH00484|AH0029|AH03490/);

# SIGKILL for so many children, one each 100 ms, whichever it hits. Returns
# how many that were.
sub kill_some ($h, $count) {
    my $killed = 0;
    my $end = time + $count * 0.5 + 10;
    while ($killed < $count && time < $end) {
        my @children = $h->children;
        $killed += kill KILL => $children[rand @children] if @children;
        sleep 0.1;
    }
    return $killed;
}

each_mpm {
    my ($mpm) = @_;
    srand(my $seed = $ENV{LBS_SEED} // time);
    note "LBS_SEED=$seed";
    # Many, that all want to be there: httpd starts few at a time.
    my $h = LBS::Httpd->new(backends => \@web, children => 40, threads => 4,
        conf => crowd_conf([1 .. 3], server => $mpm eq 'prefork'
            ? 'MinSpareServers 30' : 'MinSpareThreads 160'));
    $h->announce(qr/child pid \d+ exit signal Killed/, @BUSY);
    $h->start;
    my $crowd = LBS::Crowd->new($h, map { $_ => 100 } @KINDS);
    unharmed($crowd->arrive, 'arriving');

    my $walk = $crowd->walk(2);
    my $slow = $crowd->walk(12, query => 'delay=0.2');
    is kill_some($h, $KILLS{$mpm}), $KILLS{$mpm}, "children killed under load";
    my @seen = ($walk->stop, $slow->stop);
    for my $seen (@seen) {
        is_deeply [@$seen{qw(moved failed hung)}], [0, 0, 0],
            "of $seen->{visits} visits none moved, failed, hung"
            or diag join "\n", @{$seen->{notes}};
        note "lost with their child: $seen->{broken}, slowest: $seen->{slowest} s";
    }
    cmp_ok $seen[1]{broken} + $seen[1]{retried}, '>', 0,
        'some were hit in the middle of a request';
    quiet($h);
    my $found = sound($h);
    is $found->{inflight} // 0, 0, 'nor anything in shared memory';
    is $found->{condemned} // 0, 0, 'and no row of the dead is left';
    unharmed($crowd->visit, 'afterwards');
    admin($h, 'cookie', 'r1', 'drain', deadline => '1s');
    ok wait_for(sub { join(' ', events($h, 'drained')) eq 'r1' }, 5),
        'the child that ticks has a successor';
    $h->no_unexpected_log;
};

subtest 'a new child does not reset the shared memory' => sub {
    my $h = governed(\@web, app => 'LBSticky session=sid', server => $SERVER);
    my %home = map { $_ => visit($h, $_)->member } 1 .. 100;
    my $count = sub {
        my $p = pool_state($h, 'app');
        return [@$p{qw(requests sessions decisions)},
                map { [@$_{qw(id requests sessions bytes_in)}] } @{$p->{members}}];
    };
    my $before = $count->();
    $h->kill_child for 1 .. 3;
    is_deeply $count->(), $before, 'counters are what they were';
    is_deeply [grep { visit($h, $_)->member ne $home{$_} } keys %home], [],
        'and so are sessions';
    sound($h);
    $h->no_unexpected_log;
};

# What can only grow or stay is watched, by a process of its own, while others
# make requests and children die: a child that begins by clearing what is
# shared would show.
subtest 'counters and sessions under load while children are killed' => sub {
    my $h = governed(\@web, children => 4, server => $SERVER,
                     app => 'LBSticky session=sid');
    $h->announce(qr/child pid \d+ exit signal Killed/, @BUSY);
    my %home = map { $_ => visit($h, $_)->member } 1 .. 100;
    my $over = $h->root . '/over';
    my ($watch, @load) = in_parallel(4, sub ($i) {
        my ($n, $killed, @last, @wrong) = (0, 0);
        my $end = time + 20;
        while (!-e $over && time < $end) {
            $n++;
            if ($i) {
                my $r = eval { visit($h, 1 + ($n * 7 + $i) % 100) } // next;
                push @wrong, $r->member if $r->status == 200
                    && $r->member ne $home{1 + ($n * 7 + $i) % 100};
                next;
            }
            my @children = $h->children;
            $killed += kill KILL => $children[$n % @children]
                if $n % 5 == 0 && @children;
            my $p = eval { pool_state($h, 'app') } // next;
            my @now = ($p->{requests}, $p->{decisions}{new}{unknown},
                       $p->{decisions}{kept}, map { @$_{qw(requests bytes_in)} }
                       @{$p->{members}});
            push @wrong, "@last, then @now"
                if grep { $now[$_] < $last[$_] } 0 .. $#last;
            push @wrong, "$p->{sessions} sessions" if $p->{sessions} != 100;
            @last = @now;
            $h->write('over', '') if $killed >= 12;
            sleep 0.03;
        }
        return {wrong => \@wrong, killed => $killed, n => $n};
    });
    cmp_ok $watch->{killed} // 0, '>=', 12, 'twelve were killed'
        or diag $watch->{died};
    is_deeply $watch->{wrong}, [],
        'no counter goes back, no session is lost or counted twice';
    is_deeply [map { $_->{wrong} } @load], [([]) x 3], 'and nobody moves';
    quiet($h);
    is_deeply [grep { visit($h, $_)->member ne $home{$_} } keys %home], [],
        'afterwards neither';
    sound($h);
    $h->no_unexpected_log;
};

# The worker MPM gives the slot of a child that is still at its last request to
# a new one, and says so: that is not yet the end of it.
subtest 'a child that loses its slot is alive' => sub {
    local $ENV{LBS_MPM} = 'worker';
    my $h = governed(\@web, app => 'LBSticky session=sid', children => 2,
        threads => 4, server => "MinSpareThreads 8\nLogLevel mpm_worker:debug");
    $h->announce(@BUSY, qr/\[proxy(?:_http)?:error\]/);
    my $name = visit($h, 1)->member;
    my ($home) = grep { $_->name eq $name } @web;
    $home->set(hang => 'before', times => 1);
    my $c = $h->connect;
    $c->send_request('GET', '/app/', headers => [['Cookie', 'sid=s1']]);
    my $inflight = sub { pool_state($h, 'app')->{inflight} };
    ok wait_for(sub { $inflight->() == 1 }, 5), 'in flight';
    # Which slots it gives is httpd's choice; each reload is another one.
    my $taken;
    for (1 .. 8) {
        $h->graceful;
        last if $taken = $h->wait_log(qr/AH00263: .* taking over scoreboard slot/, 5);
    }
    ok $taken, 'another child takes its slot' or diag $h->log_lines;
    sleep 0.2;
    is $inflight->(), 1, 'its request is still in flight';
    $home->drop;
    is $c->response('GET')->status, 200, 'until it is answered';
    quiet($h);
    is sound($h)->{inflight} // 0, 0, 'and has left once';
    $h->no_unexpected_log;
};

subtest 'all children at once' => sub {
    my $h = governed(\@web, app => 'LBSticky session=sid', server => $SERVER);
    my %home = map { $_ => visit($h, $_)->member } 1 .. 50;
    my @open = map { $h->connect } 1 .. 20;
    $_->send_request('GET', '/app/?delay=5', headers => [['Cookie', 'sid=s1']])
        for @open;
    ok wait_for(sub { pool_state($h, 'app')->{inflight} == 20 }, 5), 'in flight';
    $h->announce(qr/child pid \d+ exit signal Killed/, @BUSY);
    my @children = $h->children;
    kill KILL => @children;
    my %how;
    $how{$_->response('GET', timeout => 10)->error // ''}++ for @open;
    is $how{timeout} // 0, 0, 'their clients know at once';
    ok wait_for(sub { eval { visit($h, 1)->status == 200 } }, 10), 'new ones serve';
    quiet($h);
    is_deeply [grep { visit($h, $_)->member ne $home{$_} } keys %home], [],
        'nobody moved';
    is sound($h)->{condemned} // 0, 0, 'no row is left';
    $h->no_unexpected_log;
};

subtest 'in flight is exact: aborted requests, failovers, dying children' => sub {
    my $dead = $web[0];
    my $h = governed(\@web, children => 4, threads => 16, server => $SERVER,
        app => "LBSticky session=sid\nLBStickyEject off\nLBStickyRetry tries=2 budget=100");
    $h->announce(qr/child pid \d+ exit signal/, qr/proxy.*error/, @BUSY);
    visit($h, $_) for 1 .. 60;
    $dead->refuse;
    my @report = in_parallel(4, sub ($i) {
        my %did = (aborted => 0, answered => 0);
        for my $n (1 .. 150) {
            my $c = eval { $h->connect } // next;
            my $abort = $n % 3 == 0;
            $c->send_request('GET', '/app/?size=30000&delay='
                . ($abort ? '0.1' : '0'), headers => [['Cookie', "sid=s$n"]]);
            if ($abort) {
                sleep 0.02;
                $c->close(reset => 1);
                $did{aborted}++;
            }
            else {
                $did{answered}++ if $c->response('GET')->status == 200;
            }
            kill KILL => ($h->children)[0] if $i == 0 && $n % 30 == 0;
        }
        return \%did;
    });
    $dead->accept;
    my ($aborted, $answered) = (0, 0);
    $aborted += $_->{aborted}, $answered += $_->{answered} for @report;
    cmp_ok $aborted, '>', 150, "$aborted were aborted";
    cmp_ok $answered, '>', 300, "$answered were answered, though a member refuses";
    quiet($h);
    my $found = sound($h);
    is $found->{inflight} // 0, 0, 'exactly 0 in shared memory';
    $h->no_unexpected_log;
};

done_testing;
