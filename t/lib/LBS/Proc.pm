# SPDX-License-Identifier: Apache-2.0
# LBS::Proc - what /proc tells of processes, as functions.
package LBS::Proc;
use v5.36;

use Exporter qw(import);
use POSIX ();
use Time::HiRes qw(time sleep);

our @EXPORT_OK = qw(ages_of alive children_of cpu_of slurp wait_gone);

# All that is in a file; nothing where there is none, or none any more.
sub slurp ($file) {
    open my $f, '<:raw', $file or return '';
    local $/;
    return <$f> // '';
}

# True when all have ended before that time.
sub wait_gone ($end, @pids) {
    while (time < $end) {
        @pids = grep { alive($_) } @pids or return 1;
        sleep 0.01;
    }
    return 0;
}

# Not a zombie either: none of its threads is left, which may end later than the
# first one and take a connection in between.
sub alive ($pid) {
    my $stat = slurp("/proc/$pid/stat");
    return $stat =~ /\) (\S)/ && ($1 !~ /[ZX]/ || (() = glob "/proc/$pid/task/*") > 1);
}

# When the living children of a process were born, in ticks since the machine
# was started.
sub births ($pid) {
    my %born;
    for my $child (map { split ' ', slurp($_) }
                   glob "/proc/$pid/task/*/children") {
        my @stat = split ' ', slurp("/proc/$child/stat") =~ s/.*\) //sr;
        $born{$child} = $stat[19] if @stat && $stat[0] !~ /[ZX]/;
    }
    return %born;
}

# The living children of a process, the youngest last.
sub children_of ($pid) {
    my %born = births($pid);
    return sort { $born{$a} <=> $born{$b} || $a <=> $b } keys %born;
}

# How many seconds old they are.
sub ages_of ($pid) {
    my %born = births($pid);
    my ($up) = slurp('/proc/uptime') =~ /^(\S+)/;
    return map { $_ => $up - $born{$_} / POSIX::sysconf(POSIX::_SC_CLK_TCK()) }
        keys %born;
}

# Seconds of processor time that processes have used so far: by themselves, and
# in the kernel.
sub cpu_of (@pids) {
    my @seconds = (0, 0);
    for my $pid (@pids) {
        my @stat = split ' ', slurp("/proc/$pid/stat") =~ s/.*\) //sr or next;
        $seconds[$_] += $stat[11 + $_] / POSIX::sysconf(POSIX::_SC_CLK_TCK())
            for 0, 1;
    }
    return @seconds;
}

1;
