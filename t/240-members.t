#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Members as mod_proxy describes them: sets, spares, standbys, redirects,
# paths; and what the environment tells of a decision.
use lib 't/lib';
use LBS::Test;
use LBS::Governed;
use LBS::State qw(pool_state);

my @web = LBS::Backend->many(4, name => 'web');

sub members (@parameters) {
    my $n = 0;
    return join "\n", map {
        $n++;
        qq(BalancerMember "http://\@B$n\@" route=r$n $_)
    } @parameters;
}

# Every state that a member of three may be in; nobody listens on @FREEn@.
my %SUBSET = (u => 'up', g => 'gone', h => 'standby', r => 'spare', d => 'disabled');
my (%pools, @subsets);
for my $a (sort keys %SUBSET) {
    for my $b (sort keys %SUBSET) {
        push @subsets, map { "$a$b$_" } sort keys %SUBSET;
    }
}
for my $subset (@subsets) {
    my $n = 0;
    $pools{"s-$subset"} = "LBSticky cookie\n" . join "\n", map {
        $n++;
        my $at = $_ eq 'g' ? "\@FREE$n\@" : '@B' . $n . '@';
        $at = "127.0.0.1:$at" if $_ eq 'g';
        my $status = {h => 'status=+H', r => 'status=+R', d => 'status=+D'}->{$_};
        qq(BalancerMember "http://$at" route=r$n ) . ($status // '')
    } split //, $subset;
}

my $h = governed(\@web, %pools,
    sets     => "LBSticky cookie\n" . members('lbset=1', 'lbset=0', 'lbset=0',
                                             'lbset=2'),
    setoff   => "LBSticky cookie\n" . members('lbset=1', 'lbset=0 status=+D',
                                             'lbset=0 status=+S', 'lbset=2'),
    spare    => "LBSticky cookie\n" . members('', 'status=+D', 'status=+R',
                                             'status=+R'),
    idle     => "LBSticky cookie\n" . members('', '', 'status=+R', 'status=+H'),
    standby  => "LBSticky cookie\n" . members('status=+D', 'status=+N',
                                             'status=+H', 'status=+H'),
    redirect => "LBSticky route=ROUTE\n" . members('status=+D redirect=r3', '', ''),
    envs     => "LBSticky cookie route=ROUTE\n" . members('', 'redirect=r3', ''),
    paths    => <<'POOL',
LBSticky cookie
BalancerMember "http://@B1@/one"
BalancerMember "http://@B1@/two"
BalancerMember "http://@B1@/TWO"
POOL
    server => <<'CONF');
LBStickyMethod round-robin
LBStickyAdmin on
Header always set X-Balancer "%{BALANCER_NAME}e|%{BALANCER_WORKER_NAME}e|%{BALANCER_WORKER_ROUTE}e|%{BALANCER_SESSION_STICKY}e|%{BALANCER_SESSION_ROUTE}e|%{BALANCER_ROUTE_CHANGED}e|%{LBSTICKY_POOL}e"
CONF

sub act ($pool, $member, $action, %more) {
    my $r = $h->post('/lb-status/admin', {pool => $pool, member => $member,
        action => $action, %more}, headers => [['LBSticky-Admin', '1']]);
    is $r->status, 200, "$action $pool $member" or diag $r->body;
    return;
}

# Who answers new visitors, as "web1 web3".
sub answer ($pool, $n = 8) {
    return join ' ', sort keys %{spread(map { $h->get("/$pool/") } 1 .. $n)};
}

# The same once it is so: what members are used for is looked at ten times a
# second, while who is closed is known at once.
sub becomes ($pool, $want, $what) {
    my $is;
    wait_for(sub { ($is = answer($pool)) eq $want }, 3);
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is $is, $want, $what;
}

subtest 'the lowest set that has a member' => sub {
    is answer('sets'), 'web2 web3', 'set 0';
    is answer('setoff'), 'web1', 'set 1 when all of set 0 is off';
    act('sets', 'r2', 'disable');
    becomes 'sets', 'web3', 'one of two is enough';
    act('sets', 'r3', 'drain');
    becomes 'sets', 'web1', 'then the next set';
    act('sets', 'r2', 'enable');
    becomes 'sets', 'web2', 'and back';
};

subtest 'spares and standbys' => sub {
    is answer('idle'), 'web1 web2', 'not used while the others are up';
    act('idle', 'r2', 'disable');
    becomes 'idle', 'web1 web3', 'a spare for a member that is off';
    act('idle', 'r1', 'drain');
    act('idle', 'r3', 'disable');
    becomes 'idle', 'web4', 'a standby when nobody else is there';
    act('idle', 'r1', 'enable');
    becomes 'idle', 'web1', 'not longer';
    like answer('spare', 16), qr/^web1 web[34]$/, 'one spare for one member';
    like answer('standby', 16), qr/^web3/, 'standbys for a whole pool';

    # A session that came to a standby stays: it is not for choosing alone.
    my $jar = LBS::Jar->new;
    my $r = $h->get('/standby/', jar => $jar);
    act('standby', 'r1', 'enable');
    my $kept = $h->get('/standby/', jar => $jar);
    is verdict($kept) . ' ' . $kept->member, 'kept ' . $r->member, 'kept';
    becomes 'standby', 'web1', 'new visitors go to members that are up';
};

# 125 pools: each combination of three members' states.
subtest 'every subset of gone, standby, spare and disabled' => sub {
    $h->announce(qr/refused|failed to make connection|LBS\d+/);
    my ($slowest, $slow) = (0, '');
    for my $subset (@subsets) {
        my $n = 0;
        my %of;
        push @{$of{$_}}, 'web' . ++$n for split //, $subset;
        my @want = @{$of{u} // []};
        my $best;
        my $jar = LBS::Jar->new;
        for my $try (1 .. 3) {
            my $begun = time;
            my $r = $h->get("/s-$subset/", jar => $jar);
            my $took = time - $begun;
            $best = $took if !defined $best || $took < $best;
            # A spare stands in for a member that cannot be used.
            my %allowed = map { $_ => 1 } @want, map { @{$of{$_} // []} }
                $of{d} || $of{g} ? 'r' : (), @want ? () : 'h';
            if (%allowed) {
                ok $r->status == 200 && $allowed{$r->member},
                    "$subset: " . $r->status . ' ' . $r->member;
            }
            else {
                is $r->status, 503, "$subset: nobody";
                like $r->header('Retry-After'), qr/^\d+$/, 'when to come again';
                is verdict($r), 'refused down', 'and why';
            }
        }
        ($slowest, $slow) = ($best, $subset) if $best > $slowest;
    }
    cmp_ok $slowest, '<', 0.1, "answered at once, $slow too";
};

subtest 'redirect=' => sub {
    my $r = $h->get('/redirect/', headers => [['Cookie', 'ROUTE=x.r1']]);
    is $r->status, 200, 'a disabled member\'s route';
    # Off is off: nobody chose r1, so this is a pick.
    isnt $r->member, 'web1', 'elsewhere';

    # A session of r2 goes to r3 when r2 is off.
    my ($jar, $there);
    for (1 .. 9) {
        $jar = LBS::Jar->new;
        $there = $h->get('/envs/', jar => $jar)->member;
        last if $there eq 'web2';
    }
    is $there, 'web2', 'a session with r2';
    act('envs', 'r2', 'disable');
    $r = $h->get('/envs/', jar => $jar);
    is verdict($r) . ' ' . $r->member, 'moved disabled web3', 'is redirected';
    act('envs', 'r2', 'enable');
    $r = $h->get('/envs/', jar => $jar);
    is verdict($r) . ' ' . $r->member, 'kept web3', 'and stays';
};

sub env ($r) { return join '|', map { $_ eq '(null)' ? '' : $_ } split /\|/, $r->header('X-Balancer') }

subtest 'BALANCER_* and LBSTICKY_*' => sub {
    my $jar = LBS::Jar->new;
    my $r = $h->get('/envs/', jar => $jar);
    my ($n) = $r->member =~ /(\d)/;
    my $url = $web[$n - 1]->url;
    is env($r), "balancer://envs|$url|r$n|||1|envs", 'new: the route is to be told' or diag env($r);
    is verdict($r) . ' ' . member_of($r) . source_of($r), "new first r$n", 'LBSTICKY';
    $r = $h->get('/envs/', jar => $jar);
    is env($r), "balancer://envs|$url|r$n|cookie|r$n||envs", 'kept';
    is source_of($r), 'cookie', 'by the cookie';
    $r = $h->get('/envs/', headers => [['Cookie', 'ROUTE=x.r1']]);
    is env($r), 'balancer://envs|' . $web[0]->url . '|r1|route=ROUTE|r1||envs',
        'by a route';
    act('envs', "r$n", 'disable');
    my $requests = decided($h, 0, '/envs/');
    $r = $h->get('/envs/', jar => $jar);
    my ($to) = $r->member =~ /(\d)/;
    is env($r), 'balancer://envs|' . $web[$to - 1]->url . "|r$to|cookie|r$n|1|envs",
        'moved';
    act('envs', "r$n", 'enable');

    my @lines = decided($h, $requests + 1, '/envs/');
    is_deeply [@{$lines[-1]}{qw(DECISION REASON MEMBER SOURCE TRIES)}],
        ['moved', 'disabled', "r$to", 'cookie', 1], 'in the log';
};

# As in httpd's manual: a Header line tells visitors the route, whenever it is
# another than the one they show. Beside stock, which has stickysession=.
subtest 'the ROUTEID recipe of httpd\'s manual' => sub {
    my $recipe = <<'CONF';
Header add Set-Cookie "ROUTEID=.%{BALANCER_WORKER_ROUTE}e; path=/" env=BALANCER_ROUTE_CHANGED
<Proxy "balancer://recipe">
    BalancerMember "http://@B1@" route=r1
    BalancerMember "http://@B2@" route=r2
    BalancerMember "http://@B3@"
    SETTING
</Proxy>
ProxyPass "/recipe/" "balancer://recipe/"
CONF
    my $ours = LBS::Httpd->new(backends => \@web, conf => $recipe
        =~ s/SETTING/LBSticky route=ROUTEID\n    LBStickyMethod round-robin/r);
    my $stock = LBS::Httpd->new(backends => \@web, without => ['lbsticky'],
        conf => $recipe =~ s/SETTING/ProxySet stickysession=ROUTEID/r);
    for my $h ($ours, $stock) {
        my $who = $h == $ours ? 'here' : 'stock';
        $h->start;
        my (%at, $cookies);
        for (1 .. 6) {
            my $jar = LBS::Jar->new;
            my @r = map { $h->get('/recipe/', jar => $jar) } 1 .. 4;
            my $to = $r[0]->member;
            next if $to eq 'web3';    # it has no route to tell
            $at{$to}++;
            like $r[0]->header('Set-Cookie'), qr/^ROUTEID=\.r\d; path=/,
                "$who: a new visitor is told";
            is join(' ', map { $_->member } @r), join(' ', ($to) x 4),
                "$who: and stays at $to";
            $cookies += grep { defined $_->header('Set-Cookie') } @r[1 .. 3];
        }
        is $cookies, 0, "$who: told once";
        is keys %at, 2, "$who: both have visitors";
        $h->no_unexpected_log;
    }
};

subtest 'members that differ only in their path' => sub {
    my %seen;
    for (1 .. 9) {
        my $jar = LBS::Jar->new;
        my $path = $h->get('/paths/x', jar => $jar)->json->{uri};
        $seen{$path}++;
        for (1 .. 4) {
            my $r = $h->get('/paths/x', jar => $jar);
            is verdict($r) . ' ' . $r->json->{uri}, "kept $path", "$path is kept";
        }
    }
    is_deeply \%seen, {'/one/x' => 3, '/two/x' => 3, '/TWO/x' => 3},
        'each is a member';
    my $pool = pool_state($h, 'paths');
    is_deeply [map { $_->{sessions} } @{$pool->{members}}], [3, 3, 3],
        'with counters of its own';
    is keys %{{map { $_->{id} => 1 } @{$pool->{members}}}}, 3, 'and id';
};

subtest 'members that are the same are refused' => sub {
    my %bad = (
        'one URL twice' => [qq(BalancerMember "http://\@B1\@"\n) x 2, qr/http:/],
        'a URL and a longer one' => [
            qq(BalancerMember "http://\@B1\@/a"\nBalancerMember "http://\@B1\@/a/b"),
            qr{/a/b.*/a}s],
        'one URL in two letter cases' => [
            qq(BalancerMember "http://LOCALHOST:81"\nBalancerMember "http://localhost:81"),
            qr/localhost/],
        'one route twice' => [members('', 'route=r1'), qr/r1/],
    );
    for my $what (sort keys %bad) {
        my $httpd = LBS::Httpd->new(backends => \@web, conf => governed_text(
            \@web, app => "LBSticky cookie\n$bad{$what}[0]"));
        my ($status, $said) = $httpd->configtest;
        isnt $status, 0, "$what: httpd -t says no";
        like $said, $bad{$what}[1], 'and who';
    }
    my $good = LBS::Httpd->new(backends => \@web, conf => governed_text(\@web,
        app => <<'POOL', server => <<'CONF', other => 'LBSticky ip'));
LBSticky cookie
BalancerMember "http://@B1@/a/b"
BalancerMember "http://@B1@/a"
BalancerMember "http://@B1@1/a"
POOL
BalancerMember balancer://outside http://@B1@ route=x
BalancerMember http://@B2@ balancer://outside
<VirtualHost *:9999>
    <Proxy balancer://app>
        LBSticky ip
        BalancerMember http://@B1@
    </Proxy>
</VirtualHost>
CONF
    my ($status, $said) = $good->configtest;
    is $status, 0, 'a URL that only looks alike is accepted' or diag $said;
};

$h->no_unexpected_log;
done_testing;
