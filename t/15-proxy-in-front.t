# SPDX-License-Identifier: Apache-2.0
# Whose word X-Forwarded-Proto is: a proxy's that mod_remoteip trusts, and
# nobody's behind the PROXY protocol, where all fields are the client's.
use lib 't/lib';
use LBS::Test;
use LBS::Governed;

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
    $h->announce(qr/AH0349\d/);    # connections that only look for the port
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

done_testing;
