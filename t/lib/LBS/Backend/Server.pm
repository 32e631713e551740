# SPDX-License-Identifier: Apache-2.0
# LBS::Backend::Server - the process behind LBS::Backend: one select loop over
# a control socket, some listeners and their connections.
#
# A connection reads a request, gets a list of steps ([at, what, ...]) from
# respond() and works them off in time; then it reads the next one.
package LBS::Backend::Server;
use v5.36;

use Digest::SHA qw(sha256_hex sha1_base64);
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(time);

use constant {MAX_LOG => 1000, WS_GUID => '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'};
my $json = JSON::PP->new->latin1->canonical;
my $ascii = JSON::PP->new->ascii->canonical;

sub listen_on ($addr, $port) {
    return IO::Socket::INET->new(LocalAddr => $addr, LocalPort => $port,
        Listen => 1024, ReuseAddr => 1, Blocking => 0)
        // die "listen $addr:$port: $!\n";
}

sub new ($class, $control, @servers) {
    my $self = bless {control => $control, command => '', servers => [],
                      conns => {}, rd => IO::Select->new($control),
                      wr => IO::Select->new}, $class;
    for my $s (@servers) {
        push @{$self->{servers}},
            {%$s, behaviour => {}, log => [], stats => fresh_stats()};
        $self->add_listener($self->{servers}[-1]);
    }
    $control->blocking(0);
    return $self;
}

sub fresh_stats () {
    return {heads => 0, deliveries => 0, answers => 0, connections => 0};
}

sub add_listener ($self, $server) {
    $self->{rd}->add($server->{listener});
    $self->{by_listener}{fileno $server->{listener}} = $server;
    return;
}

sub run ($self) {
    local $SIG{PIPE} = 'IGNORE';
    local $SIG{INT} = 'IGNORE';
    while ($self->{control}) {
        my ($r, $w) = IO::Select->select($self->{rd}, $self->{wr}, undef,
                                         $self->next_timer);
        for my $h (@{$r // []}) {
            my $fd = fileno $h // next;
            if ($h == $self->{control}) {
                $self->control or return;
            }
            elsif (my $server = $self->{by_listener}{$fd}) {
                $self->take($server) if $server->{listener} == $h;
            }
            elsif (my $conn = $self->{conns}{$fd}) {
                $self->readable($conn);
            }
        }
        for my $h (@{$w // []}) {
            my $conn = $self->{conns}{fileno($h) // next} or next;
            $self->flush($conn);
        }
        $self->timers;
    }
    return;
}

# --- time ------------------------------------------------------------------

# Connections with something to do later are kept apart: with hundreds of
# idle ones the loop must not look at each of them.
sub next_timer ($self) {
    my $first;
    for my $conn (values %{$self->{timed}}) {
        my $at = $conn->{steps}[0] ? $conn->{steps}[0][0] : $conn->{idle_at};
        $first = $at if defined $at && (!defined $first || $at < $first);
    }
    return if !defined $first;
    my $left = $first - time;
    return $left > 0 ? $left : 0;
}

sub timers ($self) {
    my $now = time;
    for my $conn (values %{$self->{timed}}) {
        if (@{$conn->{steps}}) {
            $self->work($conn);
        }
        elsif (defined $conn->{idle_at} && $conn->{idle_at} <= $now) {
            $self->hang_up($conn);
        }
    }
    return;
}

# --- connections -----------------------------------------------------------

sub take ($self, $server) {
    while (my $sock = $server->{listener}->accept) {
        $sock->blocking(0);
        setsockopt $sock, Socket::IPPROTO_TCP(), Socket::TCP_NODELAY(), 1;
        my $conn = {sock => $sock, server => $server, in => '', out => '',
                    steps => [], number => ++$server->{stats}{connections},
                    requests => 0};
        $self->{conns}{fileno $sock} = $conn;
        $self->{rd}->add($sock);
    }
    return;
}

sub hang_up ($self, $conn, $reset = 0) {
    my $sock = delete $conn->{sock} or return;
    my $fd = fileno $sock;
    $self->{rd}->remove($sock);
    $self->{wr}->remove($sock);
    delete $self->{conns}{$fd};
    delete $self->{timed}{$fd};
    setsockopt $sock, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0 if $reset;
    close $sock;
    return;
}

sub readable ($self, $conn) {
    my $n = sysread $conn->{sock}, $conn->{in}, 65536, length $conn->{in};
    return if !defined $n && ($!{EAGAIN} || $!{EINTR});
    return $self->hang_up($conn) if !$n;
    if ($conn->{echo}) {
        $self->send($conn, substr $conn->{in}, 0, length $conn->{in}, '');
        return;
    }
    $self->serve($conn) if !$conn->{busy};
    return;
}

sub send ($self, $conn, $bytes) {
    $conn->{out} .= $bytes;
    return $self->flush($conn);
}

sub flush ($self, $conn) {
    while (length $conn->{out}) {
        my $n = syswrite $conn->{sock}, $conn->{out}, 262_144;
        if (!defined $n) {
            if ($!{EAGAIN} || $!{EINTR}) {
                $self->{wr}->add($conn->{sock});
                return;
            }
            return $self->hang_up($conn);
        }
        substr $conn->{out}, 0, $n, '';
    }
    $self->{wr}->remove($conn->{sock});
    $self->work($conn) if @{$conn->{steps}};
    return;
}

# --- requests --------------------------------------------------------------

# Parse what has arrived; answer when a request is complete.
sub serve ($self, $conn) {
    delete $conn->{idle_at};
    my $req = $conn->{req} // $self->parse_head($conn) // return;
    my $body = read_body($req, \$conn->{in}) // return;
    delete $conn->{req};
    my $server = $conn->{server};
    my $n = ++$conn->{requests};
    my %seen = (
        %$req{qw(method uri http headers)}, backend => $server->{name},
        body_length => length $body, body_sha256 => sha256_hex($body),
        connection => $conn->{number}, request => $n, at => time,
    );
    $server->{stats}{deliveries}++;
    push @{$server->{log}}, \%seen;
    shift @{$server->{log}} if @{$server->{log}} > MAX_LOG;

    $conn->{busy} = 1;
    $conn->{steps} = [respond($server, $req, \%seen)];
    $self->{timed}{fileno $conn->{sock}} = $conn;
    return $self->work($conn);
}

sub parse_head ($self, $conn) {
    $conn->{in} =~ s/^(?:\r\n)+//;
    my $end = index $conn->{in}, "\r\n\r\n";
    return if $end < 0;
    my $reuse = $conn->{server}{behaviour}{reuse};
    if ($reuse && $conn->{requests} > 0) {
        $self->hang_up($conn, $reuse eq 'reset');
        return;
    }
    my ($first, @lines) = split /\r\n/, substr $conn->{in}, 0, $end + 4, '';
    my ($method, $uri, $http) = split / /, $first, 3;
    my %h;
    my @headers = map {
        my ($n, $v) = split /:[ \t]*/, $_, 2;
        $h{lc $n} = $v;
        [$n, $v]
    } @lines;
    $conn->{server}{stats}{heads}++;
    if ($uri =~ /[?&]deaf=(\d+)/) {
        $conn->{busy} = 1;
        $conn->{steps} = [[time, 'send', "HTTP/1.1 $1 Test\r\n"
            . "X-Backend: $conn->{server}{name}\r\nContent-Length: 4\r\n"
            . "Connection: close\r\n\r\nnay\n"], [time, 'close']];
        $self->{timed}{fileno $conn->{sock}} = $conn;
        $self->work($conn);
        return;
    }
    if (lc($h{expect} // '') eq '100-continue'
        && ($conn->{server}{behaviour}{expect} // '') ne 'mute') {
        if (($conn->{server}{behaviour}{expect} // '') eq 'reset') {
            $self->hang_up($conn, 1);
            return;
        }
        $self->send($conn, "HTTP/1.1 100 Continue\r\n\r\n");
    }
    return $conn->{req} = {method => $method, uri => $uri, http => $http,
                           headers => \@headers, h => \%h, body => ''};
}

# The whole body taken from the buffer, undef while some of it is missing.
sub read_body ($req, $in) {
    if (lc($req->{h}{'transfer-encoding'} // '') eq 'chunked') {
        while ($$in =~ /^([0-9a-fA-F]+)[^\r\n]*\r\n/) {
            my ($head, $size) = (length $&, hex $1);
            return if length $$in < $head + $size + 2;
            $req->{body} .= substr $$in, $head, $size;
            substr $$in, 0, $head + $size + 2, '';
            return $req->{body} if $size == 0;
        }
        return;
    }
    my $length = $req->{h}{'content-length'} // 0;
    return if length $$in < $length;
    return substr $$in, 0, $length, '';
}

sub unescape ($text) {
    $text =~ s/%([0-9a-fA-F]{2})/chr hex $1/ge;
    return $text;
}

# What to do now: the instance's behaviour, overruled by the query's.
sub behaviour ($server, $uri) {
    my %b = %{$server->{behaviour}};
    if (defined $b{times} && --$server->{behaviour}{times} <= 0) {
        $server->{behaviour} = {};
    }
    my %q;
    if ($uri =~ /\?(.*)/s) {
        for (split /&/, $1) {
            my ($k, $v) = split /=/, $_, 2;
            push @{$q{$k // q()}}, unescape($v // q());
        }
    }
    return \%b if $q{at}
        && !grep { $_ eq $server->{name} } split /,/, $q{at}[0];
    for my $k (qw(cookie header)) {
        $b{$k} = $q{$k} if $q{$k};
        $b{$k} = [$b{$k}] if defined $b{$k} && !ref $b{$k};
    }
    for my $k (qw(status delay body_delay size chunked many reset close hang
                  garbage early earlies head deaf drip)) {
        $b{$k} = $q{$k}[-1] if $q{$k};
    }
    return \%b;
}

# The steps of an answer: [time, what, argument].
sub respond ($server, $req, $seen) {
    my $b = behaviour($server, $req->{uri});
    my $at = time + ($b->{delay} // 0);
    my ($end) = grep { defined $b->{$_} } qw(reset close hang);
    my $when = $end ? $b->{$end} : '';

    my @steps;
    push @steps, [$at, 'send',
            "HTTP/1.1 $b->{early} Early\r\n\r\n" x ($b->{earlies} // 1)]
        if $b->{early};
    return (@steps, [$at, $end]) if $when eq 'before';
    return ([$at, 'send', "\x00\xff garbage \r\n\r\n"], [$at, 'close'])
        if $b->{garbage};
    return upgrade($req, $server, $b, $at)
        if lc($req->{h}{upgrade} // '') eq 'websocket' && !$b->{status};

    my $body = defined $b->{size} ? 'x' x $b->{size}
                                  : $ascii->encode($seen) . "\n";
    my ($head, $bodyless) = head($server, $req, $b, $body, $when eq 'after');
    push @steps, [$at, 'send', $head];
    $at += $b->{body_delay} // 0;
    if (!$bodyless) {
        $body = join '', map { sprintf "%x\r\n%s\r\n", length, $_ }
            (unpack('(a8192)*', $body), '') if $b->{chunked};
        $body = substr $body, 0, $when if $when =~ /^\d+$/;
        my $piece = $b->{drip} ? 1 + int length($body) / 20 : 1 + length $body;
        for my $part (unpack "(a$piece)*", $body) {
            push @steps, [$at, 'send', $part];
            $at += $b->{drip} // 0;
        }
    }
    push @steps, [$at, $end] if $when =~ /^\d+$/;
    push @steps, [$at, 'done'];
    push @steps, [$at, 'close']
        if $when eq 'after' || lc($req->{h}{connection} // '') eq 'close';
    return @steps;
}

sub head ($server, $req, $b, $body, $close) {
    my $status = $b->{status} // 200;
    my $bodyless = $req->{method} eq 'HEAD' || $status =~ /^(?:1..|204|304)$/;
    my @h = ("HTTP/1.1 $status Test", "X-Backend: $server->{name}",
             'Content-Type: ' . (defined $b->{size} ? 'text/plain'
                                                    : 'application/json'));
    push @h, map { "Set-Cookie: $_" } @{$b->{cookie} // []};
    push @h, map { my ($n, $v) = split /:\s*/, $_, 2; "$n: " . ($v // '') }
        @{$b->{header} // []};
    push @h, map { "X-Many-$_: $_" } 1 .. ($b->{many} // 0);
    push @h, 'X-Long: ' . 'y' x $b->{head} if $b->{head};
    push @h, 'Connection: close' if $close;
    push @h, $b->{chunked} ? 'Transfer-Encoding: chunked'
                           : 'Content-Length: ' . length $body
        if $status !~ /^(?:1..|204)$/;
    return (join("\r\n", @h, '', ''), $bodyless);
}

sub upgrade ($req, $server, $b, $at) {
    my $accept = sha1_base64(($req->{h}{'sec-websocket-key'} // '') . WS_GUID);
    return ([$at, 'send', join "\r\n", 'HTTP/1.1 101 Switching Protocols',
             'Upgrade: websocket', 'Connection: Upgrade',
             "X-Backend: $server->{name}",
             (map { "Set-Cookie: $_" } @{$b->{cookie} // []}),
             "Sec-WebSocket-Accept: $accept=", '', ''], [$at, 'echo']);
}

# Work off the steps that are due; a step waits until the output is gone.
sub work ($self, $conn) {
    while ($conn->{sock} && @{$conn->{steps}} && !length $conn->{out}) {
        return if $conn->{steps}[0][0] > time;
        my (undef, $what, $arg) = @{shift @{$conn->{steps}}};
        if ($what eq 'send') {
            $self->send($conn, $arg);
            return if !$conn->{sock};
        }
        elsif ($what eq 'reset' || $what eq 'close') {
            return $self->hang_up($conn, $what eq 'reset');
        }
        elsif ($what eq 'done') {
            $conn->{server}{stats}{answers}++;
        }
        elsif ($what eq 'echo') {
            $conn->{echo} = 1;
            $self->send($conn, substr $conn->{in}, 0, length $conn->{in}, '');
        }
        elsif ($what eq 'hang') {
            delete $self->{timed}{fileno $conn->{sock}};
            $conn->{steps} = [];
            return;
        }
    }
    return $self->ready($conn);
}

# The answer is out: wait for the next request, or take one already here.
sub ready ($self, $conn) {
    return if !$conn->{sock} || @{$conn->{steps}} || !$conn->{busy}
        || $conn->{echo} || length $conn->{out};
    $conn->{busy} = 0;
    delete $self->{timed}{fileno $conn->{sock}};
    return $self->serve($conn) if length $conn->{in};
    if (defined(my $idle = $conn->{server}{behaviour}{idle})) {
        $conn->{idle_at} = time + $idle;
        $self->{timed}{fileno $conn->{sock}} = $conn;
    }
    return;
}

# --- control ---------------------------------------------------------------

# False when the test is gone.
sub control ($self) {
    my $n = sysread $self->{control}, $self->{command}, 65536,
                    length $self->{command};
    return 1 if !defined $n && ($!{EAGAIN} || $!{EINTR});
    return 0 if !$n;
    while ($self->{command} =~ s/^(.*)\n//) {
        my ($what, $index, @args) = @{$json->decode($1)};
        my $answer = $self->can("do_$what")
            ->($self, $self->{servers}[$index], @args);
        my $text = $json->encode([$answer]) . "\n";
        $self->{control}->blocking(1);
        while (length $text) {
            my $n = syswrite $self->{control}, $text or return 0;
            substr $text, 0, $n, '';
        }
        $self->{control}->blocking(0);
    }
    return 1;
}

sub do_set ($self, $server, $behaviour) {
    $server->{behaviour} = $behaviour;
    return 1;
}

sub do_stats ($self, $server) {
    my $open = grep { $_->{server} == $server } values %{$self->{conns}};
    return {%{$server->{stats}}, open => $open};
}

sub do_requests ($self, $server) { return $server->{log} }

sub do_clear ($self, $server) {
    $server->{stats} = fresh_stats();
    $server->{log} = [];
    return 1;
}

sub do_drop ($self, $server, $reset) {
    $self->hang_up($_, $reset)
        for grep { $_->{server} == $server } values %{$self->{conns}};
    return 1;
}

sub do_refuse ($self, $server, $drop) {
    if (my $l = delete $server->{listener}) {
        $self->{rd}->remove($l);
        delete $self->{by_listener}{fileno $l};
        close $l;
    }
    $self->do_drop($server, 0) if $drop;
    return 1;
}

sub do_accept ($self, $server) {
    return 1 if $server->{listener};
    $server->{listener} = listen_on(@$server{qw(addr port)});
    $self->add_listener($server);
    return 1;
}

1;
