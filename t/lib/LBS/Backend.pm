# SPDX-License-Identifier: Apache-2.0
# LBS::Backend - real HTTP/1.1 servers that do what the test wants.
#
#   my $web1 = LBS::Backend->new(name => 'web1');
#   my @web  = LBS::Backend->many(200);           # one process, 200 ports
#   $web1->set(status => 500, times => 3);        # from now on, three times
#   $web1->set;                                   # and back to normal
#
# A normal answer is 200 with a JSON description of the request that arrived:
# backend, method, uri, http, headers ([[name, value], ...], bytes as they
# came), body_length, body_sha256, connection (number, from 1), request
# (number on that connection), and the header X-Backend: NAME.
#
# How to behave is said per instance with set(), or per request in the query
# (`/x?delay=0.2&at=web1`; `at=` limits it to the backends named, comma
# separated). The query wins. The keys:
#   status=N         status of the answer
#   delay=S          seconds before the head of the answer
#   body_delay=S     seconds between head and body
#   size=N           a body of N bytes instead of the description
#   chunked=1        no Content-Length
#   cookie=LINE      a Set-Cookie line; repeatable (set(): array)
#   header=N:V       any header field; repeatable
#   many=N           N more header fields
#   head=N           one more, of N bytes
#   drip=S           the body in twenty pieces, S seconds apart
#   deaf=N           (query only) status N when the head is there, and the
#                    connection is closed; the body is not read
#   reset=before|N   RST before the head, or after N bytes of the body
#   close=before|N   the same with FIN; close=after: Connection: close
#   hang=before|N    then nothing more, the connection stays
#   garbage=1        an answer that is no HTTP
#   early=N          a 1xx status first; earlies=N: so many times
#   idle=S           (set only) close kept connections idle that long
#   reuse=close|reset  (set only) the second request on a connection meets a
#                    server that is just closing it: it is not processed
#   expect=reset     (set only) a request that expects a 100 gets RST
#   expect=mute      (set only) nothing: a 100 is never said
#   times=N          (set only) the behaviour ends after N requests
# A websocket upgrade is accepted, unless there is a status; what the client
# sends comes back.
package LBS::Backend;
use v5.36;

use IO::Socket::INET;
use JSON::PP ();
use POSIX ();
use Socket;
use LBS::Backend::Server;
use LBS::Ports;

my $json = JSON::PP->new->latin1->canonical;
my $serial = 0;

sub new ($class, %o) {
    return ($class->many(1, %o))[0];
}

# many(N, name => 'web', addr => '127.0.0.1', ports => [...]): names are
# web1 ... webN, or exactly `name` for a single one.
sub many ($class, $count, %o) {
    my $base = $o{name} // 'web';
    my @list = map {
        my $name = $o{name} && $count == 1 ? $base : $base . ++$serial;
        bless {name => $name, addr => $o{addr} // '127.0.0.1',
               port => ($o{ports} // [])->[$_] // LBS::Ports::free()}, $class
    } 0 .. $count - 1;
    my $process = LBS::Backend::Process->start(
        map { {name => $_->{name}, addr => $_->{addr}, port => $_->{port}} }
        @list);
    for my $i (0 .. $#list) {
        @{$list[$i]}{qw(process index)} = ($process, $i);
    }
    return @list;
}

sub name ($self) { return $self->{name} }
sub port ($self) { return $self->{port} }
sub addr ($self) { return "$self->{addr}:$self->{port}" }
sub url ($self)  { return "http://$self->{addr}:$self->{port}" }
sub pid ($self)  { return $self->{process}{pid} }

sub ask ($self, $what, @args) {
    return $self->{process}->ask($what, $self->{index}, @args);
}

# Replace the behaviour; without arguments a normal server again.
sub set ($self, %behaviour) { return $self->ask('set', \%behaviour) }

# Stop listening, as a stopped server: connections are refused, and the open
# ones closed (keep => 1 leaves these).
sub refuse ($self, %o) { return $self->ask('refuse', $o{keep} ? 0 : 1) }

# Listen again, on the same port.
sub accept ($self) { return $self->ask('accept') }

# Drop all open connections; reset => 1 by RST.
sub drop ($self, %o) { return $self->ask('drop', $o{reset} ? 1 : 0) }

# Counters since the start or the last clear(): heads (requests whose head
# arrived), deliveries (complete ones), answers (completely written),
# connections (accepted), open (now).
sub stats ($self)      { return $self->ask('stats') }
sub deliveries ($self) { return $self->stats->{deliveries} }

# The last 1000 complete requests: the descriptions of the answers.
sub requests ($self) { return @{$self->ask('requests')} }
sub clear ($self)    { return $self->ask('clear') }

# The whole process (all ports of many()): frozen, woken, killed.
sub pause ($self)  { return kill STOP => $self->pid }
sub resume ($self) { return kill CONT => $self->pid }
sub kill ($self)   { return $self->{process}->kill }

package LBS::Backend::Process;
use v5.36;

use Time::HiRes ();
use parent 'LBS::Started';

sub start ($class, @servers) {
    CORE::socketpair my $ours, my $theirs, Socket::AF_UNIX,
        Socket::SOCK_STREAM, 0 or die "socketpair: $!";
    # Bind here: a port that is taken must fail the test at once.
    for my $s (@servers) {
        $s->{listener} = LBS::Backend::Server::listen_on($s->{addr},
                                                         $s->{port});
    }
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        close $ours;
        eval { LBS::Backend::Server->new($theirs, @servers)->run };
        print STDERR "# backend: $@" if $@;
        POSIX::_exit($@ ? 1 : 0);    # no END block of the test
    }
    close $theirs;
    close $_->{listener} for @servers;
    $ours->autoflush(1);
    return (bless {control => $ours}, $class)->started($pid);
}

sub ask ($self, $what, @args) {
    my $c = $self->{control} or die "backend is gone\n";
    local $SIG{PIPE} = 'IGNORE';
    print $c $json->encode([$what, @args]), "\n";
    local $SIG{ALRM} = sub { die "backend does not answer: $what\n" };
    my $before = alarm 10;
    my $answer = <$c>;
    alarm $before;
    return $json->decode($answer // die "backend died\n")->[0];
}

# The server ends by itself when its control socket closes.
sub kill ($self) {
    my $pid = $self->ended // return;
    close delete $self->{control};
    kill CONT => $pid;
    for (1 .. 100) {
        return if waitpid($pid, POSIX::WNOHANG()) != 0;
        kill KILL => $pid if $_ == 20;
        Time::HiRes::sleep(0.01);
    }
    return;
}

1;
