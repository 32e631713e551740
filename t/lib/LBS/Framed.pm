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
#   send away 200, LBSticky-Move: any
# It never says 100. requests() has a line for each complete request: the bytes
# of its body.
package LBS::Framed;
use v5.36;

use Digest::SHA qw(sha256_hex);
use File::Temp ();
use LBS::Fake qw(take);
use parent -norequire, 'LBS::Fake';

use constant {DATA => 0, HEADERS => 1, RST_STREAM => 3, SETTINGS => 4,
              PING => 6, GOAWAY => 7, WINDOW_UPDATE => 8,
              END_STREAM => 1, END_HEADERS => 4};

sub new ($class, %o) {
    my $self = $class->member(name => $o{name}, does => File::Temp->new);
    $self->set($o{does} // 'answer');
    return $self->serve_by(sub ($c) { $self->serve($c) });
}

sub set ($self, $does) {
    open my $out, '>', $self->{does}->filename or die "write: $!\n";
    syswrite $out, $does;
    return;
}

sub does ($self) {
    open my $in, '<', $self->{does}->filename or die "read: $!\n";
    return scalar <$in>;
}

sub requests ($self) { return $self->lines }

# --- frames ----------------------------------------------------------------

sub frame ($c, $type, $flags, $id, $data = '') {
    return LBS::Fake::give($c, substr(pack('N', length $data), 1)
        . pack('CCN', $type, $flags, $id) . $data);
}

# HPACK: literals that are not indexed.
sub field ($name, $value) { return pack 'C C/a C/a', 0, $name, $value }

sub serve ($self, $c) {
    take($c, 24);    # the preface
    frame($c, SETTINGS, 0, 0);
    my %body;
    while (1) {
        my ($high, $low, $type, $flags, $id) = unpack 'CnCCN', take($c, 9);
        my $data = take($c, ($high << 16) + $low);
        frame($c, SETTINGS, 1, 0) if $type == SETTINGS && !($flags & 1);
        frame($c, PING, 1, 0, $data) if $type == PING && !($flags & 1);
        next if $type != HEADERS && $type != DATA;
        if ($type == HEADERS && !exists $body{$id}) {
            $body{$id} = '';
            $self->early($c, $id) and next;
        }
        if ($type == DATA && length $data) {
            $body{$id} .= $data;
            frame($c, WINDOW_UPDATE, 0, $_, pack 'N', length $data) for 0, $id;
        }
        next if !($flags & END_STREAM);
        $self->note(length($body{$id}) . ' ' . sha256_hex($body{$id}) . "\n");
        $self->answer($c, $id, $body{$id});
    }
    return;
}

sub early ($self, $c, $id) {
    my $does = $self->does;
    if ($does eq 'refuse') {
        frame($c, RST_STREAM, 0, $id, pack 'N', 7);
        return 1;
    }
    if ($does eq 'goaway') {
        frame($c, GOAWAY, 0, 0, pack 'NN', 0, 0);
        sleep 1;
        die "end\n";
    }
    return 0;
}

sub answer ($self, $c, $id, $body) {
    my $does = $self->does;
    my $text = "$self->{name} " . length($body) . "\n";
    frame($c, HEADERS, END_HEADERS, $id,
         "\x88" . field('x-backend', $self->{name})
             . ($does eq 'send away' ? field('lbsticky-move', 'any') : ''));
    if ($does eq 'die' || $does eq 'reset') {
        frame($c, DATA, 0, $id, 'part of it');
        die "end\n" if $does eq 'die';
        frame($c, RST_STREAM, 0, $id, pack 'N', 2);
        return;
    }
    frame($c, DATA, $does eq 'grpc' ? 0 : END_STREAM, $id, $text);
    frame($c, HEADERS, END_HEADERS | END_STREAM, $id, field('grpc-status', '0'))
        if $does eq 'grpc';
    return;
}

1;
