# SPDX-License-Identifier: Apache-2.0
# LBS::Load - a steady stream of visitors, the same for several servers.
#
#   my $load = LBS::Load->new(rate => 60, sessions => 24, targets => [
#       {name => 'one', port => 8080}, {name => 'two', port => 8081}]);
#   $load->run(20, [2, sub { ... }], [8, sub { ... }]);
#   for my $r ($load->results('one')) { ... }
#
# Each target gets `rate` requests a second, whether the ones before are
# answered or not, by chance and for all the same: GET or POST, of a visitor
# who never came before or of one of `sessions`, whose names begin with the
# target's `sid` (s). run() takes the seconds to send
# for, and what is to be done at which second; it ends when the last request
# has its answer or was given up after `timeout` seconds.
#
# A result: at (when it was sent, by the clock of Time::HiRes), elapsed,
# method, id (the query's, as the backends see it), session (number, undef),
# member (that answered), error: '' or what the visitor saw, a status of 500
# and above, 'closed', 'broken' (in the middle of the answer) or 'timeout'.
package LBS::Load;
use v5.36;

use Errno qw(EAGAIN EINPROGRESS EINTR);
use Socket qw(PF_INET SOCK_STREAM SOL_SOCKET SO_ERROR inet_aton
              pack_sockaddr_in);
use IO::Handle;
use Time::HiRes qw(time);

sub new ($class, %o) {
    my $self = bless {rate => 60, sessions => 24, timeout => 10, serial => 0,
                      open => {}, rd => '', wr => '', %o}, $class;
    for my $t (@{$self->{targets}}) {
        $t->{results} = [];
        my $name = $t->{sid} // 's';
        $t->{visitors} = [map { {cookies => {sid => sprintf '%s%05d', $name, $_}} }
                          1 .. $self->{sessions}];
    }
    return $self;
}

sub results ($self, $name) {
    my ($t) = grep { $_->{name} eq $name } @{$self->{targets}};
    return @{$t->{results}};
}

sub run ($self, $seconds, @todo) {
    my $start = time;
    my $sent = 0;
    @todo = sort { $a->[0] <=> $b->[0] } @todo;
    while (1) {
        my $now = time - $start;
        if (@todo && $todo[0][0] <= $now) {
            (shift @todo)->[1]->();
            next;
        }
        if ($now < $seconds && $sent / $self->{rate} <= $now) {
            my $method = rand(2) < 1 ? 'GET' : 'POST';
            my $session = rand(2) < 1 ? int rand $self->{sessions} : undef;
            $self->send_one($_, $method, $session) for @{$self->{targets}};
            $sent++;
            next;
        }
        last if $now >= $seconds && !@todo && !keys %{$self->{open}};
        my $next = $now < $seconds ? $sent / $self->{rate} - $now : 0.05;
        $self->turn($next > 0.05 ? 0.05 : $next);
    }
    return;
}

# --- sending ---------------------------------------------------------------

sub send_one ($self, $target, $method, $session) {
    my $id = ++$self->{serial};
    my $cookies = defined $session ? $target->{visitors}[$session]{cookies} : {};
    my $text = "$method /?id=$id HTTP/1.1\r\nHost: www.example.test\r\n"
        . "User-Agent: visitor-" . (defined $session ? "s$session" : $id)
        . "\r\nConnection: close\r\n";
    $text .= 'Cookie: ' . join('; ', map { "$_=$cookies->{$_}" }
                               sort keys %$cookies) . "\r\n" if %$cookies;
    $text .= "Content-Length: 8\r\n\r\nx=123456" if $method eq 'POST';
    $text .= "\r\n" if $method eq 'GET';
    socket my $sock, PF_INET, SOCK_STREAM, 0 or die "socket: $!";
    $sock->blocking(0);
    my $r = {target => $target, sock => $sock, out => $text, in => '',
             at => time, method => $method, id => $id, session => $session};
    if (!connect($sock, pack_sockaddr_in($target->{port},
                                         inet_aton('127.0.0.1')))
            && $! != EINPROGRESS) {
        return $self->finish($r, 'closed');
    }
    my $fd = fileno $sock;
    $self->{open}{$fd} = $r;
    vec($self->{wr}, $fd, 1) = 1;
    return;
}

# One look at all connections.
sub turn ($self, $wait) {
    my ($rd, $wr) = @$self{qw(rd wr)};
    my $n = select $rd, $wr, undef, $wait;
    my $late = time - $self->{timeout};
    for my $fd (keys %{$self->{open}}) {
        my $r = $self->{open}{$fd};
        if ($n > 0 && vec($wr, $fd, 1)) {
            $self->writable($r, $fd);
        }
        elsif ($n > 0 && vec($rd, $fd, 1)) {
            $self->readable($r);
        }
        elsif ($r->{at} < $late) {
            $self->finish($r, 'timeout');
        }
    }
    return;
}

sub writable ($self, $r, $fd) {
    my $n = syswrite $r->{sock}, $r->{out};
    if (!defined $n) {
        return if $! == EAGAIN || $! == EINTR;
        return $self->finish($r, 'closed');
    }
    substr $r->{out}, 0, $n, '';
    return if length $r->{out};
    vec($self->{wr}, $fd, 1) = 0;
    vec($self->{rd}, $fd, 1) = 1;
    return;
}

sub readable ($self, $r) {
    my $n = sysread $r->{sock}, $r->{in}, 65536, length $r->{in};
    return if $n || (!defined $n && ($! == EAGAIN || $! == EINTR));
    return $self->finish($r, $r->{in} eq '' ? 'closed' : judge($r));
}

# --- judging ---------------------------------------------------------------

# What the visitor saw, once the server has closed the connection.
sub judge ($r) {
    my ($head, $body) = split /\r\n\r\n/, $r->{in}, 2;
    return 'broken' if !defined $body || $head !~ m{^HTTP/1\.1 (\d+)};
    my $status = $1;
    $r->{member} = $1 if $head =~ /^X-Backend: (\S+)/mi;
    if (defined $r->{session}) {
        my $cookies = $r->{target}{visitors}[$r->{session}]{cookies};
        $cookies->{$1} = $2
            while $head =~ /^Set-Cookie: ([^=\s]+)=([^;\r\n]*)/mgi;
    }
    return $status if $status >= 500;
    return length $body < $1 ? 'broken' : ''
        if $head =~ /^Content-Length: (\d+)/mi;
    return $head =~ /^Transfer-Encoding: chunked/mi && $body !~ /\r\n0\r\n/
        ? 'broken' : '';
}

sub finish ($self, $r, $error) {
    my $fd = fileno $r->{sock};
    vec($self->{$_}, $fd, 1) = 0 for qw(rd wr);
    delete $self->{open}{$fd};
    close $r->{sock};
    push @{$r->{target}{results}}, {
        at => $r->{at}, elapsed => time - $r->{at}, error => $error,
        map { $_ => $r->{$_} } qw(method id session member)};
    return;
}

1;
