# SPDX-License-Identifier: Apache-2.0
# LBS::Framed - a member that speaks HTTP/2 without TLS (h2c), frame by frame,
# so that it can do to a stream what no server does by itself.
#
#   my $m = LBS::Framed->new(name => 'f1', does => 'refuse');
#   BalancerMember "h2c://@B1@"      (it has addr, port, name as LBS::Backend)
#   $m->set('answer');               # from now on
#
# What it does with a request, when that is complete (`refuse` and `goaway`:
# when its head is there):
#   answer    200, X-Backend: NAME, "NAME METHOD-LESS BYTES\n"
#   refuse    RST_STREAM, REFUSED_STREAM
#   goaway    GOAWAY that leaves the stream out, and the connection ends
#   die       200, a part of the body, and the connection ends
#   reset     200, a part of the body, RST_STREAM, INTERNAL_ERROR
#   grpc      200, a message, trailers
# It never says 100. requests() has a line for each complete request: the bytes
# of its body.
package LBS::Framed;
use v5.36;

use Digest::SHA qw(sha256_hex);
use File::Temp ();
use IO::Socket::INET;
use POSIX ();
use Scalar::Util qw(weaken);
use LBS::Ports;

use constant {DATA => 0, HEADERS => 1, RST_STREAM => 3, SETTINGS => 4,
              PING => 6, GOAWAY => 7, WINDOW_UPDATE => 8,
              END_STREAM => 1, END_HEADERS => 4};

my %alive;

sub new ($class, %o) {
    my $self = bless {name => $o{name}, addr => '127.0.0.1',
                      port => LBS::Ports::free(), owner => $$,
                      log => File::Temp->new, does => File::Temp->new}, $class;
    $self->set($o{does} // 'answer');
    my $listener = IO::Socket::INET->new(LocalAddr => $self->{addr},
        LocalPort => $self->{port}, Listen => 64, ReuseAddr => 1)
        // die "listen: $!\n";
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        setpgrp;
        $SIG{$_} = 'DEFAULT' for qw(TERM INT HUP ALRM);
        $SIG{CHLD} = 'IGNORE';
        alarm 600;
        while (my $c = $listener->accept) {
            next if fork;
            eval { $self->serve($c) };
            POSIX::_exit(0);
        }
        POSIX::_exit(1);
    }
    $self->{pid} = $pid;
    $alive{$self} = $self;
    weaken $alive{$self};
    return $self;
}

sub name ($self) { return $self->{name} }
sub port ($self) { return $self->{port} }
sub addr ($self) { return "$self->{addr}:$self->{port}" }

sub put ($file, $mode, $text) {
    open my $out, $mode, $file->filename or die "write: $!\n";
    syswrite $out, $text;
    return;
}

sub got ($file) {
    open my $in, '<', $file->filename or die "read: $!\n";
    my @lines = <$in>;
    chomp @lines;
    return @lines;
}

sub set ($self, $does) { return put($self->{does}, '>', "$does\n") }
sub requests ($self)   { return got($self->{log}) }
sub deliveries ($self) { return scalar(my @all = $self->requests) }
sub clear ($self)      { return put($self->{log}, '>', '') }

sub kill ($self) {
    return if $self->{owner} != $$ || !$self->{pid};
    my $pid = delete $self->{pid};
    kill KILL => -$pid, $pid;
    waitpid $pid, 0;
    return;
}

sub DESTROY ($self) {
    local ($?, $@, $!);
    $self->kill;
    return;
}

END {
    local $?;
    $_ && $_->kill for values %alive;
}

# --- frames ----------------------------------------------------------------

sub take ($c, $n) {
    my $data = '';
    while (length $data < $n) {
        sysread $c, $data, $n - length $data, length $data or die "end\n";
    }
    return $data;
}

sub give ($c, $type, $flags, $id, $data = '') {
    my $frame = substr(pack('N', length $data), 1)
        . pack('CCN', $type, $flags, $id) . $data;
    while (length $frame) {
        my $n = syswrite $c, $frame or die "end\n";
        substr $frame, 0, $n, '';
    }
    return;
}

# HPACK: literals that are not indexed.
sub field ($name, $value) { return pack 'C C/a C/a', 0, $name, $value }

sub serve ($self, $c) {
    take($c, 24);    # the preface
    give($c, SETTINGS, 0, 0);
    my %body;
    while (1) {
        my ($high, $low, $type, $flags, $id) = unpack 'CnCCN', take($c, 9);
        my $data = take($c, ($high << 16) + $low);
        give($c, SETTINGS, 1, 0) if $type == SETTINGS && !($flags & 1);
        give($c, PING, 1, 0, $data) if $type == PING && !($flags & 1);
        next if $type != HEADERS && $type != DATA;
        if ($type == HEADERS && !exists $body{$id}) {
            $body{$id} = '';
            $self->early($c, $id) and next;
        }
        if ($type == DATA && length $data) {
            $body{$id} .= $data;
            give($c, WINDOW_UPDATE, 0, $_, pack 'N', length $data) for 0, $id;
        }
        next if !($flags & END_STREAM);
        put($self->{log}, '>>', length($body{$id}) . ' '
            . sha256_hex($body{$id}) . "\n");
        $self->answer($c, $id, $body{$id});
    }
    return;
}

sub early ($self, $c, $id) {
    my ($does) = got($self->{does});
    if ($does eq 'refuse') {
        give($c, RST_STREAM, 0, $id, pack 'N', 7);
        return 1;
    }
    if ($does eq 'goaway') {
        give($c, GOAWAY, 0, 0, pack 'NN', 0, 0);
        sleep 1;
        die "end\n";
    }
    return 0;
}

sub answer ($self, $c, $id, $body) {
    my ($does) = got($self->{does});
    my $text = "$self->{name} " . length($body) . "\n";
    give($c, HEADERS, END_HEADERS, $id,
         "\x88" . field('x-backend', $self->{name}));
    if ($does eq 'die' || $does eq 'reset') {
        give($c, DATA, 0, $id, 'part of it');
        die "end\n" if $does eq 'die';
        give($c, RST_STREAM, 0, $id, pack 'N', 2);
        return;
    }
    give($c, DATA, $does eq 'grpc' ? 0 : END_STREAM, $id, $text);
    give($c, HEADERS, END_HEADERS | END_STREAM, $id, field('grpc-status', '0'))
        if $does eq 'grpc';
    return;
}

1;
