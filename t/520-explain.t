#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# /explain says what a request would get, and changes nothing.
use lib 't/lib';
use Digest::SHA qw(sha256_hex);
use JSON::PP ();
use LBS::Governed;
use LBS::State;
use LBS::Test;

my @web = LBS::Backend->many(3);
my $h = LBS::Httpd->new(backends => \@web, conf => <<'CONF');
LBSticky cookie session=sid header=X-User ip/24
LBStickyAdmin on
LBStickySlowStart off
<Proxy "balancer://app">
    BalancerMember "http://@B1@" route=web1
    BalancerMember "http://@B2@" route=web2
    BalancerMember "http://@B3@" route=web3
</Proxy>
<Proxy "balancer://routed">
    LBSticky route=JSESSIONID
    BalancerMember "http://@B1@" route=one
    BalancerMember "http://@B2@" route=two
</Proxy>
<Proxy "balancer://idle">
    LBSticky header=X-User
    LBStickyTimeout idle=100s
    BalancerMember "http://@B1@" route=web1
    BalancerMember "http://@B2@" route=web2
</Proxy>
<Proxy "balancer://back">
    LBSticky header=X-User
    LBStickyFailback return
    BalancerMember "http://@B1@" route=web1
    BalancerMember "http://@B2@" route=web2
</Proxy>
<Proxy "balancer://loyal">
    LBSticky header=X-User
    LBStickyFailover off
    BalancerMember "http://@B1@" route=web1
    BalancerMember "http://@B2@" route=web2
</Proxy>
<Proxy "balancer://narrow">
    LBSticky ip
    LBStickyLimit inflight=1
    BalancerMember "http://@B1@" route=web1
</Proxy>
<Proxy "balancer://plain">
    LBSticky none
    BalancerMember "http://@B1@" route=web1
</Proxy>
@STATUS@
ProxyPass "/routed/" "balancer://routed/"
ProxyPass "/idle/" "balancer://idle/"
ProxyPass "/back/" "balancer://back/"
ProxyPass "/plain/" "balancer://plain/"
ProxyPass "/loyal/" "balancer://loyal/"
ProxyPass "/narrow/" "balancer://narrow/"
Header always set X-Told "%{LBSTICKY_DECISION}e %{LBSTICKY_REASON}e"
ProxyPass "/" "balancer://app/"
CONF
$h->start;

sub ask ($query) { return $h->get("/lb-status/explain?$query") }
sub act ($member, $action) {
    return $h->post('/lb-status/admin', {pool => 'app', member => $member, action => $action},
                    headers => [['LBSticky-Admin', '1']]);
}

my $jar = LBS::Jar->new;
my $home = $h->get('/?cookie=sid%3Dabc', jar => $jar, headers => [['X-User', 'ann']])->member;
my $token = $jar->value('LBSTICKY_app');

subtest 'by every kind of key' => sub {
    for my $row (["cookie=$token", 'cookie'], ['key=session%3Dsid:abc', 'session=sid'],
                 ['key=session:abc', 'session=sid'], ['key=header%3DX-User:ann', 'header=X-User'],
                 ['ip=127.0.0.77', 'ip/24'], ['key=ip:127.0.0.1', 'ip/24'],
                 ['ip=::ffff:127.0.0.5', 'ip/24']) {
        my ($key, $source) = @$row;
        my $e = ask("pool=app&$key")->json;
        is $e->{source}, $source, "$key: source";
        is $e->{decision}, 'kept', "$key: decision";
        is $e->{member}, $home, "$key: member";
        is $e->{table}{member}, $home, "$key: in the table";
        ok $e->{table}{found} && $e->{table}{expires_in_s} > 7000, "$key: for how long";
        like $e->{key}, qr/^[0-9a-f]{16}$/, "$key: a hash of it";
        is scalar(@{$e->{candidates}}), 3, "$key: candidates";
    }
    my $e = ask('pool=routed&key=route%3DJSESSIONID:x.two')->json;
    is $e->{member}, 'two', 'a route';
    is $e->{decision}, 'kept', 'names its member';
};

subtest 'what is not known' => sub {
    my %want = ('pool=app' => 'first', 'pool=app&key=session:nobody' => 'unknown',
                'pool=app&ip=10.1.2.3' => 'unknown', 'pool=app&cookie=short' => 'unknown',
                'pool=app&cookie=' . 'A' x 48 => 'forged',
                'pool=app&cookie=' => 'first', 'pool=app&key=session:' => 'first',
                'pool=app&key=header%3DX-User:' => 'first',
                "pool=app&cookie=" . ($token =~ s/^./$& eq 'A' ? 'B' : 'A'/er) => 'forged');
    for my $query (sort keys %want) {
        my $e = ask($query)->json;
        is $e->{decision}, 'new', "$query: a pick";
        is $e->{reason}, $want{$query}, 'and why';
        ok !$e->{table}{found}, 'not in the table';
        ok scalar(grep { $_->{member} eq $e->{member} && $_->{eligible} } @{$e->{candidates}}),
            'the member is one of those that may be';
    }
};

subtest 'when the member cannot' => sub {
    act($home, 'disable');
    my $e = ask("pool=app&cookie=$token")->json;
    is $e->{decision}, 'moved', 'moved';
    is $e->{reason}, 'disabled', 'because it is disabled';
    isnt $e->{member}, $home, 'to another';
    my ($c) = grep { $_->{member} eq $home } @{$e->{candidates}};
    ok !$c->{eligible}, 'which is no candidate';
    is $c->{why}, 'disabled', 'for that reason';
    act($_, 'disable') for qw(web1 web2 web3);
    $e = ask('pool=app')->json;
    is $e->{decision}, 'refused', 'nobody left: refused';
    is $e->{reason}, 'down', 'as it is counted';
    is $e->{member}, '', 'nobody';
    act($_, 'enable') for qw(web1 web2 web3);
    act($home, 'drain');
    is ask("pool=app&cookie=$token")->json->{decision}, 'kept', 'a draining one keeps it';
    act($home, 'enable');
};

subtest 'a session that was idle for longer than its drain lets it' => sub {
    my $mine = LBS::Jar->new;
    my $at = $h->get('/idle/', jar => $mine, headers => [['X-User', 'idle']])->member;
    my $query = 'pool=idle&key=header%3DX-User:idle';
    sleep 2;    # the table is exact to a 256th of idle=
    my $drain = sub ($idle) {
        $h->post('/lb-status/admin', {pool => 'idle', member => $at, action => 'drain', idle => $idle},
                 headers => [['LBSticky-Admin', '1']]);
    };
    $drain->('1min');
    is ask($query)->json->{decision}, 'kept', 'not for so long';
    $drain->('1s');
    my $e = ask($query)->json;
    is "$e->{decision} $e->{reason}", 'moved drained', 'for longer';
    my $r = $h->get('/idle/', headers => [['X-User', 'idle']]);
    isnt $r->member, $at, 'as it happens';
};

subtest 'a session that is away from home' => sub {
    my $key = 'pool=back&key=header%3DX-User:bob';
    my @bob = (headers => [['X-User', 'bob']]);
    my $at = $h->get('/back/', @bob)->member;
    my $set = sub ($action) {
        $h->post('/lb-status/admin', {pool => 'back', member => $at, action => $action},
                 headers => [['LBSticky-Admin', '1']]);
    };
    $set->('disable');
    my $guest = $h->get('/back/', @bob)->member;
    my $e = ask($key)->json;
    is "$e->{decision} $e->{member}", "kept $guest", 'stays while home is closed';
    $set->('enable');
    $e = ask($key)->json;
    is "$e->{decision} $e->{reason} $e->{member}", "moved failback $at", 'and goes home';
    is $h->get('/back/', @bob)->member, $at, 'as it happens';
};

subtest 'refused, as a request is told' => sub {
    my $told = sub ($uri, @o) {
        my ($said) = $h->get($uri, @o)->header('X-Told');
        return $said;
    };
    my @eve = (headers => [['X-User', 'eve']]);
    my $at = $h->get('/loyal/', @eve)->member;
    $h->post('/lb-status/admin', {pool => 'loyal', member => $at, action => 'disable'},
             headers => [['LBSticky-Admin', '1']]);
    my $e = ask('pool=loyal&key=header%3DX-User:eve')->json;
    is "$e->{decision} $e->{reason}", 'refused disabled', 'LBStickyFailover off';
    is $told->('/loyal/', @eve), 'refused disabled', 'as it happens';
    my $c = $h->connect;
    $c->send_request('GET', '/narrow/?delay=1');
    ok wait_for(sub { ask('pool=narrow')->json->{decision} eq 'refused' }), 'full';
    is ask('pool=narrow')->json->{reason}, 'full', 'for that reason';
    is $told->('/narrow/'), 'refused full', 'as it happens';
    is $c->response->status, 200, 'for a while';
};

subtest 'a pool without keys' => sub {
    my $e = ask('pool=plain')->json;
    is "$e->{decision}/$e->{reason}", 'none/', 'is no new session';
    isnt $e->{member}, '', 'but somebody gets it';
};

subtest 'it says what happens, and changes nothing' => sub {
    my $state = sub {
        my $s = $h->json;
        return sha256_hex(JSON::PP->new->canonical->encode([$s->{events}, $s->{table}{entries},
            map { my $p = $_; [$p->{decisions}, $p->{requests}, map { [@$_{qw(id requests sessions state)}] }
                               @{$p->{members}}] } @{$s->{pools}}]));
    };
    my $before = $state->();
    ask("pool=app&$_") for ("cookie=$token", 'key=session:abc', 'ip=127.0.0.1', '') x 20;
    is $state->(), $before, 'the state is what it was';
    is $h->get('/', jar => $jar)->member, ask("pool=app&cookie=$token")->json->{member},
        'a request goes where explain said';
};

# What /explain says, and what a request that shows the same gets right after.
sub said_and_done ($h, $pool, $query, %o) {
    my $e = $h->get("/lb-status/explain?pool=$pool" . ($query && "&$query"))->json;
    my $r = $h->get("/$pool/", headers => $o{headers} // []);
    my $said = join ' ', grep { $_ ne '' } @$e{qw(decision reason)};
    return ($said, verdict($r), $e->{member}, member_of($r), $e);
}

subtest 'a token dated ahead is as old as its date is wrong' => sub {
    my $jump = ($ENV{LBS_BUILD} // 'build') . '/t/preload/jump.so';
    my %name = (near => 3600, far => 3 * 86_400);
    my $site = sub (%env) {
        my $one = governed(\@web, start => 0, app => 'LBSticky cookie', %env,
            server => qq(LBStickySecret "file:\@ROOT\@/conf/secret"));
        $one->write('conf/secret', "one secret for both of them\n", 0600);
        return $one;
    };
    my $here = $site->()->start;
    for my $name (sort keys %name) {
        my $ahead = $site->(env => {LD_PRELOAD => $jump});
        $ahead->{env}{LBS_JUMP} = $ahead->write('jump', $name{$name});
        $ahead->start;
        my $token = token_in($ahead->get('/app/'), 'LBSTICKY_app');
        my ($said, $done, $who, $got) = said_and_done($here, 'app', "cookie=$token",
            headers => cookie_of(LBSTICKY_app => $token));
        is $said, $name eq 'far' ? 'new expired' : 'kept', "$name: what is said";
        is $done, $said, 'is done';
        is $who, $got, 'by the member that was named' if $name eq 'near';
        $ahead->stop;
        $ahead->no_unexpected_log;
    }
    $here->no_unexpected_log;
};

subtest 'redirect=, lbset=, spares and standbys have their say' => sub {
    my $line = sub ($n, $more = '') { qq(BalancerMember "http://\@B$n\@" route=r$n $more) };
    my $one = governed(\@web, server => 'LBStickyAdmin on',
        red => join("\n", 'LBSticky header=X-User', $line->(1, 'redirect=r3'), $line->(2), $line->(3)),
        set => join("\n", 'LBSticky header=X-User', $line->(1, 'lbset=1'), $line->(2), $line->(3)),
        kin => join("\n", 'LBSticky header=X-User', $line->(1, 'status=+H'), $line->(2, 'status=+R'), $line->(3)));
    my $by = sub ($user) { headers => [['X-User', $user]] };
    my $who = 'ann00';
    $who++ while member_of($one->get('/red/', $by->($who))) ne 'r1';
    admin($one, 'red', 'r1', 'disable');
    my ($said, $done, $named, $got) = said_and_done($one, 'red', "key=header:$who", $by->($who));
    is "$said $named", 'moved disabled r3', 'redirect=: where it points to';
    is "$done $got", "$said $named", 'as it happens';

    my %seen;
    for my $n (1 .. 8) {
        my $e;
        ($said, $done, $named, $got, $e) = said_and_done($one, 'set', "key=header:new$n", $by->("new$n"));
        $seen{"$said $named"} = $seen{"$done $got"} = 1;
        next if $n > 1;
        is_deeply {map { ($_->{member} => $_->{eligible} ? 1 : 0) } @{$e->{candidates}}},
            {r1 => 0, r2 => 1, r3 => 1}, 'lbset=: only the lowest is in demand';
        is $e->{candidates}[0]{why}, 'members of a lower lbset are open', 'and it says why';
    }
    delete @seen{'new unknown r2', 'new unknown r3'};
    is_deeply \%seen, {}, 'nobody of a higher one is named, nor asked';
    ($said, $done, $named, $got) = said_and_done($one, 'kin', 'key=header:bob', $by->('bob'));
    is "$named $got", 'r3 r3', 'neither the standby nor the spare';
    admin($one, 'kin', 'r3', 'disable');
    ($said, $done, $named, $got) = said_and_done($one, 'kin', 'key=header:bob', $by->('bob'));
    is "$said $named", 'moved disabled r2', 'the spare for a member that is out';
    is "$done $got", "$said $named", 'as it happens';
    $one->no_unexpected_log;
};

subtest 'round-robin: whose turn it is, and it stays their turn' => sub {
    my $one = governed(\@web, turn => "LBSticky header=X-User\nLBStickyMethod round-robin\nLBStickySlowStart off");
    my @wrong;
    for my $n (1 .. 9) {
        my ($said, $done, $named, $got, $e) =
            said_and_done($one, 'turn', "key=header:n$n", headers => [['X-User', "n$n"]]);
        push @wrong, "$n: $named, $got" if $named ne $got || $e->{chance};
    }
    is_deeply \@wrong, [], 'as explained';
    $one->no_unexpected_log;
};

subtest 'wrong questions' => sub {
    my %want = ('' => 400, 'pool=' => 400, 'pool=nobody' => 404, 'pool=app&vhost=x' => 404,
                'pool=app&key=abc' => 400, 'pool=app&key=query%3Dx:abc' => 400,
                'pool=app&ip=localhost' => 400, 'pool=app&ip=' => 400, 'pool=app&ip=1.2.3.4.5' => 400,
                'pool=app&ip=127.0.0.1&cookie=x' => 400, 'pool=app&colour=red' => 400,
                'pool=routed&cookie=x' => 400, 'pool=app&pool=app' => 400, 'pool=%zz' => 400,
                'pool=app&cookie=' . 'x' x 5000 => 200);
    for my $query (sort keys %want) {
        my $r = ask($query);
        is $r->status, $want{$query}, '?' . substr $query, 0, 50;
        ok length $r->json->{error}, 'with a reason' if $r->status != 200;
    }
};

subtest 'the method hash: the member that the key will get' => sub {
    my $hash = LBS::Httpd->new(backends => \@web, conf => <<'CONF');
LBSticky header=X-Key
LBStickyMethod hash
<Proxy "balancer://app">
    BalancerMember "http://@B1@" route=web1
    BalancerMember "http://@B2@" route=web2
    BalancerMember "http://@B3@" route=web3
</Proxy>
@STATUS@
ProxyPass "/" "balancer://app/"
CONF
    $hash->start;
    my ($same, %seen) = (0);
    for my $key (map { "k$_" } 1 .. 30) {
        my $said = $hash->get("/lb-status/explain?pool=app&key=header%3DX-Key:$key")->json;
        my $member = $hash->get('/', headers => [['X-Key', $key]])->member;
        $same += $said->{member} eq $member;
        $seen{$member}++;
    }
    is $same, 30, 'as explained';
    is keys %seen, 3, 'and to every member';
};

$h->no_unexpected_log;
done_testing;
