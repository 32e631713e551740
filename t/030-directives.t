#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Every directive: what it refuses and how it says so, what it takes, where it
# may stand, what holds without it, and how levels replace one another.
# Not under tsan: httpd -t, one thread; and sh of exec: crashes with its library.
use lib 't/lib';
use LBS::Test timeout => 300;
use LBS::Source qw(slurp);

my $POOL = <<'CONF';
<Proxy "balancer://app">
    BalancerMember "http://127.0.0.1:9" route=web1
</Proxy>
CONF
my $h = LBS::Httpd->new(modules => ['socache_shmcb']);
my $TWO_64 = '18446744073709551616';

# `httpd -t` of a text: (accepted, what it printed).
sub try_conf ($text, @options) {
    $h->conf($text);
    my ($status, $said) = $h->configtest(@options);
    return ($status == 0, $said);
}

# Which line of the file holds this text.
sub line_of ($text) {
    my @lines = split /^/, slurp($h->root . '/conf/httpd.conf');
    my ($n) = grep { index($lines[$_], $text) >= 0 } 0 .. $#lines;
    return $n + 1;
}

# Refused, in one sentence that names the directive, what was written and what
# was wanted, below the line it stands on.
sub refused ($line, $value, $wanted, $in = undef) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($name) = $line =~ /^(\w+)/;
    my ($ok, $said) = try_conf(defined $in ? $in =~ s/\@LINE\@/$line/r
                                           : "$line\n$POOL");
    my $n = line_of($line);
    my ($sentence) = $said =~ /^AH00526: Syntax error on line $n of .*:\n(.*)\n\z/;
    $sentence //= '';
    my $good = !$ok && $sentence =~ /^$name\b/ && $sentence =~ $wanted
        && index($sentence, $value) >= 0;
    ok $good, "refused: $line";
    diag($said, "line $n, value '$value', wanted $wanted") if !$good;
    return;
}

sub accepted ($text) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($ok, $said) = try_conf($text =~ /<Proxy/ ? $text : "$text\n$POOL");
    ok($ok, "accepted: $text") or diag $said;
    return;
}

# What `-D DUMP_LBSTICKY` says is in force: {'' => {...}, 'pool of host' => {...}}.
sub in_force ($text) {
    my ($ok, $said) = try_conf($text, '-DDUMP_LBSTICKY');
    die $said if !$ok;
    my (%all, $where);
    $where = '';
    for (split /\n/, $said) {
        if (/^# pool (.*)/) { $where = $1 }
        elsif (/^(LBSticky\w*) (.*)/) { $all{$where}{$1} = $2 }
    }
    return \%all;
}

# The entries of the document: name => {syntax, default, context}.
my $doc = slurp('docs/directives.md');
my %entry;
while ($doc =~ /^### (LBSticky\w*)\n(.*?)(?=^###? )/msg) {
    my ($name, $text) = ($1, $2);
    my ($default) = $text =~ /^\s*Default:\s*(.*)/m;
    my ($context) = $text =~ /^\s*Context:\s*(.*)/m;
    $entry{$name} = {default => $default, context => $context};
}
my @all = sort keys %entry;
my @for_main = grep { $entry{$_}{context} !~ /virtual host/ } @all;
my @for_host = grep { $entry{$_}{context} =~ /virtual host/ } @all;
my @for_pool = grep { $entry{$_}{context} =~ /<Proxy/ } @all;

# --- values ---------------------------------------------------------------

subtest 'numbers that atoi would take' => sub {
    my @never = ('10x', ' 10', '-1', '1e9', $TWO_64, '', '0x10', '+1', '1.5.1');
    my %keys = (
        'LBStickyRetry' => [qw(tries budget body)],
        'LBStickyEject' => [qw(failures window cap stall)],
        'LBStickyTimeout' => [qw(idle max)],
        'LBStickyFailback' => [qw(idle)],
        'LBStickyCheck path=/' => [qw(interval timeout rise fall)],
        'LBStickyLimit inflight=1' => [qw(queue wait)],
        'LBStickyLimit' => [qw(inflight)],
        'LBStickyMethod hash' => [qw(bound)],
        'LBStickyTable' => [qw(sessions)],
        'LBStickyCookie' => [qw(maxage first)],
    );
    for my $head (sort keys %keys) {
        for my $key (@{$keys{$head}}) {
            refused(qq($head "$key=$_"), "$key=$_", qr/wants? |wanted /)
                for @never;
        }
    }
    refused(qq(LBStickySlowStart "$_"), $_, qr/duration|nothing given/)
        for @never;
};

subtest 'wrong values' => sub {
    refused(@$_) for (
        ['LBSticky', 'LBSticky', qr/nothing given, wanted off, none, or sour/],
        ['LBSticky foo', '"foo"', qr/wanted cookie, session=NAME, ip/],
        ['LBSticky cookie cookie', '"cookie"', qr/each source only once/],
        ['LBSticky cookie off', '"off"', qr/off and none to stand alone/],
        ['LBSticky none cookie', '"none"', qr/off and none to stand alone/],
        ['LBSticky header=A header=a', '"header=a"', qr/only once/],
        ['LBSticky session', '"session"', qr/session=NAME/],
        ['LBSticky session=', '"session="', qr/1 to 255 characters/],
        ['LBSticky "session=a b"', '"session=a b"', qr/1 to 255 characters/],
        ['LBSticky query=a&b', '"query=a&b"', qr/without blanks, &, =/],
        ['LBSticky path=a/b', '"path=a/b"', qr/without blanks, ;/],
        ['LBSticky ip/33', '"ip/33"', qr/1 to 32/],
        ['LBSticky ip/0', '"ip/0"', qr/1 to 32/],
        ['LBSticky ip/24/129', '"ip/24/129"', qr/1 to 128/],
        ['LBSticky ip/', '"ip/"', qr/ip\/V4/],
        ['LBSticky ip=1', '"ip=1"', qr/ip\[/],
        ['LBSticky "expr=%{nonsense"', 'expr=%{nonsense', qr/expression/],
        ['LBSticky a=1', '"a=1"', qr/wanted cookie/],
        ['LBSticky ' . join(' ', map { "query=q$_" } 1 .. 9), '"query=q9"',
            qr/at most 8/],
        ['LBStickyMethod', 'LBStickyMethod', qr/nothing given/],
        ['LBStickyMethod fastest', '"fastest"', qr/least-load, least-busy/],
        ['LBStickyMethod hash bound=1.04', 'bound=1.04', qr/1\.05 to 4\.00/],
        ['LBStickyMethod hash bound=4.01', 'bound=4.01', qr/1\.05 to 4\.00/],
        ['LBStickyMethod hash bund=2', '"bund=2"', qr/bound=/],
        ['LBStickyMethod least-load bound=2', '"bound=2"', qr/only hash/],
        ['LBStickyTimeout', 'LBStickyTimeout', qr/idle=DURATION/],
        ['LBStickyTimeout idle=0', 'idle=0', qr/at least 1s/],
        ['LBStickyTimeout idle=off', 'idle=off', qr/a duration/],
        ['LBStickyTimeout idle=999ms', 'idle=999ms', qr/at least 1s/],
        ['LBStickyTimeout max=0', 'max=0', qr/at least 1s, or off/],
        ['LBStickyTimeout idle=3651d', 'idle=3651d', qr/at most 3650d/],
        ['LBStickyTimeout idle=1h idle=2h', 'idle', qr/comes twice/],
        ['LBStickyTimeout 2h', '"2h"', qr/key=value with idle=, max=/],
        ['LBStickyCookie', 'LBStickyCookie', qr/nothing given/],
        ['LBStickyCookie colour=red', '"colour=red"', qr/name=, path=/],
        ['LBStickyCookie name', '"name"', qr/name=, path=/],
        ['LBStickyCookie name=a name=b', '"name=b"', qr/only once/],
        ['LBStickyCookie "name=a b"', '"name=a b"', qr/cookie name/],
        ['LBStickyCookie name=a;b', '"name=a;b"', qr/cookie name/],
        ['LBStickyCookie name=' . 'n' x 256, 'nnn"', qr/1 to 255/],
        ['LBStickyCookie path=/a;b', '"path=/a;b"', qr/without blanks, semi/],
        ['LBStickyCookie path=a', '"path=a"', qr/begins with a slash/],
        ['LBStickyCookie path=/' . 'p' x 1024, 'ppp"', qr/1 to 1024/],
        ['LBStickyCookie domain=a;b', '"domain=a;b"', qr/letters, digits/],
        ['LBStickyCookie samesite=maybe', '"samesite=maybe"', qr/lax, strict/],
        ['LBStickyCookie secure=yes', '"secure=yes"', qr/auto, on or off/],
        ['LBStickyCookie samesite=none secure=off',
            '"samesite=none secure=off"', qr/secure=auto or secure=on/],
        ['LBStickyCookie secure=off partitioned=on',
            '"secure=off partitioned=on"', qr/secure=auto or secure=on/],
        ['LBStickyCookie name=__Host-x path=/y', '__Host-x', qr{path=/}],
        ['LBStickyCookie name=__Secure-x secure=off', '__Secure-x', qr/auto/],
        ['LBStickyCookie httponly=1', '"httponly=1"', qr/on or off/],
        ['LBStickyCookie maxage=0', '"maxage=0"', qr/at least 1s/],
        ['LBStickyCookie first=41min', '"first=41min"', qr/at most 40min/],
        ['LBStickyFailover maybe', '"maybe"', qr/on or off/],
        ['LBStickyFailover on off', '"on off"', qr/on or off/],
        ['LBStickyFailover', 'LBStickyFailover', qr/on or off/],
        ['LBStickyPanic 0', '"0"', qr/on or off/],
        ['LBStickyAdmin yes', '"yes"', qr/on or off/],
        ['LBStickyFailback go', '"go"', qr/stay, return, or idle=/],
        ['LBStickyFailback stay return', '"stay return"', qr/stay, return/],
        ['LBStickyRetry on', '"on"', qr/tries=, on=/],
        ['LBStickyRetry on=cable', '"on=cable"', qr/connect,reset,timeout/],
        ['LBStickyRetry on=connect,', '"on=connect,"', qr/comma list/],
        ['LBStickyRetry tries=101', '"tries=101"', qr/0 to 100/],
        ['LBStickyRetry budget=101', '"budget=101"', qr/0 to 100/],
        ['LBStickyRetry status=99', '"status=99"', qr/100 to 599/],
        ['LBStickyRetry status=600', '"status=600"', qr/100 to 599/],
        ['LBStickyRetry status=5x', '"status=5x"', qr/5xx/],
        ['LBStickyRetry body=1g', '"body=1g"', qr/64k, 1m/],
        ['LBStickyRetry off tries=1', '"off"', qr/key=value/],
        ['LBStickyEject failures=0', '"failures=0"', qr/1 to 1000/],
        ['LBStickyEject hold=60s-1s', '"hold=60s-1s"', qr/shorter one first/],
        ['LBStickyEject hold=1s-', '"hold=1s-"', qr/two durations/],
        ['LBStickyEject hold=0-0', '"hold=0-0"', qr/at least 1ms/],
        ['LBStickyEject stall=0', '"stall=0"', qr/at least 100ms, auto or off/],
        ['LBStickyEject status=5', '"status=5"', qr/, auto or off/],
        ['LBStickyEject status=auto,503', '"status=auto,503"', qr/, auto or off/],
        ['LBStickyEject cap=101', '"cap=101"', qr/0 to 100/],
        ['LBStickyCheck on', '"on"', qr/path=/],
        ['LBStickyCheck interval=5s', '"interval=5s"', qr/path=\/PATH among/],
        ['LBStickyCheck path=healthz', '"healthz"', qr{path=/PATH}],
        ['LBStickyCheck "path=/a b"', '"/a b"', qr/without blanks/],
        ['LBStickyCheck path=/ interval=0', '"interval=0"', qr/at least 100ms/],
        ['LBStickyCheck path=/ rise=0', '"rise=0"', qr/1 to 100/],
        ['LBStickyCheck path=/ expect=ok', '"ok"', qr/200-399/],
        ['LBStickyCheck path=/ proto=ftp', '"ftp"', qr/proto=https/],
        ['LBStickyCheck "path=/" "host=a b"', '"a b"', qr/host=NAME/],
        ['LBStickySlowStart on', '"on"', qr/a duration such as 10s, or off/],
        ['LBStickySlowStart 1s 2s', '"1s 2s"', qr/a duration such as/],
        ['LBStickyLimit queue=5', '"queue=5"', qr/inflight=N among/],
        ['LBStickyLimit inflight=0', '"inflight=0"', qr/1 to 1000000, or auto/],
        ['LBStickyLimit inflight=1 queue=257', '"queue=257"', qr/0 to 256/],
        ['LBStickyForward host=maybe', '"host=maybe"', qr/on or off/],
        ['LBStickyForward off', '"off"', qr/host=, proto=/],
        ['LBStickyForeign envoy:SRV', '"envoy:SRV"', qr/READER:NAME with haprox/],
        ['LBStickyForeign haproxy:A off', '"off"', qr/off to stand alone/],
        ['LBStickyTable 5', '"5"', qr/sessions=/], ['LBStickyTable sessions=0', '"sessions=0"', qr/from 1 to 4000000000/],
        ['LBStickyTable sessions=4000000001', 'sessions=4000000001', qr/from 1/],
        ['LBStickyPersist ""', 'LBStickyPersist', qr/a file name/],
        ['LBStickyPersist /dev/null', '"/dev/null"', qr/or off: .* is no file/],
        ['LBStickyPersist /', '"/"', qr/a file name, or off/], ['LBStickyPersist a b', 'LBStickyPersist', qr/one argument/],
    );
};

subtest 'secrets' => sub {
    my $file = sub ($text) { $h->write('conf/secret', $text, 0600) };
    refused('LBStickySecret', 'LBStickySecret', qr/random, file:PATH or exec/);
    refused('LBStickySecret abc', '"abc"', qr/random, file:PATH or exec/);
    refused('LBStickySecret file:/no/such', '"file:/no/such"',
            qr/a file that can be read \(No such file/);
    refused('LBStickySecret file:', '"file:"', qr/a file that can be read/);
    my $path = $file->("fifteen bytes..\n");
    refused("LBStickySecret file:$path", $path, qr/at least 16 bytes/);
    $file->("sixteen bytes...\nshort\n");
    refused("LBStickySecret file:$path", $path, qr/at least 16 bytes on each/);
    $file->('');
    refused("LBStickySecret file:$path", $path, qr/at least one line/);
    $file->("0123456789abcdef\n" x 9);
    refused("LBStickySecret file:$path", $path, qr/at most 8 secrets/);
    refused('LBStickySecret exec:/no/such/program', 'exec:/no/such/program',
            qr/a command that prints the secret/);
    refused('LBStickySecret exec:/bin/false', 'exec:/bin/false',
            qr/exits with 0 .*; it ended with 1/);
    refused('LBStickySecret exec:/bin/true', 'exec:/bin/true',
            qr/at least one line/);
    refused('LBStickySecret exec:', '"exec:"', qr/a command/);
    my $script = $h->write('conf/slow', "echo sixteen bytes...\nexec >&-\n"
        . "exec sleep 60\n");
    refused(qq(LBStickySecret "exec:/bin/sh $script"), $script,
            qr/within ten seconds \(/);
    $script = $h->write('conf/drops', "while echo; do sleep 1; done\n");
    my $began = time;
    refused(qq(LBStickySecret "exec:/bin/sh $script"), $script,
            qr/within ten seconds \(/);
    cmp_ok time - $began, '<', 15, 'also of a program that never falls silent';
    $file->('s' x 65_536 . "\n");
    refused("LBStickySecret file:$path", $path, qr/at most 64 KB of text/);
    $file->("sixteen bytes...\n\nand older one...\r\n");
    accepted("LBStickySecret file:$path");
    accepted('LBStickySecret file:conf/secret');
    accepted(qq(LBStickySecret "exec:/bin/cat $path"));
    accepted('LBStickySecret Random');
    my ($ok, $said) = try_conf("LBSticky cookie\nLBStickySecret file:$path\n"
        . $POOL, '-DDUMP_LBSTICKY');
    unlike $said, qr/sixteen/, 'nobody prints a secret';
};

subtest 'good values' => sub {
    accepted($_) for (
        'LBSticky OFF', 'LBSticky None', 'LBSticky cookie session=S ip/24/56 '
            . 'header=X query=q path=p route=JSESSIONID "expr=%{REMOTE_USER}"',
        'LBSticky ip/1/1', 'LBSticky ip', 'LBSticky route=JSESSIONID cookie',
        'LBStickyMethod Least-Busy', 'LBStickyMethod least-sessions',
        'LBStickyMethod round-robin', 'LBStickyMethod hash',
        'LBStickyMethod hash bound=1.05', 'LBStickyMethod hash bound=4',
        'LBStickyTimeout idle=1s', 'LBStickyTimeout idle=3650d max=3650d',
        'LBStickyTimeout Idle=30MIN MAX=Off', 'LBStickyTimeout max=1d',
        'LBStickyCookie name=' . 'n' x 255,
        'LBStickyCookie samesite=none partitioned=on',
        'LBStickyCookie first=40min', 'LBStickyCookie first=0',
        'LBStickyCookie name=__Host-x secure=on',
        'LBStickyFailback idle=10min', 'LBStickyFailback Return',
        'LBStickyRetry Off', 'LBStickyRetry tries=0 status=5xx,429 body=0',
        'LBStickyRetry budget=20%', 'LBStickyEject off',
        'LBStickyEject stall=off cap=100% hold=5s',
        'LBStickyEject hold=100ms-1d status=500-599 stall=100ms',
        'LBStickyEject status=AUTO', 'LBStickyEject status=Off',
        'LBStickyCheck off', 'LBStickyCheck path=/h?a=b host=h:8000 proto=HTTP',
        'LBStickyCheck path=/ interval=100ms timeout=10ms expect=200',
        'LBStickySlowStart OFF', 'LBStickySlowStart 0',
        'LBStickySlowStart 1min', 'LBStickyLimit Off',
        'LBStickyLimit inflight=1000000 queue=256 wait=0', 'LBStickyLimit inflight=Auto queue=3',
        'LBStickyForeign HAProxy:S bigip:B~Common~app',
        'LBStickyTable sessions=1', 'LBStickyTable sessions=4000000000',
        'LBStickyPersist /tmp/x', 'LBStickyPersist Off', 'LBStickyAdmin On',
    );
};

# --- places ------------------------------------------------------------------

subtest 'where a directive may stand' => sub {
    my %good = (map { $_ => $entry{$_}{default} } @all);
    my $proxy = qq(<Proxy "balancer://app">\n\@LINE\@\n</Proxy>\n$POOL);
    my $vhost = "<VirtualHost *:80>\n\@LINE\@\n</VirtualHost>\n";
    cmp_ok scalar @all, '>=', 17, 'the document was read';
    for my $name (@all) {
        my $line = $good{$name};
        my $at = sub ($in) { $in =~ s/\@LINE\@/$line/r };
        accepted($line);
        if (grep { $_ eq $name } @for_main) {
            refused($line, $name, qr/outside of <VirtualHost>/, $vhost);
        }
        else {
            accepted($at->($vhost) . $POOL);
        }
        if (grep { $_ eq $name } @for_pool) {
            accepted($at->($proxy));
            refused($line, $name, qr/wanted in <Proxy "balancer:\/\/name">/,
                    $_) for qq(<Proxy "http://127.0.0.1/">\n\@LINE\@\n</Proxy>\n),
                    qq(<Proxy *>\n\@LINE\@\n</Proxy>\n),
                    qq(<Proxy ~ "balancer://app">\n\@LINE\@\n</Proxy>\n),
                    qq(<ProxyMatch "balancer://app">\n\@LINE\@\n</ProxyMatch>\n);
        }
        else {
            refused($line, $name, qr/not allowed in <Proxy> context/, $proxy);
        }
        refused($line, $name, qr/not allowed in <Location> context/,
                "<Location />\n\@LINE\@\n</Location>\n");
    }
};

subtest 'names that two would share' => sub {
    my $twice = $POOL =~ s/(\n)(?=<\/Proxy>)/\n    BalancerMember "http:\/\/127.0.0.1:10" route=web1\n/r;
    my ($ok, $said) = try_conf("LBSticky cookie\n$twice");
    ok !$ok, 'two members with one route';
    like $said, qr/pool app: members http:\S+:9 and http:\S+:10 are both called web1; give each a route= of its own/,
        'a sentence that names both';
    ($ok) = try_conf($twice);
    ok $ok, 'but an ungoverned pool is not our business';

    my $urls = sub (@urls) {
        join '', "<Proxy \"balancer://app\">\n",
            (map { "    BalancerMember $_\n" } @urls), "</Proxy>\n"
    };
    for my $pair (['http://h:1', '"http://H:1" route=b'],
                  ['HTTP://h:1/a', 'http://h:1/a'],
                  ['unix:/a|http://h/', 'unix:/b|http://h/']) {
        ($ok, $said) = try_conf("LBSticky cookie\n" . $urls->(@$pair));
        ok !$ok, "one URL twice: @$pair";
        my $n = line_of($pair->[0]);
        my $m = $n + 1;
        like $said, qr/BalancerMember http:\S+ on line $m of \S+ begins with the URL of line $n/,
            'both lines are named';
        ($ok) = try_conf("<VirtualHost *:80>\nServerName v\nLBSticky cookie\n"
            . $urls->(@$pair) . '</VirtualHost>');
        ok !$ok, 'also in a virtual host';
        ($ok, $said) = try_conf("<VirtualHost *:80>\nServerName v\n"
            . "LBSticky cookie\n</VirtualHost>\n" . $urls->(@$pair));
        ok $ok, 'but not in an ungoverned pool' or diag $said;
    }
    for my $second ($urls->('http://H:1/x'),
                    "BalancerMember balancer://APP http://H:1/x\n") {
        ($ok, $said) = try_conf("LBSticky cookie\n" . $urls->('http://h:1')
            . $second);
        ok !$ok, 'one URL twice, elsewhere in the file';
        my ($n, $m) = map { line_of($_) } 'http://h:1', 'http://H:1';
        like $said, qr/BalancerMember http:\S+ on line $m of \S+ begins with the URL of line $n/,
            'both lines are named';
    }
    local $h->{modules} = ['proxy_http2'];
    ($ok, $said) = try_conf("LBSticky cookie\n" . $urls->(qw(http://h:1/a
        http://h:1/A http://h:1 http://h:2 h2c://h:1/a unix:/a|http://a/
        unix:/a|http://b/)));
    ok $ok, 'paths, ports and schemes are distinct' or diag $said;

    my $host = sub ($ip, $name = 'www') {
        "<VirtualHost $ip>\nServerName $name\nLBSticky cookie\n"
            . "$POOL</VirtualHost>\n";
    };
    for my $name (qw(www WWW)) {
        ($ok, $said) = try_conf($host->('127.0.0.1:80')
            . $host->('127.0.0.2:80', $name));
        ok !$ok, 'two virtual hosts of one name with a pool of one name';
        like $said, qr/two virtual hosts are called www:80 and have a pool app each/i,
            'a sentence that says what to change';
    }
    ($ok, $said) = try_conf($host->('*:80') . $host->('*:80', 'other'));
    ok $ok, 'another name, another pool' or diag $said;
    ($ok, $said) = try_conf($host->('*:80') . $host->('*:443'));
    ok $ok, 'another port, another pool' or diag $said;
    ($ok, $said) = try_conf("LBSticky cookie\n$POOL<VirtualHost *:80>\n"
        . "ServerName a\n</VirtualHost>\n<VirtualHost *:80>\nServerName b\n"
        . "</VirtualHost>\n");
    ok $ok, 'an inherited pool is one pool' or diag $said;

    ($ok, $said) = try_conf("LBSticky cookie\n$POOL<Proxy \"balancer://ap\">\n"
        . "LBStickyPanic off\n</Proxy>\n");
    ok $ok, 'a section without a pool is no error';
    like $said, qr/<Proxy "balancer:\/\/ap"> has directives .* no such pool/,
        'but is told';
};

# --- defaults and levels -------------------------------------------------------

subtest 'the documented default is what holds without the directive' => sub {
    my @settable = grep { $_ ne 'LBSticky' } @all;
    my $empty = in_force("LBSticky none\n$POOL");
    my $written = in_force(join "\n", 'LBSticky none',
                           (map { $entry{$_}{default} } @settable), $POOL);
    my %seen = (%{$empty->{''}}, %{$empty->{'app of localhost:80'}});
    is_deeply [sort keys %seen], \@all, '-DDUMP_LBSTICKY tells of each what is in force';
    is_deeply $written, $empty, 'and writing the defaults changes nothing';
    my $off = in_force("LBSticky none\n$POOL"
        . "<VirtualHost *:80>\nServerName v\nLBSticky off\n</VirtualHost>\n");
    is_deeply [sort keys %$off], ['', 'app of localhost:80'],
        'off leaves a pool alone';
    my ($ok, $said) = try_conf($POOL, '-DDUMP_LBSTICKY');
    unlike $said, qr/^LBSticky/m, 'the default of LBSticky is off';
};

# A value per level, each unlike the default and unlike the other.
$h->write('tokens', "a-token-of-sixteen-bytes\n");
my %values = (
    LBSticky => ['cookie', 'ip/24'],
    LBStickyMethod => ['round-robin', 'hash bound=1.50'],
    LBStickyTimeout => ['idle=1h max=1d', 'idle=30min max=off'],
    LBStickyCookie => [
        'name=A path=/a domain=a.example samesite=strict secure=on httponly=off '
            . 'partitioned=on maxage=1h nocache=off strip=off first=1s',
        'name=B path=/ domain=off samesite=lax secure=auto httponly=on '
            . 'partitioned=off maxage=session nocache=on strip=on first=off'],
    LBStickyFailover => ['off', 'on'], LBStickyFailback => ['return', 'idle=10min'],
    LBStickyRetry => ['tries=1 on=connect status=503 budget=5 body=1k', 'off'],
    LBStickyEject => ['failures=5 window=20s hold=2s-5min cap=10 stall=1s '
        . 'status=500-599', 'off'],
    LBStickyCheck => ['path=/a interval=1s timeout=1s rise=1 fall=1 expect=200 '
        . 'host=h proto=https', 'path=/b interval=5s timeout=2s rise=2 fall=3 '
        . 'expect=200-399'],
    LBStickyPanic => ['off', 'on'], LBStickySlowStart => ['90s', 'off'],
    LBStickyLimit => ['inflight=5 queue=6 wait=7s', 'inflight=1 queue=0 wait=5s'],
    LBStickyForward => ['host=off proto=off', 'host=on proto=off'],
    LBStickyForeign => ['haproxy:SRV nginx:srv_id', 'jvmroute:JSESSIONID'],
    LBStickyLocal => ['files', 'off'], LBStickyControl => ['on', 'off'], LBStickyAdmin => ['on', 'off'],
    LBStickyRegister => ['file:tokens lease=1min from=any', 'file:tokens lease=2s from=self'],
    LBStickyStore => ['shmcb timeout=1s', 'shmcb:x(512000) timeout=2s'],
    LBStickyDiscover => ['file:/a interval=1s hold=2s leave=3s join=5s min=2 max=9 '
        . 'family=any allow=any', 'file:/b interval=5s hold=30s leave=10min join=auto '
        . 'min=1 max=64 family=both allow=private'],
);

subtest 'main server and two virtual hosts: set in none, one, both' => sub {
    my @names = @for_host;
    is_deeply [sort keys %values], \@names, 'a pair of values for each';
    my $lines = sub ($i, @of) { join '', map { "$_ $values{$_}[$i]\n" } @of };
    my $pool = sub ($name, $with) {
        $with = '' if $with eq '-';
        $POOL =~ s/app/$name/r =~ s/(?=<\/Proxy>)/$with/r
    };
    my $default = in_force("LBSticky none\n$POOL")->{'app of localhost:80'};
    my $a = {map { $_ => $values{$_}[0] } @names};
    my $b = {map { $_ => $values{$_}[1] } @names};
    for my $set (0 .. 15) {
        my ($main, $one, $two, $section) = map { $set >> $_ & 1 } 0 .. 3;
        # In the section, the value that is not the one around it.
        my $inner = $one ? 0 : 1;
        my $text = ($main ? $lines->(0, @names) : "LBSticky none\n")
            . "<VirtualHost *:80>\nServerName one\n"
            . ($one ? $lines->(1, @names) : '')
            . $pool->('app', $section ? $lines->($inner, @for_pool) : '-')
            . "</VirtualHost>\n<VirtualHost *:80>\nServerName two\n"
            . ($two ? $lines->(1, @names) : '')
            . $pool->('app', '-') . "</VirtualHost>\n";
        my $outer = $main ? $a : {%$default, LBSticky => 'none'};
        my %want = (
            'app of one:80' => $one ? $b : $outer,
            'app of two:80' => $two ? $b : $outer,
        );
        if ($section) {
            my $from = $inner ? $b : $a;
            $want{'app of one:80'} = {%{$want{'app of one:80'}},
                                      map { $_ => $from->{$_} } @for_pool};
        }
        my $got = in_force($text);
        delete $got->{''};
        is_deeply $got, \%want, sprintf 'main %d, one %d, two %d, section %d',
            $main, $one, $two, $section;
    }
};

subtest 'a directive replaces the outer one whole' => sub {
    my $got = in_force(<<"CONF");
LBSticky cookie session=a
LBStickyTimeout idle=1h max=1d
LBStickyCookie name=A secure=on
LBStickyRetry tries=7 status=503
<VirtualHost *:80>
    ServerName v
    LBSticky ip
    LBStickyTimeout idle=30min
    LBStickyCookie strip=off
    LBStickyRetry body=1m
    $POOL
</VirtualHost>
CONF
    my $in = $got->{'app of v:80'};
    is $in->{LBSticky}, 'ip', 'sources';
    is $in->{LBStickyTimeout}, 'idle=30min max=off', 'no max left over';
    like $in->{LBStickyCookie}, qr/^path=.*secure=auto.*strip=off/, 'cookie';
    is $in->{LBStickyRetry}, 'tries=2 on=connect,reset budget=20 body=1024k',
        'retry';

    $got = in_force(<<"CONF");
LBSticky cookie
$POOL
<Proxy "balancer://APP">
    LBStickyPanic off
</Proxy>
<VirtualHost *:80>
    ServerName v
    LBStickyPanic on
    LBStickySlowStart 3s
</VirtualHost>
CONF
    is $got->{'app of localhost:80'}{LBStickyPanic}, 'off',
        'a pool has one name in any case';
    is $got->{'app of v:80'}{LBStickyPanic}, 'off',
        'the section of an inherited pool wins';
    is $got->{'app of v:80'}{LBStickySlowStart}, '3s',
        'over what the virtual host says for the rest';

    $got = in_force($POOL =~ s/(?=<\/Proxy>)/LBSticky ip\nLBStickyPanic off\n/r
        . "<VirtualHost *:80>\nServerName v\nProxyPass / balancer:\/\/app/\n"
        . "</VirtualHost>\n");
    is $got->{'app of v:80'}{LBStickyPanic}, 'off',
        'also in a virtual host that says nothing to this module';
};

# --- what off does -----------------------------------------------------------

my @web = LBS::Backend->many(2);

sub serve ($lines, $code) {
    my $run = LBS::Httpd->new(backends => \@web, conf => <<"CONF");
LBSticky cookie
LBStickyMethod round-robin
$lines
<Proxy "balancer://app">
    BalancerMember "http://\@B1\@" route=web1
    BalancerMember "http://\@B2\@" route=web2
</Proxy>
ProxyPass "/" "balancer://app/"
CONF
    $run->start;
    $code->($run);
    $run->stop;
    $run->no_unexpected_log;
    return;
}

sub sent ($r, $name) {
    return grep { lc $_->[0] eq lc $name } @{$r->json->{headers}};
}

subtest 'off switches off, by what it does' => sub {
    serve('', sub ($run) {
        my $r = $run->get('/');
        my ($cookie) = $r->set_cookies;
        like $cookie, qr/^LBSTICKY_app=[\w-]{1,48}; Path=\/; SameSite=Lax; HttpOnly$/,
            'the cookie as documented';
        like $r->header('Cache-Control') // '', qr/private/, 'nocache=on';
        is((sent($r, 'Host'))[0][1], 'localhost:' . $run->port, 'host=on');
        is((sent($r, 'X-Forwarded-Proto'))[0][1], 'http', 'proto=on');
        is $run->get('/')->member, $r->member, 'first=10s: one pick';
        my ($token) = $cookie =~ /^([^;]+)/;
        $r = $run->get('/', headers => [['Cookie', $token]]);
        is scalar(sent($r, 'Cookie')), 0, 'strip=on';
        is scalar($r->set_cookies), 0, 'it is sent once';
    });
    serve("LBStickyCookie first=off httponly=off samesite=off nocache=off "
        . "strip=off\nLBStickyForward host=off proto=off", sub ($run) {
        my $r = $run->get('/');
        my ($cookie) = $r->set_cookies;
        unlike $cookie, qr/HttpOnly|SameSite/i, 'no attributes';
        is $r->header('Cache-Control'), undef, 'nocache=off';
        like((sent($r, 'Host'))[0][1], qr/^127\.0\.0\.1:/, 'host=off');
        is scalar(sent($r, 'X-Forwarded-Proto')), 0, 'proto=off';
        isnt $run->get('/')->member, $r->member, 'first=off: a pick for each';
        my ($token) = $cookie =~ /^([^;]+)/;
        $r = $run->get('/', headers => [['Cookie', $token]]);
        is((sent($r, 'Cookie'))[0][1], $token, 'strip=off');
    });
    serve('LBStickyCookie first=0', sub ($run) {
        isnt $run->get('/')->member, $run->get('/')->member, 'first=0 too';
    });
    serve('LBSticky none', sub ($run) {
        is scalar($run->get('/')->set_cookies), 0, 'none: no cookie';
        ok wait_for(sub { (($run->access_log)[-1] // '') =~ /"none" "web\d"$/ }),
            'but decided here';
    });
    serve('LBSticky off', sub ($run) {
        is scalar($run->get('/')->set_cookies), 0, 'off: no cookie';
        ok wait_for(sub { (($run->access_log)[-1] // '') =~ /"-" "-"$/ }),
            'and decided elsewhere';
    });
};

done_testing;
