#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Two balancers whose clocks differ, before three members of which two come and
# go, for both or for one of them; they reload, and their secret changes: no
# session goes to and fro.
#
#   LBS_EVENTS=100 LBS_SEED=7 prove -It/lib t/673-at-random.t     the long form
# Not under tsan: two servers that race.
use lib 't/lib';
use LBS::Governed;
use LBS::State;
use LBS::Store;
use LBS::Test timeout => 280 + 60 * ($ENV{LBS_EVENTS} // 0);

my $EVENTS = $ENV{LBS_EVENTS} // 5;
my $SEED = $ENV{LBS_SEED} // int rand 1e6;
my $VISITORS = 16;
my $JUMP = ($ENV{LBS_BUILD} // 'build') . '/t/preload/jump.so';
my $AHEAD = 30;    # seconds, of the second one's clock
srand $SEED;
diag "LBS_SEED=$SEED";

my @web = LBS::Backend->many(3);
my $redis = LBS::Store->redis;

my ($number, @secrets) = (0);
sub secrets (@h) {
    $_->write('conf/secret', join('', map { "$_\n" } @secrets), 0600) for @h;
    return;
}

sub balancers ($app) {
    @secrets = ('the first secret of pair ' . $number++);
    my @h = map {
        my $h = governed(\@web, start => 0, modules => ['socache_redis'],
            app => "$app\nLBStickySlowStart off\nLBStickyEject hold=1s-2s", server =>
            qq(LBStickySecret "file:\@ROOT\@/conf/secret"\nLBStickyAdmin on\n)
            . "LBStickyStore redis:127.0.0.1:@{[$redis->port]} timeout=1s");
        $h->{env} = {LD_PRELOAD => File::Spec->rel2abs($JUMP), LBS_JUMP => $h->root . '/jump'};
        $h->write('jump', $_ == 2 ? $AHEAD : 0);
        $h->announce(qr/AH00957|AH01110|AH01114|AH01102|AH00898/, qr/socache_redis/,
            qr/LBS2502|LBS16\d\d/);
        $h
    } 1, 2;
    secrets(@h);
    $_->start for @h;
    return @h;
}

# Members r1 and r2 come and go; r3 is always there.
my (%out, %dead);
sub any (@list) { return $list[rand @list] }

my %EVENT = (
    'one takes a member out' => sub (@h) {
        my ($i, $n) = (any(0, 1), any(1, 2));
        admin($h[$i], 'app', "r$n", any(['disable'], ['drain', deadline => 0])->@*);
        $out{"$i$n"} = [$h[$i], "r$n"];
        return "$n at $i";
    },
    'all are enabled' => sub (@h) {
        admin($_->[0], 'app', $_->[1], 'enable') for values %out;
        %out = ();
        return '';
    },
    'a member dies' => sub (@h) {
        my $n = any(0, 1);
        $web[$n]->refuse if !$dead{$n}++;
        return $n + 1;
    },
    'the dead are back' => sub (@h) {
        $web[$_]->accept for keys %dead;
        %dead = ();
        return '';
    },
    'one reloads' => sub (@h) {
        any(@h)->graceful;
        return '';
    },
    'a new secret' => sub (@h) {
        # First all can read it, then they write with it.
        push @secrets, 'another secret, number ' . $number++;
        secrets(@h);
        $_->graceful for @h;
        unshift @secrets, pop @secrets;
        splice @secrets, 3;
        secrets(@h);
        $_->graceful for @h;
        return '';
    },
);

# Who is at two members, and who is not served?
sub restless ($h, $get, $rounds) {
    my (@at, %two);
    for my $round (1 .. $rounds) {
        for my $n (1 .. $VISITORS) {
            my $r = $get->($h->[($round + $n) % 2], $n);
            $two{$n} .= ' ' . $r->status if $r->status != 200;
            my $m = member_of($r);
            $two{$n} .= " $m (" . verdict($r) . ')' if defined $at[$n] && $at[$n] ne $m;
            $at[$n] = $m;
        }
    }
    return \%two;
}

my %SHOWS = (
    cookie => sub {
        my @jar = map { LBS::Jar->new } 0 .. $VISITORS;
        return sub ($h, $n) { $h->get('/app/', jar => $jar[$n]) };
    },
    'session=sid' => sub {
        return sub ($h, $n) { $h->get('/app/', headers => cookie_of(sid => "s$n")) };
    },
);

for my $by (sort keys %SHOWS) {
    for my $failback ($by eq 'cookie' ? 'stay' : ('stay', 'return')) {
        subtest "$by, LBStickyFailback $failback" => sub {
            my $get = $SHOWS{$by}->();
            my @h = balancers("LBSticky $by\nLBStickyFailback $failback");
            (%out, %dead) = ();
            restless(\@h, $get, 2);
            for (1 .. $EVENTS) {
                my $event = any(sort keys %EVENT);
                my $which = $EVENT{$event}->(@h);
                my $left;
                my $settled = wait_for(sub { !%{$left = restless(\@h, $get, 2)} }, 30);
                ok $settled, "$event $which: each comes to rest" or diag explain $left;
                # Going home is a matter of seconds after the last of them can.
                my $more = restless(\@h, $get, 2);
                my @two = grep { $more->{$_} !~ /^ r\d \(moved failback\)$/ } keys %$more;
                is_deeply [@$more{@two}], [], 'and stays there';
            }
            $EVENT{'the dead are back'}->();
            $_->stop for @h;
            $_->no_unexpected_log for @h;
        };
    }
}

$redis->kill;
done_testing;
