# SPDX-License-Identifier: Apache-2.0
# LBS::Fault::Cases - requests that break, drawn at random from a seed.
#
# A case is a hash, and its id is its fields, joined by colons:
#   scheme  the member's: http https h2c ajp fcgi scgi uwsgi
#   method, frame (none cl te), size (of the body)
#   proto   h1 h2, the client's
#   conn    fresh kept: the first member's connection
#   last    1: the client asks for the end of its connection
#   side    none client member: the side that breaks it
#   kind    what breaks; at: where, or which; end: fin close rst stall
#   form    of the answer: cl te eof; asize: its size
#
# Kinds of the client: cut (at bytes of the request), chunk (a chunk that is
# none, or an odd one), head (odd framing), over (larger than LimitRequestBody),
# gone (while it waits), leave (at bytes of the answer), expect and expectcut
# (its body waits for a 100), rststream, short, long (HTTP/2).
# Kinds of the member: accept (ends before it reads), read (with the head
# alone), cut (at bytes of the answer), stale (a kept connection just closing),
# garbage, early (answers before the body), interim (a 1xx first), late (a 1xx,
# then it ends), refused and goaway (HTTP/2: it did not begin), rststream.
package LBS::Fault::Cases;
use v5.36;

use LBS::Fault::Client;
use LBS::Fault::Wire;

use constant LIMIT => 1_000_000;    # LimitRequestBody
my @FIELDS = qw(scheme method frame size proto conn last side kind at end form asize);

sub id ($case) { return join ':', map { $_ // '-' } @$case{@FIELDS} }

sub of_id ($id) {
    my %case;
    @case{@FIELDS} = split /:/, $id;
    return \%case;
}

sub one_of (@list) { return $list[rand @list] }

# Small ones, and the edges of what is read ahead and kept.
sub some_size () {
    return one_of(0, 1, 5, 300, 300, 2000, 2000, 9000, 16_383, 16_384, 16_385,
                  30_000, 65_535, 65_536, 65_537, 100_000);
}

# A place in n bytes: anywhere, or at an edge.
sub place ($n, @edges) {
    my @near = grep { $_ >= 0 && $_ < $n } 0, 1, $n - 1, $n - 2, $n - 5,
        map { ($_ - 1, $_, $_ + 1) } @edges;
    return rand() < 0.5 ? one_of(@near) : int rand $n;
}

sub draw ($scheme) {
    my %case = (scheme => $scheme, proto => rand() < 0.15 ? 'h2' : 'h1',
                conn => one_of('fresh', 'fresh', 'kept'), last => one_of(0, 1),
                method => one_of(qw(GET GET PUT PUT POST POST DELETE HEAD)),
                frame => 'none', size => 0, at => '-', end => '-',
                form => one_of('cl', 'cl', 'eof', $scheme =~ /http/ ? ('te') x 2 : ()),
                asize => one_of(0, 1, 300, 300, 5000, 20_000, 70_000));
    if ($case{method} =~ /^P/) {
        @case{qw(frame size)} = (one_of('cl', 'te'), some_size());
        # These two refuse a body whose length they cannot tell.
        $case{frame} = 'cl' if $scheme =~ /^(?:scgi|uwsgi)$/;
        # As much as an HTTP/2 client may send before it is told more.
        $case{size} %= 60_000 if $case{proto} eq 'h2';
    }
    # And as a member may: this one does not wait for more room.
    $case{asize} = 50_000 if $scheme eq 'h2c' && $case{asize} > 50_000;
    my $side = $case{side} = one_of(('client') x 5, ('member') x 5, 'none');
    $case{kind} = '-';
    return \%case if $side eq 'none';
    return $side eq 'client' ? client_fault(\%case) : member_fault(\%case);
}

sub client_fault ($case) {
    my $body = $case->{frame} ne 'none' && $case->{size};
    my @kinds = (('cut') x 8, 'gone', 'leave');
    push @kinds, ('chunk') x 8, 'over' if $body && $case->{frame} eq 'te' && $case->{proto} eq 'h1';
    push @kinds, 'over', 'expect', 'expectcut' if $body && $case->{proto} eq 'h1';
    push @kinds, 'head' if $case->{proto} eq 'h1' && $case->{method} =~ /^P/;
    push @kinds, ('rststream', 'short', 'long') x 2
        if $body && $case->{proto} eq 'h2' && $case->{frame} eq 'cl';
    my $kind = $case->{kind} = one_of(@kinds);
    $case->{end} = one_of(qw(fin close rst rst), rand() < 0.3 ? 'stall' : ());
    my ($head, $rest) = $kind =~ /cut$/
        ? LBS::Fault::Client::lengths($case, '/l00/000000/x') : ();
    if ($kind eq 'cut') {
        $case->{at} = place($head + $rest, $head, $rest > 20_000 ? $head + 16_384 : ());
        # The kernel keeps a silent connection from httpd.
        $case->{at} ||= 1 if $case->{end} eq 'stall';
    }
    elsif ($kind eq 'chunk') {
        $case->{at} = one_of((sort keys %LBS::Fault::Client::BAD_CHUNK) x 2,
                             sort keys %LBS::Fault::Client::ODD_CHUNK);
    }
    elsif ($kind eq 'head') {
        @$case{qw(at frame)} = (one_of(sort keys %LBS::Fault::Client::ODD_HEAD),
                                one_of('cl', 'te'));
        $case->{size} ||= 5;
    }
    elsif ($kind eq 'over') { $case->{size} = LIMIT + 1 + int rand 40_000 }
    elsif ($kind eq 'leave') {
        @$case{qw(method frame size asize)} =
            ('GET', 'none', 0, $case->{scheme} eq 'h2c' ? 50_000 : 1_000_000);
        $case->{at} = int rand 50_000;
    }
    elsif ($kind eq 'expectcut') { $case->{at} = place($rest) }
    elsif ($kind eq 'rststream') {
        # Behind so many whole frames, never all of them.
        my $piece = LBS::Fault::Client::piece_h2($case);
        $case->{at} = (9 + $piece) * int rand $case->{size} / $piece;
    }
    $case->{end} = one_of('close', 'rst') if $kind =~ /^(?:gone|leave)$/;
    return $case;
}

# Heads and bodies of answers that are none, or odd ones.
our %GARBAGE = (
    blank => "\r\n\r\n", text => "this is no answer\r\n\r\n",
    bare => "HTTP/1.1\r\n\r\n", letters => "HTTP/1.1 abc Test\r\n\r\n",
    short => "HTTP/1.1 20 Test\r\n\r\n", old => "HTTP/0.9 200 Test\r\n\r\nx",
    new => "HTTP/9.9 200 Test\r\nContent-Length: 1\r\n\r\nx",
    nocolon => "HTTP/1.1 200 Test\r\nno colon here\r\nContent-Length: 1\r\n\r\nx",
    nul => "HTTP/1.1 200 Test\r\nX-A: a\0b\r\nContent-Length: 1\r\n\r\nx",
    spaced => "HTTP/1.1 200 Test\r\nX A : b\r\nContent-Length: 1\r\n\r\nx",
    twolengths => "HTTP/1.1 200 Test\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    badlength => "HTTP/1.1 200 Test\r\nContent-Length: 1x\r\n\r\nx",
    minus => "HTTP/1.1 200 Test\r\nContent-Length: -1\r\n\r\nx",
    both => "HTTP/1.1 200 Test\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
    badchunk => "HTTP/1.1 200 Test\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nx\r\n",
    latechunk => "HTTP/1.1 200 Test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nZZ\r\nx\r\n",
    gzip => "HTTP/1.1 200 Test\r\nTransfer-Encoding: gzip\r\n\r\nx",
    longline => 'HTTP/1.1 200 Test' . "\r\nX-A: " . 'a' x 9000 . "\r\nContent-Length: 1\r\n\r\nx",
    manyfields => "HTTP/1.1 200 Test\r\n" . "X-A: b\r\n" x 200 . "Content-Length: 1\r\n\r\nx",
    binary => join('', map { chr } 128 .. 255) . "\r\n\r\n",
    switching => "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello",
);

sub member_fault ($case) {
    my $scheme = $case->{scheme};
    my $http = $scheme =~ /^https?$/;
    my $body = $case->{frame} ne 'none' && $case->{size};
    my @kinds = (('cut') x 8, 'read', 'accept');
    push @kinds, ('stale') x 3 if $case->{conn} eq 'kept' && $scheme ne 'scgi';
    push @kinds, ('garbage') x 3, 'interim', 'late' if $http;
    push @kinds, ('early') x 2 if $body && $scheme ne 'h2c';
    push @kinds, qw(refused goaway rststream) if $scheme eq 'h2c';
    my $kind = $case->{kind} = one_of(@kinds);
    $case->{end} = one_of(qw(fin fin rst rst), $kind eq 'cut' && rand() < 0.3 ? 'stall' : ());
    if ($kind eq 'cut') {
        my ($wire, $head) = answer_of($case);
        $case->{at} = place(length $wire, $head);
    }
    elsif ($kind eq 'rststream') {
        # Between two frames; nothing is left where the first is the last.
        my ($wire, $head) = answer_of($case);
        my @ends = grep { $_ < length $wire } 0, map { $head + 5009 * $_ } 0 .. 20;
        $case->{at} = one_of(@ends);
    }
    elsif ($kind eq 'garbage') { $case->{at} = one_of(sort keys %GARBAGE) }
    elsif ($kind eq 'early') {
        $case->{at} = one_of(413, 401, 405, 200);
        $case->{size} = one_of(300, 20_000, 100_000, 300_000, 900_000)
            if $case->{proto} eq 'h1';
    }
    elsif ($kind eq 'interim') { $case->{at} = one_of(100, 102, 103, 199) }
    elsif ($kind eq 'late') { $case->{at} = one_of(100, 102, 103) }
    $case->{conn} = 'fresh' if $kind eq 'accept';
    return $case;
}

# The first member's answer as it should be: (bytes, bytes of its head).
sub answer_of ($case, $wire = undef) {
    $wire //= do {
        my $w = LBS::Fault::Wire->new($case->{scheme}, undef);
        $w->{stream} = 1;
        $w;
    };
    return $wire->answer(status => 200, from => 'm1', form => $case->{form},
        method => $case->{method}, body => answer_body('m1', $case->{asize}));
}

sub answer_body ($from, $size) {
    return substr "$from:" . LBS::Fault::Client::pattern($size), 0, $size;
}

# The same seed draws the same cases.
sub many ($seed, %count) {
    srand $seed;
    my @cases;
    for my $scheme (sort keys %count) {
        push @cases, map { draw($scheme) } 1 .. $count{$scheme};
    }
    return @cases;
}

1;
