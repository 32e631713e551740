#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What lb-status shows: the page, JSON and metrics, over a real httpd.
use lib 't/lib';
use LBS::Test;
use LBS::State qw(pool_state);

my @web = LBS::Backend->many(2);
my $conf = <<'CONF';
LBSticky cookie
<Proxy "balancer://app">
    BalancerMember "http://@B1@" route=web1
    BalancerMember "http://@B2@" route=web2
</Proxy>
@STATUS@
<Location "/closed">
    SetHandler lb-status
    Require all denied
</Location>
<Location "/deep/er/status">
    SetHandler lb-status
</Location>
<Location "/slash/behind/">
    SetHandler lb-status
</Location>
ProxyPass "/" "balancer://app/"
CONF
my $h = LBS::Httpd->new(backends => \@web, conf => $conf);
$h->start;

sub pool () { return pool_state($h, 'app') }
sub headers_ok ($r, $what) {
    is $r->header('Cache-Control'), 'no-store', "$what is not stored";
    is $r->header('X-Content-Type-Options'), 'nosniff', "$what is not sniffed";
    like $r->header('Content-Security-Policy'), qr/^default-src 'none';/,
        "$what has a policy";
    unlike $r->header('Content-Security-Policy'), qr/unsafe/, 'without exceptions';
    is scalar($r->set_cookies), 0, "$what sets no cookie";
}

subtest 'a location with the handler wins over ProxyPass' => sub {
    for my $uri ('/lb-status', '/lb-status/', '/lb-status?pool=app',
                 '/%6cb-status') {
        my $r = $h->get($uri);
        is $r->status, 200, $uri;
        like $r->header('Content-Type'), qr{^text/html; charset=utf-8}, 'is the page';
        headers_ok($r, 'it');
    }
    is $h->get('/lb-statusx')->json->{uri}, '/lb-statusx', 'its neighbour is proxied';
    is $h->get("$_/nothing")->status, 404, "$_: there is no such document"
        for qw(/lb-status /lb-status/ /deep/er/status /slash/behind);
    for my $uri ('/deep/er/status', '/deep/er/status/', '/slash/behind/') {
        my $r = $h->get($uri);
        is $r->status, 200, $uri;
        like $r->header('Content-Type'), qr{^text/html; charset=utf-8},
            'is the page, wherever the location is';
        is $h->get($uri =~ s{/?$}{/json}r)->header('Content-Type'),
            'application/json', 'with its documents below';
    }
    is $h->get("/lb-status/$_")->status, 200, "$_ is there"
        for qw(json metrics app.js style.css parts.css icon.svg signs.svg);
    is $h->get("/closed/$_")->status, 403, "httpd's own access control: $_"
        for qw(json admin), '';
};

subtest 'JSON counts the decisions' => sub {
    my $jar = LBS::Jar->new;
    my $before = pool()->{decisions};
    $h->get('/', jar => $jar, headers => [['User-Agent', "a$_"]]) for 1 .. 5;
    my $p = pool();
    is $p->{decisions}{new}{first}, $before->{new}{first} + 1, 'one new';
    is $p->{decisions}{kept}, $before->{kept} + 4, 'four kept';
    my $m = (grep { $_->{requests} >= 5 } @{$p->{members}})[0];
    ok $m, 'a member got them';
    cmp_ok $m->{responses}{'2xx'}, '>=', 5, 'answers';
    is $m->{inflight}, 0, 'nothing in flight';
    cmp_ok $m->{sessions}, '>=', 1, 'a session';
    cmp_ok $m->{bytes_out}, '>', 0, 'bytes from it';
    cmp_ok $m->{latency_ms}{p50}, '>', 0, 'latency';
    is $m->{state}, 'up', 'state';
    like $m->{id}, qr/^[0-9a-f]{16}$/, 'id';
    is $p->{method}, 'least-load', 'method';
    is_deeply $p->{sources}, ['cookie'], 'sources';
    my $state = $h->json;
    is $state->{generation}, 1, 'first generation';
    cmp_ok abs($state->{now} - time), '<=', 2, 'the time';
    cmp_ok $state->{table}{entries}, '>=', 1, 'table entries';
    is $state->{table}{capacity}, 250_000, 'table size';
    $h->graceful;
    is $h->json->{generation}, 2, 'second generation after a reload';
    is pool()->{decisions}{kept}, $p->{decisions}{kept}, 'and nothing forgotten';
};

subtest 'requests of a pool that is not sticky count, too' => sub {
    my $none = LBS::Httpd->new(backends => \@web, conf => $conf =~ s/^LBSticky cookie/LBSticky none/r);
    $none->start;
    is $none->get('/')->status, 200, 'a request' for 1 .. 5;
    my ($p) = @{$none->json->{pools}};
    is $p->{requests}, 5, 'is one of the pool';
    is $p->{decisions}{none}, 5, 'and a decision';
    is_deeply $p->{sources}, [], 'which has no sources';
    like $none->get('/lb-status')->body =~ s/.*(not sticky, [\w-]+).*/$1/sr, qr/^not sticky, least-load$/, 'says the page';
    $none->no_unexpected_log;
};

subtest 'metrics' => sub {
    my $r = $h->get('/lb-status/metrics');
    is $r->status, 200, 'status';
    is $r->header('Content-Type'), 'text/plain; version=0.0.4; charset=utf-8', 'type';
    headers_ok($r, 'it');
    like $r->body, qr/^lbsticky_decisions_total\{pool="app",vhost="[^"]+",decision="kept",reason=""\} \d+$/m,
        'a counter';
    my $open = $h->get('/lb-status/metrics', headers => [['Accept',
        'application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2']]);
    is $open->header('Content-Type'), 'application/openmetrics-text; version=1.0.0; charset=utf-8',
        'OpenMetrics for a client that asks for it';
    is $open->header('Vary'), 'Accept', 'which caches must know';
    like $open->body, qr/^# TYPE lbsticky_decisions counter$/m, 'its name of a counter';
    like $open->body, qr/\n# EOF\n\z/, 'and its end';
  SKIP: {
        my ($promtool) = grep { -x } map { "$_/promtool" } split /:/, $ENV{PATH};
        skip 'promtool is not installed' if !$promtool;
        open my $check, '|-', "$promtool check metrics >@{[$h->root]}/promtool 2>&1"
            or die "promtool: $!";
        print $check $r->body;
        close $check;
        is $?, 0, 'promtool is content'
            or diag LBS::Proc::slurp($h->root . '/promtool');
    }
};

sub series ($body, $name) { return scalar(my @all = $body =~ /^\Q$name\E\{/mg) }

subtest 'metrics of a thousand members' => sub {
    my $bucket = 'lbsticky_member_request_duration_seconds_bucket';
    is series($h->get('/lb-status/metrics')->body, $bucket), 2 * 7, 'some ends of ranges';
    is series($h->get('/lb-status/metrics?detail')->body, $bucket), 2 * 15, 'all with ?detail';
    my $members = join "\n", map { qq{    BalancerMember "http://\@B1@/m$_" route=web$_} } 1001 .. 2000;
    my $large = LBS::Httpd->new(backends => \@web, conf =>
        $conf =~ s/^ *BalancerMember.*\n//gmr =~ s{</Proxy>}{$members\n</Proxy>}r);
    $large->start;
    my $body = $large->get('/lb-status/metrics')->body;
    cmp_ok length $body, '<=', 400_000, 'they are 400 KB at most';
    is series($body, 'lbsticky_member_up'), 1000, 'each member is there';
    is series($body, $bucket), 0, 'without histograms';
    like $body, qr/^# HELP lbsticky_member_request_duration_seconds .*\?detail/m, 'which it says';
    is series($large->get('/lb-status/metrics?detail')->body, $bucket), 15_000, 'with ?detail they are there';
    $large->no_unexpected_log;
};

subtest 'every parameter missing, empty, unknown' => sub {
    my %want = (
        '' => 200, 'pool=' => 200, 'pool=app' => 200, 'pool=nobody' => 404,
        'pool=app&vhost=nobody' => 404, 'pool=app&member=' => 200,
        'pool=app&member=nobody' => 404, 'pool=app&member=web1' => 200,
        'member=web1' => 200, 'pool=app&member=web1&action=' => 200,
        'pool=app&member=web1&action=explode' => 400,
        'pool=app&member=web1&action=drain' => 403,
        'pool=app&member=web1&done=drain' => 200,
        'sort=nothing&order=x&page=0&state=?' => 200,
        'page=99999999999999999999' => 200, 'page=-1' => 200,
        'find=nobody' => 200, 'span=century&events=none' => 200,
        'what=ever' => 200, 'a=1&a=2' => 400, '%' => 400, 'a=%00' => 400,
        join('&', map { "f$_=" } 1 .. 40) => 400,
    );
    is $h->get("/lb-status?$_")->status, $want{$_}, "?" . substr $_, 0, 60
        for sort keys %want;
    is $h->get('/lb-status?' . 'a' x 7000)->status, 200, 'a long one';
};

subtest 'methods' => sub {
    for my $row (['POST', '/lb-status', 405], ['POST', '/lb-status/json', 405],
                 ['PUT', '/lb-status/metrics', 405], ['DELETE', '/lb-status', 405],
                 ['POST', '/lb-status/explain', 405], ['GET', '/lb-status/admin', 405],
                 ['PUT', '/lb-status/admin', 405], ['HEAD', '/lb-status/admin', 405],
                 ['HEAD', '/lb-status/json', 200], ['HEAD', '/lb-status', 200]) {
        my ($method, $uri, $status) = @$row;
        my $r = $h->request($method, $uri);
        is $r->status, $status, "$method $uri";
        ok length $r->header('Allow'), 'says what is allowed' if $status == 405;
        headers_ok($r, 'the refusal') if $status == 405 && $method ne 'HEAD';
    }
};

subtest 'a status location of a virtual host of its own, at its root' => sub {
    my $alone = LBS::Httpd->new(backends => \@web, conf => $conf . <<'CONF');
Listen 127.0.0.1:@PORT2@
<VirtualHost *:@PORT2@>
    <Location "/">
        SetHandler lb-status
    </Location>
</VirtualHost>
CONF
    $alone->start;
    my $port = $alone->port(2);
    is $alone->get('/', port => $port)->status, 200, 'the page';
    is $alone->get('/json', port => $port)->json->{pools}[0]{name}, 'app',
        'shows the pools of all';
    ok index($alone->get('/', port => $port)->body, q{href='./style.css'}) > 0, 'relative links';
    $alone->no_unexpected_log;
};

subtest 'one key that makes most of the requests is noticed' => sub {
    my $busy = LBS::Httpd->new(backends => \@web, conf => "LBSticky header=X-User\n"
        . $conf =~ s/^LBSticky cookie\n//r);
    $busy->start;
    my $c = $busy->connect;
    my $ask = sub ($user) {
        $c = $busy->connect if !$c || $c->{asked}++ >= 90;
        $busy->get('/', on => $c, headers => [['X-User', $user]]);
    };
    $ask->("u$_") for 1 .. 800;
    ok index($busy->get('/lb-status')->body, 'one key makes') < 0, 'many users: nothing';
    $ask->(rand() < 0.9 ? 'robot' : "u$_") for 1 .. 1500;
    like $busy->get('/lb-status')->body =~ s/.*(one key makes \S+ %).*/$1/sr,
        qr/^one key makes (?:[89]\d|100) %$/, 'a robot: its share';
    $busy->no_unexpected_log;
};

subtest 'links lead where they should' => sub {
    for my $uri ('/lb-status', '/lb-status/') {
        my $body = $h->get($uri)->body;
        my ($src) = $body =~ /<script src='([^']+)'/;
        my $base = $uri =~ s{[^/]*$}{}r;
        is $h->get("$base$src")->status, 200, "$src from $uri";
        my ($link) = $body =~ /<th scope='row'><a href='([^']+)'/;
        $link =~ s/&amp;/&/g;
        like $h->get("$base$link")->body, qr{<h1>web1</h1>}, "$link from $uri";
    }
};

$h->no_unexpected_log(qr/AH01630: client denied/);
done_testing;
