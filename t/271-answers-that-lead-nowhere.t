#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Answers by which visitors get no further, of members that are up: redirects
# in a circle, names that are not known, clients without keys. The log or
# `lbctl doctor` names the line to change.
use lib 't/lib';
use LBS::Test timeout => 120;

use LBS::Lbctl;

my @web = LBS::Backend->many(1, name => 'web');

sub start ($more = '', $listen = '') {
    my $h = LBS::Httpd->new(backends => \@web, modules => ['ssl'], start => 0);
    $h->conf(<<"CONF");
$listen
<VirtualHost *:*>
    ServerName localhost
    LBSticky cookie
    LBStickyCookie first=off
    $more
    <Proxy "balancer://app">
        BalancerMember "http://\@B1@" route=web1
    </Proxy>
    ProxyPass "/" "balancer://app/"
    \@STATUS@
</VirtualHost>
CONF
    $h->announce(qr/ssl:warn/);
    $h->start;
    return $h;
}

sub lines_of ($h, $number) { return scalar(() = $h->error_log(qr/LBS$number/)) }

# The member sends https://localhost:N/URI of what it is asked for.
sub redirects ($h, $uri, %o) {
    my $at = ($o{port} // '') eq '' ? '' : ":$o{port}";
    $web[0]->set(status => $o{status} // 301,
        header => ["Location: https://localhost$at" . ($o{to} // $uri), @{$o{more} // []}]);
    my $r = $h->request($o{method} // 'GET', $uri, host => "localhost$at",
        headers => $o{headers} // []);
    $web[0]->set;
    return $r->status;
}

subtest 'a proxy in front ends https, and is not believed' => sub {
    my $h = start();
    my @https = (headers => [['X-Forwarded-Proto', 'https'], ['X-Forwarded-For', '192.0.2.7']]);
    redirects($h, '/a?b=c');
    redirects($h, '/a', @https, to => '/b');
    redirects($h, '/a', @https, method => 'POST');
    redirects($h, '/a', @https, more => ['Set-Cookie: seen=1']);
    redirects($h, '/a', headers => [['X-Forwarded-Proto', 'http']]);
    is lines_of($h, '350[23]'), 0,
        'the way from http to https, to another page, after a form, with a cookie: no circle';
    redirects($h, '/a?b=c', @https);
    ok $h->wait_log(qr/LBS3503: pool app: 127\.0\.0\.1 says X-Forwarded-Proto: https and is redirected.*RemoteIPTrustedProxy 127\.0\.0\.1/),
        'the log has the line to write';
    my ($status, $out) = LBS::Lbctl->new($h)->run('doctor');
    is $status, 0, 'one is no alarm' or diag $out;
    redirects($h, '/', @https, status => $_) for 302, 303, 307, 308;
    is lines_of($h, '350[23]'), 1, 'one line an hour';
    ($status, $out) = LBS::Lbctl->new($h)->run('doctor');
    like $out, qr/app: visitors are redirected in a circle.*RemoteIPTrustedProxy/, 'and doctor says so';
    is $status, 1, 'with exit status 1';
    is((grep { $_->{code} eq 'redirect-circle' } @{$h->json->{alerts}}), 1, 'an alert');
    $h->no_unexpected_log(qr/LBS3503/);
};

subtest 'https here, and the site does not believe it' => sub {
    my $h = start("SSLEngine on\nSSLCertificateFile \"\@CERT@\"\nSSLCertificateKeyFile \"\@KEY@\"");
    my $ask = sub ($uri, %o) {
        $web[0]->set(status => 301, header => ["Location: https://localhost$uri"]);
        my $r = $h->get($o{as} // $uri, tls => 1, host => 'localhost');
        $web[0]->set;
        return $r->status;
    };
    is $ask->('/login/', as => '/login'), 301, 'a slash is added';
    is $ask->('/b?c', as => '/b?d'), 301, 'another query';
    is lines_of($h, 3502), 0, 'no circle';
    is $ask->('/x?y=z'), 301, 'the same';
    ok $h->wait_log(qr{LBS3502: pool app: member http://\S+ redirects https://localhost/x\?y=z to itself.*SECURE_PROXY_SSL_HEADER}),
        'is told with the setting';
    $h->no_unexpected_log(qr/LBS3502/);
};

subtest 'a site that refuses nearly everything' => sub {
    my $h = start();
    $h->get("/?status=$_") for (400) x 29;
    my $doctor = sub { (LBS::Lbctl->new($h)->run('doctor'))[1] };
    unlike $doctor->(), qr/4xx/, 'some are no alarm';
    $h->get("/?status=400") for 1 .. 10;
    like $doctor->(), qr/app: \d+ of \d+ answers of the last five minutes are 4xx.*ALLOWED_HOSTS/,
        'most are';
    $h->get('/') for 1 .. 10;
    unlike $doctor->(), qr/4xx/, 'where some pages are there it is the clients';
};

subtest 'clients that keep no cookie' => sub {
    my $h = start();
    $h->get('/') for 1 .. 199;
    my $doctor = sub { (LBS::Lbctl->new($h)->run('doctor'))[1] };
    unlike $doctor->(), qr/had a key/, 'some are no alarm';
    $h->get('/');
    like $doctor->(), qr/app: none of 200 requests had a key.*LBSticky cookie right/, 'nobody ever is';
    my $jar = LBS::Jar->new;
    $h->get('/', jar => $jar) for 1, 2;
    unlike $doctor->(), qr/had a key/, 'until one comes back';
};

done_testing;
