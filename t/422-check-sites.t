#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Checks of real applications, and of members by TLS, HTTP/2 and unix sockets.
use lib 't/lib';
use Cwd qw(getcwd);
use LBS::Test;

my $GUNICORN = '/usr/bin/gunicorn';
my $CHECK = 'LBStickyCheck path=/healthz interval=300ms timeout=2s rise=1 fall=1';

sub members ($h, $vhost) {
    my ($pool) = grep { $_->{vhost} =~ /^\Q$vhost\E:/ } @{$h->json->{pools}};
    return {map { $_->{route} => $_ } @{$pool->{members}}};
}

# Wait until the last check of a virtual host's member says this; a busy machine
# takes its time to load Django.
sub says ($h, $vhost, $wanted, $what, $route = 'r') {
    my $m;
    my $ok = wait_for(sub {
        $m = members($h, $vhost)->{$route};
        $m->{check}{last} =~ $wanted;
    }, 30);
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok $ok, $what or diag "$route of $vhost is $m->{state}: $m->{check}{last}";
    return $ok;
}

# --- Django ------------------------------------------------------------------

# The demonstration's site, for www.example.test and by https alone.
sub start_site ($root, $tcp) {
    my %site = (SITE_SECRET_KEY => 'of a test', SITE_NAME => 'web1',
                SITE_DB => "$root/site.sqlite3", SITE_SSL_REDIRECT => 1,
                SITE_ALLOWED_HOSTS => 'www.example.test');
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        setpgrp;
        @ENV{keys %site} = values %site;
        open STDOUT, '>>', "$root/logs/site";
        open STDERR, '>&', \*STDOUT;
        exec qw(setpriv --pdeathsig TERM --), $GUNICORN,
            '--chdir', getcwd . '/demo/site', '--bind', $tcp,
            '--bind', "unix:$root/run/site.sock", '--umask', '0',
            qw(--workers 1 --threads 2 --worker-tmp-dir), "$root/run",
            'config.wsgi' or POSIX::_exit(127);
    }
    return $pid;
}

subtest 'a Django site by https: path=/healthz alone' => sub {
    plan skip_all => "no $GUNICORN" if !-x $GUNICORN;
    my $h = LBS::Httpd->new(modules => ['ssl']);
    my $site = '127.0.0.1:' . $h->free_port;
    my $host = sub ($port, $name, $member = "http://$site", $more = '', $tls = 0) {
        my $engine = $tls ? <<'TLS' : '';
    SSLEngine on
    SSLCertificateFile "@CERT@"
    SSLCertificateKeyFile "@KEY@"
TLS
        return <<"CONF";
<VirtualHost *:$port>
    ServerName $name
$engine
    <Proxy "balancer://app">
        BalancerMember "$member" route=r
        LBSticky cookie
        $CHECK $more
    </Proxy>
    ProxyPass "/" "balancer://app/"
</VirtualHost>
CONF
    };
    my @tls = ('', 1);
    $h->conf(join "\n", "Listen 127.0.0.1:\@PORT2\@\nListen 127.0.0.1:\@PORT3\@",
        'LBStickyPanic off', '@STATUS@',
        $host->('@PORT2@', 'www.example.test', "http://$site", @tls),
        $host->('@PORT2@', 'other.example.test', "http://$site", @tls),
        $host->('@PORT2@', 'socket.example.test',
                'unix:@ROOT@/run/site.sock|http://localhost',
                'host=www.example.test', 1),
        $host->('@PORT3@', 'plain.example.test', "http://$site",
                'host=www.example.test expect=200'),
        $host->('@PORT3@', 'behind.example.test', "http://$site",
                'host=www.example.test proto=https expect=200'));
    $h->start;
    says($h, 'www.example.test', qr/^connect: Connection refused$/,
         'before the site runs');
    my $pid = start_site($h->root, $site);
    says($h, 'www.example.test', qr/^HTTP 200$/, 'ALLOWED_HOSTS and '
         . 'SECURE_SSL_REDIRECT are content');
    my $r = $h->get('/healthz', host => 'www.example.test', n => 2, tls => 1,
                    sni => 'www.example.test');
    is $r->status, 200, 'as they are with a visitor';
    says($h, 'other.example.test', qr/^HTTP 400, want 200-399$/,
         'a host that is not allowed');
    is members($h, 'other.example.test')->{r}{state}, 'down', 'is down';
    says($h, 'socket.example.test', qr/^HTTP 200$/, 'by its unix socket');
    says($h, 'plain.example.test', qr/^HTTP 301, want 200$/,
         'where visitors come by http they are redirected');
    says($h, 'behind.example.test', qr/^HTTP 200$/,
         'not if proto= says that they come by https');
    kill TERM => $pid;
    waitpid $pid, 0;
    says($h, 'www.example.test', qr/^connect: Connection refused$/,
         'the site is stopped');
    says($h, 'socket.example.test', qr/^connect: /, 'its socket, too');
    $h->no_unexpected_log(qr/\[ssl:warn\]/);
};

# --- TLS and HTTP/2 -----------------------------------------------------------

# How long a certificate holds; for less than a day: until long ago. Newer
# OpenSSLs make none that ends before it begins, older ones have no -not_after.
sub validity ($days) {
    return "-days $days" if $days > 0 || qx(openssl x509 -help 2>&1) !~ /-not_after/;
    return '-not_before 20200101000000Z -not_after 20200102000000Z';
}

# A key pair that signs itself: certificate, key, both in one file.
sub certificate ($root, $name, $subject, $days, $names = '') {
    my $valid = validity($days);
    my ($crt, $key, $pem, $csr, $ext)
        = map { "$root/conf/$name.$_" } qw(crt key pem csr ext);
    my $said = qx(exec 2>&1; set -e; umask 077
        openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \\
            -batch -subj /CN=$subject -keyout $key -out $csr
        echo '$names' >$ext
        openssl x509 -req -in $csr -signkey $key $valid -extfile $ext \\
            -out $crt
        cat $key $crt >$pem);
    die "openssl: $said" if $? != 0;
    return ($crt, $key, $pem);
}

subtest 'members by TLS, as mod_ssl is told to trust them; HTTP/2' => sub {
    my $member = LBS::Httpd->new(modules => [qw(ssl http2)]);
    my $root = $member->root;
    my ($crt, $key) = certificate($root, 'good', '127.0.0.1', 2,
        'subjectAltName=DNS:app.example.test,IP:127.0.0.1');
    my ($old_crt, $old_key) = certificate($root, 'old', 'app.example.test', -1);
    my ($ca, undef, $proof) = certificate($root, 'proof', 'proxy', 2);
    my $tls = sub ($n, $c, $k, $more = '') { <<"CONF" };
Listen 127.0.0.1:\@PORT$n\@
<VirtualHost *:\@PORT$n\@>
    SSLEngine on
    SSLCertificateFile "$c"
    SSLCertificateKeyFile "$k"
    $more
</VirtualHost>
CONF
    $member->write('htdocs/healthz', "ok\n");
    $member->conf(join "\n", 'Protocols h2 h2c http/1.1',
        'CustomLog "@ROOT@/logs/protocols" "%H"',
        $tls->(2, $crt, $key), $tls->(3, $old_crt, $old_key),
        $tls->(4, $crt, $key, qq(SSLVerifyClient require\nSSLCACertificateFile "$ca")));
    $member->start;

    my @hosts;
    my $mute = LBS::Backend->new(name => 'mute');
    my $h = LBS::Httpd->new(modules => [qw(ssl proxy_http2)], backends => [$mute]);
    my $host = sub ($name, $url, @lines) {
        push @hosts, <<"CONF";
<VirtualHost *:\@PORT\@>
    ServerName $name
    SSLProxyEngine on
    LBStickyForward host=off
    <Proxy "balancer://app">
        BalancerMember "$url" route=r
        LBSticky cookie
        $CHECK
        @{[join "\n        ", @lines]}
    </Proxy>
    ProxyPass "/" "balancer://app/"
</VirtualHost>
CONF
    };
    my ($http, $good, $old, $strict) = map { $member->port($_) } 1 .. 4;
    my @require = ('SSLProxyVerify require', qq(SSLProxyCACertificateFile "$crt"));
    $host->('none', "https://127.0.0.1:$good");
    $host->('require', "https://127.0.0.1:$good", @require);
    $host->('stranger', "https://127.0.0.1:$good", 'SSLProxyVerify require',
            qq(SSLProxyCACertificateFile "$ca"));
    # Names are looked at even where nothing is verified.
    $host->('named', "https://localhost:$good");
    $host->('unnamed', "https://localhost:$good", 'SSLProxyCheckPeerName off');
    $host->('expired', "https://127.0.0.1:$old", 'SSLProxyCheckPeerName off');
    $host->('tolerant', "https://127.0.0.1:$old", 'SSLProxyCheckPeerName off',
            'SSLProxyCheckPeerExpire off');
    $host->('proofless', "https://127.0.0.1:$strict");
    $host->('proof', "https://127.0.0.1:$strict",
            qq(SSLProxyMachineCertificateFile "$proof"));
    # Where the visitor's Host is forwarded, that is the name asked for.
    $host->('app.example.test', "https://localhost:$good",
            @require, 'ProxyPreserveHost On', 'LBStickyForward host=on');
    $host->('plain', "http://127.0.0.1:$good");
    $host->('h2', "h2://127.0.0.1:$good", @require);
    $host->('mute', 'https://@B1@');
    $host->('h2c', "h2c://127.0.0.1:$http");
    $h->conf(join "\n", 'LBStickyPanic off', '@STATUS@', @hosts);
    $h->start;

    my %wanted = (
        none => qr/^HTTP 200$/, require => qr/^HTTP 200$/,
        stranger => qr/^TLS: .*certificate/i,
        named => qr/^TLS: .*name/i, unnamed => qr/^HTTP 200$/,
        expired => qr/^TLS: the certificate is not valid today$/,
        tolerant => qr/^HTTP 200$/,
        proofless => qr/^(?:TLS|answer): .*certificate/i, proof => qr/^HTTP 200$/,
        'app.example.test' => qr/^HTTP 200$/,
        plain => qr/^HTTP 400, want 200-399$/,
        mute => qr/^TLS: timeout after 2s$/,
        h2 => qr/^HTTP 200$/, h2c => qr/^HTTP 200$/,
    );
    says($h, $_, $wanted{$_}, $_) for sort keys %wanted;
    # The visitor's way, through mod_ssl itself, agrees with the check.
    for (qw(none require unnamed tolerant proof app.example.test)) {
        is $h->get('/healthz', host => $_)->status, 200, "$_: visitors agree";
    }
    is $h->get('/healthz', host => $_)->status, 503, "$_: down, visitors get 503"
        for qw(stranger named expired proofless);
    my %spoken = map { $_ => 1 } split /\n/,
        LBS::Proc::slurp($member->root . '/logs/protocols');
    ok $spoken{'HTTP/2.0'}, 'HTTP/2 was spoken';
    $h->no_unexpected_log(qr/\[ssl:warn\]/);
    $member->no_unexpected_log(qr/\[ssl:(?:warn|error)\]/);
};

done_testing;
