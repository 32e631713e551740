# SPDX-License-Identifier: Apache-2.0
# LBS::Forward - a forward proxy, for ProxyRemote.
#
#   my $proxy = LBS::Forward->new(creds => 'u:p');   # else nobody is asked
#   ProxyRemote "*" "http://127.0.0.1:PORT"          # ->port
#   $proxy->lines        # "GET http://127.0.0.2:8000/x", "CONNECT h:443", ...
#   $proxy->clear
#
# Whatever host it is asked for, it connects to 127.0.0.1: members at another
# loopback address, where nobody listens, are reached through it alone. Where
# it cannot connect it answers 502; without the credentials, 407.
package LBS::Forward;
use v5.36;

use IO::Select ();
use MIME::Base64 qw(encode_base64);
use LBS::Fake qw(give);
use parent -norequire, 'LBS::Fake';

sub new ($class, %o) {
    my $self = $class->member(name => $o{name} // 'proxy', creds => $o{creds});
    return $self->serve_by(sub ($c) { $self->serve($c) });
}

sub serve ($self, $c) {
    my $head = '';
    until ($head =~ /\r\n\r\n/) {
        sysread $c, $head, 4096, length $head or die "end\n";
    }
    my ($method, $target) = $head =~ /^(\S+) (\S+) HTTP/ or die "end\n";
    $self->note("$method $target\n");
    my $wanted = $self->{creds} && encode_base64($self->{creds}, '');
    return refuse($c, '407 Who') if $wanted
        && $head !~ /^Proxy-Authorization: Basic \Q$wanted\E\r$/mi;
    my ($port) = $target =~ m{^(?:http://)?[^/]*?:(\d+)(?:/|\z)}
        or return refuse($c, '400 Where');
    my $far = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port,
                                    Timeout => 5)
        or return refuse($c, '502 Nobody there');
    if ($method eq 'CONNECT') {
        give($c, "HTTP/1.1 200 Connected\r\n\r\n");
    }
    else {
        $head =~ s{^(\S+) http://[^/]*}{$1 };
        $head =~ s{^(?:Proxy-\S+|Connection):.*\r\n}{}mgi;
        $head =~ s{\r\n}{\r\nConnection: close\r\n};
        give($far, $head);
    }
    return relay($c, $far);
}

sub refuse ($c, $what) {
    give($c, "HTTP/1.1 $what\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    return;
}

# Until the far end is through.
sub relay ($near, $far) {
    my $both = IO::Select->new($near, $far);
    while (my @ready = $both->can_read(60)) {
        for my $from (@ready) {
            my $n = sysread $from, my $data, 65536;
            return if !$n && $from == $far;
            $both->remove($from) if !$n;
            give($from == $far ? $near : $far, $data) if $n;
        }
    }
    return;
}

1;
