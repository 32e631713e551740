#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Writing the cookie: one line of exactly the wanted bytes, once, and not a
# byte elsewhere changed, by whatever way the answer was put together.
use lib 't/lib';
use LBS::Test;
use LBS::Governed;

my @web = LBS::Backend->many(3, name => 'web');
my $TOKEN = qr/[A-Za-z0-9_-]{48}/;

# Every subset of the attributes that -t allows, each a pool of its own.
my (%pools, %want);
for my $domain ('off', 'example.com') {
    for my $site (qw(lax strict none off)) {
        for my $secure (qw(auto on off)) {
            for my $bits (0 .. 7) {
                my ($http, $part, $age) = map { $bits >> $_ & 1 } 0 .. 2;
                next if $secure eq 'off' && ($site eq 'none' || $part);
                my $name = 'p' . keys %pools;
                my $path = $bits % 3 ? '/' : '/a/b';
                $pools{$name} = "LBSticky cookie\nLBStickyCookie first=off "
                    . "name=C path=$path domain=$domain samesite=$site "
                    . "secure=$secure httponly=" . ($http ? 'on' : 'off')
                    . ' partitioned=' . ($part ? 'on' : 'off')
                    . ' maxage=' . ($age ? '90min' : 'session');
                $want{$name} = "; Path=$path"
                    . ($domain eq 'off' ? '' : "; Domain=$domain")
                    . ($age ? '; Max-Age=5400' : '')
                    . ($site eq 'off' ? '' : '; SameSite=' . ucfirst $site)
                    . ($secure eq 'on' || $site eq 'none' || $part
                       ? '; Secure' : '')
                    . ($http ? '; HttpOnly' : '')
                    . ($part ? '; Partitioned' : '');
            }
        }
    }
}

subtest 'all subsets of the attributes' => sub {
    my $h = governed(\@web, %pools, header => 0);
    $h->announce(qr/LBS3315/);    # one cookie name for all
    my $c = $h->connect;
    for my $pool (sort keys %pools) {
        my @set = $h->get("/$pool/?size=1", on => $c)->set_cookies;
        is @set, 1, "$pool: one line";
        like $set[0], qr/^C=$TOKEN\Q$want{$pool}\E$/, $want{$pool};
    }
    cmp_ok keys %pools, '>', 100, 'that many were tried';
    $h->no_unexpected_log;
};

my %long = (name => 'n' x 255, path => '/' . 'p' x 1023,
            domain => join('.', ('d' x 63) x 3, 'd' x 61));
my $h = governed(\@web,
    app   => "LBSticky cookie session=APP\nLBStickyCookie first=off name=LB",
    quiet => "LBSticky cookie\nLBStickyCookie first=off name=LB nocache=off",
    long  => "LBSticky cookie\nLBStickyCookie first=off name=$long{name} "
        . "path=$long{path} domain=$long{domain}",
    plain => <<'POOL',
LBSticky cookie
LBStickyCookie first=off name=LB
BalancerMember "http://@B1@"
BalancerMember "http://@B2@"
POOL
    mixed => <<'POOL',
LBSticky cookie
LBStickyCookie first=off name=LB
BalancerMember "http://@B1@"
BalancerMember "http://@B2@" route=r2
BalancerMember "http://@B3@"
POOL
    modules => ['include'], server => <<'CONF');
LBStickyMethod round-robin
<Proxy "balancer://stock">
    BalancerMember "http://@B1@" route=r1
</Proxy>
ProxyPass "/stock/" "balancer://stock/"
ErrorDocument 404 /missing.html
ErrorDocument 410 /app/gone
ErrorDocument 403 /forbidden
<Location "/app/overridden">
    ProxyErrorOverride on 404 410 451
</Location>
Redirect 403 /app/denied
Redirect 403 /denied
<Location "/denied">
    ErrorDocument 403 /stock/forbidden
</Location>
ProxyPass "/forbidden" "balancer://app/forbidden"
<Directory "@ROOT@/htdocs">
    AllowOverride All
    Options +Includes
    AddOutputFilter INCLUDES .shtml
</Directory>
DirectoryIndex /app/index
<Directory "@ROOT@/htdocs/fall">
    DirectoryIndex disabled
    FallbackResource /app/fallback
</Directory>
<Directory "@ROOT@/htdocs/dir">
    RewriteEngine on
    RewriteRule "^(proxied)$" "balancer://app/$1" [P]
    RewriteRule "^(internal)$" "/app/$1"
</Directory>
RewriteEngine on
RewriteRule "^/pt/(.*)" "/app/$1" [PT]
RewriteRule "^/p/(.*)" "balancer://app/$1" [P]
CONF
$h->write("htdocs/$_/x.txt", "x\n") for qw(dir empty fall);
$h->write('htdocs/missing.html', "missing\n");
$h->write('htdocs/page.shtml',
    '<!--#include virtual="/app/one" --><!--#include virtual="/app/two" -->');
my ($member, $token);
{
    my $r = $h->get('/app/');
    ($member, $token) = ($r->member, token_in($r, 'LB'));
}

sub cookie ($text = "LB=$token") { return headers => [['Cookie', $text]] }

# The member is asked without our cookie, whatever the way there.
sub stripped ($r, $what) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @cookies = map { $_->[1] } grep { lc $_->[0] eq 'cookie' }
        map { @{$_->{headers}} } map { $_->requests } @web;
    unlike join("\n", @cookies), qr/$token/, "$what: stripped";
    $_->clear for @web;
    return;
}

subtest 'the longest name, path and domain' => sub {
    my $raw = $h->raw("GET /long/?size=3&cookie=a%3Db&cookie=c%3Dd HTTP/1.1\r\n"
        . "Host: x\r\nConnection: close\r\n\r\n");
    like $raw, qr/\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n/, 'neighbours';
    like $raw, qr/\r\nSet-Cookie: $long{name}=$TOKEN; Path=\Q$long{path}\E; Domain=\Q$long{domain}\E; SameSite=Lax; HttpOnly\r\n/,
        'the whole line';
    my $value = ($raw =~ /$long{name}=($TOKEN)/)[0];
    is verdict($h->get('/long/', headers => [['Cookie', "$long{name}=$value"]])),
        'kept', 'and it is read';
    for my $key (sort keys %long) {
        my $over = LBS::Httpd->new(backends => \@web, conf => governed_text(
            \@web, app => "LBSticky cookie\nLBStickyCookie $key=$long{$key}x"));
        my ($status, $said) = $over->configtest;
        isnt $status, 0, "one byte more of $key is refused";
        like $said, qr/LBStickyCookie.*characters|LBStickyCookie.*letters/s,
            'with the limit';
    }
};

# A raw answer, cut: header lines without Date and ours, and the body.
sub parts ($raw) {
    my ($head, $body) = split /\r\n\r\n/, $raw, 2;
    my @lines = split /\r\n/, $head;
    my @ours = grep { /^Set-Cookie: LB=/ } @lines;
    my @rest = grep { !/^Date: |^Set-Cookie: LB=/ } @lines;
    return ($body, \@ours, \@rest);
}

subtest 'neighbours are byte for byte as stock httpd sends them' => sub {
    my @cookies = ('a=b', 'LBX=1; Path=/', "high=\xff\x80", 'q="x; y', 'bare',
        '=x', 'd=e; Expires=Wed, 09 Jun 2027 10:18:14 GMT; ;; HttpOnly',
        'long=' . 'v' x 7000, 'tab=a	b', 'APP=s', 'comma=a, b=c');
    my @headers = ('X-A: 1', 'x-a:2', 'Vary: Cookie', 'Vary:Accept',
        'Cache-Control: no-store', 'Cache-control: must-revalidate',
        'Set-Cookie2: z=1', 'X-Empty:', 'ETag: "e"', 'WWW-Authenticate: Basic');
    for my $status (200, 302, 404, 500) {
        for my $way ('size=5', 'size=5&chunked=1', 'size=0') {
            $_->set(cookie => \@cookies, header => \@headers) for @web;
            my ($stock, $ours) = map {
                $h->raw("GET /$_/x?status=$status&$way HTTP/1.1\r\nHost: x\r\n"
                    . "Connection: close\r\n\r\n")
            } qw(stock quiet);
            s/^(X-Backend: web)\d/${1}N/m, s/\r\nX-Decision: [^\r]*//
                for $stock, $ours;
            my ($body, $added, $rest) = parts($ours);
            my ($stock_body, $none, $stock_rest) = parts($stock);
            is_deeply $rest, $stock_rest, "$status $way: all other lines";
            is $body, $stock_body, 'the body';
            is @$added, 1, 'one line more';
            unlike $ours, qr/[^\r]\n|\r[^\n]|\n\r\n.*\r\n\r\n\r\n/s,
                'no stray line end';
        }
    }
    $_->set for @web;
};

subtest 'exactly one cookie, by every way to the answer' => sub {
    # An error document that is proxied: the status is the member's, in stock
    # httpd as well.
    my $status = $h->get('/denied')->status;
    my %ways = (
        'ErrorDocument, a file' => ['/app/overridden?status=404', 404],
        'ErrorDocument, the pool' => ['/app/overridden?status=410', $status],
        'the own error page' => ['/app/overridden?status=451', 451],
        'denied, then the pool' => ['/app/denied', $status],
        'mod_dir, index' => ['/empty/', 200],
        'mod_dir, FallbackResource' => ['/fall/none', 200],
        'mod_rewrite [PT]' => ['/pt/x', 200],
        'mod_rewrite [P]' => ['/p/x', 200],
        'mod_rewrite [P] per directory' => ['/dir/proxied', 200],
        'mod_rewrite per directory' => ['/dir/internal', 200],
        'a redirect' => ['/app/?status=302&header=Location:/elsewhere', 302],
        'no body' => ['/app/?status=204', 204],
        'not modified' => ['/app/?status=304', 304],
    );
    for my $way (sort keys %ways) {
        my ($uri, $want) = @{$ways{$way}};
        for my $method (qw(GET HEAD)) {
            my $r = $h->request($method, $uri);
            is $r->status, $want, "$way, $method";
            is scalar(my @set = $r->set_cookies('LB')), 1, 'one cookie';
            my $new = token_in($r, 'LB');
            # It names the member that answered last.
            my $again = $h->get('/app/', cookie("LB=$new"));
            is verdict($again), 'kept', 'a good one';
            is $again->member, $r->member, 'for the member that answered' if $r->member;

            $_->clear for @web;
            $r = $h->request($method, $uri, cookie("a=b; LB=$token; c=d"));
            is $r->status, $want, 'with a cookie';
            is scalar(@set = $r->set_cookies), 0, 'none';
            my @asked = grep { $_->requests } @web;
            is join(' ', map { $_->name } @asked), $member, 'the member kept';
            stripped($r, $way);
        }
    }
};

subtest 'includes' => sub {
    $_->clear for @web;
    my $r = $h->get('/page.shtml');
    is $r->status, 200, 'a page of two pieces';
    my @pieces = map { JSON::PP::decode_json($_) } $r->body =~ /^(\{.*\})$/mg;
    is @pieces, 2, 'both are there';
    cmp_ok scalar(my @set = $r->set_cookies), '<=', 1, 'at most one cookie';
    $_->clear for @web;
    $r = $h->get('/page.shtml', cookie("LB=$token; x=y"));
    @pieces = map { JSON::PP::decode_json($_) } $r->body =~ /^(\{.*\})$/mg;
    is join(' ', map { $_->{backend} } @pieces), "$member $member", 'kept';
    is scalar(@set = $r->set_cookies), 0, 'and none';
    stripped($r, 'includes');
};

# Set again with another Path or Domain it would be a second cookie beside the
# first, and the browser would show both.
subtest 'a browser never has two of them' => sub {
    my @site = (host => 'shop.example.com');
    my $b = governed(\@web, server => <<'CONF', app => <<'POOL');
LBStickyMethod round-robin
LBStickyAdmin  on
RewriteEngine on
RewriteRule "^/app/pt/(.*)" "/app/$1" [PT]
ErrorDocument 404 /app/deep/missing
<Location "/app/">
    ProxyErrorOverride on 404
</Location>
CONF
LBSticky        cookie
LBStickyTimeout idle=2s
LBStickyCookie  first=off name=LB path=/app domain=example.com
POOL
    $b->announce(qr/refused|failed to make connection|LBS\d+/);
    my $jar = LBS::Jar->new;
    my %values;
    my $ask = sub ($uri) {
        my $answer = $b->get($uri, @site, jar => $jar);
        $values{$jar->value('LB') // ''}++;
        is join(' ', $jar->names), 'LB', "$uri: one cookie";
        return $answer;
    };
    my $act = sub ($member, $action) {
        is $b->post('/lb-status/admin', {pool => 'app', action => $action,
            member => $member}, headers => [['LBSticky-Admin', '1']])->status,
            200, "$action $member";
    };
    my $home = member_of($ask->('/app/'));
    $ask->($_) for '/app/deep/er/page', '/app/pt/page', '/app/?status=404',
        '/app/x/?status=302&header=Location:/app/y', '/app/?status=304';
    $act->($home, 'disable');
    my $next = $ask->('/app/deep/');
    is verdict($next), 'moved disabled', 'a move';
    $act->($home, 'enable');
    $act->(member_of($next), 'forget');
    is verdict($ask->('/app/other/page')), 'new unknown', 'forgotten';
    sleep 2.1;    # more than half of idle, and a whole second of the token's
    $ask->('/app/deep/er/');
    cmp_ok keys %values, '>', 2, 'it was set again, more than once';
    is $jar->header(@site, path => '/app', tls => 0), 'LB=' . $jar->value('LB'),
        'and is shown where it should';
    is $jar->header(@site, path => '/apple', tls => 0), undef, 'and only there';
    # A jar that takes it out by what was set is empty then.
    my ($name, $value, @attributes) = split /[=;]/, ($b->get('/app/', @site)
        ->set_cookies)[0], 3;
    $jar->set("LB=; @attributes; Max-Age=0", @site, path => '/app/z', tls => 0);
    is join(' ', $jar->names), '', 'deleted as it was set, none is left';
    $b->no_unexpected_log;
};

subtest 'an answer of httpd itself carries no cookie' => sub {
    $h->announce(qr/refused|failed to make connection|LBS\d+/);
    $_->refuse for @web;
    my $r = $h->get('/app/');
    is $r->status, 503, 'no member';
    is scalar(my @set = $r->set_cookies), 0, 'no cookie';
    $_->accept for @web;
    ok wait_for(sub { $h->get('/app/')->status == 200 }), 'and again';
};

subtest 'members without a route' => sub {
    for my $pool (qw(plain mixed)) {
        my %seen;
        for (1 .. 6) {
            my $jar = LBS::Jar->new;
            my $r = $h->get("/$pool/", jar => $jar);
            is_deeply [map { length } $jar->value('LB')], [48], 'a whole token';
            my ($b) = grep { $_->name eq $r->member } @web;
            is member_of($r), $pool eq 'mixed' && $b == $web[1] ? 'r2' : $b->url,
                'the environment tells its name';
            $seen{$r->member}++;
            for (1 .. 4) {
                my $again = $h->get("/$pool/", jar => $jar);
                is verdict($again) . ' ' . $again->member,
                    'kept ' . $r->member, 'kept';
            }
        }
        is keys %seen, $pool eq 'plain' ? 2 : 3, "$pool: all are used";
    }
};

# Bodies that members send with 204 and 304; a warning before httpd 2.4.57.
$h->no_unexpected_log(qr/AH03408/);
done_testing;
