# SPDX-License-Identifier: Apache-2.0
# Whose word X-Forwarded-Proto is: a proxy's that mod_remoteip trusts, and
# nobody's behind the PROXY protocol, where all fields are the client's.
use lib 't/lib';
use LBS::Test;
use LBS::Governed;
use LBS::Version;

my $web = LBS::Backend->new;

# The first port takes HTTP, the second what the lines say.
sub ask ($lines, $before, @fields) {
    my $h = LBS::Httpd->new(backends => [$web]);
    $h->port(2);
    $h->conf(<<"CONF");
<VirtualHost 127.0.0.1:\@PORT2\@>
    $lines
    <Proxy "balancer://app">
        LBSticky cookie
        BalancerMember "http://\@B1\@"
    </Proxy>
    ProxyPass "/" "balancer://app/"
</VirtualHost>
CONF
    $h->start;
    my $c = LBS::Client->new(port => $h->port(2));
    $c->write(join "\r\n", "${before}GET /x HTTP/1.1", 'Host: localhost',
              'X-Forwarded-Proto: https', @fields, '', '');
    my $r = $c->response;
    # Connections that only look for the port; the second before httpd 2.4.71.
    $h->announce(qr/AH0349\d|AH10184/);
    my %sent = map { @$_ } @{$r->json->{headers}};
    return ($r->status, $sent{'X-Forwarded-Proto'},
            $r->header('Set-Cookie') =~ /; Secure/ ? 'secure' : 'plain');
}

my $HEADER = "RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy";
my $FRAME = "PROXY TCP4 192.0.2.1 192.0.2.2 1111 80\r\n";

is_deeply [ask("$HEADER 127.0.0.1", '', 'X-Forwarded-For: 203.0.113.5')],
    [200, 'https', 'secure'], 'a proxy that is trusted is believed';
is_deeply [ask("$HEADER 192.0.2.9", '', 'X-Forwarded-For: 203.0.113.5')],
    [200, 'http', 'plain'], 'another one is not';
is_deeply [ask('RemoteIPProxyProtocol On', $FRAME)],
    [200, 'http', 'plain'], 'behind the PROXY protocol nobody is';
is_deeply [ask("RemoteIPProxyProtocol On\n$HEADER 192.0.2.1", $FRAME,
               'X-Forwarded-For: 203.0.113.5')],
    [200, 'http', 'plain'], 'and a list of proxies changes nothing there';

# Addresses of every family that a proxy may name, and what it may not.
subtest 'ip: addresses that the PROXY protocol names' => sub {
    my @two = LBS::Backend->many(2);
    my $h = LBS::Httpd->new(backends => \@two);
    $h->port(2);
    $h->conf(governed_text(\@two, app => 'LBSticky ip', server => <<'CONF',
LBStickyMethod round-robin
<Location "/lb-status">
    SetHandler lb-status
</Location>
CONF
        more => <<'CONF'));
<VirtualHost 127.0.0.1:@PORT2@>
    RemoteIPProxyProtocol On
    ProxyPass "/app/" "balancer://app/"
</VirtualHost>
CONF
    $h->start;
    my $visit = sub ($frame) {
        my $c = $h->connect(n => 2, timeout => 3);
        $c->write("${frame}GET /app/ HTTP/1.1\r\nHost: localhost\r\n"
            . "Connection: close\r\n\r\n");
        my $r = $c->response;
        return $r->status ? verdict($r) : 'no answer';
    };
    # An earlier mod_remoteip knows neither addresses that map those of IPv4
    # nor connections of the proxy's own.
    my $newer = httpd_since('2.4.71');
    $h->announce(qr/AH10184|AH03500|AH03507/) if !$newer;
    my $port = 1000;
    my $named = sub ($family, $address) {
        my $to = $family eq 'TCP6' ? '2001:db8::ff' : '192.0.2.255';
        $visit->("PROXY $family $address $to " . $port++ . " 80\r\n");
    };
    for (['TCP4', '192.0.2.1', 'new unknown'], ['TCP4', '192.0.2.1', 'kept'],
         ['TCP6', '::ffff:192.0.2.1', $newer ? 'kept' : 'no answer'], ['TCP4', '192.0.2.2', 'new unknown'],
         ['TCP6', '2001:db8:1:2::1', 'new unknown'],
         ['TCP6', '2001:db8:1:2::9', 'kept'], ['TCP6', '2001:db8:1:3::1', 'new unknown'],
         ['TCP6', '::c000:201', 'new unknown']) {
        my ($family, $address, $want) = @$_;
        is $named->($family, $address), $want, "$family $address is $want";
    }
    my $signed = "\r\n\r\n\0\r\nQUIT\n";    # of version 2
    my $local = $signed . pack 'CCn', 0x20, 0, 0;
    is $visit->($local), $newer ? 'new unknown' : 'no answer',
        'of its own: the connected client';
    is $visit->($local), $newer ? 'kept' : 'no answer', 'again';
    is verdict($h->get('/app/')), $newer ? 'kept' : 'new unknown', 'also without a proxy';

    my $entries = $h->json->{table}{entries};
    $h->announce(qr/AH0349\d|AH0350\d|AH10183/);
    is $named->(@$_), 'no answer', "no address: @$_" for ['TCP4', '192.0.2.999'],
        ['TCP4', '2001:db8::1'], ['TCP6', '192.0.2'], ['TCP4', 'localhost'];
    # A unix socket, and a family that nobody knows.
    is $visit->($signed . pack('CCn', 0x21, $_, 216) . 'x' x 216), 'no answer',
        sprintf 'family %02x', $_ for 0x31, 0x71;
    is $h->json->{table}{entries}, $entries, 'and nobody was remembered';
    $h->no_unexpected_log;
};

done_testing;
