#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# ProxyRemote puts another proxy before the members, and only that one reaches
# them: what this module asks them goes the same way as visitors' requests.
use lib 't/lib';
use LBS::Test timeout => 120;

use LBS::Forward;
use LBS::Governed;
use LBS::Ports;
use LBS::State qw(member_state);

my @TOLD = (qr/\[proxy\w*:(?:error|warn)\]/, qr/\[lbsticky:(?:warn|error)\]/,
            qr/\[ssl:warn\]/);

sub at ($n) { return cookie_of(R => "x.r$n") }

# Members at an address where nobody listens, and what is written before them.
sub start ($web, $server, %o) {
    my $scheme = $o{scheme} // 'http';
    my @port = $o{ports} ? @{$o{ports}} : map { $_->port } @$web;
    my $h = governed($web, children => 1, modules => $o{modules} // [],
        server => "MinSpareThreads 1\n$server", more => $o{more} // '',
        app => "LBSticky route=R\n" . ($o{app} // '') . "\n" . join "\n", map {
            qq(BalancerMember "$scheme://127.0.0.2:$port[$_]" route=r@{[$_ + 1]})
        } 0 .. $#port);
    $h->announce(@TOLD);
    return $h;
}

sub last_check ($h, $route, $wanted) {
    my $m;
    ok wait_for(sub { ($m = member_state($h, 'app', $route))->{check}{last} =~ $wanted }, 20),
        "$route: $wanted" or diag "it is $m->{state}: $m->{check}{last}";
    return $m;
}

my $CHECK = "LBStickyCheck path=/health interval=300ms timeout=2s rise=1 fall=1\n";

subtest 'checks ask through the proxy' => sub {
    my @web = LBS::Backend->many(2);
    my $proxy = LBS::Forward->new(creds => 'u:p');
    my $h = start(\@web, qq(ProxyRemote "*" "http://127.0.0.1:@{[$proxy->port]}" u:p\n),
        app => $CHECK);
    for my $n (1, 2) {
        is last_check($h, "r$n", qr/^HTTP 200/)->{state}, 'up', 'it is up';
        is $h->get('/app/x', headers => at($n))->member, $web[$n - 1]->name, 'visitors are served';
    }
    my $url = 'http://127.0.0.2:' . $web[0]->port;
    is scalar(grep { $_ eq "GET $url/health" } $proxy->lines) > 0, 1, 'the whole URL is said';
    my ($check) = grep { $_->{uri} eq '/health' } $web[0]->requests;
    my %head = map { lc $_->[0] => $_->[1] } @{$check->{headers}};
    like $head{host}, qr/^localhost|^www/, 'Host is the site, as in other checks';
    ok !exists $head{'proxy-authorization'}, 'the password is for the proxy alone';

    $web[0]->refuse;
    is last_check($h, 'r1', qr/^HTTP 502/)->{state}, 'down', 'a dead one is down';
    is $h->get('/app/x', headers => at(1))->member, $web[1]->name, 'the other takes its place';
    $web[1]->refuse;
    is last_check($h, 'r2', qr/^HTTP 502/)->{state}, 'down', 'so is the other';
    $proxy->kill;
    like last_check($h, 'r1', qr/ProxyRemote/)->{check}{last},
        qr/^connect to ProxyRemote: Connection refused/, 'a dead proxy is named';
};

subtest 'with TLS through a tunnel' => sub {
    my $proxy = LBS::Forward->new(creds => 'u:p');
    my ($web) = LBS::Backend->many(1);
    my ($tls, $dead) = (LBS::Ports::free(), LBS::Ports::free());
    my $h = start([$web], <<"CONF", scheme => 'https', ports => [$tls, $dead], app => $CHECK,
SSLProxyEngine on
SSLProxyVerify none
SSLProxyCheckPeerName off
ProxyRemote "*" "http://127.0.0.1:@{[$proxy->port]}" u:p
Listen 127.0.0.1:$tls
CONF
        modules => ['ssl'], more => <<"HOST");
<VirtualHost 127.0.0.1:$tls>
    ServerName member
    SSLEngine on
    SSLCertificateFile "\@CERT\@"
    SSLCertificateKeyFile "\@KEY\@"
    ProxyRemoteMatch "^never" "http://127.0.0.1:1"
    NoProxy 127.0.0.0/8 member localhost
    ProxyPass "/" "http://\@B1\@/"
</VirtualHost>
HOST
    is last_check($h, 'r1', qr/^HTTP 200/)->{state}, 'up', 'it is up';
    is $h->get('/app/x', headers => at(1))->status, 200, 'visitors are served';
    last_check($h, 'r2', qr/^connect: ProxyRemote's proxy says 502/);
    is_deeply [grep { !/^CONNECT 127\.0\.0\.2:(?:$tls|$dead)$/ } $proxy->lines], [],
        'nothing but tunnels';
};

subtest 'without a check nobody is blamed for what cannot be seen' => sub {
    my @web = LBS::Backend->many(2);
    my $proxy = LBS::Forward->new;
    my $h = start(\@web, qq(ProxyRemote "*" "http://127.0.0.1:@{[$proxy->port]}"\n));
    # A connection to the member is lost; it is in doubt then.
    $h->get('/app/x?reset=before&at=' . $web[0]->name, headers => at(1));
    for (1 .. 8) {
        is $h->get('/app/x', headers => at(1))->member, $web[0]->name, 'served';
        sleep 0.25;
    }
    is member_state($h, 'app', 'r1')->{state}, 'up', 'the member is up';
};

subtest 'each member has its own proxy, or none' => sub {
    my @web = LBS::Backend->many(2);
    my ($proxy, $nobody) = (LBS::Forward->new, LBS::Ports::free());
    # r1 is behind a proxy that is not there, r2 behind one that is.
    my $h = start(\@web, <<"CONF", app => "LBStickyEject off\n");
ProxyRemote "http://127.0.0.2:@{[$web[0]->port]}" "http://127.0.0.1:$nobody"
ProxyRemoteMatch "127[.]0[.]0[.]2:@{[$web[1]->port]}/" "http://127.0.0.1:@{[$proxy->port]}"
CONF
    is $h->get('/app/x', headers => at(1))->member, $web[1]->name, 'the next one by its own way';
    undef $h;
    $h = start(\@web, qq(ProxyRemote "*" "http://127.0.0.1:@{[$proxy->port]}"\nNoProxy localhost\n),
        app => "${CHECK}LBStickyPanic off");
    last_check($h, 'r1', qr/^connect: Connection refused/);
    is $h->get('/app/x', headers => at(1))->status, 503,
        'NoProxy is for both or for none';
};

done_testing;
