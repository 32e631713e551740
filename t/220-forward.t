#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What a member is sent: the URL as stock httpd would send it, the client's
# host and scheme, and nothing that a client made up.
use lib 't/lib';
use LBS::Test;
use LBS::Governed;

my ($web, $other) = LBS::Backend->many(2, name => 'web');

# The same three ways to a member in an httpd with the module and in one
# without: mapped, not canonicalised, by a rewrite; and with a path.
my $WAYS = <<'CONF';
<Proxy "balancer://app">
    BalancerMember "http://@B1@" route=r1
</Proxy>
<Proxy "balancer://base">
    BalancerMember "http://@B1@/base/dir" route=r1
</Proxy>
ProxyPass "/base/" "balancer://base/"
<Location "/keep/">
    ProxyPass "balancer://app/kept/"
</Location>
Listen 127.0.0.1:@PORT2@
<VirtualHost *:@PORT2@>
    ServerName raw
    AllowEncodedSlashes NoDecode
    ProxyPass "/base/" "balancer://base/" nocanon
    ProxyPass "/" "balancer://app/" nocanon
</VirtualHost>
Listen 127.0.0.1:@PORT3@
<VirtualHost *:@PORT3@>
    ServerName rewritten
    AllowEncodedSlashes On
    RewriteEngine on
    RewriteRule "^/b/(.*)$" "balancer://app/to/$1" [P,B]
    RewriteRule "^(.*)$" "balancer://app$1" [P,NE]
</VirtualHost>
ProxyPass "/" "balancer://app/"
CONF
my $ours = LBS::Httpd->new(backends => [$web], conf =>
    "LBSticky cookie\nLBStickyForward host=off proto=off\n$WAYS");
my $stock = LBS::Httpd->new(backends => [$web], conf => $WAYS,
                            without => ['lbsticky']);
$_->start for $ours, $stock;

my @URLS = ('/', '//', '///x', '/a/b', '/a%2Fb', '/a%2fb%2F', '/a%5Cb', '/\\',
    '//evil.example/x', '//evil.example:80', '/http://evil.example/',
    '/@evil.example', '/a@b:c', '/:80/x', '/?unix:|http://evil.example/',
    '/?unix:/tmp/socket|http://evil.example/', '/unix:/tmp/socket|http://evil/',
    '/unix:' . 'A' x 4000 . '|http://evil/', '/|http://evil/', '/a|b',
    '/../x', '/a/../b', '/a/./b', '/%2e%2e/x', '/%2e%2e/%2e%2e/etc/passwd',
    '/a/%2e%2e/b', '/.%2e/x', '/a%00b', '/%', '/%z', '/%zz', '/a%', '/%2',
    '/a%20b', '/a+b', '/a%2Bb', '/a%3Fb', '/a%23b', '/a%25b', '/a%2525b',
    '/a;b=c', '/a;b=c/d;e', '/a;', '/;', '/a%3Bb', '/a&b=c', '/a=b', '/a,b',
    '/[x]', '/a^b', '/{x}', '/<x>', '/"x"', "/'x'", '/`x`', '/~user',
    '/%7Euser', '/a$b', '/a!b', '/a*b', '/(x)', "/\xc3\xbc", '/%C3%BC', '/%c3%bc',
    "/\xff", '/%ff', '/%c0%ae%c0%ae/', '/a%0d%0aX-Evil:%20y', '/a%0aX:y',
    '/a%09b', '/a%7f', '/a?', '/a??', '/a?b', '/a?b=c&d=e', '/a?b?c', '/?a=/../b',
    '/a?%00', '/a?%0d%0aX:y', '/a?x=%2F%2f', "/a?x=\xff", '/a?x=y#z', '/a#z',
    '/a?x= ', '/a?a=b;c=d', '/a?http://evil/', '/base/', '/base/x%2Fy?z',
    '/base/../x', '/base//x', '/base/%2e%2e/x', '/keep/x y', '/keep/x%20y?z',
    '/b/x y', '/b/x%20y%3Fz', '/b/%2Fx', '/' . 'l' x 7000, '/a?' . 'q' x 7000,
    'http://evil.example/x', 'http://evil.example', 'HTTP://localhost/x?y',
    'http://user:pass@evil.example/x', 'ftp://evil.example/x', '*', 'x',
    'evil.example:80', '/a%', "/a\tb", '/a/.', '/a/..', '/.', '/..', '/.hidden');

# Status, and the head that arrived, without what differs for a good reason.
sub seen ($h, $n, $url) {
    $web->clear;
    my $raw = $h->raw("GET $url HTTP/1.1\r\nHost: localhost\r\n"
        . "X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Host: h\r\nX-Odd: a,b\r\n"
        . "Cookie: a=b; c\r\nConnection: close, X-Odd, X-Forwarded-For\r\n\r\n",
        n => $n, timeout => 2);
    my ($status) = $raw =~ m{^HTTP/1\.[01] (\d+)};
    my @got = map {
        my $r = $_;
        [$r->{method}, $r->{uri}, map { "@$_" } grep {
            $_->[0] ne 'X-Forwarded-Server' } @{$r->{headers}}]
    } $web->requests;
    return [$status, @got];
}

subtest 'crafted URLs arrive as stock httpd sends them' => sub {
    my $reached = 0;
    for my $n (1 .. 3) {
        for my $url (@URLS) {
            my ($is, $want) = map { seen($_, $n, $url) } $ours, $stock;
            my $name = $url =~ s/([^!-~])/sprintf '\\x%02x', ord $1/ger;
            $name = substr($name, 0, 40) . '...' if length $name > 50;
            is_deeply $is, $want, "way $n: $name" or diag explain $is, $want;
            $reached += @$is > 1;
        }
    }
    cmp_ok $reached, '>', 200, 'most of them reached the member';
    my @logs = map { [map { s/^(?:\[[^]]*\] )+|client \S+//gr } $_->unexpected] }
        $ours, $stock;
    is_deeply $logs[0], $logs[1], 'the logs say the same';
};

# Everything about the client that a member may want to know.
my $h = governed([$web, $other],
    app    => 'LBSticky route=R',
    nohost => "LBSticky route=R\nLBStickyForward host=off",
    noproto => "LBSticky route=R\nLBStickyForward proto=off",
    neither => "LBSticky route=R\nLBStickyForward host=off proto=off",
    modules => ['ssl'], server => <<'CONF');
LBStickyEject off
LimitRequestFieldSize 100000
<Location "/app/off/">
    ProxyPreserveHost off
</Location>
<Location "/nohost/on/">
    ProxyPreserveHost on
</Location>
<Location "/app/bare/">
    ProxyAddHeaders off
</Location>
Listen 127.0.0.1:@PORT2@
<VirtualHost *:@PORT2@>
    ServerName trusting
    RemoteIPHeader X-Forwarded-For
    RemoteIPInternalProxy 127.0.0.1
    ProxyPass "/app/" "balancer://app/"
    ProxyPass "/noproto/" "balancer://noproto/"
</VirtualHost>
Listen 127.0.0.1:@PORT3@
<VirtualHost *:@PORT3@>
    ServerName encrypted
    SSLEngine on
    SSLCertificateFile "@CERT@"
    SSLCertificateKeyFile "@KEY@"
    ProxyPreserveHost off
    ProxyPass "/app/" "balancer://app/"
</VirtualHost>
CONF
my @R1 = ['Cookie', 'R=x.r1'];

# Values of a header field that the member got.
sub got ($r, $name) {
    return join ' | ', map { $_->[1] }
        grep { lc $_->[0] eq lc $name } @{$r->json->{headers}};
}

subtest 'Host' => sub {
    my $host = sub ($uri, %o) {
        got($h->get($uri, host => 'www.example.com:8080', headers => [@R1], %o),
            'Host')
    };
    my $member = $web->addr;
    is $host->('/app/'), 'www.example.com:8080', 'the client\'s';
    is $host->('/nohost/'), $member, 'host=off: the member\'s';
    is $host->('/app/off/'), $member, 'ProxyPreserveHost off wins';
    is $host->('/nohost/on/'), 'www.example.com:8080', 'ProxyPreserveHost on, too';
    is $host->('/app/', n => 3, tls => 1), $member, 'of a virtual host as well';

    # After a failed attempt it is not the first member's.
    $h->announce(qr/refused|failed to make connection|LBS\d+/);
    $web->refuse;
    my $r = $h->get('/nohost/', headers => [@R1]);
    is $r->member . ' ' . got($r, 'Host'), 'web2 ' . $other->addr, 'moved';
    $r = $h->get('/app/', headers => [@R1], host => 'www.example.com');
    is got($r, 'Host'), 'www.example.com', 'and the client\'s stays';
    $web->accept;
};

subtest 'X-Forwarded-Proto and -Port' => sub {
    my $port = $h->port;
    my $fwd = sub ($uri, @headers) {
        my %o = ref $headers[0] eq 'HASH' ? %{shift @headers} : ();
        my $r = $h->get($uri, headers => [@R1, @headers], %o);
        join ', ', map { got($r, "X-Forwarded-$_") } qw(Proto Port);
    };
    my @spoof = (['X-Forwarded-Proto', 'https'], ['X-Forwarded-Port', '443']);
    my @via = (['X-Forwarded-For', '192.0.2.1'], @spoof);
    is $fwd->('/app/'), "http, $port", 'http';
    is $fwd->('/app/', @spoof), "http, $port", 'headers of a client are replaced';
    is $fwd->('/app/', @spoof, ['x-forwarded-proto', 'b'], @spoof),
        "http, $port", 'all of it';
    is $fwd->('/app/', @via), "http, $port", 'also as if from a proxy';
    is $fwd->('/app/', {n => 2}, @via), 'https, 443', 'a trusted proxy is believed';
    is $fwd->('/app/', {n => 2, from => '127.0.0.2'}, @via),
        'http, ' . $h->port(2), 'another one is not';
    is $fwd->('/app/', {n => 2}, ['X-Forwarded-For', '192.0.2.1'],
              ['X-Forwarded-Proto', 'https']), 'https, 443',
        'a trusted one that says no port';
    is $fwd->('/app/', {n => 2}, ['X-Forwarded-For', '192.0.2.1']),
        'http, ' . $h->port(2), 'or nothing';
    is $fwd->('/app/', {n => 3, tls => 1}), 'https, ' . $h->port(3), 'https';
    is $fwd->('/app/', {n => 3, tls => 1}, ['X-Forwarded-Proto', 'http']),
        'https, ' . $h->port(3), 'whatever the client says';
    is $fwd->('/noproto/'), ', ', 'proto=off adds nothing';
    is $fwd->('/noproto/', @spoof), 'https, 443', 'and takes nothing away';
    is $fwd->('/neither/', @spoof), 'https, 443', 'as stock httpd';
    is $fwd->('/app/bare/', @spoof), "http, $port",
        'ProxyAddHeaders is about mod_proxy\'s own';
};

subtest 'Connection takes none of them away' => sub {
    for my $list ('X-Forwarded-Proto', 'close, X-Forwarded-Proto, X-Forwarded-Port',
                  'x-forwarded-PROTO,X-FORWARDED-port', 'X-Forwarded-For',
                  'X-Forwarded-Host, X-Forwarded-Server, X-Forwarded-For',
                  ', ,X-Forwarded-Proto ,', 'keep-alive, Cookie, Host',
                  'X-Forwarded-Proto;q=1, X-Forwarded-Proto',
                  'X-Forwarded-Port zX-Forwarded-Proto',
                  "X-Forwarded-Port zX-Forwarded-Proto\tyCookie",
                  "Cookie\tX-Forwarded-Proto\tX-Forwarded-Port",
                  '"X-Forwarded-Proto" "X-Forwarded-Port"',
                  '"X-Forwarded-Proto, X-Forwarded-Port"',
                  'close aX-Forwarded-Proto bX-Forwarded-Port cCookie dHost',
                  'a;X-Forwarded-Proto;X-Forwarded-Port;Cookie',
                  'X-Forwarded-Port ,X-Forwarded-Proto ,Cookie ',
                  '(X-Forwarded-Proto) X-Forwarded-Port=1 Cookie:') {
        for my $fields ([['Connection', $list]],
                        [map { ['Connection', $_] } split /,/, $list]) {
            my $r = $h->get('/app/', host => 'www.example.com',
                headers => [@R1, ['X-Forwarded-Proto', 'https'],
                            ['Cookie', 'a=b'], ['Idempotency-Key', 'k'],
                            @$fields]);
            is $r->status, 200, $list;
            like got($r, 'Cookie'), qr/\ba=b/, 'Cookie';
            is got($r, 'X-Forwarded-Proto'), 'http', 'Proto';
            is got($r, 'X-Forwarded-Port'), $h->port, 'Port';
            is got($r, 'X-Forwarded-For'), '127.0.0.1', 'For';
            is got($r, 'X-Forwarded-Host'), 'www.example.com', 'Host';
            is got($r, 'Host'), 'www.example.com', 'and the host itself';
        }
    }
    my $r = $h->get('/app/', headers => [['X-Mine', '1'],
        ['Connection', 'X-Mine, X-Forwarded-Proto']]);
    is got($r, 'X-Mine'), '', 'what is the client\'s to take away goes';
    $r = $h->get('/app/', headers => [['X-Mine', '1'], ['X-Other', '2'],
        ['X-Third', '3'], ['Connection', 'close X-Mine, "X-Third"']]);
    is got($r, 'X-Mine') . got($r, 'X-Third'), '', 'in every spelling';
    is got($r, 'X-Other'), '2', 'and nothing else';
};

# Names without end in it cost no more than their length.
subtest 'a Connection field as long as httpd takes it' => sub {
    for my $piece ('a,', ',', ' ,', 'a ,', 'X-Forwarded-Proto,', '"x",', '"') {
        my $text = $piece x (64_000 / length $piece);
        my $begun = time;
        my $r = $h->get('/app/?size=1', headers => [@R1,
            ['Connection', "$text, X-Forwarded-Proto, X-Forwarded-Port"]]);
        is $r->status, 200, "'$piece'";
        cmp_ok time - $begun, '<', 1, 'in time';
    }
};

$h->no_unexpected_log(qr/\[ssl:warn\]/);
$_->no_unexpected_log for $ours, $stock;
done_testing;
