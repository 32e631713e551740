#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Active checks: what is sent to members, what the answers mean, when a member
# goes down and comes back, and how often it is asked.
use lib 't/lib';
use LBS::Test;
use LBS::Gateway;
use LBS::Governed;
use LBS::State qw(member_state);

my @SCRIPT = (headers => [['LBSticky-Admin', '1']]);

# Wait for a member's state, or for the text of its last check.
sub becomes ($h, $pool, $route, $wanted, $seconds = 5) {
    my $m;
    my $ok = wait_for(sub {
        $m = member_state($h, $pool, $route);
        ref $wanted ? $m->{check}{last} =~ $wanted : $m->{state} eq $wanted;
    }, $seconds);
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok $ok, "$route of $pool: $wanted"
        or diag "it is $m->{state}: $m->{check}{last}";
    return $m;
}

sub events ($h, $kind) {
    return grep { $_->{event} eq $kind } @{$h->json->{events}};
}

# The checks among the requests that a backend got.
sub checks_at ($backend, $path = '/') {
    return grep { $_->{uri} =~ /^\Q$path\E/
            && grep { $_->[0] eq 'User-Agent' && $_->[1] =~ /mod_lbsticky/ }
               @{$_->{headers}} } $backend->requests;
}

sub header_in ($request, $name) {
    return join ' ', map { $_->[1] }
        grep { lc $_->[0] eq lc $name } @{$request->{headers}};
}

# --- what is sent -----------------------------------------------------------

subtest 'a check is a request of the virtual host, its path as typed' => sub {
    my @web = LBS::Backend->many(6, name => 'web');
    # A virtual host's pool of a name that the main server has, too, would
    # have the main server's members: that is mod_proxy.
    my $pool = sub ($n, $check, $name = 'app') { qq(<Proxy "balancer://$name">
        LBSticky cookie
        BalancerMember "http://\@B$n\@" route=r
        LBStickyCheck interval=200ms $check
        </Proxy>
        ProxyPass "/" "balancer://$name/") };
    my $h = LBS::Httpd->new(backends => \@web, modules => ['ssl'],
        conf => join "\n", $pool->(1, 'path=//a/../b?c=%2e&d', 'main'), <<"CONF");
Listen 127.0.0.1:\@PORT2\@
<VirtualHost *:\@PORT2\@>
    ServerName plain.example.test
    @{[$pool->(2, 'path=/plain')]}
</VirtualHost>
<VirtualHost *:\@PORT2\@>
    ServerName named.example.test
    @{[$pool->(3, 'path=/named host=other.example.test:81 proto=https')]}
</VirtualHost>
Listen 127.0.0.1:\@PORT3\@
<VirtualHost *:\@PORT3\@>
    ServerName secure.example.test
    SSLEngine on
    SSLCertificateFile "\@CERT\@"
    SSLCertificateKeyFile "\@KEY\@"
    @{[$pool->(4, 'path=/secure')]}
</VirtualHost>
<VirtualHost *:\@PORT2\@>
    ServerName https://front.example.test
    @{[$pool->(5, 'path=/front')]}
</VirtualHost>
<VirtualHost *:\@PORT2\@>
    ServerName www.example.test:80
    @{[$pool->(6, 'path=/usual')]}
</VirtualHost>
CONF
    $h->start;
    my ($p1, $p2, $p3) = map { $h->port($_) } 1 .. 3;
    my @wanted = (
        ['//a/../b?c=%2e&d', "localhost:$p1", 'http', $p1, 'main server'],
        ['/plain', "plain.example.test:$p2", 'http', $p2, 'virtual host'],
        ['/named', 'other.example.test:81', 'https', 443, 'host= and proto='],
        ['/secure', "secure.example.test:$p3", 'https', $p3, 'SSLEngine on'],
        ['/front', 'front.example.test', 'https', 443, 'ServerName https://'],
        ['/usual', 'www.example.test', 'http', 80, 'the usual port'],
    );
    for my $i (0 .. $#wanted) {
        my ($uri, $host, $proto, $port, $what) = @{$wanted[$i]};
        my ($r) = wait_for(sub { $web[$i]->requests }) or fail $what;
        ($r) = $web[$i]->requests;
        is_deeply [@$r{qw(method uri)}, map { header_in($r, $_) }
                   qw(Host X-Forwarded-Proto X-Forwarded-Port)],
            ['GET', $uri, $host, $proto, $port], $what;
        like header_in($r, 'User-Agent'), qr/mod_lbsticky/, 'and its User-Agent names this module';
    }
    ok wait_for(sub { $web[1]->requests > 3 }), 'again and again';
    my %connections = map { $_->{connection}++ => 1 } $web[1]->requests;
    cmp_ok scalar keys %connections, '>', 3, 'each on a connection of its own';
    cmp_ok $web[1]->stats->{open}, '<=', 1, 'none is kept';
    $h->no_unexpected_log(qr/\[ssl:warn\]/);
};

# --- what it means ----------------------------------------------------------

my %answers = (
    good     => [sub ($b) { }, 1, qr/^HTTP 200$/],
    listed   => [sub ($b) { $b->set(status => 204) }, 1, qr/^HTTP 204$/],
    redirect => [sub ($b) { $b->set(status => 302, header => 'Location: /x') },
                 1, qr/^HTTP 302$/],
    wrong    => [sub ($b) { $b->set(status => 400) }, 0,
                 qr/^HTTP 400, want 200-399$/],
    broken   => [sub ($b) { $b->set(status => 500) }, 0,
                 qr/^HTTP 500, want 200-399$/],
    refused  => [sub ($b) { $b->refuse }, 0, qr/^connect: Connection refused$/],
    silent   => [sub ($b) { $b->set(hang => 'before') }, 0,
                 qr/^answer: timeout after 1s$/],
    half     => [sub ($b) { $b->set(hang => 5, size => 1000) }, 0,
                 qr/^answer: timeout after 1s$/],
    headless => [sub ($b) { $b->set(body_delay => 30) }, 0,
                 qr/^answer: timeout after 1s$/],
    closed   => [sub ($b) { $b->set(close => 'before') }, 0,
                 qr/^answer: none, the connection was closed$/],
    cut      => [sub ($b) { $b->set(close => 5, size => 1000) }, 0,
                 qr/^answer: it broke off$/],
    reset    => [sub ($b) { $b->set(reset => 'before') }, 0,
                 qr/^answer: Connection reset by peer$/],
    garbage  => [sub ($b) { $b->set(garbage => 1) }, 0,
                 qr/^answer: it is not HTTP$/],
    headers  => [sub ($b) { $b->set(many => 10_000) }, 0,
                 qr/^answer: more than 64k of header$/],
    endless  => [sub ($b) { $b->set(size => 3_000_000) }, 1, qr/^HTTP 200$/],
    chunked  => [sub ($b) { $b->set(chunked => 1, early => 103) }, 1,
                 qr/^HTTP 200$/],
);

subtest 'every kind of failed check has its words' => sub {
    my @names = sort keys %answers;
    my @web = LBS::Backend->many(scalar @names, name => 'web');
    $answers{$names[$_]}[0]->($web[$_]) for 0 .. $#names;
    my @gate = LBS::Gateway->new(scheme => 'fcgi');
    my $h = governed([@web, @gate], server => <<"CONF",
LBStickyCheck path=/healthz interval=500ms timeout=1s fall=1 rise=1
LBStickyPanic off
CONF
        map({ my $n = $_ + 1;
              ($names[$_] => qq(LBSticky cookie\nBalancerMember "http://\@B$n\@" route=r)) }
            0 .. $#names),
        other => join "\n", 'LBSticky cookie',
            'BalancerMember "http://nobody.invalid:80" route=unknown',
            qq(BalancerMember "fcgi://\@B@{[1 + @web]}\@" route=fcgi),
            'BalancerMember "ajp://127.0.0.1:@FREE1@" route=ajp');
    for my $name (@names) {
        my (undef, $good, $text) = @{$answers{$name}};
        my $m = becomes($h, $name, 'r', $text);
        my @is = map { $_ ? 1 : 0 } $m->{check}{ok}, $m->{state} ne 'down';
        is_deeply \@is, [$good, $good], "$name: " . ($good ? 'up' : 'down');
        cmp_ok abs($m->{check}{at} - time), '<', 3, 'a moment ago';
    }
    becomes($h, 'other', 'unknown', qr/^resolve: unknown host nobody\.invalid$/);
    becomes($h, 'other', 'fcgi', qr/^connected$/);
    becomes($h, 'other', 'ajp', qr/^connect: Connection refused$/);
    is member_state($h, 'other', 'fcgi')->{state}, 'up', 'fcgi: by a connection';
    is member_state($h, 'other', 'ajp')->{state}, 'down', 'ajp: without one';
    is $h->get('/wrong/')->status, 503, 'nobody is sent to a member that is down';
    is $h->get('/good/')->status, 200, 'and to one that is up';

    my ($down) = grep { $_->{pool} eq 'wrong' } events($h, 'down');
    is $down->{reason}, 'HTTP 400, want 200-399', 'the event says why';
    sleep 1;
    my @lines = grep { /LBS1603: pool wrong:/ } $h->log_lines;
    is @lines, 1, 'one line in the log, not one per check';
    like $lines[0], qr/:warn\].*member r is down: HTTP 400, want 200-399/,
        'with the reason';
    $h->no_unexpected_log;
};

# --- when -------------------------------------------------------------------

subtest 'rise and fall, in a row' => sub {
    my @web = LBS::Backend->many(2, name => 'web');
    my $h = governed(\@web, app => <<'POOL');
LBSticky cookie
LBStickySlowStart off
LBStickyCheck path=/healthz interval=300ms timeout=200ms rise=3 fall=3
POOL
    becomes($h, 'app', 'r1', qr/HTTP 200/);
    $web[0]->set(status => 500, times => 2);
    my $before = checks_at($web[0]);
    ok wait_for(sub { checks_at($web[0]) >= $before + 5 }), 'two bad, then good';
    is scalar(events($h, 'down')), 0, 'two of three: up';

    $web[0]->set(status => 500);
    becomes($h, 'app', 'r1', 'down', 3);
    is $h->get('/app/')->member, $web[1]->name, 'visitors go elsewhere' for 1 .. 4;

    $web[0]->set;
    my $from = time;
    becomes($h, 'app', 'r1', 'up', 3);
    cmp_ok time - $from, '<', 3 * 0.3 + 0.6, 'healthy again: within rise x interval';
    my ($up) = events($h, 'up');
    is $up->{reason}, 'HTTP 200', 'the event says why';
    is scalar(grep { /LBS160[23]/ } $h->log_lines), 2, 'one line per change';
    $h->no_unexpected_log;
};

subtest 'checks have times of their own, and never pile up' => sub {
    my @web = LBS::Backend->many(3, name => 'web');
    my $h = governed(\@web, server => 'ProxyTimeout 1',
        patient => <<'POOL', hasty => <<'POOL', slow => <<'POOL');
LBSticky cookie
LBStickyCheck path=/healthz?delay=1.3 interval=100ms timeout=5s fall=1
BalancerMember "http://@B1@" route=r timeout=1
POOL
LBSticky cookie
LBStickyCheck path=/healthz?delay=0.5 interval=100ms timeout=200ms fall=1
BalancerMember "http://@B2@" route=r timeout=5
POOL
LBSticky cookie
LBStickyCheck path=/healthz?hang=before interval=100ms timeout=1s fall=1
BalancerMember "http://@B3@" route=r
POOL
    my @open = map { 0 } @web;
    for (1 .. 60) {
        for my $i (0 .. $#web) {
            my $open = $web[$i]->stats->{open};
            $open[$i] = $open if $open > $open[$i];
        }
        sleep 0.05;
    }
    is_deeply \@open, [1, 1, 1], 'slower than the interval: one outstanding';
    becomes($h, 'patient', 'r', qr/HTTP 200/);
    becomes($h, 'hasty', 'r', qr/timeout after 200ms/);
    $h->announce(qr/LBS3000/);
    $h->no_unexpected_log;
};

subtest '200 members are spread over the interval' => sub {
    my @web = LBS::Backend->many(200, name => 'web');
    my $h = governed(\@web, app => "LBSticky cookie\nLBStickyCheck path=/healthz interval=3s");
    my @at;
    wait_for(sub {
        @at = map { my ($r) = $_->requests; $r ? $r->{at} : () } @web;
        @at == 200;
    }, 20);
    is @at, 200, 'all were checked';
    # A check that this machine had no time for comes with the next interval.
    @at = sort { $a <=> $b } @at;
    cmp_ok $at[189] - $at[0], '<', 3.4, 'within an interval';
    my %tenth;
    $tenth{int(($_ - $at[0]) / 0.3)}++ for @at;
    my ($most) = sort { $b <=> $a } values %tenth;
    cmp_ok $most, '<', 45, "no crowd: $most in the busiest tenth";
    $h->no_unexpected_log;
};

subtest 'a flapping member, and a flapping operator: the rate is bounded' => sub {
    my @web = LBS::Backend->many(1, name => 'web');
    my $h = governed(\@web, server => "LBStickyAdmin on\nLBStickyPanic off",
        app => <<'POOL');
LBSticky cookie
LBStickySlowStart off
LBStickyCheck path=/healthz interval=500ms rise=1 fall=1
POOL
    my ($flips, $from) = (0);
    becomes($h, 'app', 'r1', qr/HTTP/);
    $web[0]->clear;
    $from = time;
    while ($flips < 1000 && time < $from + 6) {
        $h->post('/lb-status/admin', {pool => 'app', member => 'r1',
            action => $flips % 2 ? 'enable' : 'disable'}, @SCRIPT)->status == 200
            or last;
        $web[0]->set($flips % 40 < 20 ? (status => 500) : ()) if $flips % 20 == 0;
        $flips++;
    }
    my $most = 2 * (time - $from) / 0.5 * 1.1 + 2;
    my $checks = checks_at($web[0]);
    cmp_ok $flips, '>', 100, 'many changes';
    cmp_ok $checks, '<=', $most, "$flips changes, $checks checks";
    cmp_ok $checks, '>=', 1, 'and it was checked';
    $h->no_unexpected_log;
};

# --- who, and across restarts -----------------------------------------------

subtest 'members out of use are checked, and known when they come back' => sub {
    my @web = LBS::Backend->many(5, name => 'web');
    my $h = governed(\@web, server => 'LBStickyAdmin on', app => <<'POOL');
LBSticky cookie
LBStickyCheck path=/healthz interval=300ms fall=1
BalancerMember "http://@B1@" route=up
BalancerMember "http://@B2@" route=disabled status=+D
BalancerMember "http://@B3@" route=drain status=+N
BalancerMember "http://@B4@" route=standby status=+H
BalancerMember "http://@B5@" route=stopped status=+S
POOL
    becomes($h, 'app', $_, qr/HTTP 200/) for qw(disabled drain standby stopped);
    $web[1]->set(status => 500);
    becomes($h, 'app', 'disabled', qr/HTTP 500/);
    $h->post('/lb-status/admin', {pool => 'app', member => 'disabled',
                                  action => 'enable'}, @SCRIPT);
    is member_state($h, 'app', 'disabled')->{state}, 'down',
        'enabled, and known to be down';
    $h->no_unexpected_log;
};

subtest 'hosts that share a pool share its checks' => sub {
    my @web = LBS::Backend->many(1, name => 'web');
    my $host = sub ($name, @lines) { join "\n", '<VirtualHost *:@PORT2@>',
        "ServerName $name", @lines, 'ProxyPass "/" "balancer://app/"',
        '</VirtualHost>' };
    my $h = LBS::Httpd->new(backends => \@web, conf => join "\n", '@STATUS@',
        'LBSticky cookie', 'LBStickyPanic off', <<'CONF',
<Proxy "balancer://app">
    BalancerMember "http://@B1@" route=r1
</Proxy>
Listen 127.0.0.1:@PORT2@
CONF
        $host->('one.example.test'),
        $host->('two.example.test', 'LBStickyCheck path=/two interval=500ms fall=1'),
        $host->('three.example.test', 'LBStickyCheck path=/three interval=100ms'));
    $h->start;
    becomes($h, 'app', 'r1', qr/HTTP 200/);
    $web[0]->clear;
    sleep 2.2;
    is checks_at($web[0], '/three'), 0, 'the first host with checks decides';
    my $checks = checks_at($web[0], '/two');
    ok $checks >= 3 && $checks <= 6, "how often, too: $checks in 2.2 s";
    $web[0]->set(status => 500);
    becomes($h, 'app', 'r1', 'down');
    is $h->get('/', n => 2, host => "$_.example.test")->status, 503,
        "$_: nobody is sent there" for qw(one two three);
    $h->no_unexpected_log;
};

subtest 'a dead member stays dead over a reload and a restart' => sub {
    my @web = LBS::Backend->many(3, name => 'web');
    my %conf = (server => 'LBStickyTimeout idle=30s');
    my $check = "LBSticky cookie\nLBStickyCheck path=/healthz fall=1 timeout=1s interval=";
    my $h = governed(\@web, %conf, app => "${check}300ms");
    $web[0]->set(status => 500);
    becomes($h, 'app', 'r1', 'down');
    my $served = sub { scalar grep { $_->{uri} !~ /healthz/ } $web[0]->requests };

    $h->graceful(governed_text(\@web, %conf, app => "${check}10min"));
    $h->get('/app/') for 1 .. 20;
    is member_state($h, 'app', 'r1')->{state}, 'down', 'after a reload';
    is $served->(), 0, 'no traffic to it';

    # The next check is ten minutes away: what it knows is from the file.
    $h->stop;
    $h->start;
    is member_state($h, 'app', 'r1')->{state}, 'down', 'after stop and start';
    $h->get('/app/') for 1 .. 20;
    is $served->(), 0, 'no traffic to it';

    $web[0]->set;
    $h->graceful(governed_text(\@web, %conf, app => "${check}300ms"));
    becomes($h, 'app', 'r1', qr/HTTP 200/, 3);
    becomes($h, 'app', 'r1', 'warming', 3);
    ok wait_for(sub { $h->get('/app/'); $served->() > 0 }), 'and it serves again';

    $web[0]->set(status => 500);
    becomes($h, 'app', 'r1', 'down');
    $h->graceful(governed_text(\@web, %conf, app => 'LBSticky cookie'));
    my $m = becomes($h, 'app', 'r1', qr/^$/);
    like $m->{state}, qr/^(?:up|warming)$/, 'checks off: up';
    is scalar(grep { $_->{reason} eq 'no longer checked' } events($h, 'up')), 1,
        'the event says why';
    $h->no_unexpected_log;
};

# The process that checks is the one whose lines tell of it.
sub checking_pid ($h) {
    my @pids = map { /\[pid (\d+)/ ? $1 : () } grep { /LBS160[23]/ } $h->log_lines;
    return $pids[-1];
}

subtest 'the process that checks dies, also in the middle of one' => sub {
    my @web = LBS::Backend->many(2, name => 'web');
    my $h = governed(\@web, app => <<'POOL');
LBSticky cookie
LBStickyCheck path=/healthz interval=2s timeout=10s fall=1 rise=1
POOL
    $web[0]->refuse;
    becomes($h, 'app', 'r1', 'down', 6);
    $web[0]->set(hang => 'before');
    $web[0]->accept;
    ok wait_for(sub { $web[0]->stats->{open} > 0 }), 'a check is under way';
    my $pid = checking_pid($h);
    $h->announce(qr/child pid $pid exit signal/);
    kill KILL => $pid;
    my $from = time;
    $web[0]->set;
    $web[0]->clear;
    my @next;
    ok wait_for(sub { @next = checks_at($web[0]) }, 6), 'another one checks';
    cmp_ok $next[0]{at} - $from, '<', 4, 'within two intervals';
    becomes($h, 'app', 'r1', qr/HTTP 200/);
    isnt checking_pid($h), $pid, 'it is another process';
    $h->no_unexpected_log;
};

done_testing;
