# SPDX-License-Identifier: Apache-2.0
# LBS::Test - what every t/NNN-*.t starts with:
#
#   use lib 't/lib';
#   use LBS::Test;              # strict, warnings, signatures, Test::More
#   use LBS::Test timeout => 300;
#
# A test file that takes longer than `timeout` (120 s) fails and cleans up.
# Brings in Test::More, LBS::Httpd, LBS::Backend, LBS::Client, LBS::Jar, and:
#   each_mpm { my ($mpm) = @_; ... };   a subtest for each MPM (or LBS_MPM)
#   wait_for(sub { ... }, seconds)      true as soon as the code is, else false
#   spread(@responses)                  {member => how often it answered}
#   in_parallel($n, sub ($i) { ... })   n processes; their JSON-able results
#   percentile($p, @numbers)            p-th percentile
#   longer(seconds)                     an upper bound on this build: under a
#                                       sanitizer all is several times slower
package LBS::Test;
use v5.36;

use feature ();
use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes qw(time sleep);
use LBS::Backend;
use LBS::Client;
use LBS::Httpd;
use LBS::Jar;
use LBS::Slow;

our @helpers = qw(each_mpm wait_for spread in_parallel percentile longer under_tsan);

sub import ($class, %o) {
    strict->import;
    warnings->import;
    feature->import(':5.36');
    my $caller = caller;
    no strict 'refs';
    *{"${caller}::$_"} = \&{"Test::More::$_"} for @Test::More::EXPORT;
    *{"${caller}::$_"} = \&{$_} for @helpers;
    *{"${caller}::time"} = \&Time::HiRes::time;
    *{"${caller}::sleep"} = \&pause;

    # exit() runs the END blocks, which stop every httpd and backend.
    my $timeout = longer($o{timeout} // 120);
    my $pid = $$;
    $SIG{ALRM} = sub {
        POSIX::_exit(1) if $$ != $pid;
        diag("$0: not done after $timeout s");
        exit 1;
    };
    $SIG{$_} = sub { $$ == $pid ? exit 1 : POSIX::_exit(1) } for qw(INT TERM HUP);
    $SIG{PIPE} = 'IGNORE';
    alarm $timeout;
    return;
}

# sleep() for what is left of a time, which a busy machine may have passed.
sub pause : prototype(;@) ($s) { return $s > 0 ? Time::HiRes::sleep($s) : 0 }

# A child of prefork ends inside of its signal handler, where a lock of the
# thread sanitizer's own may be held: some of them hang.
sub each_mpm : prototype(&) ($code) {
    for my $mpm ($ENV{LBS_MPM} // ('event', 'worker', under_tsan() ? () : 'prefork')) {
        local $ENV{LBS_MPM} = $mpm;
        subtest($mpm, sub { $code->($mpm); done_testing() });
    }
    return;
}

sub wait_for ($code, $timeout = 10) {
    my $end = time + longer($timeout);
    while (1) {
        my $value = $code->();
        return $value if $value || time > $end;
        sleep 0.02;
    }
}

sub spread (@responses) {
    my %count;
    $count{$_->member}++ for @responses;
    return \%count;
}

# Each process gets its number from 0; what it returns (or dies with, as
# {died => text}) comes back in that order.
sub in_parallel ($n, $code) {
    my @pipes;
    for my $i (0 .. $n - 1) {
        pipe my $r, my $w or die "pipe: $!";
        my $pid = fork // die "fork: $!";
        if ($pid == 0) {
            close $r;
            my $value = eval { $code->($i) };
            $value = {died => "$@"} if $@;
            print $w JSON::PP->new->allow_nonref->encode($value);
            close $w;
            POSIX::_exit(0);
        }
        push @pipes, [$pid, $r];
    }
    return map {
        my ($pid, $r) = @$_;
        local $/;
        my $text = <$r>;
        waitpid $pid, 0;
        JSON::PP->new->allow_nonref->decode(length $text ? $text : '{"died":"no result"}');
    } @pipes;
}

sub percentile ($p, @numbers) {
    return if !@numbers;
    my @sorted = sort { $a <=> $b } @numbers;
    my $rank = POSIX::ceil($p / 100 * @sorted);
    return $sorted[$rank > 0 ? $rank - 1 : 0];
}

1;
