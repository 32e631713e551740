#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The module's own cookie: every option, when it is sent, what it tells and
# what it does not, and what caches may do with it.
use lib 't/lib';
use LBS::Test;
use LBS::Governed;
use MIME::Base64 qw(decode_base64url);

my @web = LBS::Backend->many(3, name => 'web');
my $TOKEN = qr/[A-Za-z0-9_-]{1,48}/;

# Each attribute that a pool's option gives, in full.
my %line = (
    plain     => ['', qr{^LBSTICKY_plain=$TOKEN; Path=/; SameSite=Lax; HttpOnly$}],
    name      => ['name=My!Cookie', qr{^My!Cookie=$TOKEN; Path=/; SameSite=Lax; HttpOnly$}],
    path      => ['path=/shop', qr{^LBSTICKY_path=$TOKEN; Path=/shop; }],
    domain    => ['domain=example.com', qr{^LBSTICKY_domain=$TOKEN; Path=/; Domain=example\.com; }],
    nodomain  => ['domain=off', qr{^LBSTICKY_nodomain=$TOKEN; Path=/; SameSite}],
    lax       => ['samesite=lax', qr{; SameSite=Lax; HttpOnly$}],
    strict    => ['samesite=strict', qr{; SameSite=Strict; HttpOnly$}],
    none      => ['samesite=none', qr{; SameSite=None; Secure; HttpOnly$}],
    nosite    => ['samesite=off', qr{=$TOKEN; Path=/; HttpOnly$}],
    secure    => ['secure=on', qr{; SameSite=Lax; Secure; HttpOnly$}],
    insecure  => ['secure=off', qr{; SameSite=Lax; HttpOnly$}],
    script    => ['httponly=off', qr{; SameSite=Lax$}],
    part      => ['partitioned=on', qr{; SameSite=Lax; Secure; HttpOnly; Partitioned$}],
    unpart    => ['partitioned=off', qr{; SameSite=Lax; HttpOnly$}],
    month     => ['maxage=30d', qr{=$TOKEN; Path=/; Max-Age=2592000; SameSite=Lax; }],
    session   => ['maxage=session', qr{=$TOKEN; Path=/; SameSite=Lax; }],
    'Shop(1)' => ['', qr{^LBSTICKY_shop_1_=$TOKEN; Path=/; }],
);

my %pools = map { $_ => "LBSticky cookie\nLBStickyCookie first=off $line{$_}[0]" }
    keys %line;
# Requests one after the other have no load to go by: round-robin spreads.
my $h = governed(\@web, %pools,
    cache => "LBSticky cookie\nLBStickyCookie first=off nocache=off",
    keep  => "LBSticky cookie\nLBStickyCookie first=off strip=off",
    burst => "LBSticky cookie\nLBStickyCookie first=10s",
    short => "LBSticky cookie\nLBStickyCookie first=1s",
    first => "LBSticky cookie\nLBStickyCookie path=/",
    brief => "LBSticky cookie\nLBStickyTimeout idle=4s",
    limit => "LBSticky cookie\nLBStickyTimeout idle=4s max=2s",
    modules => ['ssl'], server => <<'CONF');
LBStickyMethod round-robin
Listen 127.0.0.1:@PORT2@
<VirtualHost *:@PORT2@>
    ServerName trusting
    RemoteIPHeader X-Forwarded-For
    RemoteIPInternalProxy 127.0.0.1
    Header always set Cache-Control "public, max-age=60" "expr=%{QUERY_STRING} =~ /always/"
    ProxyPass "/plain/" "balancer://plain/"
    ProxyPass "/insecure/" "balancer://insecure/"
    ProxyPass "/secure/" "balancer://secure/"
</VirtualHost>
Listen 127.0.0.1:@PORT3@
<VirtualHost *:@PORT3@>
    ServerName encrypted
    SSLEngine on
    SSLCertificateFile "@CERT@"
    SSLCertificateKeyFile "@KEY@"
    ProxyPass "/plain/" "balancer://plain/"
    ProxyPass "/insecure/" "balancer://insecure/"
</VirtualHost>
CONF

subtest 'every attribute' => sub {
    for my $pool (sort keys %line) {
        my $r = $h->get("/$pool/");
        my @set = $r->set_cookies;
        is @set, 1, "$pool: one cookie";
        like $set[0], $line{$pool}[1], "$pool: $line{$pool}[0]";
    }
    my $r = $h->get('/name/');
    my ($value) = ($r->set_cookies)[0] =~ /=($TOKEN);/;
    is verdict($h->get('/name/', headers => cookie_of('My!Cookie', $value))),
        'kept', 'the cookie of another name is read';
};

# secure=auto looks at how the client came, and believes only trusted proxies.
subtest 'secure=auto' => sub {
    my $secure = sub ($pool, %o) {
        my @set = $h->get("/$pool/", %o)->set_cookies;
        is @set, 1, 'one cookie';
        return $set[0] =~ /; Secure(?:;|$)/ ? 'secure' : 'plain';
    };
    my $via = sub ($proto, @more) {
        return headers => [['X-Forwarded-For', '192.0.2.7'],
                           ['X-Forwarded-Proto', $proto], @more];
    };
    is $secure->('plain'), 'plain', 'http';
    is $secure->('plain', n => 3, tls => 1), 'secure', 'https';
    is $secure->('insecure', n => 3, tls => 1), 'plain', 'off stays off';
    is $secure->('plain', $via->('https')), 'plain',
        'X-Forwarded-Proto counts nothing without mod_remoteip';
    is $secure->('plain', n => 2, $via->('https')), 'secure',
        'it does from a trusted proxy';
    is $secure->('plain', n => 2, $via->('http')), 'plain',
        'which may say http as well';
    is $secure->('plain', n => 2, $via->('HTTPS, http')), 'secure',
        'the first of several is what the client used';
    is $secure->('plain', n => 2, $via->('httpsx')), 'plain', 'in full';
    is $secure->('plain', n => 2, from => '127.0.0.2', $via->('https')),
        'plain', 'an address that is not trusted is not believed';
    is $secure->('insecure', n => 2, $via->('https')), 'plain', 'off again';
    is $secure->('secure', n => 2, $via->('http')), 'secure', 'and on';
};

subtest 'nocache loosens nothing the application said' => sub {
    my @table = (
        ['', 'private'],
        ['public', 'private'],
        ['public, max-age=60', 'private, max-age=60'],
        ['max-age=60, PUBLIC', 'private, max-age=60'],
        ['max-age=60', 'private, max-age=60'],
        ['s-maxage=9, must-revalidate', 'private, s-maxage=9, must-revalidate'],
        ['no-store', 'no-store'],
        ['no-cache, no-store', 'no-cache, no-store'],
        ['private, max-age=3', 'private, max-age=3'],
        ['no-cache', 'private, no-cache'],
        ['private="x"', 'private, private="x"'],
        ['ext="a, public, b", max-age=1', 'private, ext="a, public, b", max-age=1'],
        ['immutable, max-age=60,public', 'private, immutable, max-age=60'],
    );
    my $escape = sub ($t) { $t =~ s/([^\w-])/sprintf '%%%02X', ord $1/ger };
    my $token = token_in($h->get('/plain/'), 'LBSTICKY_plain');
    for (@table) {
        my ($said, $want) = @$_;
        my $query = $said eq '' ? ''
            : '?header=' . $escape->("Cache-Control:$said");
        my $r = $h->get("/plain/$query");
        is join(' | ', $r->all('Cache-Control')), $want, "'$said'";
        $r = $h->get("/plain/$query",
                     headers => cookie_of('LBSTICKY_plain', $token));
        is join(' | ', $r->set_cookies, $r->all('Cache-Control')), $said,
            'untouched where no cookie goes out';
        $r = $h->get("/cache/$query");
        is join(' | ', $r->all('Cache-Control')), $said, 'nocache=off';
    }
    my $r = $h->get('/plain/?header=Cache-Control:max-age%3D60'
        . '&header=Cache-Control:no-store');
    my $all = join ', ', $r->all('Cache-Control');
    like $all, qr/\bno-store\b/, 'said in two fields: no-store is kept';
    like $all, qr/\bmax-age=60\b/, 'max-age too';
    $r = $h->get('/plain/?header=Cache-Control:max-age%3D60'
        . '&header=Cache-Control:public');
    $all = join ', ', $r->all('Cache-Control');
    like $all, qr/\bprivate\b/, 'private';
    unlike $all, qr/\bpublic\b/, 'and public in the second field is taken out';
    for (['', 'private, max-age=60'],
         ['&header=Cache-Control:no-store',
          'public, max-age=60, no-store']) {
        my ($said, $want) = @$_;
        $r = $h->get("/plain/?always$said", n => 2);
        is join(' | ', $r->all('Cache-Control')), $want,
            "'$said' and what httpd says by Header always";
    }
};

subtest 'strip leaves all other cookies byte for byte' => sub {
    my $seen = sub ($pool, @cookies) {
        my $r = $h->get("/$pool/", headers => [map { ['Cookie', $_] } @cookies]);
        return [map { $_->[1] } grep { lc $_->[0] eq 'cookie' }
                @{$r->json->{headers}}];
    };
    my $our = 'LBSTICKY_plain';
    my $t = token_in($h->get('/plain/'), $our);
    my @table = (
        ["$our=$t", undef],
        ["a=b; $our=$t", 'a=b'],
        ["$our=$t; a=b", 'a=b'],
        ["a=b; $our=$t; c=d", 'a=b; c=d'],
        ["a=b;$our=$t;c=d", 'a=b;c=d'],
        ["a=b; $our=$t; $our=again; c=d", 'a=b; c=d'],
        ["a=\"q; $our=$t; c=d\"", 'a="q; c=d"'],
        ["  a = b ;  $our=$t ; c", 'a = b ; c'],
        ["x$our=1; ${our}x=2; a=$our=3", "x$our=1; ${our}x=2; a=$our=3"],
        ["a=\xff\x80%00\t; $our=$t; b=,,", "a=\xff\x80%00\t; b=,,"],
        ["a==; ; ;;b; $our=$t", 'a==; ; ;;b'],
    );
    for (@table) {
        my ($sent, $want) = @$_;
        is_deeply $seen->('plain', $sent), [$want // ()], $sent;
        (my $kept = $sent) =~ s/^\s+//;
        $kept =~ s/LBSTICKY_plain/LBSTICKY_keep/g;
        is_deeply $seen->('keep', $kept), [$kept], 'strip=off: all of it';
    }
};

subtest 'first= gives the parallel requests of a first page one pick' => sub {
    my $agent = sub ($name) { headers => [['User-Agent', $name]] };
    my $members = sub ($path, $n, %o) {
        return scalar keys %{spread(map { $h->get($path, %o) } 1 .. $n)}
    };
    is $members->('/burst/', 25, $agent->('one')), 1, 'one client, one member';
    my %seen = map { $h->get('/burst/', $agent->("agent $_"))->member => 1 }
        1 .. 40;
    is keys %seen, 3, 'many clients, all members';
    is $members->('/first/', 25, $agent->('one')), 1, '10s is the default';
    is $members->('/plain/', 40, $agent->('one')), 3, 'off';
    my ($r, @more) = in_parallel(8, sub ($i) {
        [map { $h->get('/burst/', $agent->('parallel'))->member } 1 .. 5]
    });
    my %who = map { $_ => 1 } map { ref eq 'ARRAY' ? @$_ : %$_ } $r, @more;
    is keys %who, 1, 'forty requests at once, one member';
    %who = map { $_ => 1 } map {
        $h->get('/burst/', $agent->('far'), from => "127.0.0.$_")->member
    } 10 .. 49;
    is keys %who, 3, 'the address counts, not the agent alone';
    ok wait_for(sub {
        my ($a, $b) = map { sleep 1.1 if $_; $h->get('/short/',
            $agent->('short'))->member } 0, 1;
        $a ne $b;
    }, 30), 'after its time there is a new pick';
};

subtest 'the token tells nothing' => sub {
    my %by;
    my $other;
    for (1 .. 60) {
        my $r = $h->get('/plain/');
        my $token = token_in($r, 'LBSTICKY_plain');
        like $token, qr/^$TOKEN$/, 'its shape' if $_ == 1;
        push @{$by{$r->member}}, $token;
    }
    for my $b (@web) {
        my ($i) = $b->name =~ /(\d+)/;
        my ($host, $port) = split /:/, $b->addr;
        my @plain = ($port, "r$i", $host, '127.0', '7f000001',
                     $b->name, pack('n', $port), pack('v', $port),
                     pack('C4', split /\./, $host),
                     pack('C4', reverse split /\./, $host));
        my @tokens = @{$by{$b->name}};
        # Two bytes turn up by chance: not in the same place of every token.
        for my $secret (@plain) {
            my $in = grep {
                index($_, $secret) >= 0
                    || index(decode_base64url($_), $secret) >= 0
            } @tokens;
            cmp_ok $in, '<', @tokens, sprintf 'no %s',
                $secret =~ /[^ -~]/ ? unpack 'H*', $secret : $secret;
        }
        my @bytes = map { decode_base64url($_) } @tokens;
        my @same = grep {
            my $at = $_;
            !grep { substr($_, $at, 2) ne substr $bytes[0], $at, 2 } @bytes
        } 0 .. length($bytes[0]) - 2;
        is "@same", '', 'tokens of one member have nothing in common';
    }
};

subtest 'sent only when new, changed, or older than half of idle' => sub {
    my ($jar, $capped) = map { LBS::Jar->new } 1, 2;
    my $first = $h->get('/brief/', jar => $jar);
    my $begun = time;
    my $member = $first->member;
    is verdict($h->get('/limit/', jar => $capped)), 'new first', 'max=: new';
    for (1 .. 5) {
        my $r = $h->get('/brief/', jar => $jar);
        is $r->set_cookies, 0, 'not again';
        is $r->header('Cache-Control'), undef, 'and caching as it was';
    }
    sleep 3.1 - (time - $begun);
    my $r = $h->get('/brief/', jar => $jar);
    is $r->set_cookies, 1, 'after more than half of idle it is renewed';
    is verdict($r) . ' ' . $r->member, "kept $member", 'for the same member';
    isnt token_in($r, 'LBSTICKY_brief'), token_in($first, 'LBSTICKY_brief'),
        'with a new date';
    is $h->get('/brief/', jar => $jar)->set_cookies, 0, 'then not again';
    $r = $h->get('/limit/', jar => $capped);
    is verdict($r), 'new expired', 'max= ends a session that is in use';
    is $r->set_cookies, 1, 'with a new cookie';
    is verdict($h->get('/limit/', jar => $capped)), 'kept', 'that is good';

    sleep 2.5;    # the old token is out of date now, the session is not
    $r = $h->get('/brief/', headers => cookie_of('LBSTICKY_brief',
        token_in($first, 'LBSTICKY_brief')));
    is verdict($r) . ' ' . $r->member, "kept $member",
        'the table knows what an old cookie does not';
    is $r->set_cookies, 1, 'and the client gets a new one';
    sleep 5.2;
    $r = $h->get('/brief/', jar => $jar);
    is verdict($r), 'new expired', 'idle for longer than idle=';
    is $r->set_cookies, 1, 'and a new cookie';
};

subtest 'the table decides over an old cookie after a move' => sub {
    my $jar = LBS::Jar->new;
    my $r = $h->get('/plain/', jar => $jar);
    my $old = token_in($r, 'LBSTICKY_plain');
    my ($home) = grep { $_->name eq $r->member } @web;
    $home->refuse;
    $h->announce(qr/Connection refused|connect to|failed to make connection/);
    $r = $h->get('/plain/', jar => $jar);
    is verdict($r), 'moved down', 'the member is gone';
    my $new = token_in($r, 'LBSTICKY_plain');
    isnt $new, $old, 'a new cookie';
    my $there = $r->member;
    isnt $there, $home->name, 'another member';
    $home->accept;
    $r = $h->get('/plain/', headers => cookie_of('LBSTICKY_plain', $old));
    is verdict($r) . ' ' . $r->member, "kept $there",
        'a client that still shows the old cookie follows';
    is $r->set_cookies, 1, 'and is told';
    $r = $h->get('/plain/', headers => cookie_of('LBSTICKY_plain', $new));
    is verdict($r) . ' ' . $r->set_cookies, 'kept 0', 'the new one stays';
};

$h->no_unexpected_log(qr/\[ssl:warn\]/);
$h->stop;

# mod_cache in the same httpd, between the members and every visitor.
subtest 'a shared cache never stores the cookie' => sub {
    my @kind = (
        [disk => 'cache_disk', 'CacheRoot "@ROOT@/cache"'],
        [socache => 'cache_socache socache_shmcb',
         'CacheSocache "shmcb:@ROOT@/run/cache(1000000)"'],
    );
    for (@kind) {
        my ($kind, $modules, $lines) = @$_;
        my $c = governed(\@web, header => 0, app => <<'POOL', cold => <<'POOL',
LBSticky cookie
POOL
LBSticky cookie
LBStickyCookie first=off nocache=off
POOL
            start => 0, modules => ['cache', split ' ', $modules],
            server => <<"CONF");
LBStickyMethod round-robin
$lines
CacheEnable $kind /
CacheHeader on
CacheIgnoreNoLastMod on
CacheStoreExpired on
ErrorDocument 404 /missing.html
ProxyErrorOverride on 404
Header always set Cache-Control "max-age=600" "expr=%{REQUEST_STATUS} == 404"
CONF
        mkdir $c->root . '/cache';
        chmod 01777, $c->root . '/cache';
        $c->write('htdocs/missing.html', "nothing here\n");
        $c->start;
        for my $pool (qw(app cold)) {
            my $url = "/$pool/page?header=Cache-Control:max-age%3D600";
            my ($first, $second) = map { $c->get($url) } 1, 2;
            is $first->set_cookies, 1, "$kind, $pool: a cookie";
            like $first->header('X-Cache'), qr/MISS/, 'from the member';
            like $second->header('X-Cache'), qr/HIT/, 'then from the cache';
            is $second->set_cookies, 0, 'without the cookie';
            is $second->body, $first->body, 'the same page';
            unlike $second->header('Cache-Control'), qr/private/,
                'the stored copy has the application\'s own Cache-Control';

            my @missing = map { $c->get("/$pool/none?status=404") } 1 .. 3;
            is "@{[map { $_->status } @missing]}", '404 404 404', 'missing';
            my %set = map { $_ => 1 } map { $_->set_cookies } @missing;
            my $sum = map { $_->set_cookies } @missing;
            is keys %set, $sum, 'error pages never give two visitors one token';

            # A stored page that is stale is asked for again: 304 or a page.
            my $stale = "/$pool/stale?header=Cache-Control:max-age%3D0"
                . '&header=ETag:%22e%22';
            my @tokens = map { token_in($c->get($stale), "LBSTICKY_$pool") }
                1 .. 3;
            is keys %{{map { $_ // 'none' => 1 } @tokens}}, 3,
                'each visitor of a stale page a token of his own';
        }
        if ($kind eq 'disk') {
            my @files = split /^/, `find ${\$c->root}/cache -type f`;
            cmp_ok @files, '>', 0, 'the cache has files';
            chomp @files;
            is join(' ', grep {
                LBS::Proc::slurp($_) =~ /LBSTICKY_/
            } @files), '', 'none holds the cookie';
        }
        $c->no_unexpected_log;
        $c->stop;
    }
};

done_testing;
