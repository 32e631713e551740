# SPDX-License-Identifier: Apache-2.0
# LBS::Client - one client connection that sends what the test says, byte for
# byte, and reports what came back.
#
#   my $c = LBS::Client->new(port => 8080);
#   my $r = $c->request('GET', '/x', headers => [['Cookie', 'a=b']]);
#   is $r->status, 200;
#
# new(addr, port, tls, timeout): connects at once, dies when it cannot. All
# waiting is bounded by timeout (seconds, for each response).
package LBS::Client;
use v5.36;

use IO::Socket::INET;
use IO::Select;
use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(time);
use LBS::Slow;

sub new ($class, %o) {
    my $self = bless {
        addr    => $o{addr} // '127.0.0.1',
        port    => $o{port} // die("LBS::Client: no port"),
        timeout => $o{timeout} // longer(15),
        tls     => $o{tls},
        buf     => '',
    }, $class;
    my @to = (PeerAddr => $self->{addr}, PeerPort => $self->{port},
              ($o{from} ? (LocalAddr => $o{from}) : ()),
              Timeout => $self->{timeout});
    if ($o{tls}) {
        require IO::Socket::SSL;
        # The tests' certificates are made on the spot and sign themselves.
        $self->{sock} = IO::Socket::SSL->new(@to, SSL_verify_mode => 0,
            SSL_hostname => $o{sni} // 'localhost');
    }
    else {
        $self->{sock} = IO::Socket::INET->new(@to, Proto => 'tcp');
    }
    die "connect $self->{addr}:$self->{port}: $!\n" if !$self->{sock};
    return $self;
}

sub socket ($self) { return $self->{sock} }

sub write ($self, $bytes) {
    local $SIG{PIPE} = 'IGNORE';
    while (length $bytes) {
        my $n = syswrite $self->{sock}, $bytes;
        return 0 if !$n;    # the peer is gone: the read will tell
        substr $bytes, 0, $n, '';
    }
    return 1;
}

# Close; with reset => 1 by RST, as a crashed client does.
sub close ($self, %o) {
    my $sock = delete $self->{sock} or return;
    setsockopt $sock, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0 if $o{reset};
    $sock->close;
    return;
}

# Half close: nothing more will be sent.
sub shutdown ($self) { return $self->{sock}->shutdown(1) }

# Read more into the buffer. False at end of file, error or deadline.
sub fill ($self, $deadline) {
    my $sock = $self->{sock} or return 0;
    my $pending = $self->{tls} && $sock->pending;
    my $left = $deadline - time;
    if (!$pending && ($left <= 0
            || !IO::Select->new($sock)->can_read($left))) {
        $self->{error} //= 'timeout';
        return 0;
    }
    my $n = sysread $sock, $self->{buf}, 65536, length $self->{buf};
    if (!$n) {
        $self->{error} //= defined $n ? 'closed' : "$!";
        return 0;
    }
    return 1;
}

# Everything until the server closes or the time is over.
sub slurp ($self, $timeout = $self->{timeout}) {
    my $deadline = time + $timeout;
    1 while $self->fill($deadline);
    my $all = $self->{buf};
    $self->{buf} = '';
    return $all;
}

# Exactly this many bytes, or what came before the end.
sub read_bytes ($self, $n, $timeout = $self->{timeout}) {
    my $deadline = time + $timeout;
    while (length $self->{buf} < $n) {
        $self->fill($deadline) or last;
    }
    return substr $self->{buf}, 0, $n, '';
}

# Build and send a request without waiting for its answer.
#   host     value of Host; undef with no_host => 1 sends none
#   headers  [[name, value], ...] or {name => value}; sent in order, as given
#   body     bytes; Content-Length is added; chunked => 1 sends one chunk
#   close    => 1 adds Connection: close
sub send_request ($self, $method, $uri, %o) {
    my $headers = $o{headers} // [];
    $headers = [map { [$_, $headers->{$_}] } sort keys %$headers]
        if ref $headers eq 'HASH';
    my $host = $o{host} // "localhost:$self->{port}";
    my $text = "$method $uri HTTP/" . ($o{http} // '1.1') . "\r\n";
    $text .= "Host: $host\r\n" if !$o{no_host};
    $text .= "$_->[0]: $_->[1]\r\n" for @$headers;
    $text .= "Connection: close\r\n" if $o{close};
    my $body = $o{body};
    if (defined $body && $o{chunked}) {
        $text .= "Transfer-Encoding: chunked\r\n";
        $body = sprintf "%s0\r\n\r\n", length $body
            ? sprintf("%x\r\n%s\r\n", length $body, $body) : '';
    }
    elsif (defined $body) {
        $text .= 'Content-Length: ' . length($body) . "\r\n";
    }
    $self->{started} = time;
    return $self->write("$text\r\n" . ($body // ''));
}

sub request ($self, $method, $uri, %o) {
    $self->send_request($method, $uri, %o);
    return $self->response($method, timeout => $o{timeout});
}

# Read one final response; 1xx before it are kept in ->early, except 101,
# which is final. Without any answer, status is 0 and error says why.
sub response ($self, $method = 'GET', %o) {
    my $deadline = time + ($o{timeout} // $self->{timeout});
    my $r = bless {status => 0, reason => '', headers => [], body => '',
                   early => [], error => undef}, 'LBS::Response';
    delete $self->{error};
    while ($self->read_head($r, $deadline)) {
        last if $r->{status} >= 200 || $r->{status} == 101;
        push @{$r->{early}}, $r->{status};
        @$r{qw(status headers)} = (0, []);
    }
    $r->{head_elapsed} = time - ($self->{started} // time);
    if ($r->{status} && $method ne 'HEAD'
            && $r->{status} !~ /^(?:101|204|304)$/) {
        $self->read_body($r, $deadline);
    }
    $r->{error} = $self->{error} if !$r->{status} || $r->{incomplete};
    $r->{elapsed} = time - ($self->{started} // time);
    return $r;
}

sub read_head ($self, $r, $deadline) {
    my $end;
    until (($end = index $self->{buf}, "\r\n\r\n") >= 0) {
        $self->fill($deadline) or return 0;
    }
    my ($first, @lines) = split /\r\n/, substr $self->{buf}, 0, $end + 4, '';
    if ($first !~ m{^HTTP/1\.[01] (\d{3}) ?(.*)}) {
        $self->{error} = "no HTTP: $first";
        return 0;
    }
    @$r{qw(status reason)} = ($1 + 0, $2);
    push @{$r->{headers}}, [split /:[ \t]*/, $_, 2] for @lines;
    return 1;
}

sub read_body ($self, $r, $deadline) {
    if (lc($r->header('Transfer-Encoding') // '') eq 'chunked') {
        $r->{incomplete} = !$self->read_chunks($r, $deadline);
        return;
    }
    my $length = $r->header('Content-Length');
    my $buf = \$self->{buf};
    while (!defined $length || length $$buf < $length) {
        $self->fill($deadline) or last;
    }
    $r->{incomplete} = defined $length ? length $$buf < $length
                                       : $self->{error} ne 'closed';
    $r->{body} = substr $$buf, 0, $length // length $$buf, '';
    return;
}

sub read_chunks ($self, $r, $deadline) {
    my $buf = \$self->{buf};
    while (1) {
        if ($$buf !~ /^([0-9a-fA-F]+)[^\r\n]*\r\n/) {
            $self->fill($deadline) or return 0;
            next;
        }
        my ($head, $size) = (length $&, hex $1);
        if ($size == 0) {    # trailers are read and dropped
            return 1
                if $$buf =~ s/^0[^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n//;
            $self->fill($deadline) or return 0;
            next;
        }
        while (length $$buf < $head + $size + 2) {
            if (!$self->fill($deadline)) {
                $r->{body} .= substr $$buf, $head, $size;
                return 0;
            }
        }
        $r->{body} .= substr $$buf, $head, $size;
        substr $$buf, 0, $head + $size + 2, '';
    }
}

package LBS::Response;
use v5.36;

use JSON::PP ();

sub status ($self)     { return $self->{status} }
sub reason ($self)     { return $self->{reason} }
sub headers ($self)    { return $self->{headers} }  # [[name, value], ...]
sub body ($self)       { return $self->{body} }
sub early ($self)      { return $self->{early} }    # [status of each 1xx]
sub elapsed ($self)    { return $self->{elapsed} }  # seconds, whole answer
sub head_elapsed ($self) { return $self->{head_elapsed} }
sub incomplete ($self) { return $self->{incomplete} }
sub error ($self)      { return $self->{error} }    # undef, or the reason
sub json ($self)       { return JSON::PP->new->decode($self->{body}) }

# All values of a header field, in the order they came.
sub all ($self, $name) {
    return map { $_->[1] } grep { lc $_->[0] eq lc $name } @{$self->{headers}};
}

sub header ($self, $name) { return ($self->all($name))[0] }

# Set-Cookie lines; with a name only those that set this cookie.
sub set_cookies ($self, $name = undef) {
    my @all = $self->all('Set-Cookie');
    return defined $name ? grep { /^\Q$name\E=/ } @all : @all;
}

# The backend's echo (LBS::Backend): name of the member that answered, '' when
# the answer did not come from one.
sub member ($self) {
    my $name = $self->header('X-Backend');
    return $name // '';
}

1;
