# SPDX-License-Identifier: Apache-2.0
# A location with SetHandler lb-status wins over whatever sends requests on,
# and says what is missing where there is nothing to show.
use lib 't/lib';
use LBS::Test;

my $web = LBS::Backend->new(name => 'web');
my $POOL = <<'CONF';
<Proxy "balancer://app">
    BalancerMember "http://@B1@" route=r1
</Proxy>
<Location "/lb-status">
    SetHandler lb-status
    Require local
</Location>
CONF

my %ways = (
    'ProxyPass "/"' => 'ProxyPass "/" "balancer://app/"',
    'ProxyPassMatch' => 'ProxyPassMatch "^/(.*)$" "balancer://app/$1"',
    'RewriteRule with [P]' =>
        qq(RewriteEngine on\nRewriteRule "^/(.*)\$" "balancer://app/\$1" [P]),
    'RewriteRule with [P,QSA,L]' =>
        qq(RewriteEngine on\nRewriteRule "^(.*)\$" "balancer://app\$1" [P,QSA,L]),
    'RewriteRule with [P] in a directory' => <<'CONF',
<Directory "@ROOT@/htdocs">
    RewriteEngine on
    RewriteRule "^(.*)$" "balancer://app/$1" [P]
</Directory>
CONF
    'ProxyPass in <Location "/">' =>
        qq(<Location "/">\nProxyPass "balancer://app/"\n</Location>),
);

for my $name (sort keys %ways) {
    subtest $name => sub {
        my $h = LBS::Httpd->new(backends => [$web], modules => ['rewrite'],
                                conf => "LBSticky cookie\n$POOL$ways{$name}\n");
        $h->start;
        is $h->get('/lb-status/json')->json->{pools}[0]{name}, 'app', 'JSON';
        like $h->get('/lb-status')->body, qr/<html/, 'the page';
        like $h->get('/lb-status/metrics')->body, qr/^lbsticky_up 1/m, 'metrics';
        is $h->get('/other')->member, 'web', 'all else goes to the pool';
        is $h->get('/lb-statusx')->member, 'web', 'a longer name as well';
        $h->no_unexpected_log;
    };
}

# A rule that answers itself is still obeyed.
subtest 'rules that do not forward hold' => sub {
    my $h = LBS::Httpd->new(backends => [$web], modules => ['rewrite'],
        conf => "LBSticky cookie\n$POOL" . <<'CONF');
RewriteEngine on
RewriteRule "^/lb-status/metrics" "-" [F]
RewriteRule "^/lb-status/json" "https://localhost/lb-status/json" [R,L]
RewriteRule "^/(.*)$" "balancer://app/$1" [P]
CONF
    $h->start;
    is $h->get('/lb-status/metrics')->status, 403, '[F]';
    is $h->get('/lb-status/json')->status, 302, '[R]';
    is $h->get('/lb-status')->status, 200, 'the page';
    $h->no_unexpected_log;
};

subtest 'no pool has LBSticky' => sub {
    my $h = LBS::Httpd->new(backends => [$web],
        conf => $POOL . qq(ProxyPass "/" "balancer://app/"\n));
    $h->start;
    $h->announce(qr/LBS3400/);
    for (1 .. 3) {
        my $r = $h->get('/lb-status/json');
        is $r->status, 503, 'there is nothing to show';
        like $r->body, qr/Write LBSticky cookie/, 'what to write';
    }
    my @said = $h->error_log(qr/LBS3400/);
    cmp_ok scalar @said, '>=', 1, 'the log says so';
    cmp_ok scalar @said, '<=', 2, 'once for each process';
    $h->no_unexpected_log;
};

done_testing;
