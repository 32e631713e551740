# SPDX-License-Identifier: Apache-2.0
# What the administrator's own lines say of the site stays: RequestHeader,
# ServerName, ProxyPassReverse, certificates of members. Where stock httpd has
# an answer of its own, it is asked beside.
use lib 't/lib';
use LBS::Test;
use LBS::Governed;

my $web = LBS::Backend->new(name => 'web');

sub got ($r, $name) {
    return join ' | ', map { $_->[1] }
        grep { lc $_->[0] eq lc $name } @{$r->json->{headers}};
}

sub forwarded ($r) {
    return join ', ', map { got($r, "X-Forwarded-$_") } qw(Proto Port);
}

my @SPOOF = (['X-Forwarded-Proto', 'https'], ['X-Forwarded-Port', '8443']);

subtest 'a field that RequestHeader sets stays' => sub {
    my $h = governed([$web], app => 'LBSticky cookie', server => <<'CONF');
<Location "/app/set/">
    RequestHeader set X-Forwarded-Proto "https"
</Location>
<Location "/app/both/">
    RequestHeader set X-Forwarded-Proto "https"
    RequestHeader set X-Forwarded-Port "8443"
</Location>
<Location "/app/port/">
    RequestHeader set X-Forwarded-Port "8443"
</Location>
<If "%{HTTP:X-Want} == 'https'">
    RequestHeader set X-Forwarded-Proto "expr=%{HTTP:X-Want}"
</If>
<Location "/app/add/">
    RequestHeader add X-Forwarded-Proto "https"
    RequestHeader add X-Forwarded-Port "8443"
</Location>
<Location "/app/unset/">
    RequestHeader unset X-Forwarded-Proto
</Location>
<Location "/app/empty/">
    RequestHeader setifempty X-Forwarded-Proto "https"
</Location>
Listen 127.0.0.1:@PORT2@
<VirtualHost *:@PORT2@>
    ServerName early
    RequestHeader set X-Forwarded-Proto "https" early
    ProxyPass "/app/" "balancer://app/"
</VirtualHost>
CONF
    my $port = $h->port;
    my @cases = (
        ['/app/set/', 1, 'https, 443', 'Proto'],
        ['/app/both/', 1, 'https, 8443', 'Proto and Port'],
        ['/app/port/', 1, 'http, 8443', 'Port alone'],
        ['/app/add/', 1, 'https, 8443', 'added to the client\'s own'],
        ['/app/unset/', 1, "http, $port", 'unset: as if nothing was sent'],
        ['/app/', 1, "http, $port", 'nothing set'],
        ['/app/', 2, 'https, 443', 'early'],
    );
    for (@cases) {
        my ($uri, $n, $want, $name) = @$_;
        is forwarded($h->get($uri, n => $n)), $want, $name;
        is forwarded($h->get($uri, n => $n, headers => \@SPOOF)), $want,
            "$name, whatever the client sends";
    }
    is forwarded($h->get('/app/', headers => [['X-Want', 'https'], @SPOOF])),
        'https, 443', 'the very text that the client sent, set by <If>';
    is forwarded($h->get('/app/empty/')), 'https, 443', 'setifempty, empty';
    is forwarded($h->get('/app/empty/', headers => [['X-Forwarded-Proto', 'ftp']])),
        "http, $port", 'setifempty leaves the client\'s, which counts for nothing';
    like $h->get('/app/set/')->header('Set-Cookie'), qr/; Secure/i,
        'our cookie is for https, too';
    unlike $h->get('/app/', headers => \@SPOOF)->header('Set-Cookie'),
        qr/; Secure/i, 'not because a client says so';
    $h->no_unexpected_log;
};

subtest 'the port is that of the site as visitors see it' => sub {
    my $h = governed([$web], app => 'LBSticky cookie', server => <<'CONF');
Listen 127.0.0.1:@PORT2@
<VirtualHost *:@PORT2@>
    ServerName https://www.example.test:443
    ProxyPass "/app/" "balancer://app/"
</VirtualHost>
Listen 127.0.0.1:@PORT3@
<VirtualHost *:@PORT3@>
    ServerName www.example.test:8000
    ProxyPass "/app/" "balancer://app/"
</VirtualHost>
Listen 127.0.0.1:@PORT4@
<VirtualHost *:@PORT4@>
    ServerName www.example.test
    ProxyPass "/app/" "balancer://app/"
</VirtualHost>
Listen 127.0.0.1:@PORT5@
<VirtualHost *:@PORT5@>
    ServerName https://www.example.test
    ProxyPass "/app/" "balancer://app/"
</VirtualHost>
Listen 127.0.0.1:@PORT6@
<VirtualHost *:@PORT6@>
    ServerName https://www.example.test
    UseCanonicalPhysicalPort On
    ProxyPass "/app/" "balancer://app/"
</VirtualHost>
Listen 127.0.0.1:@PORT7@
<VirtualHost *:@PORT7@>
    ServerName https://www.example.test:@PORT7@
    ProxyPass "/app/" "balancer://app/"
</VirtualHost>
CONF
    my @cases = (
        [2, 'www.example.test', 'https, 443', 'ServerName with scheme and port'],
        [2, 'www.example.test:' . $h->port(2), 'https, 443', 'whatever Host says'],
        [3, 'www.example.test', 'http, 8000', 'ServerName with a port'],
        [5, 'www.example.test', 'https, 443', 'ServerName with a scheme'],
        [5, 'www.example.test:' . $h->port(5), 'https, 443', 'the port that a proxy connects to'],
        [5, 'www.example.test:8443', 'https, 8443', 'another port of that scheme'],
        [6, 'www.example.test', 'https, ' . $h->port(6), 'UseCanonicalPhysicalPort'],
        [7, 'www.example.test:' . $h->port(7), 'https, ' . $h->port(7), 'the port in both'],
        [4, 'www.example.test', 'http, ' . $h->port(4), 'none is written'],
        [4, 'www.example.test:8080', 'http, 8080', 'a port that is mapped'],
        [1, 'localhost', 'http, ' . $h->port, 'the main server'],
    );
    for (@cases) {
        my ($n, $host, $want, $name) = @$_;
        is forwarded($h->get('/app/', n => $n, host => $host)), $want, $name;
    }
    $h->no_unexpected_log;
};

subtest 'checks see the same site' => sub {
    my $h = LBS::Httpd->new(backends => [$web], conf => <<'CONF');
Listen 127.0.0.1:@PORT2@
<VirtualHost *:@PORT2@>
    ServerName https://www.example.test
    <Proxy "balancer://app">
        LBSticky cookie
        LBStickyCheck path=/check interval=300ms
        BalancerMember "http://@B1@"
    </Proxy>
    ProxyPass "/app/" "balancer://app/"
</VirtualHost>
CONF
    $web->clear;
    $h->start;
    my $check;
    wait_for(sub { ($check) = grep { $_->{uri} eq '/check' } $web->requests });
    my %field = map { @$_ } @{$check->{headers}};
    is_deeply [@field{qw(Host X-Forwarded-Proto)}], [qw(www.example.test https)],
        'ServerName with a scheme';
    is $field{'X-Forwarded-Port'} // 443, 443, 'and its port';
};

# Location as the visitor gets it, by what the member wrote.
subtest 'ProxyPassReverse maps Location and cookies of members' => sub {
    my $pools = <<'CONF';
<Proxy "balancer://app">
    BalancerMember "http://@B1@" route=r1
</Proxy>
<Proxy "balancer://nest">
    BalancerMember "http://@B2@" route=r1
</Proxy>
<Proxy "balancer://other">
    BalancerMember "http://@B3@/base" route=r1
</Proxy>
<Proxy "balancer://own">
    BalancerMember "http://@B1@/own" route=r1
    FORWARD
</Proxy>
ProxyPass        "/own/" "balancer://own/"
ProxyPassReverse "/own/" "balancer://own/"
RemoteIPHeader X-Forwarded-For
RemoteIPInternalProxy 127.0.0.1
ProxyPass        "/shop/" "balancer://app/app/"
ProxyPassReverse "/shop/" "balancer://app/app/"
ProxyPass        "/nest" "balancer://nest"
ProxyPassReverse "/nest" "balancer://nest"
ProxyPass        "/other" "balancer://other"
ProxyPassReverse "/other" "balancer://other"
<Location "/in/">
    ProxyPass        "balancer://app/in-app/"
    ProxyPassReverse "balancer://app/in-app/"
</Location>
<Location "/explicit/">
    ProxyPass        "balancer://app/e/"
    ProxyPassReverse "http://www.example.test/e/"
</Location>
ProxyPass        "/same/" "balancer://app/same/"
ProxyPassReverse "/same/" "balancer://app/same/"
ProxyPass        "/bare/" "balancer://app/bare/"
CONF
    my @web = ($web, LBS::Backend->many(2, name => 'other'));
    my $ours = LBS::Httpd->new(backends => \@web, conf => "LBSticky cookie\n"
        . $pools =~ s/FORWARD/LBStickyForward host=off/r);
    my $stock = LBS::Httpd->new(backends => \@web, conf => $pools =~ s/FORWARD//r,
                                without => ['lbsticky']);
    $_->start for $ours, $stock;
    my ($member, $nested, $based) = map { 'http://' . $_->addr } @web;
    my @tls = (['X-Forwarded-For', '192.0.2.1'], ['X-Forwarded-Proto', 'https']);
    my $location = sub ($h, $uri, $value, %o) {
        my $field = $o{field} // 'Location';
        $_->set(status => $o{status} // 302, header => "$field:$value") for @web;
        my $r = $h->get($uri, host => $o{host} // 'www.example.test',
                        headers => $o{headers} // []);
        $_->set for @web;
        return $r->header($field);
    };

    # The member's own name: as stock does it.
    for (['/shop/x', "$member/app/login"], ['/nest/x', "$nested/login"],
         ['/other/x', "$based/base/login"], ['/in/x', "$member/in-app/y?z"],
         ['/shop/x', "$member/elsewhere"], ['/shop/x', '/app/login'],
         ['/own/x', "$member/own/y"], ['/own/x', 'http://www.example.test/own/y'],
         ['/shop/x', 'login'], ['/shop/x', 'http://evil.example/app/login'],
         ['/bare/x', "$member/bare/y"], ['/same/x', "$member/same/y"],
         ['/explicit/x', 'http://www.example.test/e/login']) {
        my ($uri, $value) = @$_;
        is $location->($ours, $uri, $value), $location->($stock, $uri, $value),
            "$uri, $value: as stock";
    }

    # The visitor's host: mapped as the member's own would be.
    for (['/shop/x', 'http://www.example.test/app/login', 'http://www.example.test/shop/login'],
         ['/shop/x', 'https://www.example.test/app/login', 'https://www.example.test/shop/login'],
         ['/shop/x', 'https://WWW.example.test/app/a?b=c#d', 'https://WWW.example.test/shop/a?b=c#d'],
         ['/nest/x', 'http://www.example.test/login', 'http://www.example.test/nest/login'],
         ['/other/x', 'http://www.example.test/base/login', 'http://www.example.test/other/login'],
         ['/in/x', 'http://www.example.test/in-app/login', 'http://www.example.test/in/login'],
         ['/same/x', 'http://www.example.test/same/y', 'http://www.example.test/same/y'],
         ['/shop/x', 'http://www.example.test/elsewhere', 'http://www.example.test/elsewhere'],
         ['/bare/x', 'http://www.example.test/bare/y', 'http://www.example.test/bare/y'],
         ['/shop/x', 'http://www.example.test:81/app/login', 'http://www.example.test:81/app/login'],
         ['/shop/x', 'http://u@www.example.test/app/login', 'http://u@www.example.test/app/login'],
         ['/shop/x', 'http://www.example.test.evil.example/app/', 'http://www.example.test.evil.example/app/'],
         ['/shop/x', 'ftp://www.example.test/app/', 'ftp://www.example.test/app/']) {
        my ($uri, $value, $want) = @$_;
        is $location->($ours, $uri, $value), $want, "$uri, $value";
    }
    is $location->($ours, '/shop/x', 'https://www.example.test/app/login', headers => \@tls),
        'https://www.example.test/shop/login', 'TLS ends at a proxy in front';
    is $location->($ours, '/shop/x', 'http://www.example.test:8080/app/login',
        host => 'www.example.test:8080'), 'http://www.example.test:8080/shop/login',
        'a port in Host';
    is $location->($ours, '/shop/x', 'http://www.example.test/app/y', status => 200,
        field => $_), 'http://www.example.test/shop/y', $_
        for qw(Content-Location URI Destination);
    $_->no_unexpected_log for $ours, $stock;
};

subtest 'TLS to a member uses the member\'s name, HTTP the visitor\'s' => sub {
    # A member with a certificate of its own, for "localhost".
    my $far = LBS::Httpd->new(modules => ['ssl'], conf => <<'CONF');
Listen 127.0.0.1:@PORT2@
<VirtualHost *:@PORT2@>
    ServerName member
    SSLEngine on
    SSLCertificateFile "@CERT@"
    SSLCertificateKeyFile "@KEY@"
    Header always set X-Seen "expr=%{SSL_TLS_SNI} %{HTTP_HOST} %{REMOTE_PORT}"
</VirtualHost>
CONF
    $far->start;
    my $conf = sub ($lines) {
        my $ca = $far->certificate('cert');
        my $port = $far->port(2);
        return <<"CONF";
Listen 127.0.0.1:\@PORT2\@
<VirtualHost *:\@PORT2\@>
    ServerName keeps
    ProxyPreserveHost on
    ProxyPass "/" "balancer://app/"
</VirtualHost>
SSLProxyEngine on
SSLProxyVerify require
SSLProxyCACertificateFile "$ca"
<Proxy "balancer://app">
    $lines
    SSLProxyEngine on
    SSLProxyVerify require
    SSLProxyCACertificateFile "$ca"
    BalancerMember "https://localhost:$port" route=r1
</Proxy>
ProxyPass "/" "balancer://app/"
CONF
    };
    my $ours = LBS::Httpd->new(modules => ['ssl'], children => 1,
                               conf => $conf->('LBSticky cookie'));
    my $stock = LBS::Httpd->new(modules => ['ssl'], without => ['lbsticky'],
                                conf => $conf->(''));
    $_->start for $ours, $stock;
    is $stock->get('/', host => 'www.example.test')->status, 200, 'stock: 200';
    my %from;
    for my $host (qw(www.example.test shop.example.test www.example.test)) {
        my $r = $ours->get('/', host => $host);
        is $r->status, 200, "$host: the member's certificate is for its name";
        my ($sni, $seen, $port) = split / /, $r->header('X-Seen');
        is $sni, 'localhost', 'so is the handshake';
        is $seen, $host, 'and the member sees the visitor\'s Host';
        $from{$port}++;
    }
    is keys %from, 1, 'one connection serves all names of the site';
    # ProxyPreserveHost On is the administrator's: as stock, which refuses.
    for my $h ($ours, $stock) {
        $h->announce(qr/ssl:|proxy|lbsticky/);
        cmp_ok $h->get('/', host => 'www.example.test', n => 2)->status, '>=',
            500, 'ProxyPreserveHost on: the certificate has to have that name';
    }
    $_->no_unexpected_log(qr/\[ssl:warn\]/) for $ours, $stock, $far;
};

done_testing;
