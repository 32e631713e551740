# SPDX-License-Identifier: Apache-2.0
# What is silently wrong in a configuration is told by `httpd -t`, with file
# and line; what to write for a balancer that is not governed yet, by
# -D LBSTICKY_ADVICE.
use lib 't/lib';
use LBS::Test;

my $h = LBS::Httpd->new(modules => ['ssl', 'rewrite', 'headers', 'proxy_hcheck',
    'lbmethod_bybusyness'],
                        start => 0);

sub warnings_of ($conf) {
    $h->conf($conf);
    my ($status, $said) = $h->configtest;
    is $status, 0, 'httpd starts all the same' or diag $said;
    return [$said =~ /^(?:\[.*\] )?(LBS\d+: .*)$/mg];
}

sub advice_of ($conf) {
    $h->conf($conf);
    my ($status, $said) = $h->configtest('-DLBSTICKY_ADVICE');
    is $status, 0, 'httpd -t' or diag $said;
    return $said;
}

my $APP = <<'CONF';
<Proxy "balancer://app">
    LBSticky cookie
    BalancerMember "http://127.0.0.1:9" route=a
    BalancerMember "http://127.0.0.2:9" route=b
</Proxy>
CONF

my @wrong = (
    ['a name with a typing error', <<'CONF', qr{LBS3301: \S+:\d+ ProxyPass sends requests to balancer://ap, .*503; write balancer://app if}],
ProxyPass "/x/" "balancer://ap/"
ProxyPass "/" "balancer://app/"
CONF
    ['a pool without members', <<'CONF', qr{LBS3302: pool empty \(\S+:\d+\) has no BalancerMember}],
<Proxy "balancer://empty">
    LBSticky cookie
</Proxy>
ProxyPass "/x/" "balancer://empty/"
ProxyPass "/" "balancer://app/"
CONF
    ['no slash behind the pool', <<'CONF', qr{LBS3304: \S+:\d+: ProxyPass "/" "balancer://app" .*write "balancer://app/"}],
ProxyPass "/" "balancer://app"
CONF
    ['a slash behind the member', <<'CONF', qr{LBS3305: pool slash: BalancerMember http://127.0.0.1:8/ ends in a slash.*write BalancerMember "http://127.0.0.1:8"}],
<Proxy "balancer://slash">
    LBSticky cookie
    BalancerMember "http://127.0.0.1:8/"
</Proxy>
ProxyPass "/s/" "balancer://slash/"
ProxyPass "/" "balancer://app/"
CONF
    ['"!" behind "/"', <<'CONF', qr{LBS3306: \S+:\d+: ProxyPass "/static/" "!" is never used: ProxyPass / on \S+:\d+ comes first}],
ProxyPass "/" "balancer://app/"
ProxyPass "/static/" "!"
CONF
    ['a shorter path before a longer one', <<'CONF', qr{LBS3306: .*"/a/b" "balancer://app/" is never used: ProxyPass /a on}],
ProxyPass "/a" "balancer://app"
ProxyPass "/a/b" "balancer://app/"
CONF
    ['TLS members, TLS off', <<'CONF', qr{LBS3307: pool tls: member https://127\.0\.0\.1:8 is reached by TLS.*write SSLProxyEngine on}],
<Proxy "balancer://tls">
    LBSticky cookie
    BalancerMember "https://127.0.0.1:8"
</Proxy>
ProxyPass "/t/" "balancer://tls/"
ProxyPass "/" "balancer://app/"
CONF
    ['route= where no member has one', <<'CONF', qr{LBS3309: pool bare: LBSticky route=R finds no member}],
<Proxy "balancer://bare">
    LBSticky route=R
    BalancerMember "http://127.0.0.1:8"
</Proxy>
ProxyPass "/b/" "balancer://bare/"
ProxyPass "/" "balancer://app/"
CONF
    ['stickysession=', <<'CONF', qr{LBS1103: pool old: stickysession=R is ignored here; .*LBSticky route=R if}],
<Proxy "balancer://old">
    LBSticky cookie
    BalancerMember "http://127.0.0.1:8"
    ProxySet stickysession=R
</Proxy>
ProxyPass "/b/" "balancer://old/"
ProxyPass "/" "balancer://app/"
CONF
    ['hcmethod=', <<'CONF', qr{LBS1107: pool old: hcmethod= of member http://127\.0\.0\.1:8 is ignored}],
<Proxy "balancer://old">
    LBSticky cookie
    BalancerMember "http://127.0.0.1:8" hcmethod=GET
</Proxy>
ProxyPass "/b/" "balancer://old/"
ProxyPass "/" "balancer://app/"
CONF
    ['a scheme with a typing error', <<'CONF', qr{LBS3320: pool typo: BalancerMember htp://127\.0\.0\.1:8: no module .*write http://}],
<Proxy "balancer://typo">
    LBSticky cookie
    BalancerMember "htp://127.0.0.1:8"
</Proxy>
ProxyPass "/b/" "balancer://typo/"
ProxyPass "/" "balancer://app/"
CONF
    ['a target of no scheme', <<'CONF', qr{LBS3317: \S+:\d+: ProxyPass to balancers://app/: .*get 500; write balancer://}],
ProxyPass "/b/" "balancers://app/"
ProxyPass "/" "balancer://app/"
CONF
    ['upgrade=on', <<'CONF', qr{LBS3318: pool ws: upgrade=on of member http://127\.0\.0\.1:8 .*write upgrade=websocket}],
<Proxy "balancer://ws">
    LBSticky cookie
    BalancerMember "http://127.0.0.1:8" upgrade=on
</Proxy>
ProxyPass "/b/" "balancer://ws/"
ProxyPass "/" "balancer://app/"
CONF
    ['two pools with one cookie', <<'CONF', qr{LBS3315: pools one and two have the same cookie SRV.*LBStickyCookie of one of the two}],
<Proxy "balancer://one">
    LBSticky cookie
    LBStickyCookie name=SRV
    BalancerMember "http://127.0.0.1:8"
</Proxy>
<Proxy "balancer://two">
    LBSticky cookie
    LBStickyCookie name=SRV
    BalancerMember "http://127.0.0.1:8"
</Proxy>
ProxyPass "/b/" "balancer://one/"
ProxyPass "/c/" "balancer://two/"
ProxyPass "/" "balancer://app/"
CONF
    ['a member that is this server', <<'CONF', qr{LBS3319: pool ring: member http://127\.0\.0\.1:\d+ is this server itself.*\(\S+:\d+\).*LBStickyLocal self}],
<VirtualHost *:@PORT@>
    ServerName ring
    <Proxy "balancer://ring">
        LBSticky cookie
        BalancerMember "http://127.0.0.1:@PORT@"
    </Proxy>
    ProxyPass "/" "balancer://ring/"
</VirtualHost>
ProxyPass "/" "balancer://app/"
CONF
    ['AllowEncodedSlashes outside of virtual hosts', <<'CONF', qr{LBS3314: \S+:\d+: AllowEncodedSlashes NoDecode does not hold in virtual hosts: .*404 from inner:1; }],
AllowEncodedSlashes NoDecode
<VirtualHost *:1>
    ServerName inner
    ProxyPass "/" "balancer://app/"
</VirtualHost>
ProxyPass "/" "balancer://app/"
CONF
    ['a pool of another virtual host', <<'CONF', qr{LBS3316: \S+:\d+: ProxyPass sends requests of second:1 to balancer://far, which only first:1 has \(\S+:\d+\).*the same <VirtualHost>}],
<VirtualHost *:1>
    ServerName first
    <Proxy "balancer://far">
        LBSticky cookie
        BalancerMember "http://127.0.0.1:8"
    </Proxy>
    ProxyPass "/" "balancer://far/"
</VirtualHost>
<VirtualHost *:1>
    ServerName second
    ProxyPass "/" "balancer://far/"
</VirtualHost>
ProxyPass "/" "balancer://app/"
CONF
    ['ProxyPass outside of the virtual host', <<'CONF', qr{LBS3316: \S+:\d+: ProxyPass sends requests of no virtual host to balancer://far, which only first:1 has}],
<VirtualHost *:1>
    ServerName first
    LBSticky cookie
    <Proxy "balancer://far">
        BalancerMember "http://127.0.0.1:8"
    </Proxy>
    ProxyPass "/x/" "balancer://far/"
</VirtualHost>
ProxyPass "/y/" "balancer://far/"
ProxyPass "/" "balancer://app/"
CONF
    ['an http and a ws pool of one server', <<'CONF', qr{LBS3311: pools app and live have the same servers.*upgrade=websocket behind each BalancerMember}],
<Proxy "balancer://live">
    LBSticky cookie
    BalancerMember "ws://127.0.0.1:9" route=a
    BalancerMember "ws://127.0.0.2:9" route=b
</Proxy>
ProxyPass "/live/" "balancer://live/"
ProxyPass "/" "balancer://app/"
CONF
);

subtest 'a certain mistake is a warning of -t' => sub {
    for (@wrong) {
        my ($name, $conf, $like) = @$_;
        my $said = warnings_of($APP . $conf);
        is @$said, 1, "$name: one warning" or diag explain $said;
        like $said->[0] // '', $like, $name;
    }
};

subtest 'two machines whose members are the port that redirects' => sub {
    my $conf = sub ($member, $redirect) { <<"CONF" };
LBStickySecret exec:/bin/hostid
Listen 127.0.0.1:\@FREE1\@
<VirtualHost 127.0.0.1:\@PORT\@>
    ServerName www.example.com
    $redirect
</VirtualHost>
<VirtualHost 127.0.0.1:\@FREE1\@>
    ServerName www.example.com
    SSLProxyEngine on
    LBSticky cookie
    LBStickyLocal self
    <Proxy "balancer://app">
        BalancerMember "$member" route=a
        BalancerMember "http://192.0.2.9:9" route=b
    </Proxy>
    ProxyPass "/" "balancer://app/"
</VirtualHost>
CONF
    my $secret = $h->write('conf/peers.secret', "a secret for the peers\n", 0600);
    my $told = sub ($member, $redirect) {
        return warnings_of($conf->($member, $redirect) =~ s/exec:\S+/file:$secret/r);
    };
    for my $line ('Redirect permanent "/" "https://www.example.com/"',
        'RedirectMatch 301 "^/(.*)" "https://www.example.com/$1"',
        "RewriteEngine on\nRewriteRule ^ https://%{HTTP_HOST}%{REQUEST_URI} [R=301,L]") {
        my $said = $told->('http://127.0.0.1:@PORT@', $line);
        is @$said, 1, 'one warning' or diag explain $said;
        like $said->[0] // '', qr{LBS3313: pool app: .*member http://127\.0\.0\.1:\d+ is redirected there, for ever, by Re\w+ on \S+:\d+; write BalancerMember "https://127\.0\.0\.1:443"},
            $line;
    }
    is_deeply $told->('http://127.0.0.1:@PORT@', 'Redirect "/old" "/new"'), [],
        'a redirect that is none to https is none of that';
    is_deeply $told->('https://127.0.0.1:@FREE1@', 'Redirect permanent "/" "https://www.example.com/"'),
        [], 'nor are members at the port of https';
};

subtest 'the forgotten LBSticky' => sub {
    my $pool = $APP =~ s/LBSticky cookie/LBStickyCheck path=\/health/r;
    my $pass = qq(ProxyPass "/" "balancer://app/"\n);
    my $said = warnings_of($pool . $pass);
    is @$said, 1, 'one warning' or diag explain $said;
    like $said->[0], qr{LBS3308: \S+:\d+: LBStickyCheck does nothing: no LBSticky is in force for pool app, .*write LBSticky cookie},
        'naming directive, pool and what to write';
    is_deeply warnings_of("LBSticky off\n$pool$pass"), [], 'LBSticky off is no mistake';
    like join("\n", @{warnings_of("LBStickyEject off\n" . $APP =~ s/LBSticky cookie//r . $pass)}),
        qr/LBS3308: \S+:\d+: LBStickyEject does nothing/, 'of a server, too';
};

subtest 'a pool that virtual hosts inherit' => sub {
    my $said = warnings_of(<<'CONF');
<Proxy "balancer://app">
    BalancerMember "http://127.0.0.1:9" route=a
    ProxySet stickysession=R
</Proxy>
<VirtualHost *:1>
    ServerName one
    LBSticky cookie
    ProxyPass "/" "balancer://app/"
</VirtualHost>
<VirtualHost *:1>
    ServerName two
    ProxyPass "/" "balancer://app/"
</VirtualHost>
CONF
    is @$said, 1, 'told, once' or diag explain $said;
    like $said->[0], qr/LBS1103: pool app: stickysession=R/, 'that stickysession= is ignored';
};

subtest 'a section for a pool of the main server' => sub {
    my $said = warnings_of(<<"CONF");
$APP
ProxyPass "/" "balancer://app/"
<VirtualHost *:1>
    ServerName one
    <Proxy "balancer://app">
        LBStickyMethod hash
    </Proxy>
    ProxyPass "/" "balancer://app/"
</VirtualHost>
CONF
    is @$said, 1, 'told' or diag explain $said;
    like $said->[0], qr/LBS1802: one:1: .*the pool is the main server's, so they do nothing; write them into/,
        'where the directives belong';
};

subtest 'a store that could never be reached is refused' => sub {
    $h->conf("LBSticky cookie\nLBStickyStore redis://127.0.0.1:6379\n");
    my ($status, $said) = $h->configtest;
    isnt $status, 0, 'httpd -t fails';
    like $said, qr{redis://127\.0\.0\.1:6379.*PROVIDER:HOST:PORT without slashes}s, 'and says what to write';
};

subtest 'a right configuration is not warned of' => sub {
    for my $conf (
                  # Nothing of a member's host or scheme is guessed at.
                  $APP =~ s{http://127.0.0.2:9}{mine://127.0.0.2:9}r . qq(ProxyPass "/" "balancer://app/"\n),
                  $APP =~ s{route=b}{upgrade=ANY}r . qq(ProxyPass "/" "balancer://app/"\n),
                  # The other server that listens here answers.
                  <<'CONF', <<'CONF', <<"CONF",
<VirtualHost 127.0.0.1:@PORT@>
    ServerName site
</VirtualHost>
<VirtualHost *:@PORT@>
    ServerName site
    <Proxy "balancer://ring">
        LBSticky cookie
        BalancerMember "http://127.0.0.1:@PORT@"
    </Proxy>
    ProxyPass "/" "balancer://ring/"
</VirtualHost>
CONF
LBSticky cookie
LBStickyForward host=off
<VirtualHost *:@PORT@>
    ServerName site
    <Proxy "balancer://ring">
        BalancerMember "http://127.0.0.1:@PORT@"
    </Proxy>
    ProxyPass "/" "balancer://ring/"
</VirtualHost>
CONF
AllowEncodedSlashes NoDecode
$APP
<VirtualHost *:1>
    ServerName site
    AllowEncodedSlashes On
    ProxyPass "/" "balancer://app/"
</VirtualHost>
CONF
                  $APP . qq(ProxyPass "/" "balancer://app/"\n),
                  $APP . qq(ProxyPass "/static/" "!"\nProxyPass "/" "balancer://app/"\n),
                  $APP . qq(ProxyPass "/a" "balancer://app"\nProxyPass "/ab" "balancer://app"\n),
                  $APP . qq(<Location "/x/">\nProxyPass "balancer://app/x/"\n</Location>\nProxyPass "/" "balancer://app/"\n),
                  $APP . qq(RewriteEngine on\nRewriteRule "^/(.*)" "balancer://app/\$1" [P,QSA]\n),
                  $APP . qq(<Proxy "balancer://php">\nLBSticky cookie\nBalancerMember "fcgi://127.0.0.1:7/"\n</Proxy>\nProxyPass "/php/" "balancer://php/"\n),
                  # sections and rules with regular expressions
                  $APP . qq(<LocationMatch "^/x/">\nProxyPass "balancer://app/x/"\n</LocationMatch>\n)
                      . qq(<LocationMatch "^/y/">\nProxyPass "balancer://app/x/"\n</LocationMatch>\n),
                  $APP . qq(<LocationMatch "/x/">\nProxyPass "balancer://app"\n</LocationMatch>\n),
                  $APP . qq(ProxyPassMatch "^(/.*)\$" "balancer://app\$1"\n),
                  # the request names the pool
                  $APP . qq(RewriteEngine on\nRewriteMap up "prg:/bin/cat"\n)
                      . qq(RewriteRule "^/(.*)" "\${up:%{HTTP_HOST}}/\$1" [P]\n),
                  # files of FastCGI
                  qq(<Proxy "balancer://php">\nLBSticky cookie\nBalancerMember "fcgi://127.0.0.1:9/srv/www/"\n</Proxy>\n)
                      . qq(ProxyPass "/" "balancer://php/"\n),
                  # quotes
                  qq(LBStickyEject off\nLBSticky "off"\n) . $APP =~ s/LBSticky cookie//r . qq(ProxyPass "/" "balancer://app/"\n),
                  qq(SSLProxyEngine "on"\n<Proxy "balancer://tls">\nLBSticky cookie\nBalancerMember "wss://127.0.0.1:9"\n</Proxy>\n)
                      . qq(ProxyPass "/" "balancer://tls/"\n),
                  # sockets of other programs
                  qq(<Proxy "balancer://app">\nLBSticky cookie\nBalancerMember "unix:/run/a.sock|http://localhost"\n</Proxy>\n)
                      . qq(<Proxy "balancer://ws">\nLBSticky cookie\nBalancerMember "unix:/run/b.sock|ws://localhost"\n</Proxy>\n)
                      . qq(ProxyPass "/ws" "balancer://ws/ws"\nProxyPass "/" "balancer://app/"\n),
                  $APP, 'LBSticky cookie', 'LBStickySecret random', '') {
        is_deeply warnings_of($conf), [], $conf =~ s/\n/; /gr;
    }
};

subtest 'a pool whose name a variable holds' => sub {
    my $said = warnings_of($APP . <<'CONF');
ProxyPassInterpolateEnv On
ProxyPass "/" "balancer://${POOL}/" interpolate
CONF
    is_deeply $said, [], 'is the request\'s to name';
};

subtest 'a socket whose URL ends in a slash' => sub {
    my $said = warnings_of(<<'CONF');
<Proxy "balancer://app">
    LBSticky cookie
    BalancerMember "unix:/run/a.sock|http://localhost/"
</Proxy>
ProxyPass "/" "balancer://app/"
CONF
    like "@$said", qr{write BalancerMember "unix:/run/a\.sock\|http://localhost"$},
        'is told what to write whole';
};

subtest 'advice for balancers that are not governed' => sub {
    my $members = <<'CONF';
    BalancerMember "http://10.0.0.1:8080" route=a retry=5
    BalancerMember "http://10.0.0.2:8080" route=b retry=5
CONF
    my $pass = qq(ProxyPass "/" "balancer://app/"\n);
    my $pool = sub ($lines) { qq(<Proxy "balancer://app">\n$members$lines\n</Proxy>\n$pass) };
    my $said = advice_of($pool->('ProxySet stickysession=JSESSIONID|jsessionid lbmethod=bybusyness'));
    like $said, qr{^balancer://app of }m, 'the balancer';
    like $said, qr{^\s+LBSticky route=JSESSIONID route=jsessionid$}m,
        'the application writes the route: route=';
    like $said, qr{remove stickysession=}, 'stickysession= goes';
    like $said, qr{^\s+LBStickyMethod least-busy$}m, 'lbmethod=bybusyness';
    like $said, qr{retry=5s: has no effect then; .*hold=5s-5s}, 'retry=';
    like $said, qr{members see the visitor's Host.*LBStickyForward host=off}, 'no ProxyPreserveHost';

    $said = advice_of(<<'CONF' . $pool->('ProxySet stickysession=ROUTEID'));
Header add Set-Cookie "ROUTEID=.%{BALANCER_WORKER_ROUTE}e; path=/" env=BALANCER_ROUTE_CHANGED
CONF
    like $said, qr{^\s+LBSticky cookie route=ROUTEID$}m, 'a Header line writes it: both';
    like $said, qr{remove \S+:\d+: Header add Set-Cookie "ROUTEID=}, 'and the Header line goes';

    $said = advice_of($pool->('ProxySet stickysession=SID') =~ s/route=\w//gr);
    like $said, qr{^\s+LBSticky cookie$}m, 'no member has a route: cookie';

    $said = advice_of($pool->('') =~ s/retry=5/hcmethod=GET hcuri=\/ping hcinterval=10 hcpasses=3 hcfails=4/gr);
    like $said, qr{^\s+LBStickyCheck path=/ping interval=10s rise=3 fall=4$}m, 'hc* parameters';

    $said = advice_of("ProxyPreserveHost on\n" . $pool->(''));
    unlike $said, qr{changes: members see}, 'with ProxyPreserveHost nothing changes';

    $said = advice_of($pool->('LBSticky cookie'));
    like $said, qr{has LBSticky}, 'a governed one has it already';

    $said = advice_of($APP);
    like $said, qr{see: LBS3303: pool app \(\S+:\d+\): no ProxyPass or RewriteRule},
        'a pool that nobody uses';
    $said = advice_of(<<"CONF");
<VirtualHost *:1>
    ServerName site
    $APP
    ProxyPass "/" "balancer://app/"
</VirtualHost>
<VirtualHost *:2>
    ServerName site
    ${\($APP =~ s/LBSticky cookie//r)}
    ProxyPass "/" "balancer://app/"
</VirtualHost>
CONF
    like $said, qr{see: LBS3310: pool app is sticky for site:1 and left to mod_proxy_balancer for site:2},
        'governed on one port and not on the other';
    unlike advice_of($APP =~ s/LBSticky cookie//r . <<'CONF'), qr{LBS3310}, 'which no request can show';
ServerName site
<VirtualHost *:1>
    ServerName site
    LBSticky cookie
    ProxyPass "/" "balancer://app/"
</VirtualHost>
CONF
};

subtest 'the lines of the advice do what they say' => sub {
    my $said = advice_of(<<'CONF');
<Proxy "balancer://app">
    BalancerMember "http://10.0.0.1:8080" route=a hcmethod=HEAD hcuri=/up
    ProxySet stickysession=R lbmethod=bybusyness
</Proxy>
ProxyPass "/" "balancer://app/"
CONF
    my @lines = $said =~ /^ {8}(LBSticky.*)$/mg;
    is @lines, 3, 'three lines' or diag $said;
    my $conf = "<Proxy \"balancer://app\">\nBalancerMember \"http://10.0.0.1:8080\" route=a\n"
        . join("\n", @lines) . "\n</Proxy>\nProxyPass \"/\" \"balancer://app/\"\n";
    is_deeply warnings_of($conf), [], 'and httpd has nothing to say of them';
};

done_testing;
