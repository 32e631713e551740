#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The session table behind a running httpd: sessions end on time, also after a
# reload and whoever looks at them; a table that is full goes on.
use lib 't/lib';
use LBS::Test timeout => 180;
use LBS::Governed;

my @web = LBS::Backend->many(3, name => 'web');
my $SERVER = <<'CONF';
LBStickyMethod round-robin
CONF

sub session ($h, $id, $uri = '/app/') {
    return $h->get($uri, headers => [['Cookie', "APP=$id"]]);
}

sub is_bound ($h, $id, $member, $what) {
    my $r = session($h, $id);
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is verdict($r) . ' ' . $r->member, "kept $member", $what;
}

# A session of two seconds, bound before a reload, seen after it.
subtest 'sessions end on time after a reload' => sub {
    my %pools = (app => "LBSticky session=APP\nLBStickyTimeout idle=2s",
                 long => "LBSticky session=APP\nLBStickyTimeout idle=1h");
    my $h = governed(\@web, %pools, server => $SERVER);
    my %member = map { $_ => session($h, $_)->member } qw(left used);
    session($h, 'kept', '/long/');
    my $bound = time;
    $h->graceful;
    sleep 1.2 - (time - $bound) if time - $bound < 1.2;
    is_bound($h, 'used', $member{used}, 'known to the new generation');
    sleep 2.4 - (time - $bound);
    like verdict(session($h, 'left')), qr/^new (?:expired|unknown)$/,
        'unused for two seconds: gone';
    is_bound($h, 'used', $member{used}, 'used meanwhile: not');
    is verdict(session($h, 'kept', '/long/')), 'kept', 'and a long one neither';

    # Another time for new ones; those that are there keep their end.
    my $there = session($h, 'there')->member;
    $bound = time;
    $pools{app} =~ s/2s/8s/;
    $h->graceful(governed_text(\@web, %pools, server => $SERVER));
    my $new = session($h, 'new')->member;
    sleep 2.5 - (time - $bound) if time - $bound < 2.5;
    like verdict(session($h, 'there')), qr/^new (?:expired|unknown)$/,
        'a session from before ends as it was to end';
    is_bound($h, 'new', $new, 'a new one lives longer');
    $h->no_unexpected_log;
};

# The least there is, with an end for all of twice that.
subtest 'sessions of one second' => sub {
    my $h = governed(\@web, server => $SERVER,
        app => "LBSticky session=APP\nLBStickyTimeout idle=1s",
        own => "LBSticky cookie\nLBStickyTimeout idle=1s",
        max => "LBSticky session=APP\nLBStickyTimeout idle=1s max=2s");
    my $jar = LBS::Jar->new;
    my %home = map { $_ => session($h, 'a', "/$_/")->member } qw(app max);
    $home{own} = $h->get('/own/', jar => $jar)->member;
    my $begun = my $last = time;
    my %moved;
    while (time - $begun < 1.5) {
        sleep 0.3;
        my @moved = grep { session($h, 'a', "/$_/")->member ne $home{$_} } qw(app max);
        push @moved, 'own' if $h->get('/own/', jar => $jar)->member ne $home{own};
        last if time - $last > 0.9;    # too busy a machine to say anything
        $last = time;
        $moved{$_}++ for @moved;
    }
    is_deeply \%moved, {}, 'a visitor who comes back within a second stays';
    ok wait_for(sub {
        sleep 0.3;
        verdict(session($h, 'a', '/max/')) eq 'new expired'
    }, 2), 'until max ends it';
    sleep 2;    # the date in our cookie counts whole seconds
    like verdict(session($h, 'a')), qr/^new (?:expired|unknown)$/,
        'a visitor who does not is a new one';
    is verdict($h->get('/own/', jar => $jar)), 'new expired', 'by our cookie, too';
    $h->no_unexpected_log;
};

subtest 'looking at a session does not lengthen its life' => sub {
    my $h = governed(\@web, server => $SERVER,
        app => "LBSticky session=APP\nLBStickyTimeout idle=2s");
    my $member = session($h, 'seen')->member;
    my $bound = time;
    my $seen = 0;
    while (time - $bound < 1.8) {
        my $e = $h->json('/lb-status/explain?pool=app&key=session%3DAPP:seen');
        $seen++ if $e->{table}{found} && $e->{decision} eq 'kept';
        $h->json;
        sleep 0.1;
    }
    cmp_ok $seen, '>', 8, 'explain shows it';
    sleep 2.3 - (time - $bound);
    my $e = $h->json('/lb-status/explain?pool=app&key=session%3DAPP:seen');
    ok !$e->{table}{found}, 'then it is gone';
    like verdict(session($h, 'seen')), qr/^new (?:expired|unknown)$/, 'indeed';
    ok wait_for(sub { $h->json->{table}{entries} <= 1 }, 10),
        'and counted no more';
    $h->no_unexpected_log;
};

subtest 'a full table' => sub {
    for my $size (1, 2, 255, 256) {
        my $h = governed(\@web, server => "LBStickyTable sessions=$size\n$SERVER",
            app => "LBSticky session=APP\nLBStickyTimeout idle=10min");
        my $c = $h->connect;
        my @took;
        for my $n (1 .. 4 * $size + 100) {
            $c = $h->connect if $n % 90 == 0;
            my $r = $h->get('/app/?size=1', on => $c,
                            headers => [['Cookie', "APP=one$n"]]);
            push @took, $r->elapsed;
            return is $r->status, 200, "sessions=$size: request $n"
                if $r->status != 200;
            # A visitor is known at once, however full it is.
            next if $n % 50;
            is verdict($h->get('/app/?size=1', on => $c,
                headers => [['Cookie', "APP=one$n"]])), 'kept', "$size: $n kept";
        }
        my $table = $h->json->{table};
        is $table->{capacity}, $size, "$size: capacity";
        is $table->{entries}, $size, 'it is full, and holds no more';
        cmp_ok $table->{evicted_live}, '>', 0, 'premature ends are counted';
        cmp_ok percentile(50, @took), '<', 0.02, 'no request waits for it';
        $h->no_unexpected_log;
        $h->stop;
    }
};

# Sessions in use are not pushed out by keys that are seen once.
subtest 'a flood of one-shot keys' => sub {
    my $h = governed(\@web, server => "LBStickyTable sessions=400\n$SERVER",
        app => "LBSticky session=APP\nLBStickyTimeout idle=" . longer(30) . 's');
    my %home = map { $_ => session($h, "user$_")->member } 1 .. 100;
    sleep longer(2.1);    # a second use counts when some time has passed
    is_bound($h, "user$_", $home{$_}, 'again') for 1 .. 3;
    session($h, "user$_") for 4 .. 100;
    my $c = $h->connect;
    for my $n (1 .. 3000) {
        $c = $h->connect if $n % 90 == 0;
        $h->get('/app/?size=1', on => $c, headers => [['Cookie', "APP=x$n"]]);
    }
    my @lost = grep {
        my $r = session($h, "user$_");
        verdict($r) ne 'kept' || $r->member ne $home{$_}
    } 1 .. 100;
    cmp_ok @lost, '<=', 25, 'most users are known' . " (lost: @lost)";
    $h->no_unexpected_log;
};

# A few seconds apart: what the parallel requests of one page could be.
subtest 'a second use, however soon, outlives keys never used again' => sub {
    my $h = governed(\@web, server => "LBStickyTable sessions=1000\n$SERVER",
        app => "LBSticky session=APP\nLBStickyTimeout idle=2h");
    my $c = $h->connect;
    my ($asked, $most) = (0, 0);
    my $ask = sub ($id) {
        $c = $h->connect if ++$asked % 90 == 0;
        return $h->get('/app/?size=1', on => $c, headers => [['Cookie', "APP=$id"]]);
    };
    my %home;
    for my $round (1 .. 2) {
        $home{$_} = $ask->("user$_")->member for 1 .. 100;
        sleep 0.2;
    }
    for my $n (1 .. 2000) {
        $ask->("once$n");
        next if $n % 100;
        my $entries = $h->json->{table}{entries};
        $most = $entries if $entries > $most;
    }
    my @lost = grep {
        my $r = $ask->("user$_");
        verdict($r) ne 'kept' || $r->member ne $home{$_}
    } 1 .. 100;
    is "@lost", '', 'two thousand keys used once push out none';
    is $most, 1000, 'and there are never more entries than capacity';
    $h->no_unexpected_log;
};

subtest 'heavy members, most of them off' => sub {
    my $members = join "\n", map {
        my $b = ($_ - 1) % 3 + 1;
        sprintf('BalancerMember "http://@B%d@/m%02d" route=r%d loadfactor=100',
                $b, $_, $_) . ($_ > 1 ? ' status=+D' : '')
    } 1 .. 10;
    my @METHODS = qw(hash round-robin least-load least-busy least-sessions);
    my $h = governed(\@web, server => $SERVER, map {
        ("m-$_" => "LBSticky none\nLBStickyMethod $_\n$members")
    } @METHODS);
    for my $method (@METHODS) {
        my $c = $h->connect;
        my @r = map { $h->get("/m-$method/x", on => $c) } 1 .. 60;
        is scalar(grep { $_->status == 200 && $_->json->{uri} eq '/m01/x' } @r), 60,
            "$method: the one that is on";
        cmp_ok percentile(50, map { $_->elapsed } @r), '<', 0.01, 'at once';
    }
    $h->no_unexpected_log;
};

# Names as long as mod_proxy takes them, and equal but for the last byte.
subtest 'long names' => sub {
    my $long = 'n' x 254;
    my $route = 'r' x 50;
    my $h = governed(\@web, server => $SERVER,
        one => "LBSticky session=${long}1 session=${long}2",
        map({ ("pool$route$_" => <<"POOL") } 1, 2));
LBSticky cookie
BalancerMember "http://\@B1\@" route=${route}1
BalancerMember "http://\@B2\@" route=${route}2
POOL
    my $m = $h->get("/one/?cookie=${long}1%3Dx")->member;
    is verdict($h->get('/one/', headers => [['Cookie', "${long}1=x"]])), 'kept',
        'a cookie name of 255 bytes';
    is verdict($h->get('/one/', headers => [['Cookie', "${long}2=x"]])),
        'new unknown', 'another one that differs at its end';
    is verdict($h->get('/one/', headers => [['Cookie', "$long=x"]])), 'new first',
        'a shorter one is none';
    my %seen;
    for (1 .. 8) {
        my $jar = LBS::Jar->new;
        my $r = $h->get("/pool${route}1/", jar => $jar);
        is member_of($r), $route . substr($r->member, -1), 'a route of 51 bytes';
        my $kept = $h->get("/pool${route}1/", jar => $jar);
        is verdict($kept) . $kept->member, 'kept' . $r->member, 'kept';
        $seen{$r->member}++;
        my ($value) = map { $jar->value($_) } $jar->names;
        is verdict($h->get("/pool${route}2/", headers =>
            [['Cookie', "LBSTICKY_pool${route}2=$value"]])), 'new forged',
            'and no pass for the other pool';
    }
    is keys %seen, 2, 'both members are used';
    $h->no_unexpected_log;
    for my $bad ("session=${long}12", "header=$long" . '12', "query=${long}12",
                 "path=${long}12", "route=${long}12", 'session=' . 'n' x 1024) {
        my $refused = governed(\@web, start => 0, app => "LBSticky $bad");
        my ($status, $said) = $refused->configtest;
        isnt $status, 0, substr($bad, 0, 10) . length($bad) . ' bytes: refused';
        like $said, qr/LBSticky/, 'by name';
    }
};

done_testing;
