# SPDX-License-Identifier: Apache-2.0
# LBS::Fault::Loop - one process that plays many clients and members at once.
#
#   my $loop = LBS::Fault::Loop->new;
#   $loop->listen($port, sub ($conn) { ... });      # a connection came in
#   my $conn = $loop->connect($port);
#   $conn->{on_data} = sub ($conn) { ... };         # $conn->{in} has grown
#   $conn->{on_end} = sub ($conn, $how) { ... };    # the peer: 'fin' or 'rst'
#   $conn->send($bytes);
#   $conn->finish('rst');          # after what was sent: fin, close, rst
#   $loop->after(0.5, sub { ... });
#   $loop->run(sub { $done }, 10); # until that, at most so many seconds
#
# With `tls` (what IO::Socket::SSL->start_SSL takes) a listener speaks TLS.
package LBS::Fault::Loop;
use v5.36;

use IO::Socket::INET;
use Socket qw(IPPROTO_TCP SOL_SOCKET SO_LINGER TCP_NODELAY);
use Time::HiRes qw(time);

# A reset makes the peer forget what it has not read yet: it is given the time.
use constant READ_FIRST => 0.03;

sub new ($class) {
    return bless {rd => '', wr => '', on => {}, timers => []}, $class;
}

sub listen ($self, $port, $accepted, $tls = undef) {
    my $fh = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port,
        Listen => 1024, ReuseAddr => 1, Blocking => 0) // die "listen $port: $!\n";
    $self->watch($fh, sub {
        while (my $sock = $fh->accept) {
            my $conn = $self->adopt($sock);
            $conn->{tls} = $tls;
            $accepted->($conn);
        }
    });
    return $fh;
}

sub watch ($self, $fh, $code) {
    $self->{on}{fileno $fh} = {fh => $fh, ready => $code};
    vec($self->{rd}, fileno $fh, 1) = 1;
    return;
}

# Only to this machine, where connecting takes no time.
sub connect ($self, $port) {
    my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $port) // die "connect $port: $!\n";
    return $self->adopt($sock);
}

sub adopt ($self, $sock) {
    $sock->blocking(0);
    setsockopt $sock, IPPROTO_TCP, TCP_NODELAY, 1;
    my $conn = bless {loop => $self, fh => $sock, fd => fileno $sock, in => '',
                      out => '', on_data => sub { }, on_end => sub { }},
        'LBS::Fault::Conn';
    $self->{on}{$conn->{fd}} = $conn;
    vec($self->{rd}, $conn->{fd}, 1) = 1;
    return $conn;
}

sub after ($self, $seconds, $code) {
    my $timer = [time + $seconds, $code];
    $self->{timers} = [sort { $a->[0] <=> $b->[0] } @{$self->{timers}}, $timer];
    return;
}

sub run ($self, $done, $limit) {
    my $end = time + $limit;
    while (!$done->()) {
        my $now = time;
        return 0 if $now > $end;
        my $next = @{$self->{timers}} ? $self->{timers}[0][0] : $end;
        $next = $end if $next > $end;
        my ($r, $w) = @$self{qw(rd wr)};
        my $n = select $r, $w, undef, $next > $now ? $next - $now : 0;
        if ($n > 0) {
            $self->ready($_, 'readable') for bits($r);
            $self->ready($_, 'writable') for bits($w);
        }
        while (@{$self->{timers}} && $self->{timers}[0][0] <= time) {
            (shift @{$self->{timers}})->[1]->();
        }
    }
    return 1;
}

sub bits ($vector) {
    my $text = unpack 'b*', $vector;
    my @set;
    push @set, pos($text) - 1 while $text =~ /1/g;
    return @set;
}

sub ready ($self, $fd, $what) {
    my $on = $self->{on}{$fd} // return;
    return $on->{ready}->() if $on->{ready};
    return $on->$what;
}

package LBS::Fault::Conn;
use v5.36;

use Socket qw(SOL_SOCKET SO_LINGER);

# TLS begins with the first bytes that come: until then a listener has seen
# nothing but a connection.
sub secured ($self) {
    return 1 if !$self->{tls};
    require IO::Socket::SSL;
    if (!$self->{started}) {
        IO::Socket::SSL->start_SSL($self->{fh}, SSL_server => 1,
            SSL_startHandshake => 0, %{$self->{tls}}) or return 0;
        $self->{started} = 1;
    }
    if (!$self->{secure}) {
        $self->{secure} = $self->{fh}->accept_SSL ? 1 : 0;
        return 1 if $self->{secure};
        # What failed for good is no TLS socket any more.
        my $wants = ref $self->{fh} eq 'IO::Socket::SSL'
            && ($self->{fh}->want_read || $self->{fh}->want_write);
        $self->drop if !$wants;
    }
    return $self->{secure};
}

sub readable ($self) {
    return if !$self->secured;
    my $had = length $self->{in};
    while ($self->{fh}) {
        my $n = sysread $self->{fh}, $self->{in}, 65536, length $self->{in};
        next if $n;
        last if !defined $n && ($!{EAGAIN} || $!{EINTR} || $!{EWOULDBLOCK});
        my $how = defined $n ? 'fin' : 'rst';
        $self->{on_data}->($self) if length $self->{in} > $had;
        return $self->ended($how);
    }
    $self->{on_data}->($self) if $self->{fh} && length $self->{in} > $had;
    return;
}

sub ended ($self, $how) {
    return if $self->{ended}++ || !$self->{fh};
    vec($self->{loop}{rd}, $self->{fd}, 1) = 0;
    $self->{on_end}->($self, $how);
    return;
}

sub send ($self, $bytes) {
    $self->{out} .= $bytes;
    return $self->writable;
}

sub writable ($self) {
    my $fh = $self->{fh} // return;
    while (length $self->{out}) {
        my $n = syswrite $fh, $self->{out}, 65536;
        if ($n) {
            substr $self->{out}, 0, $n, '';
            next;
        }
        last if !defined $n && ($!{EAGAIN} || $!{EWOULDBLOCK});
        $self->{out} = '';    # the peer is gone: reading will tell
        $self->{broken} = 1;
    }
    vec($self->{loop}{wr}, $self->{fd}, 1) = length $self->{out} ? 1 : 0;
    $self->end_now if $self->{end} && !length $self->{out};
    return;
}

# After what was sent: 'fin' half closes, 'close' closes, 'rst' resets.
sub finish ($self, $how) {
    $self->{end} = $how;
    $self->end_now if $self->{fh} && !length $self->{out};
    return;
}

sub end_now ($self) {
    my $how = delete $self->{end};
    return shutdown $self->{fh}, 1 if $how eq 'fin';
    return $self->drop if $how eq 'close';
    $self->{loop}->after(LBS::Fault::Loop::READ_FIRST, sub { $self->drop(1) });
    return;
}

sub drop ($self, $reset = 0) {
    my $fh = delete $self->{fh} // return;
    my $loop = $self->{loop};
    vec($loop->{$_}, $self->{fd}, 1) = 0 for qw(rd wr);
    delete $loop->{on}{$self->{fd}};
    setsockopt $fh, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0 if $reset;
    if (ref $fh eq 'IO::Socket::SSL') {
        $fh->close(SSL_no_shutdown => 1);    # no close_notify
    }
    else {
        close $fh;
    }
    return;
}

1;
