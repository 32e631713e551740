# SPDX-License-Identifier: Apache-2.0
# LBS::Fault::Wire - what a member sees and says, byte by byte, in each of the
# protocols that mod_proxy speaks to members.
#
#   my $wire = LBS::Fault::Wire->new('fcgi', $conn);
#   my $seen = $wire->look;    # undef, or what is there of a request so far:
#                              #   head (text that names its path), body,
#                              #   complete, next (bytes that belong to it)
#   $wire->turn($seen);        # that request is done: the connection is kept
#   my ($bytes, $head) = $wire->answer(status => 200, form => 'cl',
#                                      from => 'm1', body => $body);
#
# `form` is how an answer ends: cl (its length is told), te (chunked, http
# only), eof (the protocol's own end, with http the connection's). $head is
# the number of bytes that its head takes. What a protocol wants to be said in
# between (HTTP/2's settings, the next piece of an AJP body) look() sends.
package LBS::Fault::Wire;
use v5.36;

use LBS::Gateway ();

my %look = (http => \&look_http, https => \&look_http, h2c => \&look_h2,
            ajp => \&look_ajp, fcgi => \&look_fcgi, scgi => \&look_scgi,
            uwsgi => \&look_uwsgi);
my %answer = (http => \&answer_http, https => \&answer_http,
              h2c => \&answer_h2, ajp => \&answer_ajp, fcgi => \&answer_fcgi,
              scgi => \&answer_cgi, uwsgi => \&answer_cgi);

sub schemes () { return qw(http https h2c ajp fcgi scgi uwsgi) }

sub new ($class, $scheme, $conn) {
    return bless {scheme => $scheme, conn => $conn, asked => 0}, $class;
}

sub look ($self) {
    return $look{$self->{scheme}}->($self, \$self->{conn}{in});
}

sub turn ($self, $seen) {
    substr $self->{conn}{in}, 0, $seen->{next} // 0, '';
    $self->{asked} = 0;
    return;
}

sub answer ($self, %o) { return $answer{$self->{scheme}}->($self, %o) }

# Says that the body may come.
sub continue ($self) {
    return "HTTP/1.1 100 Continue\r\n\r\n" if $self->{scheme} ne 'h2c';
    return frame(HEADERS(), END_HEADERS(), $self->{stream}, field(':status', 100));
}

# Whether the end of the connection is the end of such an answer.
sub ends_with_connection ($self, $form) {
    return $self->{scheme} =~ /^(?:scgi|uwsgi)$/
        || ($form eq 'eof' && $self->{scheme} =~ /^https?$/);
}

# --- HTTP/1.1 --------------------------------------------------------------

# Chunks: (data, is it complete, bytes taken).
sub unchunk ($text) {
    my ($data, $at) = ('', 0);
    while (substr($text, $at) =~ /\A([0-9A-Fa-f]+)[^\r\n]*\r\n/) {
        my ($size, $line) = (hex $1, length $&);
        $at += $line;
        if ($size == 0) {
            my $rest = substr $text, $at;
            return $rest =~ /\A(?:[^\r\n]+\r\n)*\r\n/
                ? ($data, 1, $at + length $&) : ($data, 0, $at);
        }
        $data .= substr $text, $at, $size;
        return ($data, 0, length $text) if length $text < $at + $size + 2;
        $at += $size + 2;
    }
    return ($data, 0, $at);
}

sub look_http ($self, $in) {
    $$in =~ /\A(.*?\r\n)\r\n/s or return;
    my ($head, $start) = ($1, length $&);
    my $rest = substr $$in, $start;
    if ($head =~ /^Transfer-Encoding:\s*chunked/mi) {
        my ($body, $complete, $taken) = unchunk($rest);
        return {head => $head, body => $body, complete => $complete,
                next => $start + $taken};
    }
    my $length = $head =~ /^Content-Length:\s*(\d+)/mi ? $1 : 0;
    my $body = substr $rest, 0, $length;
    return {head => $head, body => $body,
            complete => length $body == $length, next => $start + length $body};
}

sub answer_http ($self, %o) {
    my $head = "HTTP/1.1 $o{status} Test\r\nContent-Type: text/plain\r\n"
        . "X-From: $o{from}\r\n" . ($o{more} // '');
    my $body = $o{body};
    my $none = $o{status} == 204 || $o{status} == 304;
    $head .= 'Content-Length: ' . length($body) . "\r\n"
        if $o{form} eq 'cl' && !$none;
    $head .= "Transfer-Encoding: chunked\r\n" if $o{form} eq 'te' && !$none;
    $head .= "Connection: close\r\n" if $o{form} eq 'eof' || $o{last};
    $head .= "\r\n";
    $body = '' if $o{method} eq 'HEAD' || $none;
    $body = chunked($body) if $o{form} eq 'te' && $o{method} ne 'HEAD' && !$none;
    return ($head . $body, length $head);
}

sub chunked ($body, $size = 700) {
    my $text = '';
    while (length $body) {
        my $piece = substr $body, 0, $size, '';
        $text .= sprintf("%x\r\n", length $piece) . "$piece\r\n";
    }
    return "${text}0\r\n\r\n";
}

# --- HTTP/2 ----------------------------------------------------------------

my $PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
use constant {DATA => 0, HEADERS => 1, RST => 3, SETTINGS => 4, PING => 6,
              GOAWAY => 7, WINDOW => 8, CONTINUATION => 9,
              END_STREAM => 1, END_HEADERS => 4, PADDED => 8, PRIORITY => 32};

sub frame ($type, $flags, $stream, $data = '') {
    return substr(pack('N', length $data), 1)
        . pack('CCN', $type, $flags, $stream) . $data;
}

# A field that is never indexed and not Huffman coded.
sub field ($name, $value) {
    return pack('C', 0) . hpack_text($name) . hpack_text($value);
}

sub hpack_text ($text) {
    my $n = length $text;
    return pack('C', $n) . $text if $n < 127;
    my $bytes = pack 'C', 127;
    for ($n -= 127; $n > 127; $n >>= 7) {
        $bytes .= pack 'C', 128 | $n & 127;
    }
    return $bytes . pack('C', $n) . $text;
}

# Its frames: [type, flags, stream, data], and how many bytes they took.
sub frames ($bytes) {
    my ($at, @all) = (0);
    while (length($bytes) >= $at + 9) {
        my ($high, $low, $type, $flags, $stream) =
            unpack 'CnCCN', substr $bytes, $at, 9;
        my $length = $high << 16 | $low;
        last if length($bytes) < $at + 9 + $length;
        push @all, [$type, $flags, $stream & 0x7fffffff,
                    substr $bytes, $at + 9, $length];
        $at += 9 + $length;
    }
    return ($at, @all);
}

sub payload ($frame) {
    my (undef, $flags, undef, $data) = @$frame;
    return $data if !($flags & PADDED);
    my $pad = unpack 'C', $data;
    return substr $data, 1, length($data) - 1 - $pad;
}

# The preface, and windows wide enough for all that a case sends.
sub opening ($of_client) {
    return ($of_client ? $PREFACE : '')
        . frame(SETTINGS, 0, 0, pack 'nN', 4, 0x7fffffff)
        . frame(WINDOW, 0, 0, pack 'N', 0x7fff0000 - 65_535);
}

# A connection is this request's alone from its HEADERS on. Its header block
# is not decoded: the port that it came to tells the case.
sub look_h2 ($self, $in) {
    if (!$self->{open}) {
        length $$in >= length $PREFACE or return;
        substr $$in, 0, length $PREFACE, '';
        $self->{conn}->send(opening(0));
        $self->{open} = 1;
    }
    my ($taken, @frames) = frames($$in);
    substr $$in, 0, $taken, '';
    for my $f (@frames) {
        my ($type, $flags, $stream, $data) = @$f;
        $self->{conn}->send(frame(SETTINGS, 1, 0)) if $type == SETTINGS && !$flags;
        $self->{conn}->send(frame(PING, 1, 0, $data)) if $type == PING && !$flags;
        if ($type == HEADERS) {
            $self->{stream} = $stream;
            $self->{seen} = {head => 'h2', body => '', complete => 0};
        }
        my $seen = $self->{seen};
        next if !$seen || $stream != $self->{stream};
        $seen->{body} .= payload($f) if $type == DATA;
        $seen->{complete} = 1 if $type <= HEADERS && $flags & END_STREAM;
        $seen->{reset} = 1 if $type == RST;
    }
    return $self->{seen};
}

sub answer_h2 ($self, %o) {
    my $id = $self->{stream};
    my $none = $o{method} eq 'HEAD' || $o{status} == 204 || $o{status} == 304;
    my $block = field(':status', $o{status}) . field('x-from', $o{from})
        . ($o{form} eq 'cl' && !$none
           ? field('content-length', length $o{body}) : '');
    my $empty = $none || !length $o{body};
    my $head = frame(HEADERS, END_HEADERS | ($empty ? END_STREAM : 0), $id, $block);
    my ($text, $body) = ($head, $empty ? '' : $o{body});
    while (length $body) {
        my $piece = substr $body, 0, 5000, '';
        $text .= frame(DATA, length $body ? 0 : END_STREAM, $id, $piece);
    }
    delete $self->{seen};
    return ($text, length $head);
}

# --- AJP -------------------------------------------------------------------

sub look_ajp ($self, $in) {
    my ($at, @packets) = (0);
    while (length $$in >= $at + 4) {
        my $length = unpack 'x2n', substr $$in, $at, 4;
        last if length $$in < $at + 4 + $length;
        push @packets, substr $$in, $at + 4, $length;
        $at += 4 + $length;
    }
    my $first = shift @packets // return;
    my $env = LBS::Gateway::ajp_request($first);
    my $length = $env->{HTTP_CONTENT_LENGTH};
    my $has_body = $length || lc($env->{HTTP_TRANSFER_ENCODING} // '') eq 'chunked';
    my $body = join '', map { length > 2 ? unpack('n/a', $_) : '' } @packets;
    my $over = !$has_body || ($length ? length $body == $length
        : grep { length($_) < 3 } @packets);
    # httpd sends the first piece unasked, but of a chunked body.
    if (!$over && @packets + ($length ? 0 : 1) > $self->{asked}) {
        $self->{asked}++;
        $self->{conn}->send(LBS::Gateway::ajp_packet(pack 'Cn', 6, 8186));
    }
    return {head => $env->{REQUEST_URI}, body => $body,
            complete => $over ? 1 : 0, next => $at};
}

sub answer_ajp ($self, %o) {
    my @fields = (['Content-Type', 'text/plain'], ['X-From', $o{from}],
        $o{form} eq 'cl' ? ['Content-Length', length $o{body}] : ());
    my $head = LBS::Gateway::ajp_packet(pack('Cn', 4, $o{status})
        . LBS::Gateway::ajp_string('Test') . pack('n', scalar @fields)
        . join '', map { LBS::Gateway::ajp_string($_) } map { @$_ } @fields);
    my $text = $head;
    my $body = $o{method} eq 'HEAD' ? '' : $o{body};
    while (length $body) {
        $text .= LBS::Gateway::ajp_packet(pack('C', 3)
            . LBS::Gateway::ajp_string(substr $body, 0, 3000, ''));
    }
    return ($text . LBS::Gateway::ajp_packet(pack 'CC', 5, 1), length $head);
}

# --- FastCGI, SCGI, uwsgi --------------------------------------------------

sub look_fcgi ($self, $in) {
    my ($at, $params, $body, $seen) = (0, '', '');
    while (length $$in >= $at + 8) {
        my (undef, $type, $id, $length, $padding) =
            unpack 'CCnnCx', substr $$in, $at, 8;
        last if length $$in < $at + 8 + $length + $padding;
        my $data = substr $$in, $at + 8, $length;
        $at += 8 + $length + $padding;
        $self->{keep} = unpack('x2C', $data) & 1 if $type == 1;
        $params .= $data if $type == 4;
        $seen = {head => LBS::Gateway::fcgi_pairs($params)->{REQUEST_URI},
                 body => '', complete => 0, next => $at}
            if $type == 4 && !$length;
        next if $type != 5 || !$seen;
        $seen->{body} .= $data;
        $seen->{next} = $at;
        if (!$length) {
            $seen->{complete} = 1;
            last;
        }
    }
    return $seen;
}

sub cgi_head (%o) {
    return join "\r\n", "Status: $o{status} Test", 'Content-Type: text/plain',
        "X-From: $o{from}", $o{form} eq 'cl'
            ? 'Content-Length: ' . length $o{body} : (), '', '';
}

sub answer_fcgi ($self, %o) {
    my $text = LBS::Gateway::fcgi_record(6, 1, cgi_head(%o));
    my $head = length $text;
    my $body = $o{method} eq 'HEAD' ? '' : $o{body};
    while (length $body) {
        $text .= LBS::Gateway::fcgi_record(6, 1, substr $body, 0, 3000, '');
    }
    return ($text . LBS::Gateway::fcgi_record(6, 1, '')
        . LBS::Gateway::fcgi_record(3, 1, pack 'NCx3', 0, 0), $head);
}

sub cgi_request ($env, $text, $start) {
    my $length = $env->{CONTENT_LENGTH} || 0;
    my $body = substr $text, $start, $length;
    return {head => $env->{REQUEST_URI}, body => $body,
            complete => length $body == $length, next => $start + length $body};
}

sub look_scgi ($self, $in) {
    $$in =~ /\A(\d+):/ or return;
    my $start = length($&) + $1 + 1;
    return if length $$in < $start;
    my @pairs = split /\0/, substr($$in, length $&, $1), -1;
    pop @pairs;
    return cgi_request({@pairs}, $$in, $start);
}

sub look_uwsgi ($self, $in) {
    return if length $$in < 4;
    my $size = unpack 'xv', $$in;
    return if length $$in < 4 + $size;
    return cgi_request({unpack '(v/a)*', substr $$in, 4, $size}, $$in, 4 + $size);
}

sub answer_cgi ($self, %o) {
    my $head = cgi_head(%o);
    $head =~ s{^Status:}{HTTP/1.0} if $self->{scheme} eq 'uwsgi';
    return ($head . ($o{method} eq 'HEAD' ? '' : $o{body}), length $head);
}

1;
