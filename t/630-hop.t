#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The marker of requests that peers forward: forged, replayed or foreign it
# changes nothing but where a request is served, and nothing goes in rings.
# And what -t refuses of LBStickyLocal self.
use lib 't/lib';
use LBS::Test timeout => 120;
use LBS::Pair;

my $decided = \&LBS::Pair::decided;

# All markers of requests that m2 received, from its log.
my $LOG = sub ($n) {
    return qq(CustomLog "\@ROOT\@/logs/hops" "%{lbsticky-hop}n|%m %U%q|%{LBSTICKY_DECISION}e"\n);
};

sub hop_of ($h, $uri) {
    return LBS::Proc::slurp($h->root . '/logs/hops')
        =~ /^([^|]*)\|GET \Q$uri\E\|/m ? $1 : undef;
}

# How many servers answered a request between them. `code` makes it, with a
# query by which its lines are known. (A virtual host with a log of its own
# does not write to the common one.)
my $serial = 0;
sub hops_of ($code, @h) {
    my $query = 'serial=' . ++$serial;
    my $r = $code->($query);
    my ($hops, $before) = (0, -1);
    for (1 .. 50) {
        last if $hops > 0 && $hops == $before;
        $before = $hops;
        sleep 0.1;
        $hops = () = join('', map { LBS::Proc::slurp($_) }
            map { glob $_->root . '/logs/{access_log,hops}' } @h)
            =~ /\b$query\b/g;
    }
    return ($r, $hops);
}

my ($m1, $m2) = LBS::Pair::make(2, more => $LOG, pool => <<'POOL');
LBSticky cookie
LBStickyCookie first=off
LBStickyMethod round-robin
POOL
$_->start for $m1, $m2;

my %jar;
for (1 .. 10) {
    my $jar = LBS::Jar->new;
    $jar{$m1->get('/wsgi', host => 'pair', jar => $jar)->member} //= $jar;
}
sub cookie_for ($m) {
    return ['Cookie', $jar{$m}->header(host => 'pair', path => '/', tls => 0)];
}

$m1->get('/wsgi/secret?a=b', headers => [cookie_for('m2')]);
ok wait_for(sub { hop_of($m2, '/wsgi/secret?a=b') }), 'a peer is shown a marker';
my $marker = hop_of($m2, '/wsgi/secret?a=b');
like $marker, qr{^1-[0-9a-f]{8}-[0-9a-f]{16}-[0-9a-f]{16}-7f000001-[0-9a-f]{32}$},
    'of the documented form, with the address of the visitor';

my $counts = sub ($h) {
    my $pool = $h->json->{pools}[0];
    return [$pool->{table}, map { $_->{sessions} } @{$pool->{members}}];
};

subtest 'replayed' => sub {
    # As it was sent: to the server it was meant for, with the headers it
    # covers.
    my @covered = (['X-Forwarded-Proto', 'http'],
                   ['X-Forwarded-Port', $m1->port]);
    my $before = $counts->($m2);
    my $r = $m2->get('/wsgi/secret?a=b',
        headers => [['LBSticky-Hop', $marker], @covered, cookie_for('m1')]);
    is $r->json->{backend}, 'm2', 'it is served where it was meant to be';
    is scalar($r->set_cookies), 0, 'without a cookie';
    is_deeply $counts->($m2), $before, 'nothing is remembered';
    is $m2->get('/wsgi/secret?a=b', headers => [cookie_for('m1')])
        ->json->{backend}, 'm1', 'without it the session decides';
    my %other = (
        'for another URL' => [$m2, '/wsgi/other?a=b', @covered],
        'for another query' => [$m2, '/wsgi/secret?a=c', @covered],
        'with another scheme' => [$m2, '/wsgi/secret?a=b',
            ['X-Forwarded-Proto', 'https'], $covered[1]],
        'with another port' => [$m2, '/wsgi/secret?a=b', $covered[0],
            ['X-Forwarded-Port', '443']],
    );
    for my $what (sort keys %other) {
        my ($h, $uri, @headers) = @{$other{$what}};
        is $h->get($uri, headers => [['LBSticky-Hop', $marker], @headers,
            cookie_for('m1')])->json->{backend}, 'm1', "$what it means nothing";
    }
    is $m2->post('/wsgi/secret?a=b', '', headers => [['LBSticky-Hop', $marker],
        @covered, cookie_for('m1')])->json->{backend}, 'm1', 'nor for another method';
    is $m1->get('/wsgi/secret?a=b', headers => [['LBSticky-Hop', $marker],
        @covered, cookie_for('m2')])->json->{backend}, 'm2', 'nor at another server';
    my $old = $marker =~ s/-\K([0-9a-f]{8})/sprintf '%08x', hex($1) - 61/er;
    is $m2->get('/wsgi/secret?a=b', headers => [['LBSticky-Hop', $old],
        @covered, cookie_for('m1')])->json->{backend}, 'm1', 'nor with another date';
};

subtest 'forged' => sub {
    for my $text ('', '1', 'x' x 8000, '1-00000000-' . '0' x 32, "1-$marker",
                  $marker . '0', '0-' . substr($marker, 2), "\xff\xfe",
                  '2-', '-1') {
        my ($r, $hops) = hops_of(sub ($query) {
            $m1->get("/wsgi/x?$query", headers => [['LBSticky-Hop', $text],
                                            cookie_for('m2')])
        }, $m1, $m2);
        my $short = substr $text, 0, 20;
        is $r->status, 200, "\"$short\" is answered";
        is $hops, 2, 'by the member of the session';
        is_deeply [grep { /HOP/ } keys %{$r->json->{headers}}], [],
            'which sees no marker';
    }
    my $r = $m1->get('/wsgi/x', headers => [
        map({ ['LBSticky-Hop', $_] } $marker, '1-x'), cookie_for('m2'),
        ['Connection', 'close, LBSticky-Hop']]);
    is $r->json->{backend}, 'm2', 'twice, and called hop-by-hop';
    is $decided->($r, 2), 'local', 'ours still reaches the peer';
    for my $text (map { ("$_-", "$_-x") } 1 .. 9) {
        $r = $m1->get('/wsgi/x', headers => [['LBSticky-Hop', $text],
                                             cookie_for('m2')]);
        is $r->json->{backend}, 'm2', "$text: no count of hops is believed";
    }
    my @lines = map { $_->error_log(qr/LBS\d+/) } $m1, $m2;
    is_deeply \@lines, [], 'and nothing is logged';
};

subtest 'rotation of the secret' => sub {
    my ($old, $new) = ('one secret for all of them', 'and the one that follows it');
    for my $h ($m1, $m2) {
        $h->write('conf/secret', "$old\n$new\n", 0600);
        $h->graceful;
    }
    $_->write('conf/secret', "$new\n$old\n", 0600) for $m1, $m2;
    $m1->graceful;
    my $r = $m1->get('/wsgi/x', headers => [cookie_for('m2')]);
    is $r->json->{backend}, 'm2', 'a session is known';
    my @r = map { $m1->get('/wsgi/x', headers => [cookie_for('m2')]) } 1 .. 4;
    is_deeply [map { $decided->($_, 2) } @r], [('local') x 4],
        'and the marker, which is signed with the new secret';
    $m2->graceful;
    $r = $m1->get('/wsgi/x', headers => [cookie_for('m2')]);
    is $decided->($r, 2), 'local', 'once both have the new secret';
};
$_->announce(qr/LBS2300|LBS2301|AH03490/) for $m1, $m2;
$_->stop for $m1, $m2;
$_->no_unexpected_log for $m1, $m2;

# Three servers; what each has wrong, and a request to any of them ends.
my %mistake = (
    'each sends to the next' => {
        members => sub ($n) { ("$n status=+D", $n % 3 + 1) }},
    'and has another secret' => {
        members => sub ($n) { ("$n status=+D", $n % 3 + 1) },
        secret => sub ($n) { "secret of its own: $n" }},
    'all members, three secrets' => {
        secret => sub ($n) { "secret of its own: $n" },
        pool => "LBSticky ip\nLBStickyMethod round-robin"},
    'two that know only each other' => {
        members => sub ($n) { ("$n status=+D", $n == 1 ? 2 : 1) },
        secret => sub ($n) { "secret of its own: $n" }},
);
for my $what (sort keys %mistake) {
    subtest "a ring of mistakes: $what" => sub {
        my @h = LBS::Pair::make(3, %{$mistake{$what}});
        $_->start for @h;
        $_->announce(qr/LBS2301/) for @h;
        my $worst = 0;
        for my $i (0 .. 11) {
            my ($r, $hops) = hops_of(sub ($query) {
                $h[$i % 3]->get("/wsgi/x?$query")
            }, @h);
            is $r->status, 200, 'answered';
            $worst = $hops if $hops > $worst;
        }
        cmp_ok $worst, '<=', 4, "in $worst hops at the most";
        $_->stop for @h;
        $_->no_unexpected_log for @h;
    };
}

subtest 'what cannot be undone is said' => sub {
    my ($h) = LBS::Pair::make(1, mount => <<'CONF');
RewriteEngine on
RewriteRule "^(/.*)" "balancer://app$1" [P]
CONF
    $h->start;
    $h->announce(qr/LBS2400/);
    my ($r, $hops) = hops_of(sub ($query) { $h->get("/wsgi/x?$query") }, $h);
    is $r->status, 508, 'a rule that proxies again';
    is $hops, 2, 'goes once to itself';
    is scalar($h->error_log(qr/LBS2400.*no-proxy/)), 1, 'and the log tells what to write';
    $h->graceful($h->{pair} && LBS::Pair::again($h, mount => <<'CONF'));
RewriteEngine on
RewriteCond "%{ENV:no-proxy}" "^$"
RewriteRule "^(/.*)" "balancer://app$1" [P]
CONF
    ($r, $hops) = hops_of(sub ($query) { $h->get("/wsgi/x?$query") }, $h);
    is $r->status, 200, 'with that condition it is served';
    is $hops, 1, 'in process';
    $h->stop;
    $h->no_unexpected_log;
};

# A server that is no member itself, and has files of its own.
subtest 'forged, at a server that only forwards' => sub {
    my $web = LBS::Backend->new(name => 'web');
    my $h = LBS::Httpd->new(backends => [$web], conf => <<'CONF');
LBStickySecret "file:@ROOT@/conf/secret"
LBSticky cookie
LBStickyLocal files self
<Proxy "balancer://app">
    BalancerMember "http://@B1@" route=web
</Proxy>
<Proxy "balancer://mine">
    BalancerMember "http://127.0.0.1:@PORT@"
</Proxy>
ProxyPass "/" "balancer://app/"
CONF
    $h->write('conf/secret', "one secret for all of them\n", 0600);
    $h->write('htdocs/.env', "secret\n");
    $h->write('htdocs/.git/config', "secret\n");
    $h->write('htdocs/dir/index.html', "index\n");
    $h->start;
    my ($cookie) = $h->get('/')->set_cookies('LBSTICKY_app');
    my %seen = map { @$_ } @{$h->get('/x')->json->{headers}};
    my ($marker, $trail) = @seen{qw(LBSticky-Hop LBSticky-Trail)};
    ok $marker && $trail, 'the member is shown a marker and a trail';
    my $ask = sub ($hop, $way, $uri) {
        my @mine = grep { defined $_->[1] } ['LBSticky-Hop', $hop],
            ['LBSticky-Trail', $way];
        my $r = $h->get($uri, headers => [@mine,
            ['X-Forwarded-Proto', 'https'], ['X-Forwarded-Port', 443],
            ['Cookie', $cookie =~ s/;.*//r]]);
        my %sent = $r->member ? map { @$_ } @{$r->json->{headers}} : ();
        return ($r->member || $r->status, \%sent);
    };
    my $tag = substr($trail, 0, 8) . ('0' x 16);
    for my $text ('3-', '9-x', '1-' . ('0' x 8) . '-' . ('0' x 32), '',
                  $marker, $marker =~ s/1-/2-/r) {
        for my $uri ('/.env', '/.git/config', '/dir/index.html/', '/dir/') {
            my ($by, $sent) = $ask->($text, $tag, $uri);
            my $short = substr "$text $uri", 0, 40;
            is $by, 'web', "\"$short\" goes to the member";
            is_deeply [@$sent{qw(Cookie X-Forwarded-Proto X-Forwarded-Port)}],
                [undef, 'http', $h->port], 'with what is true of the client';
            isnt $sent->{'LBSticky-Hop'}, $text, 'and a marker of ours';
        }
    }
    my ($by) = $ask->(undef, $trail, '/.env');
    is $by, 'web', 'a trail for another URL means nothing either';
    ($by) = $ask->(undef, $trail, '/x');
    is $by, 508, 'one that fits ends the ring that it proves';
    my %claims = ('LBSticky-Moved' => 'from=x', 'LBSTICKY-RELEASE' => 1,
        'lbsticky-hold' => '1h', LBSticky_Move => 'any', 'LBSticky-' => 'x',
        'X_Forwarded_Proto' => 'https', 'X-Forwarded_Port' => 443);
    my $r = $h->get('/x', headers => [map { [$_, $claims{$_}] } sort keys %claims]);
    my @left = grep { exists $claims{$_->[0]} } @{$r->json->{headers}};
    is_deeply \@left, [], 'names of ours are nobody else\'s';
    my %kept = map { @$_ } @{$h->get('/x', headers => [['LBStick', 1],
        ['X-LBSticky-Hop', 2], ['X_Forwarded_User', 3]])->json->{headers}};
    is_deeply [@kept{qw(LBStick X-LBSticky-Hop X_Forwarded_User)}], [1, 2, 3],
        'other names stay';
    $h->stop;
    $h->no_unexpected_log(qr/LBS2301/);
};

subtest 'many forged ones with a rule that proxies' => sub {
    my ($h) = LBS::Pair::make(1, mount => <<'CONF');
RewriteEngine on
RewriteRule "^(/.*)" "balancer://app$1" [P]
CONF
    $h->start;
    $h->announce(qr/LBS2400/);
    $h->get('/wsgi/x', headers => [['LBSticky-Hop', '3-']]) for 1 .. 20;
    my $lines = () = $h->error_log(qr/LBS\d+/);
    cmp_ok $lines, '<=', scalar(my @all = $h->children),
        'one line a minute and process';
    $h->stop;
};

subtest 'refused by -t' => sub {
    my $conf = sub ($member, $more = '') {
        return <<"CONF";
$more
LBSticky cookie
LBStickyLocal self
<Proxy "balancer://app">
    BalancerMember "http://$member"
</Proxy>
CONF
    };
    my $secret = qq(LBStickySecret "file:\@ROOT\@/conf/secret");
    my $other = <<'CONF';
<Proxy "balancer://api">
    BalancerMember "http://127.0.0.1:@FREE2@"
    BalancerMember "http://192.0.2.1:9000"
</Proxy>
CONF
    my @cases = (
        ['no secret', $conf->('127.0.0.1:@PORT@'), qr/LBS2201: LBStickyLocal on line \d+ of \S+: "self": wanted a secret.*write LBStickySecret file:/],
        ['a random one', $conf->('127.0.0.1:@PORT@', 'LBStickySecret random'),
         qr/LBS2201/],
        ['nobody listens', $conf->('127.0.0.1:@FREE@', $secret),
         qr/LBS2200: LBStickyLocal on line \d+ of \S+: "self": member http:\/\/127\.0\.0\.1:\d+ of pool app is this machine.*wanted Listen/],
        ['another loopback address', $conf->('127.3.2.1:@PORT@', $secret),
         qr/LBS2200/],
        ['itself', $conf->('127.0.0.1:@PORT@', $secret), undef],
        ['any address', $conf->('127.0.0.7:@PORT2@', "Listen 0.0.0.0:\@PORT2\@\n$secret"),
         undef],
        ['another machine', $conf->('192.0.2.1:80', $secret), undef],
        ['HTTP/2', $conf->('127.0.0.1:@PORT@', $secret)
             =~ s{http://}{h2c://}r, undef],
        ['HTTP/2, nobody listens', $conf->('127.0.0.1:@FREE@', $secret)
             =~ s{http://}{h2c://}r, qr/LBS2200/],
        ['another pool at a port of another program',
         $conf->('127.0.0.1:@PORT@', $secret) . $other, undef],
        ['the same, that pool first',
         $other . $conf->('127.0.0.1:@PORT@', $secret), undef],
        ['another pool of another virtual host',
         $conf->('127.0.0.1:@PORT@', $secret)
         . "<VirtualHost *:\@PORT2\@>\nServerName api\nLBStickyLocal self\n"
         . "LBSticky cookie\n$other</VirtualHost>\n", undef],
        ['two pools, none of this httpd',
         $conf->('127.0.0.1:@FREE@', $secret) . $other, qr/LBS2200/],
    );
    for (@cases) {
        my ($what, $text, $said) = @$_;
        my $h = LBS::Httpd->new(modules => [qw(http2 proxy_http2)]);
        $h->write('conf/secret', "one secret for all of them\n", 0600);
        $h->conf($text);
        my ($status, $out) = $h->configtest;
        is $status != 0, defined $said, $what;
        like $out, $said, 'with what to write' if $said;
    }
};

done_testing;
