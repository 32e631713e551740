# SPDX-License-Identifier: Apache-2.0
# LBS::Store - a redis or memcached of the test's own; it ends with the test.
#
#   my $redis = LBS::Store->redis;           # or ->redis($port)
#   LBStickyStore redis:127.0.0.1:$port      where $port = $redis->port
#   $redis->signal('STOP');                  # and CONT
#   $redis->kill;
package LBS::Store;
use v5.36;

use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(sleep);
use LBS::Ports;
use parent 'LBS::Started';

sub start ($class, $port, @command) {
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        setpgrp;
        open STDOUT, '>', '/dev/null';
        open STDIN, '<', '/dev/null';
        exec qw(setpriv --pdeathsig KILL --), @command or POSIX::_exit(127);
    }
    my $self = (bless {port => $port}, $class)->started($pid);
    for (1 .. 250) {
        return $self if IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                              PeerPort => $port);
        sleep 0.02;
    }
    die "nobody listens on $port\n";
}

# Debian's redis-server is this program under another name.
sub redis ($class, $port = LBS::Ports::free()) {
    return $class->start($port, 'bash', '-c', 'exec -a redis-server '
        . qq(redis-check-rdb --port $port --bind 127.0.0.1 --save ""));
}

sub memcached ($class, $port = LBS::Ports::free()) {
    return $class->start($port, qw(memcached -u nobody -l 127.0.0.1 -p), $port);
}

sub port ($self)            { return $self->{port} }
sub signal ($self, $signal) { return kill $signal => $self->{pid} }

1;
