#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The files in conf/: each is accepted by httpd -t with the modules that its
# head names and those that Debian enables anyway, and serves as it says, with
# addresses and paths of this test in the place of its own.
use lib 't/lib';
use LBS::Test timeout => 240;
use LBS::Gateway;
use LBS::Ports;
use LBS::Source qw(slurp);

# What a Debian httpd has enabled, and what lbsticky.load depends on.
my @DEBIAN = qw(authn_core authz_core authz_host alias dir env mime setenvif
    status unixd log_config logio watchdog);
my %DEPENDS = (
    lbsticky => [qw(lbsticky)], md => [qw(watchdog md)],
    proxy_balancer => [qw(proxy slotmem_shm proxy_balancer)],
    proxy_http => [qw(proxy proxy_http)], ssl => [qw(socache_shmcb ssl)],
);

my $load = slurp('conf/lbsticky.load');
my ($depends) = $load =~ /^# Depends: (.+)$/m;
my @BASE = map { @{$DEPENDS{$_} // [$_]} } split ' ', $depends;

# Everything the harness would load by itself and this configuration not.
sub modules_of ($text) {
    my ($named) = $text =~ /^# Modules: a2enmod (.+)$/m;
    my %wanted = map { $_ => 1 } @DEBIAN, @BASE,
        map { @{$DEPENDS{$_} // [$_]} } split ' ', $named // 'lbsticky';
    my @harness = qw(authn_core authz_core authz_host unixd log_config logio
        mime dir alias env headers setenvif rewrite remoteip watchdog
        slotmem_shm proxy proxy_http proxy_balancer lbmethod_byrequests
        proxy_wstunnel proxy_fcgi proxy_ajp status lbsticky);
    my @without = grep { !$wanted{$_} } @harness;
    return (modules => [sort grep { $_ ne 'lbsticky' } keys %wanted],
            without => \@without);
}

# This machine's paths and ports.
sub localize ($text) {
    $text =~ s{/etc/ssl/[\w.-]+\.(?:pem)}{\@CERT\@}g;
    $text =~ s{/etc/ssl/[\w.-]+\.(?:key)}{\@KEY\@}g;
    $text =~ s{/srv/site/public}{\@ROOT\@/htdocs}g;
    $text =~ s{/srv/site\b}{\@ROOT\@/site}g;
    $text =~ s{/etc/apache2/(lbsticky\.secret)}{\@ROOT\@/conf/$1}g;
    $text =~ s{/var/lib/apache2/lbsticky\b}{\@ROOT\@/state}g;
    $text =~ s{\$\{APACHE_LOG_DIR\}}{\@ROOT\@/logs}g;
    return $text;
}

sub httpd_for ($name, %o) {
    my $text = slurp("conf/examples/$name");
    my $edit = delete $o{edit};
    my $local = localize($text);
    $local =~ s/\*:80\b/127.0.0.1:\@PORT\@/g;
    $local =~ s/\*:443\b/127.0.0.1:\@PORT2\@/g;
    $local =~ s/10\.0\.0\.1(\d):\d+/\@B$1\@/g;
    $local =~ s/192\.0\.2\.2(\d):\d+/\@B$1\@/g;
    $local =~ s/10\.0\.0\.[23](\d):\d+/\@B$1\@/g;
    $local = $edit->($local) if $edit;
    my $h = LBS::Httpd->new(modules_of($text), conf => $local, %o);
    # What mod_ssl says of a certificate that was made on the spot.
    $h->announce(qr/ssl:warn.*AH01(?:882|873|906|909):/);
    return $h;
}

# What a visitor sees: one member, and again that one.
sub stays ($h, $host, %o) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $jar = LBS::Jar->new;
    my $uri = delete $o{uri} // '/';
    my $first = $h->get($uri, host => $host, jar => $jar, %o);
    is $first->status, 200, "$host$uri is answered";
    my $member = $first->member;
    my @again = map { $h->get($uri, host => $host, jar => $jar, %o)->member }
        1 .. 4;
    is_deeply \@again, [($member) x 4], "and the visitor stays on $member";
    return ($first, $jar);
}

sub done ($h) {
    $h->stop;
    $h->no_unexpected_log;
    return;
}

my @examples = map { s{.*/}{}r } glob 'conf/examples/*.conf';
cmp_ok scalar @examples, '>=', 9, 'there are examples';

for my $name (@examples) {
    my $text = slurp("conf/examples/$name");
    subtest $name => sub {
        like $text, qr/\A# .*\n(?:#.*\n)*# (?:Change|Before):/, 'says what to change';
        like $text, qr/^# Modules: a2enmod lbsticky\b/m, 'and what to load';
        ok !grep({ length > 100 && !/LogFormat/ } split /\n/, $text),
            'is not wide';
        my $h = LBS::Httpd->new(modules_of($text), conf => localize($text));
        $h->write('conf/lbsticky.secret', "a secret for the examples\n", 0600);
        my ($status, $said) = $h->configtest;
        is $status, 0, 'httpd -t' or diag $said;
        unlike $said, qr/LBS\d{4}/, 'without a warning of ours';
    };
}

subtest 'lbsticky.load and lbsticky.conf' => sub {
    like $load, qr/^LoadModule lbsticky_module \/usr\/lib\/apache2\/modules\/mod_lbsticky\.so$/m,
        'loads the module';
    my $conf = slurp('conf/lbsticky.conf');
    is_deeply [grep { !/^#|^$/ } split /\n/, $conf], ['LBStickyPersist '
        . '/var/lib/apache2/lbsticky/state', '<Location "/lb-status">',
        '    SetHandler lb-status', '    Require local', '</Location>'],
        'all is a comment but the state file and the status page';
    my %in_doc = map { $_ => 1 }
        slurp('docs/directives.md') =~ /^### (LBSticky\w*)$/mg;
    my %in_conf = map { $_ => 1 } $conf =~ /^#?(LBSticky\w*) /mg;
    is_deeply [sort keys %in_conf], [sort keys %in_doc], 'each directive';

    my $pool = qq(<VirtualHost *:80>\nServerName v\nLBSticky none\n)
        . qq(<Proxy "balancer://app">\nBalancerMember "http://127.0.0.1:9"\n)
        . qq(</Proxy>\n</VirtualHost>\n);
    my $open = $conf =~ s/^#(?=LBSticky)//mgr;
    my @said = map {
        my $h = LBS::Httpd->new(modules_of(''), conf => localize($_));
        mkdir $h->root . '/state';
        my ($status, $out) = $h->configtest('-DDUMP_LBSTICKY');
        is $status, 0, 'httpd -t' or diag $out;
        $out =~ s/\Q@{[$h->root]}//gr
    } $conf . $pool, $open . $pool;
    like $open, qr/^LBStickyTable.*^LBStickyAdmin/ms,
        'when the comment signs are taken away';
    is $said[1], $said[0], 'nothing changes: those are the defaults';
};

my @web = LBS::Backend->many(2);

subtest 'the configuration of the README serves, also without its check' => sub {
    my ($text) = slurp('README') =~ m{^(    <VirtualHost \*:80>.*?^    </VirtualHost>\n)}ms;
    my $local = localize($text) =~ s/\*:80\b/127.0.0.1:\@PORT\@/r
        =~ s/10\.0\.0\.1(\d):\d+/\@B$1\@/gr;
    my $plain = $local =~ s/^ *LBStickyCheck .*\n//mr;
    isnt $plain, $local, 'it has a check';
    for my $conf ($local, $plain) {
        my $h = LBS::Httpd->new(backends => \@web, modules_of(''), conf => $conf);
        my ($status, $said) = $h->configtest;
        is $status, 0, 'httpd -t' or diag $said;
        unlike $said, qr/LBS\d{4}/, 'without a warning of ours';
        $h->start;
        stays($h, 'www.example.com');
        is $h->json('/lb-status/json', host => 'www.example.com')->{pools}[0]{name},
            'app', 'and the status page';
        done($h);
    }
};

# As on a fresh Debian: its own site is the first virtual host, lbsticky.conf is
# read before all of them, and nobody has told lbctl anything.
subtest 'lbsticky.conf is enough for lbctl, and for a reboot' => sub {
    my $h = LBS::Httpd->new(backends => \@web, modules_of(''),
        conf => localize(slurp('conf/lbsticky.conf') . <<'CONF'));
<VirtualHost 127.0.0.1:@PORT@>
    DocumentRoot "@ROOT@/htdocs"
</VirtualHost>
<VirtualHost 127.0.0.1:@PORT@>
    ServerName www.example.com
    LBSticky   cookie
    <Proxy "balancer://app">
        BalancerMember "http://@B1@" route=web1
        BalancerMember "http://@B2@" route=web2
    </Proxy>
    ProxyPass "/" "balancer://app/"
</VirtualHost>
CONF
    mkdir $h->root . '/state', 0700;
    $h->start;
    my ($r, $jar) = stays($h, 'www.example.com');
    my $said = qx(bin/lbctl -u http://localhost:@{[$h->port]}/lb-status status 2>&1);
    is $?, 0, 'lbctl status' or diag $said;
    like $said, qr/^app of www\.example\.com.*^  web1 .*^  web2 /ms, 'shows the pool';
    is $h->json('/lb-status/json', host => 'www.example.com')->{pools}[0]{name},
        'app', 'and so does the page of the site, in spite of ProxyPass "/"';
    $h->stop;
    # What a reboot leaves: no run directory, no shared memory.
    File::Path::remove_tree($h->root . '/run', {keep_root => 1});
    $h->start;
    is $h->get('/', host => 'www.example.com', jar => $jar)->member, $r->member,
        'a visitor stays after a reboot';
    is $h->json('/lb-status/json', host => 'www.example.com')->{pools}[0]{decisions}{kept},
        5, 'and is known';
    done($h);
};

subtest 'balancer.conf serves' => sub {
    my $h = httpd_for('balancer.conf', backends => \@web);
    $h->start;
    stays($h, 'www.example.com');
    is $h->json('/lb-status/json', host => 'www.example.com')->{pools}[0]{name},
        'app', 'and the status page, in spite of ProxyPass "/"';
    done($h);
};

subtest 'django.conf serves' => sub {
    my $h = httpd_for('django.conf', backends => \@web);
    $h->write('htdocs/static/site.css', "css\n");
    $h->write('htdocs/media/a.txt', "upload\n");
    $h->start;
    is $h->get('/', host => 'www.example.com')->status, 301, 'http goes to https';
    my %https = (n => 2, tls => 1);
    my ($r) = stays($h, 'www.example.com', %https);
    my %got = map { lc $_->[0] => $_->[1] } @{$r->json->{headers}};
    is $got{'x-forwarded-proto'}, 'https', 'members are told of https';
    is $got{host}, 'www.example.com', 'and get the Host that was asked for';
    like(($r->set_cookies)[0], qr/; Secure/, 'the cookie is Secure');
    my @static = map { $h->get($_, host => 'www.example.com', %https)->body }
        '/static/site.css', '/media/a.txt';
    is_deeply \@static, ["css\n", "upload\n"], 'files come from here';
    done($h);
};

subtest 'https.conf serves' => sub {
    my $h = httpd_for('https.conf', backends => \@web);
    $h->start;
    my ($r) = stays($h, 'www.example.com', n => 2, tls => 1);
    like $r->header('Strict-Transport-Security'), qr/max-age/, 'HSTS';
    done($h);
};

subtest 'websocket.conf serves' => sub {
    my $h = httpd_for('websocket.conf', backends => \@web);
    $h->start;
    my ($r, $jar) = stays($h, 'www.example.com');
    my $c = $h->connect;
    my $up = $h->get('/ws', on => $c, host => 'www.example.com', jar => $jar,
        headers => [['Connection', 'Upgrade'], ['Upgrade', 'websocket'],
            ['Sec-WebSocket-Version', 13],
            ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ==']]);
    is $up->status, 101, 'the protocol is switched';
    $c->write('ping');
    is $c->read_bytes(4), 'ping', 'and bytes go both ways';
    $c->close;
    # Stock httpd may not end in time if told so while a tunnel closes.
    ok wait_for(sub { grep { m{GET /ws 101} } $h->access_log }),
        'the tunnel ends with the client';
    done($h);
};

subtest 'behind-proxy.conf serves' => sub {
    my $h = httpd_for('behind-proxy.conf', backends => \@web,
        edit => sub ($text) { $text =~ s/192\.0\.2\.10/127.0.0.1/r });
    $h->start;
    my @from = (headers => [['X-Forwarded-For', '203.0.113.5'],
                            ['X-Forwarded-Proto', 'https']]);
    my $r = $h->get('/', host => 'www.example.com', @from);
    like(($r->set_cookies)[0], qr/; Secure/, 'https of the proxy in front');
    my %got = map { lc $_->[0] => $_->[1] } @{$r->json->{headers}};
    is $got{'x-forwarded-proto'}, 'https', 'is told to the members';
    $h->graceful($h->{conf} =~ s/127\.0\.0\.1 (?=192)//r);
    $r = $h->get('/', host => 'www.example.com', @from);
    unlike(($r->set_cookies)[0], qr/; Secure/, 'from anybody else it is not');
    done($h);
};

subtest 'tomcat.conf serves' => sub {
    my @tc = map { LBS::Gateway->new(scheme => 'ajp', name => "tc$_") } 1, 2;
    my $h = httpd_for('tomcat.conf', backends => \@tc);
    $h->start;
    my %at = (host => 'app.example.com');
    for my $n (1, 2, 2, 1) {
        is $h->get('/', %at, headers => [['Cookie', "JSESSIONID=ab.tc$n"]])->member,
            "tc$n", "the cookie's route tc$n";
    }
    for my $n (1, 2, 2, 1) {
        is $h->get("/x;jsessionid=cd.tc$n", %at)->member, "tc$n",
            "the URL's route tc$n";
    }
    done($h);
};

subtest 'php-fpm.conf serves' => sub {
    my @php = map { LBS::Gateway->new(scheme => 'fcgi', name => "php$_") } 1, 2;
    my $h = httpd_for('php-fpm.conf', backends => \@php);
    $h->write('htdocs/page.php', 'x');
    $h->write('htdocs/a.txt', "a file\n");
    $h->start;
    stays($h, 'www.example.com', uri => '/page.php');
    is $h->get('/a.txt', host => 'www.example.com')->body, "a file\n",
        'files come from here';
    done($h);
};

subtest 'from-mod_proxy_balancer.conf serves' => sub {
    my $h = httpd_for('from-mod_proxy_balancer.conf', backends => \@web);
    $h->start;
    for my $n (1, 2) {
        my $r = $h->get('/', host => 'www.example.com',
                        headers => [['Cookie', "ROUTEID=.web$n"]]);
        is $r->member, $web[$n - 1]->name, "a visitor with the old cookie stays on $n";
        my ($new) = map { /^([^;]+)/ } $r->set_cookies;
        like $new, qr/^LBSTICKY_app=/, 'and gets the new one';
        is $h->get('/', host => 'www.example.com', headers => [['Cookie',
            "ROUTEID=.web" . (3 - $n) . "; $new"]])->member,
            $web[$n - 1]->name, 'which wins over the old';
    }
    done($h);
};

sub Machine::addr ($self) { return $self->{addr} }

subtest 'two-machines.conf serves' => sub {
    my @ports = map { LBS::Ports::free() } 1, 2;
    my @each_other = map { bless {addr => "127.0.0.1:$_"}, 'Machine' } @ports;
    my @h = map {
        my $h = httpd_for('two-machines.conf', backends => \@each_other,
                          ports => {1 => $ports[$_ - 1]});
        $h->write('conf/lbsticky.secret', "a secret for the examples\n", 0600);
        $h->write('htdocs/static/site.css', "css\n");
        $h->write('site/mysite/name.py', "NAME = 'web$_'\n");
        $h->write('site/mysite/wsgi.py', <<'PY');
from mysite.name import NAME
def application(environ, start_response):
    start_response("200 OK", [("X-Backend", NAME)])
    return [environ["REMOTE_ADDR"].encode()]
PY
        $h->start
    } 1, 2;
    my ($r, $jar) = stays($h[0], 'www.example.com', port => $ports[0]);
    is $h[1]->get('/', port => $ports[1], host => 'www.example.com',
                  jar => $jar)->member, $r->member,
        'a visitor who stays also with the other machine in front';
    is $h[0]->get('/static/site.css', port => $ports[0],
                  host => 'www.example.com')->body, "css\n", 'files come from here';
    done($_) for @h;
};

# Two machines, their certificates from mod_md, whose authority does not answer.
sub https_pair () {
    my @tls = map { LBS::Ports::free() } 1, 2;
    my @plain = map { LBS::Ports::free() } 1, 2;
    my @each_other = map { bless {addr => "127.0.0.1:$_"}, 'Machine' } @tls, @plain;
    my @h = map {
        my $h = httpd_for('two-machines-https.conf', backends => \@each_other,
            ports => {1 => $plain[$_ - 1], 2 => $tls[$_ - 1]},
            edit => sub ($text) {
                $text =~ s{http://\@B1\@}{http://\@B3\@}r =~ s{http://\@B2\@}{http://\@B4\@}r
                    =~ s{^(MDomain .*)}{$1\nMDStoreDir \@ROOT\@/md\nMDCertificateAuthority http://127.0.0.1:\@FREE\@/\nMDPortMap http:\@PORT\@ https:\@PORT2\@}mr
                    =~ s{LBSticky      cookie}{LBSticky cookie\nLBStickyMethod round-robin}r
                    =~ s{SSLEngine    on}{SSLEngine on\nSSLCertificateFile \@CERT\@\nSSLCertificateKeyFile \@KEY\@}r
            });
        $h->announce(qr/\[md:|\[ssl:warn\]/);
        $h->write('conf/lbsticky.secret', "a secret for the examples\n", 0600);
        $h->write('htdocs/static/site.css', "css\n");
        $h->write('site/mysite/name.py', "NAME = 'web$_'\n");
        $h->write('site/mysite/wsgi.py', <<'PY');
from mysite.name import NAME
def application(environ, start_response):
    start_response("200 OK", [("X-Backend", NAME)])
    return [" ".join([environ["wsgi.url_scheme"], environ["HTTP_HOST"],
                      environ["REMOTE_ADDR"]]).encode()]
PY
        $h->start
    } 1, 2;
    return @h;
}

subtest 'two-machines-https.conf serves' => sub {
    my @h = https_pair();
    my %site = (host => 'www.example.com');
    for my $h (@h) {
        my $r = $h->get('/a?b=c', %site);
        is $r->status . ' ' . $r->header('Location'),
            '301 https://www.example.com/a?b=c', 'http goes to https';
        my %seen;
        for (1 .. 12) {
            ($r, my $jar) = stays($h, 'www.example.com', n => 2, tls => 1,
                                  headers => [['User-Agent', "visitor $_"]]);
            is $r->body, 'https www.example.com 127.0.0.1', 'it is https for the site';
            like(($r->set_cookies)[0], qr/; Secure/, 'the cookie is Secure');
            $seen{$r->member} = $jar;
            last if keys %seen == 2;
        }
        is join(' ', sort keys %seen), 'web1 web2', 'both serve';
        is $h[1]->get('/', n => 2, tls => 1, %site, jar => $seen{$_})->member, $_,
            "$_ also with the other machine in front" for sort keys %seen;
        is $h->get('/static/site.css', n => 2, tls => 1, %site)->body, "css\n",
            'files come from here';
    }
    my $file = 'md/challenges/www.example.com/acme-http-01.txt';
    $h[0]->write($file, 'key of the first');
    chmod 0755, $h[0]->root . '/md/challenges', $h[0]->root . '/md';
    $h[0]->write('htdocs/.well-known/acme-challenge/certbot', 'of certbot');
    for my $n (0, 1) {
        my @got = map { $h[$n]->get("/.well-known/acme-challenge/$_", %site) }
            qw(token certbot);
        is $got[0]->status . ' ' . $got[0]->body, '200 key of the first',
            'a challenge of mod_md is answered by machine ' . ($n + 1);
    }
    $h[0]->stop;
    $h[1]->announce(qr/AH00957: http: attempt|AH01114: HTTP: failed/);
    like $h[1]->get('/.well-known/acme-challenge/token', %site)->status,
        qr/^(?:404|503)$/, 'a challenge that no machine knows is answered by none';
    done($_) for @h;
};

subtest 'ha-pair' => sub {
    my $conf = slurp('conf/examples/ha-pair/keepalived.conf');
    my $check = 'conf/examples/ha-pair/check-site';
    like $conf, qr{/etc/keepalived/check-site https://www\.example\.com/},
        'keepalived asks for the site, by https';
    ok -x $check, 'by a program';
    unlike slurp($check), qr/pidof|pgrep|kill -0/, 'not for a process';

    my ($site) = LBS::Backend->new;
    my $h = LBS::Httpd->new(backends => [$site], modules => ['ssl'],
                            conf => <<'CONF');
<VirtualHost 127.0.0.1:@PORT@>
    ServerName www.example.com
    RedirectMatch permanent "^/(?!plain)(.*)" "https://www.example.com:@PORT2@/$1"
</VirtualHost>
<VirtualHost 127.0.0.1:@PORT2@>
    ServerName www.example.com
    SSLEngine  on
    SSLCertificateFile @CERT@
    SSLCertificateKeyFile @KEY@
    ProxyPass "/" "http://@B1@/"
</VirtualHost>
CONF
    $h->announce(qr/ssl:warn.*AH01(?:882|873|906|909):|\[proxy(?:_http)?:error\]/);
    $h->write('htdocs/plain', 'x');
    $h->start;
    my $good = sub ($url) { return system($check, $url) == 0 ? 'good' : 'bad' };
    my ($http, $https) = map { "www.example.com:" . $h->port($_) } 1, 2;
    is $good->("https://$https/login/"), 'good', 'a page by https is good';
    is $good->("http://$http/plain"), 'good', 'so is one of a site without';
    is $good->("http://$http/login/"), 'bad', 'a redirect is not';
    is $good->("https://$https/login/?status=302"), 'bad', 'of the site, neither';
    is $good->("https://$https/login/?status=500"), 'bad', 'nor is an error';
    $site->refuse;
    is $good->("https://$https/login/"), 'bad', 'a site that is down is bad';
    $h->stop;
    is $good->("https://$https/login/"), 'bad', 'an httpd that is down is bad';
};

subtest 'vhosts.conf serves' => sub {
    my $h = httpd_for('vhosts.conf', backends => \@web);
    $h->start;
    stays($h, "$_.example.com") for qw(www shop);
    my @key = (headers => [['X-Api-Key', 'k1']]);
    my $r = $h->get('/', host => 'api.example.com', @key);
    is $h->get('/', host => 'api.example.com', @key)->member, $r->member,
        'the API by its key';
    is scalar($r->set_cookies), 0, 'without a cookie';
    $h->get('/', host => 'old.example.com');
    ok wait_for(sub { grep { /"-" "-"$/ } $h->access_log }),
        'the old site is left to mod_proxy_balancer';
    done($h);
};

done_testing;
