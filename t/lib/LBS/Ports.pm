# SPDX-License-Identifier: Apache-2.0
# LBS::Ports - loopback ports that nobody uses.
#
# They lie below the kernel's ephemeral range, so no outgoing connection of a
# test takes one between its choice and its use, and each process starts
# looking at a place of its own, so that tests running side by side do not
# meet.
package LBS::Ports;
use v5.36;

use Socket qw(pack_sockaddr_in inet_aton PF_INET SOCK_STREAM SOL_SOCKET
              SO_REUSEADDR);

use constant {LOW => 10_000, HIGH => 32_000};
my ($owner, $next) = (0, 0);

# A port that could be bound on all of 127.0.0.1 a moment ago; never the same
# one twice in a process.
sub free () {
    if ($owner != $$) {
        ($owner, $next) = ($$, LOW + $$ * 61 % (HIGH - LOW));
    }
    for (LOW .. HIGH) {
        my $port = $next;
        $next = $next + 1 < HIGH ? $next + 1 : LOW;
        socket my $s, PF_INET, SOCK_STREAM, 0 or die "socket: $!";
        setsockopt $s, SOL_SOCKET, SO_REUSEADDR, 1;
        return $port if bind $s, pack_sockaddr_in($port, inet_aton('0.0.0.0'));
    }
    die "no free port\n";
}

1;
