# SPDX-License-Identifier: Apache-2.0
# LBS::Gateway - members that do not speak HTTP: ajp, fcgi, scgi, uwsgi.
#
#   my $g = LBS::Gateway->new(scheme => 'fcgi', name => 'f1');
#   BalancerMember "fcgi://@B1@"        (it has addr, port, name and url as
#                                        LBS::Backend has)
#
# The answer is 200, X-Backend: NAME, Set-Cookie: gw=NAME, and JSON: backend,
# method, uri, cookie and moved (LBSticky-Moved; undef without one), body_length, body_sha256, connection
# (another number for each). requests() are the descriptions of all complete
# requests.
#
# The query says how to behave, with `at=NAME` only there:
#   status=N         status of the answer
#   size=N           a body of N bytes instead of the description
#   head=N           a header field of N bytes; header=N:V  another one
#   end=before|N     ends before the answer, or after N bytes of its body,
#   how=close|reset|hang   by FIN (the default), RST, or by silence
#   length=0         the answer does not say how long it is
#   modified=1       scgi, fcgi: of the year 2025, and without a status
#   delay=S          seconds before the answer
#   deaf=STATUS      answers to the head of the request, reads nothing of its
#                    body and closes (mute: without an answer); how=linger
#                    reads the body, after the end of the answer; how=hear
#                    (scgi, uwsgi) reads all of it before that end
package LBS::Gateway;
use v5.36;

use Digest::SHA qw(sha256_hex);
use JSON::PP ();
use Socket qw(SOL_SOCKET SO_LINGER);
use LBS::Fake qw(take give);
use parent -norequire, 'LBS::Fake';

my %serve = (ajp => \&serve_ajp, fcgi => \&serve_fcgi, scgi => \&serve_scgi,
             uwsgi => \&serve_uwsgi);
my $json = JSON::PP->new->ascii->canonical;

sub new ($class, %o) {
    my $self = $class->member(scheme => $o{scheme},
                              name => $o{name} // $o{scheme});
    my $serve = $serve{$o{scheme}} // die "unknown scheme $o{scheme}\n";
    return $self->serve_by(sub ($c) { $serve->($self, $c) });
}

sub url ($self)      { return "$self->{scheme}://" . $self->addr }
sub requests ($self) { return map { $json->decode($_) } $self->lines }

# --- answers ---------------------------------------------------------------

# What the query says, as far as it is meant for this one.
sub behaviour ($name, $env) {
    my %q = map { /^(\w+)=(.*)/ ? ($1, $2) : () }
        split /&/, $env->{QUERY_STRING} // '';
    return $q{at} && $q{at} ne $name ? {} : \%q;
}

# The end of a connection that the other side does not expect.
sub finish ($c, $how) {
    sleep 60 if $how eq 'hang';
    if ($how eq 'linger') {
        shutdown $c, 1;
        1 while sysread $c, my $rest, 65536;
    }
    setsockopt $c, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0 if $how eq 'reset';
    close $c;
    die "end\n";
}

# Status, header fields and body of the answer to a request in CGI's terms, and
# how it ends instead of with the rest of the body (undef: it does not).
sub answer ($self, $env, $body, $c) {
    my $name = $self->{name};
    my $b = behaviour($name, $env);
    my $text = $json->encode({
        backend => $name, method => $env->{REQUEST_METHOD},
        uri => $env->{REQUEST_URI}, cookie => $env->{HTTP_COOKIE},
        moved => $env->{HTTP_LBSTICKY_MOVED},
        body_length => length $body, body_sha256 => sha256_hex($body),
        connection => $$,
    }) . "\n";
    $self->note($text);
    my $how = $b->{how} // 'close';
    sleep $b->{delay} if $b->{delay};
    finish($c, $how) if ($b->{end} // '') eq 'before';
    $text = 'x' x $b->{size} if defined $b->{size};
    my @headers = (['Content-Type', 'application/json'],
        ['X-Backend', $name], ['Set-Cookie', "gw=$name"],
        $b->{modified} ? ['Last-Modified', 'Wed, 01 Jan 2025 00:00:00 GMT'] : (),
        $b->{header} ? [split /:/, $b->{header}, 2] : (),
        $b->{head} ? ['X-Long', 'y' x $b->{head}] : (),
        ($b->{length} // 1) ? ['Content-Length', length $text] : ());
    return ($b->{status} // ($b->{modified} ? undef : 200), \@headers,
        defined $b->{end} ? (substr($text, 0, $b->{end}), $how) : $text);
}

# The answer to the head alone, as answer() has it; nothing: all is to be read.
sub deaf ($self, $env) {
    my $name = $self->{name};
    my $b = behaviour($name, $env);
    my $status = $b->{deaf} or return;
    select undef, undef, undef, $b->{delay} if $b->{delay};
    die "end\n" if $status eq 'mute';
    return ($status, [['X-Backend', $name], ['Content-Type', 'text/plain'],
        ($b->{length} // 1) ? ['Content-Length', 4] : ()], "nay\n",
        $b->{how} // 'close');
}

# The body, of which a part came before the answer.
sub hear ($self, $c, $env) {
    my $body = take($c, $env->{CONTENT_LENGTH});
    $self->note($json->encode({uri => $env->{REQUEST_URI},
                               body_length => length $body}) . "\n");
    return;
}

sub cgi_text ($status, $headers, $body, $begins = 'Status:') {
    return join "\r\n", defined $status ? "$begins $status Test" : (),
        (map { "$_->[0]: $_->[1]" } @$headers), '', $body;
}

# --- SCGI, uwsgi -----------------------------------------------------------

sub serve_scgi ($self, $c) {
    my $length = '';
    while ((my $byte = take($c, 1)) ne ':') {
        $length .= $byte;
    }
    my @pairs = split /\0/, take($c, $length), -1;
    pop @pairs;      # behind the last NUL
    my %env = @pairs;
    take($c, 1);     # the comma
    return $self->serve_body($c, \%env, 'Status:');
}

sub serve_uwsgi ($self, $c) {
    my (undef, $size) = unpack 'CvC', take($c, 4);
    my %env = unpack '(v/a)*', take($c, $size);
    return $self->serve_body($c, \%env, 'HTTP/1.0');
}

# The body of a request and the answer, whose first line begins with that word.
sub serve_body ($self, $c, $env, $begins) {
    my @deaf = $self->deaf($env);
    my ($status, $headers, $text, $how) = @deaf ? @deaf
        : $self->answer($env, take($c, $env->{CONTENT_LENGTH} || 0), $c);
    give($c, cgi_text($status, $headers, $text, $begins));
    return $self->hear($c, $env) if ($how // '') eq 'hear';
    return $how && finish($c, $how);
}

# --- FastCGI ---------------------------------------------------------------

use constant {FCGI_BEGIN => 1, FCGI_END => 3, FCGI_PARAMS => 4,
              FCGI_STDIN => 5, FCGI_STDOUT => 6};

sub fcgi_record ($type, $id, $data) {
    return pack('CCnnCx', 1, $type, $id, length $data, 0) . $data;
}

sub fcgi_pairs ($data) {
    my %env;
    my $at = 0;
    my $length = sub () {
        my $n = ord substr $data, $at, 1;
        my $long = $n & 0x80;
        $n = unpack('N', substr $data, $at, 4) & 0x7fffffff if $long;
        $at += $long ? 4 : 1;
        return $n;
    };
    while ($at < length $data) {
        my ($k, $v) = ($length->(), $length->());
        $env{substr $data, $at, $k} = substr $data, $at + $k, $v;
        $at += $k + $v;
    }
    return \%env;
}

sub serve_fcgi ($self, $c) {
    my ($params, $body, $keep) = ('', '', 0);
    while (1) {
        my (undef, $type, $id, $length, $padding) =
            unpack 'CCnnCx', take($c, 8);
        my $data = substr take($c, $length + $padding), 0, $length;
        if ($type == FCGI_BEGIN) {
            ($params, $body) = ('', '');
            $keep = unpack('x2C', $data) & 1;
        }
        $params .= $data if $type == FCGI_PARAMS;
        $body .= $data if $type == FCGI_STDIN;
        my $env = $length ? undef : fcgi_pairs($params);
        my @deaf = $env && $type == FCGI_PARAMS ? $self->deaf($env) : ();
        next if !@deaf && ($type != FCGI_STDIN || $length);    # an empty one is the end
        my ($status, $headers, $text, $how) =
            @deaf ? @deaf : $self->answer($env, $body, $c);
        give($c, join '', map { fcgi_record(FCGI_STDOUT, $id, $_) }
            unpack '(a65535)*', cgi_text($status, $headers, $text));
        finish($c, $how) if $how && !@deaf;
        give($c, fcgi_record(FCGI_STDOUT, $id, '')
            . fcgi_record(FCGI_END, $id, pack 'NCx3', 0, 0));
        finish($c, $how) if $how;
        return if !$keep;
    }
}

# --- AJP 1.3 ---------------------------------------------------------------

my @AJP_METHOD = (undef, qw(OPTIONS GET HEAD POST PUT DELETE));
my @AJP_HEADER = (undef, qw(accept accept-charset accept-encoding
    accept-language authorization connection content-type content-length
    cookie cookie2 host pragma referer user-agent));
my %AJP_ATTRIBUTE = (5 => 'QUERY_STRING', 6 => 'JVM_ROUTE');

sub ajp_packet ($data) { return pack 'A2 n/a', 'AB', $data }

sub ajp_string ($text) { return pack('n/a x', $text) }

sub ajp_take ($c) {
    my (undef, $length) = unpack 'n n', take($c, 4);
    return take($c, $length);
}

# A string, or undef for the length 0xffff.
sub ajp_get ($data) {
    my $length = unpack 'n', substr $$data, 0, 2, '';
    return if $length == 0xffff;
    my $text = substr $$data, 0, $length + 1, '';
    return substr $text, 0, $length;
}

sub ajp_request ($data) {
    my (undef, $method) = unpack 'CC', substr $data, 0, 2, '';
    ajp_get(\$data);    # protocol
    my %env = (REQUEST_METHOD => $AJP_METHOD[$method] // '?',
               REQUEST_URI => ajp_get(\$data));
    ajp_get(\$data) for 1 .. 3;    # remote address and host, server name
    my (undef, undef, $headers) = unpack 'nCn', substr $data, 0, 5, '';
    for (1 .. $headers) {
        my $name;
        if (ord($data) == 0xa0) {
            $name = $AJP_HEADER[unpack 'xC', substr $data, 0, 2, ''];
        }
        else {
            $name = lc ajp_get(\$data);
        }
        $env{'HTTP_' . uc($name =~ tr/-/_/r)} = ajp_get(\$data);
    }
    while (length $data && (my $code = ord substr $data, 0, 1, '') != 0xff) {
        ajp_get(\$data) if $code == 10;    # request attribute: its name
        my $value = $code == 11 ? substr($data, 0, 2, '') : ajp_get(\$data);
        $env{$AJP_ATTRIBUTE{$code}} = $value if $AJP_ATTRIBUTE{$code};
    }
    return \%env;
}

# httpd sends the first piece of a body unasked.
sub ajp_body ($c, $env) {
    my $chunked = $env->{HTTP_TRANSFER_ENCODING};
    my $left = $env->{HTTP_CONTENT_LENGTH} // 0;
    my $body = '';
    while ($chunked || length $body < $left) {
        give($c, ajp_packet(pack 'Cn', 6, 8186)) if $chunked || length $body;
        my $packet = ajp_take($c);
        last if length $packet < 3;
        $body .= unpack 'n/a', $packet;
    }
    return $body;
}

sub serve_ajp ($self, $c) {
    while (1) {
        my $packet = ajp_take($c);
        if (ord $packet == 10) {    # CPing
            give($c, ajp_packet(chr 9));
            next;
        }
        my $env = ajp_request($packet);
        my @deaf = $self->deaf($env);
        my ($status, $headers, $text, $how) =
            @deaf ? @deaf : $self->answer($env, ajp_body($c, $env), $c);
        give($c, ajp_packet(pack('Cn', 4, $status) . ajp_string('Test')
            . pack('n', scalar @$headers)
            . join '', map { ajp_string($_) } map { @$_ } @$headers));
        give($c, join '', map { ajp_packet(pack('C', 3) . ajp_string($_)) }
            unpack '(a8000)*', $text);
        finish($c, $how) if $how && !@deaf;
        give($c, ajp_packet(pack 'CC', 5, @deaf ? 0 : 1));
        finish($c, $how) if $how;
    }
}

1;
