#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# LBStickyForeign: visitors of the balancer that stood here before stay where
# its cookie says, and are given ours.
use lib 't/lib';
use LBS::Governed;
use LBS::Jar;
use LBS::Peers;
use LBS::State;
use LBS::Test timeout => 200;
use Digest::MD5 qw(md5_hex);
use Digest::SHA qw(sha256_hex);
use Math::BigInt;

my @web = LBS::Backend->many(4);
my @ALL = 1 .. 4;
sub port_of ($n) { return $web[$n - 1]->addr =~ s/.*://r }

# FNV-1 of 64 bits, as Go prints it.
sub fnv ($text) {
    my $hash = Math::BigInt->new('0xcbf29ce484222325');
    for (unpack 'C*', $text) {
        $hash = $hash->bmul('0x100000001b3')->band('0xffffffffffffffff')->bxor($_);
    }
    return $hash->as_hex =~ s/^0x//r;
}

# The cookies of each product for 127.0.0.1 and a port, by other means than
# the module's.
my $swap = sub ($port) { return unpack 'v', pack 'n', $port };
my %COOKIES = (
    'haproxy:SRV' => sub ($n) { ("r$n", "r$n|Z0yl8", "r$n|Z0yl8|Z0yk4", "r$n~12345") },
    'nginx:srv_id' => sub ($n) { (md5_hex('127.0.0.1:' . port_of($n)), "r$n") },
    'traefik:_lb' => sub ($n) {
        my $url = 'http://127.0.0.1:' . port_of($n);
        (substr(sha256_hex($url), 0, 16), fnv($url), fnv(fnv($url)), $url,
         substr(sha256_hex("$url/"), 0, 16));
    },
    'bigip:BIGipServerapp' => sub ($n) {
        ('16777343.' . $swap->(port_of($n)) . '.0000',
         'rd7o00000000000000000000ffff7f000001o' . port_of($n));
    },
    'mod_proxy:ROUTEID' => sub ($n) { (".r$n", "x.y.r$n") },
    'jvmroute:JSESSIONID' => sub ($n) { ("0123456789ABCDEF.r$n") },
);
my @WORDS = sort keys %COOKIES;
my %pool_of = map { (/^(\w+)/ ? ($_ => $1 =~ s/_//r) : ()) } @WORDS;

my %pools = map { ($pool_of{$_} => "LBSticky cookie\nLBStickyForeign $_") } @WORDS;
my $h = governed(\@web, server => "LBStickyAdmin on\nLBStickySlowStart off", %pools,
    plain => 'LBSticky cookie',
    two => "LBSticky cookie\nLBStickyForeign haproxy:SRV mod_proxy:ROUTEID",
    state => "LBSticky cookie\nLBStickyForeign haproxy:SRV",
    learned => "LBSticky session=sid\nLBStickyForeign haproxy:SRV",
    none => "LBSticky none\nLBStickyForeign haproxy:SRV",
    brief => "LBSticky cookie\nLBStickyTimeout idle=1s\nLBStickyForeign haproxy:SRV",
    ended => "LBSticky cookie\nLBStickyForeign haproxy:SRV",
    named => join("\n", 'LBSticky cookie', 'LBStickyForeign nginx:srv_id bigip:B',
        map { "BalancerMember http://localhost:" . port_of($_) . " route=x$_" } @ALL),
    roles => join("\n", 'LBSticky cookie', 'LBStickyForeign haproxy:SRV',
        map({ qq(BalancerMember "http://\@B$_\@" route=r$_) } 1, 2),
        'BalancerMember "http://@B3@" route=standby status=+H',
        'BalancerMember "http://@B4@" route=spare status=+R',
        'BalancerMember "http://localhost:@FREE1@" route=later lbset=1',
        'BalancerMember "http://localhost:@FREE2@" route=off status=+D lbset=1'));

sub readers ($pool) { return {map { ($_->{reader} => $_) } @{pool_state($h, $pool)->{foreign}}} }
sub seen_by_member ($r) { return join '; ', map { $_->[1] } grep { $_->[0] eq 'Cookie' } @{$r->json->{headers}} }

for my $word (@WORDS) {
    my ($pool, $name) = ($pool_of{$word}, $word =~ /:(.*)/);
    subtest $word => sub {
        my $used = 0;
        for my $n (@ALL) {
            for my $value ($COOKIES{$word}->($n)) {
                my $r = $h->get("/$pool/", headers => cookie_of(other => 1, $name => $value));
                is verdict($r) . ' ' . $r->member, "new adopted web$n", "$value: stays with web$n";
                is source_of($r), $word, 'for the log, too';
                is seen_by_member($r), "other=1; $name=$value", 'which sees the cookie as it is';
                my $token = token_in($r, "LBSTICKY_$pool");
                ok $token, 'and is given ours';
                $used++;
                # Ours counts from now on, whatever the other one says.
                for my $old ($value, ($COOKIES{$word}->($n % 4 + 1))[0]) {
                    $r = $h->get("/$pool/", headers => cookie_of($name => $old, "LBSTICKY_$pool" => $token));
                    is verdict($r) . ' ' . $r->member, "kept web$n", 'kept';
                    is token_in($r, "LBSTICKY_$pool"), undef, 'and not given another';
                }
                my $query = $value =~ s/([^\w.:])/sprintf '%%%02x', ord $1/ger;
                my $e = $h->json("/lb-status/explain?pool=$pool&key=$word:$query");
                is_deeply [@$e{qw(decision reason member source chance)}],
                    ['new', 'adopted', "r$n", $word, JSON::PP::false], 'as explained';
            }
        }
        my $reader = readers($pool)->{$word};
        is $reader->{used}, $used, 'each is counted once';
        cmp_ok abs($reader->{last} - time), '<', 30, 'with the time of the last';
        is pool_state($h, $pool)->{decisions}{new}{adopted}, $used, 'among the decisions';
        my $metrics = $h->get('/lb-status/metrics')->body;
        like $metrics, qr/^lbsticky_adopted_total\{pool="$pool",vhost="[^"]*",reader="$word"\} $used$/m, 'and in the metrics';
        like $metrics, qr/^lbsticky_decisions_total\{pool="$pool",[^}]*reason="adopted"\} $used$/m, 'by reason';
    };
}

subtest 'the route may stand in the URL' => sub {
    for ('/jvmroute/a;jsessionid=0123.r3', '/jvmroute/a;JSESSIONID=0123.r3?x=1', '/modproxy/;ROUTEID=.r3', '/modproxy/b;routeid=.r3/c') {
        my $r = $h->get($_);
        is verdict($r) . ' ' . $r->member, 'new adopted web3', $_;
    }
    is verdict($h->get('/haproxy/a;SRV=r3')), 'new first', 'not where the product has a cookie only';
};

subtest 'members by name' => sub {
    for my $n (@ALL) {
        for (['srv_id', md5_hex('127.0.0.1:' . port_of($n))], ['B', '16777343.' . $swap->(port_of($n)) . '.0000']) {
            my $r = $h->get('/named/', headers => cookie_of(@$_));
            is verdict($r) . ' ' . $r->member, "new adopted web$n", "$_->[0]: resolved";
        }
    }
};

subtest 'readers in the order written, values in the order shown' => sub {
    my @cases = (
        ['web2', SRV => 'r2', ROUTEID => '.r3'], ['web2', ROUTEID => '.r3', SRV => 'r2'],
        ['web3', SRV => 'gone', ROUTEID => '.r3'], ['web1', SRV => 'gone', SRV => '', SRV => 'r1', SRV => 'r2'],
        ['web4', (map { ('SRV', $_) } 1 .. 200), SRV => 'r4']);
    for my $case (@cases) {
        my ($want, @pairs) = @$case;
        my $r = $h->get('/two/', headers => cookie_of(@pairs));
        is verdict($r) . ' ' . $r->member, "new adopted $want", $want;
    }
    my $r = $h->get('/two/', headers => [['Cookie', 'ROUTEID=.r3'], ['Cookie', 'SRV="r2"']]);
    is $r->member, 'web2', 'in any field, quoted too';
    is_deeply {map { ($_ => readers('two')->{$_}{used}) } qw(haproxy:SRV mod_proxy:ROUTEID)},
        {'haproxy:SRV' => 5, 'mod_proxy:ROUTEID' => 1}, 'the reader that found it is counted';
    is verdict($h->get('/two/', headers => cookie_of(srv => 'r2', XSRV => 'r2', SRV2 => 'r2', routeid => '.r1'))),
        'new first', 'names are whole and have case';
};

subtest 'not without the directive, not without sessions' => sub {
    is verdict($h->get('/plain/', headers => cookie_of(SRV => 'r2'))), 'new first', 'off';
    is_deeply pool_state($h, 'plain')->{foreign}, [], 'no reader';
    is verdict($h->get('/none/', headers => cookie_of(SRV => 'r2'))), 'none', 'LBSticky none';
};

subtest 'keys of ours that do not count' => sub {
    my $token = token_in($h->get('/plain/'), 'LBSTICKY_plain');
    my $show = sub ($value) { $h->get('/state/', headers => cookie_of(LBSTICKY_state => $value, SRV => 'r2')) };
    is verdict($show->($_)) . ' ' . $show->($_)->member, 'new adopted web2', length $_ ? 'a key that names nobody' : 'an empty one'
        for '', 'x', $token, 'A' x 48;
    my $r = $h->get('/learned/', headers => cookie_of(sid => 'a' x 32, SRV => 'r3'));
    is verdict($r) . ' ' . $r->member, 'new adopted web3', 'an unknown session of the application';
    $r = $h->get('/learned/', headers => cookie_of(sid => 'a' x 32));
    is verdict($r) . ' ' . $r->member, 'kept web3', 'is learned there';
    $r = $h->get('/learned/', headers => cookie_of(sid => 'a' x 32, SRV => 'r1'));
    is verdict($r) . ' ' . $r->member, 'kept web3', 'and is not where another cookie says';

    $token = token_in($h->get('/brief/'), 'LBSTICKY_brief');
    my $brief = sub (@more) { verdict($h->get('/brief/', headers => cookie_of(LBSTICKY_brief => $token, @more))) };
    sleep 2.2;
    is $brief->(), 'new expired', 'an old one of ours';
    is $brief->(SRV => 'r2'), 'new adopted', 'counts less than a cookie of before';
};

subtest 'only members that are open to new sessions' => sub {
    my $ask = sub ($route, $pool = 'state') {
        my $r = $h->get("/$pool/", headers => cookie_of(SRV => $route));
        my $e = $h->json("/lb-status/explain?pool=$pool&key=haproxy:SRV:$route");
        is verdict($r), "$e->{decision} $e->{reason}", 'as explained';
        return verdict($r) . (verdict($r) =~ /adopted/ && member_of($r) eq $route ? ' there' : '');
    };
    is $ask->('r2'), 'new adopted there', 'open';
    for (['drain'], ['disable'], ['standby'], ['weight', weight => 0]) {
        my ($action, %field) = @$_;
        admin($h, 'state', 'r2', $action, %field);
        is $ask->('r2'), 'new first', $action for 1 .. 3;
        admin($h, 'state', 'r2', 'reset');
        is $ask->('r2'), 'new adopted there', 'and again';
    }
    is $ask->($_, 'roles'), 'new first', $_ for qw(standby spare later off);
    is $ask->('r1', 'roles'), 'new adopted there', 'an ordinary one';
    my $before = readers('state')->{'haproxy:SRV'}{used};
    $h->json("/lb-status/explain?pool=state&key=haproxy:SRV:r1") for 1 .. 3;
    is readers('state')->{'haproxy:SRV'}{used}, $before, 'a question is not counted';
    my $e = $h->get('/lb-status/explain?pool=state', headers => cookie_of(SRV => 'r1'))->json;
    is $e->{reason}, 'first', 'the administrator is no visitor';
};

subtest 'a member that refuses' => sub {
    $web[3]->refuse;
    my $before = readers('state')->{'haproxy:SRV'}{used};
    my @r = map { $h->get('/state/', headers => cookie_of(SRV => 'r4')) } 1 .. 4;
    is_deeply [map { $_->status } @r], [(200) x 4], 'another one answers';
    is_deeply {map { (verdict($_) => 1) } @r}, {'new first' => 1}, 'to a visitor who is new there';
    is readers('state')->{'haproxy:SRV'}{used}, $before, 'nobody was adopted';
    $web[3]->accept;
    ok wait_for(sub { member_state($h, 'state', 'r4')->{state} eq 'up' }, 20), 'it is back';
    my $r = $h->get('/state/', headers => cookie_of(SRV => 'r4'));
    is verdict($r) . ' ' . $r->member, 'new adopted web4', 'and so are its visitors';
};

# The operator's word is newer than a cookie of before.
subtest 'a session that the operator ended' => sub {
    my $r = $h->get('/ended/', headers => cookie_of(SRV => 'r2'));
    my $token = token_in($r, 'LBSTICKY_ended');
    is $r->member, 'web2', 'adopted';
    admin($h, 'ended', 'r2', 'forget', cookie => $token);
    $r = $h->get('/ended/', headers => cookie_of(SRV => 'r2', LBSTICKY_ended => $token));
    is verdict($r), 'new unknown', 'is a pick';
};

subtest 'hostile values' => sub {
    my $before = $h->json->{table}{entries};
    my @values = ('%00', 'r2%00', "r2\x80\xff", 'r2|' . '|' x 3000, '.' x 3000, '~' x 3000, 'r2 ', 'R2', '../r2', '<r2>',
        '9' x 3000, 'rd' . '9' x 3000, 'vi' . 'f' x 3000, '!' x 3000, '4294967296.0.0000', '-1.0.0000', 'http://127.0.0.1');
    my %said;
    for my $word (@WORDS) {
        my ($pool, $name) = ($pool_of{$word}, $word =~ /:(.*)/);
        for my $value (@values) {
            next if $word =~ /haproxy/ && $value =~ /^r2\|/;    # dates are not read
            my $r = $h->get("/$pool/", headers => cookie_of($name => $value));
            $said{verdict($r)}++ if $value !~ /^r2 $/;
            is $r->status, 200, sprintf '%s: %.20s', $word, $value =~ s/[^ -~]/?/gr if $r->status != 200;
        }
    }
    is_deeply [keys %said], ['new first'], 'name nobody';
    my $r = $h->get('/haproxy/', headers => cookie_of(map { ('SRV', "x$_") } 1 .. 600));
    is verdict($r), 'new first', 'nor do many cookies';
    my $raw = $h->raw("GET /haproxy/ HTTP/1.1\r\nHost: localhost\r\nCookie: SRV=r2\0x\r\nConnection: close\r\n\r\n");
    unlike $raw, qr/adopted/, 'nor a NUL';
    my $new = @values * @WORDS + 1;
    cmp_ok $h->json->{table}{entries} - $before, '<=', $new, 'and nothing but their new sessions is remembered';
};

subtest 'a reload, a stop and a start go on counting' => sub {
    my $before = readers('two');
    $h->graceful;
    is_deeply readers('two'), $before, 'graceful';
    $h->stop;
    $h->start;
    is_deeply readers('two'), $before, 'stop and start';
    $h->get('/two/', headers => cookie_of(SRV => 'r1'));
    is readers('two')->{'haproxy:SRV'}{used}, $before->{'haproxy:SRV'}{used} + 1, 'and counts on';
    my $page = $h->get('/lb-status?pool=two')->body;
    like $page, qr{Visitors of the former balancer.*haproxy:SRV}s, 'the page tells';
};
$h->announce(qr/LBS16\d\d|AH0\d+.*(?:Connection refused|disabled)|AH01114|AH00957|AH00959/);
$h->stop;
$h->no_unexpected_log;

subtest 'a name that is not known' => sub {
    my $lost = governed(\@web, start => 0, app => join("\n", 'LBSticky cookie', 'LBStickyForeign nginx:srv_id haproxy:SRV',
        'BalancerMember "http://nowhere.invalid:80" route=lost', 'BalancerMember "http://@B1@" route=r1'));
    $lost->announce(qr/LBS1109|AH00\d+|nowhere\.invalid/);
    $lost->start;
    is scalar($lost->error_log(qr/LBS1109.*nowhere\.invalid/)), 1, 'is told at the start';
    is verdict($lost->get('/app/', headers => cookie_of(SRV => 'r1'))), 'new adopted', 'and hinders nobody else';
    $lost->stop;
};

# Visitors come by way of HAProxy first, and by way of httpd from then on.
subtest 'HAProxy goes, httpd comes' => sub {
    plan skip_all => 'haproxy is not installed' if !grep { -x "$_/haproxy" } '/usr/sbin', split /:/, $ENV{PATH};
    my $servers = join '', map { "    server web$_ " . $web[$_ - 1]->addr . " cookie r$_\n" } @ALL;
    my $backend = sub ($name, $line) { "backend $name\n    balance roundrobin\n    cookie $line\n$servers" };
    local $ENV{PATH} = "$ENV{PATH}:/usr/sbin:/sbin";
    my $haproxy = LBS::Peers::other('haproxy', <<"CONF", qw(haproxy -db -f @DIR@/conf));
defaults
    mode http
    timeout client 30s
    timeout connect 5s
    timeout server 30s
frontend in
    bind 127.0.0.1:\@PORT\@
    use_backend prefix if { path_beg /prefix/ }
    use_backend dated if { path_beg /dated/ }
    default_backend app
@{[$backend->(app => 'SRV insert indirect nocache')]}
@{[$backend->(dated => 'SRV insert indirect nocache maxidle 30m maxlife 8h')]}
@{[$backend->(prefix => 'sid prefix')]}
CONF
    $haproxy->start;
    my (%jar, %at);
    for my $path (qw(app dated prefix)) {
        for my $n (1 .. 20) {
            my $jar = $jar{"$path $n"} = LBS::Jar->new;
            my $c = LBS::Client->new(port => $haproxy->port);
            my $r = $c->request('GET', "/$path/?cookie=sid=s$n;path=/");
            $jar->learn($r, host => 'localhost', path => "/$path/");
            is $r->status, 200, "$path $n" if $r->status != 200;
            $at{"$path $n"} = $r->member;
        }
    }
    is scalar(keys %{{map { ($_ => 1) } values %at}}), 4, 'HAProxy spread them';
    like $jar{'dated 1'}->value('SRV'), qr{^r\d\|[\w+/]+\|[\w+/]+$}, 'with dates';
    like $jar{'prefix 1'}->value('sid'), qr/^r\d~s1$/, 'and in front of the application\'s value';
    $haproxy->stop;

    my $next = governed(\@web, (map { ($_ => "LBSticky cookie\nLBStickyForeign haproxy:SRV") } qw(app dated)),
        prefix => "LBSticky cookie\nLBStickyForeign haproxy:sid");
    my (@moved, %said);
    for my $round (1 .. 3) {
        for my $who (sort keys %at) {
            my ($path) = split / /, $who;
            my $r = $next->get("/$path/", jar => $jar{$who});
            push @moved, "$who: $at{$who}, then " . $r->member if $r->member ne $at{$who};
            $said{$round == 1 ? 'at first' : 'then'}{verdict($r)}++;
        }
    }
    is_deeply \@moved, [], 'no session is moved';
    is_deeply \%said, {'at first' => {'new adopted' => 60}, then => {kept => 120}}, 'adopted once, then kept';
    $next->stop;
    $next->no_unexpected_log;
};

done_testing;
