# SPDX-License-Identifier: Apache-2.0
# LBS::Fault::Client - the client's side of a case: the bytes that it sends,
# where it breaks off, and what it makes of what comes back.
#
#   my $client = LBS::Fault::Client->new($loop, $port, $case, $path);
#   ...                        # the loop runs
#   $client->{done}            # true when it is through
#   $client->result            # early, status, from, body, whole, extra, left
#
# `whole` is set when the answer ended as its framing says; `extra` counts the
# bytes that came behind that end; `left` says that the client did not wait.
package LBS::Fault::Client;
use v5.36;

use LBS::Fault::Wire;

my $PATTERN = join '', map { sprintf '%07d ', $_ } 0 .. 131_071;

# Bytes that differ everywhere, so that a shifted piece is seen.
sub pattern ($size) { return substr $PATTERN, 0, $size }

# Chunks that no parser may take for a body ...
our %BAD_CHUNK = (
    letters => "ZZ\r\nhello\r\n", empty => "\r\nhello\r\n",
    negative => "-5\r\nhello\r\n", overflow => "fffffffffffffffff\r\nhello\r\n",
    prefix => "0x5\r\nhello\r\n", half => "5g\r\nhello\r\n",
    longer => "5\r\nhelloXX\r\n", nul => "\0\r\nhello\r\n",
    extension => '5;' . 'x' x 9000 . "\r\nhello\r\n",
    blank => "5 5\r\nhello\r\n", sign => "+5\r\nhello\r\n",
    carriage => "5\rhello\r\n",
);

# ... and codings that some servers take and some do not: the stock balancer
# decides.
our %ODD_CHUNK = (
    spaces => "5  \r\nhello\r\n0\r\n\r\n", named => "5;a=b\r\nhello\r\n0\r\n\r\n",
    zeros => "00000005\r\nhello\r\n0\r\n\r\n", upper => "A\r\nhellohello\r\n0\r\n\r\n",
    feeds => "5\nhello\n0\n\n", trailer => "0\r\nX-Trailer: 1\r\n\r\n",
    untrailer => "0\r\nno trailer at all\r\n\r\n",
    manytrailers => "0\r\n" . "X-T: 1\r\n" x 300 . "\r\n",
    longtrailer => "0\r\nX-T: " . 'x' x 9000 . "\r\n\r\n",
    wide => "5;" . 'x' x 4000 . "\r\nhello\r\n0\r\n\r\n",
);

# Heads whose framing is wrong or doubtful; the framing of the body counts.
our %ODD_HEAD = (
    lettered => "Content-Length: 12x\r\n", minus => "Content-Length: -1\r\n",
    two => "Content-Length: 5\r\nContent-Length: 6\r\n",
    listed => "Content-Length: 5, 5\r\n", huge => 'Content-Length: ' . '9' x 30 . "\r\n",
    gzip => "Transfer-Encoding: gzip\r\n", twice => "Transfer-Encoding: chunked, chunked\r\n",
    unchunked => "Transfer-Encoding: chunked, gzip\r\n",
    both => "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
    tabbed => "Transfer-Encoding:\tchunked\r\n",
);

# (head, body as it goes over the wire)
sub request ($case, $path) {
    my $kind = $case->{side} eq 'client' ? $case->{kind} : '';
    my $body = $case->{frame} eq 'none' ? '' : pattern($case->{size});
    my $head = "$case->{method} $path HTTP/1.1\r\nHost: localhost\r\n"
        . "Cookie: R=x.m1\r\n";
    $head .= "Connection: close\r\n" if $case->{last};
    $head .= "Expect: 100-continue\r\n" if $kind =~ /^expect/;
    if ($kind eq 'head') {
        $head .= $ODD_HEAD{$case->{at}};
    }
    elsif ($case->{frame} eq 'cl') {
        $head .= "Content-Length: $case->{size}\r\n";
    }
    elsif ($case->{frame} eq 'te') {
        $head .= "Transfer-Encoding: chunked\r\n";
        my $coded = LBS::Fault::Wire::chunked($body, 97 + int $case->{size} / 20);
        if ($kind eq 'chunk') {
            $coded =~ s/0\r\n\r\n\z//;
            $coded .= $BAD_CHUNK{$case->{at}} // $ODD_CHUNK{$case->{at}};
        }
        $body = $coded;
    }
    return ("$head\r\n", $body);
}

# Bytes in a DATA frame.
sub piece_h2 ($case) {
    my $third = 1 + int $case->{size} / 3;
    return $third < 16_000 ? $third : 16_000;
}

sub request_h2 ($case, $path) {
    my $kind = $case->{side} eq 'client' ? $case->{kind} : '';
    my $body = $case->{frame} eq 'none' ? '' : pattern($case->{size});
    my $told = length($body) + ($kind eq 'short' ? 7 : $kind eq 'long' ? -1 : 0);
    my $block = join '', map { LBS::Fault::Wire::field(@$_) }
        [':method', $case->{method}], [':scheme', 'http'],
        [':authority', 'localhost'], [':path', $path], ['cookie', 'R=x.m1'],
        $case->{frame} eq 'cl' ? ['content-length', $told] : ();
    my $flags = LBS::Fault::Wire::END_HEADERS;
    my $end = LBS::Fault::Wire::END_STREAM;
    my $head = LBS::Fault::Wire::opening(1) . LBS::Fault::Wire::frame(
        LBS::Fault::Wire::HEADERS, $flags | (length $body ? 0 : $end), 1, $block);
    my $text = '';
    while (length $body) {
        my $piece = substr $body, 0, piece_h2($case), '';
        $text .= LBS::Fault::Wire::frame(LBS::Fault::Wire::DATA,
            length $body ? 0 : $end, 1, $piece);
    }
    return ($head, $text);
}

# How long the bytes of a case are, for the choice of where to cut.
sub lengths ($case, $path) {
    return map { length } $case->{proto} eq 'h2' ? request_h2($case, $path)
        : request($case, $path);
}

sub new ($class, $loop, $port, $case, $path) {
    my $self = bless {case => $case, got => '', loop => $loop}, $class;
    my $conn = $self->{conn} = $loop->connect($port);
    $conn->{on_data} = sub ($c) { $self->came };
    $conn->{on_end} = sub ($c, $how) { $self->{end} //= $how; $self->over };
    my ($head, $body) = $case->{proto} eq 'h2'
        ? request_h2($case, $path) : request($case, $path);
    $self->play($head, $body);
    return $self;
}

sub play ($self, $head, $body) {
    my ($case, $conn) = @$self{qw(case conn)};
    my $kind = $case->{side} eq 'client' ? $case->{kind} : '';
    my $all = $head . $body;
    if ($kind eq 'cut') {
        $conn->send(substr $all, 0, $case->{at});
        return $self->leave;
    }
    if ($kind eq 'rststream') {
        $conn->send(substr($all, 0, length($head) + $case->{at}));
        my $told = LBS::Fault::Wire::frame(LBS::Fault::Wire::RST, 0, 1,
                                           pack 'N', $case->{code} // 8);
        $conn->send($told);
        $self->{left} = 1;
        return $self->{loop}->after(0.1, sub { $conn->finish('close'); $self->over });
    }
    if ($kind =~ /^expect/) {
        $self->{body} = $body;
        # Nobody waits for a 100 for ever.
        $self->{loop}->after(0.4, sub { $self->continue });
        return $conn->send($head);
    }
    $conn->send($all);
    return if $kind ne 'gone';
    return $self->{loop}->after(0.15, sub { $self->leave });
}

# Breaks off, in the way of the case.
sub leave ($self) {
    my ($case, $conn) = @$self{qw(case conn)};
    return if $case->{end} eq 'stall' || $self->{done};
    $conn->finish($case->{end});
    return if $case->{end} eq 'fin';
    $self->{left} = 1;
    return $self->over;
}

sub came ($self) {
    my $conn = $self->{conn};
    my $case = $self->{case};
    $self->continue if $conn->{in} =~ m{\AHTTP/1.1 100 };
    return if $self->{left};
    if ($case->{side} eq 'client' && $case->{kind} eq 'leave'
        && length $conn->{in} > $case->{at}) {
        return $self->leave;
    }
    my $r = $self->result;
    return if !($r->{whole} || defined $r->{reset}) || $self->{waiting}++;
    # Whether something comes behind it: an end of a connection is waited for.
    my $wait = $case->{last} && $case->{proto} eq 'h1' ? 0.5 : 0.02;
    $self->{loop}->after($wait, sub { $self->over });
    return;
}

# The body, or as much of it as the case has.
sub continue ($self) {
    my $body = delete $self->{body} // return;
    return if $self->{done} || $self->result->{status};
    my $case = $self->{case};
    return $self->{conn}->send($body) if $case->{kind} ne 'expectcut';
    $self->{conn}->send(substr $body, 0, $case->{at});
    return $self->leave;
}

sub over ($self) {
    return if $self->{done}++;
    my $conn = $self->{conn};
    $self->{bytes} = $conn->{in};
    $conn->drop if !$self->{left};
    return;
}

sub result ($self) {
    my $text = $self->{bytes} // $self->{conn}{in};
    my $r = $self->{case}{proto} eq 'h2' ? parse_h2($text)
        : parse($text, $self->{case}{method}, $self->{end} // '');
    $r->{left} = $self->{left};
    $r->{hung} = !$self->{done};
    return $r;
}

sub parse ($text, $method, $end) {
    my %r = (early => [], status => 0, from => '', body => '', whole => 0, extra => 0);
    while ($text =~ m{\AHTTP/1\.[01] (1\d\d)[^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n}) {
        push @{$r{early}}, $1;
        substr $text, 0, length $&, '';
    }
    $text =~ m{\A(HTTP/1\.[01] (\d{3}).*?\r\n)\r\n}s or return \%r;
    my $head = $1;
    $r{status} = $2;
    my $rest = substr $text, length $&;
    ($r{from}) = $head =~ /^X-From: (\S*)\r/m;
    $r{from} //= '';
    if ($method eq 'HEAD' || $r{status} == 204 || $r{status} == 304) {
        @r{qw(whole extra)} = (1, length $rest);
    }
    elsif ($head =~ /^Transfer-Encoding: chunked/mi) {
        (my $data, $r{whole}, my $taken) = LBS::Fault::Wire::unchunk($rest);
        $r{body} = $data;
        $r{extra} = length($rest) - $taken if $r{whole};
    }
    elsif ($head =~ /^Content-Length: (\d+)/mi) {
        $r{body} = substr $rest, 0, $1;
        $r{whole} = length $rest >= $1 ? 1 : 0;
        $r{extra} = length($rest) - $1 if $r{whole};
    }
    else {
        $r{body} = $rest;
        $r{whole} = $end eq 'fin' ? 1 : 0;
    }
    return \%r;
}

my @DIGIT = ((map { sprintf '%05b', $_ } 0 .. 2), map { sprintf '%06b', $_ } 25 .. 31);
my %OF_INDEX = (8 => 200, 9 => 204, 10 => 206, 11 => 304, 12 => 400, 13 => 404, 14 => 500);

# httpd writes the status first: indexed, or a literal with the name's index.
sub status_of ($block) {
    $block =~ s/\A[\x20-\x3f]+//;    # sizes of the table
    my ($first, $length) = unpack 'CC', $block;
    return $OF_INDEX{$first & 0x7f} // 0 if $first & 0x80;
    my $text = substr $block, 2, $length & 0x7f;
    return $text if !($length & 0x80);
    my $bits = unpack 'B*', $text;
    my $status = '';
    while (length $status < 3) {
        my ($digit) = grep { index($bits, $DIGIT[$_]) == 0 } 0 .. 9;
        return 0 if !defined $digit;
        $status .= $digit;
        substr $bits, 0, length $DIGIT[$digit], '';
    }
    return $status;
}

sub parse_h2 ($text) {
    my %r = (early => [], status => 0, from => '', body => '', whole => 0, extra => 0);
    my (undef, @frames) = LBS::Fault::Wire::frames($text);
    for my $f (@frames) {
        my ($type, $flags, $stream, $data) = @$f;
        next if $stream != 1;
        $r{extra}++ if $r{whole} && $type <= LBS::Fault::Wire::HEADERS;
        if ($type == LBS::Fault::Wire::HEADERS && !$r{status}) {
            my $status = status_of(LBS::Fault::Wire::payload($f));
            push @{$r{early}}, $status if $status =~ /^1/;
            $r{status} = $status if $status !~ /^1/;
        }
        $r{body} .= LBS::Fault::Wire::payload($f) if $type == LBS::Fault::Wire::DATA;
        $r{whole} = 1 if $type <= LBS::Fault::Wire::HEADERS
            && $flags & LBS::Fault::Wire::END_STREAM;
        $r{reset} = unpack 'N', $data if $type == LBS::Fault::Wire::RST;
    }
    # A stream that is reset after its end ended before it.
    $r{whole} = 0 if defined $r{reset} && $r{reset} != 0;
    return \%r;
}

1;
