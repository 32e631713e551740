#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Where a session's key comes from: every source of LBSticky, alone and
# beside others. Members take turns, so whatever stays with one is bound.
use lib 't/lib';
use LBS::Test;
use LBS::Governed;

my @web = LBS::Backend->many(5, name => 'web');
my $two = <<'POOL';
LBSticky route=JSESSIONID
BalancerMember "http://@B1@" route=r1
BalancerMember "http://@B2@" route=r2
POOL
my $h = governed(\@web,
    sess   => 'LBSticky session=APPSESS',
    ip     => 'LBSticky ip',
    net    => 'LBSticky ip/24/48',
    head   => 'LBSticky header=X-Key',
    quest  => 'LBSticky query=sid',
    path   => 'LBSticky path=sid',
    route  => $two . <<'POOL',
BalancerMember "http://@B3@" route=r3 status=+H
BalancerMember "http://@B4@" route=r4 status=+R
POOL
    off    => $two . 'BalancerMember "http://@B5@" route=r5 status=+D',
    drain  => $two . 'BalancerMember "http://@B5@" route=r5 status=+N',
    expr   => 'LBSticky "expr=%{HTTP:X-User}@%{tolower:%{HTTP:X-Realm}}"',
    user   => 'LBSticky "expr=%{REMOTE_USER}"',
    two    => 'LBSticky session=APPSESS header=X-Key',
    url    => 'LBSticky cookie query=sid path=sid',
    first  => 'LBSticky query=sid cookie',
    server => <<'CONF', modules => ['auth_basic', 'authn_anon', 'authz_user']);
LBStickyMethod round-robin
<Location "/user/">
    AuthType Basic
    AuthName "any"
    AuthBasicProvider anon
    Anonymous *
    Anonymous_NoUserId on
    Anonymous_MustGiveEmail off
    Require valid-user
</Location>
Listen 127.0.0.1:@PORT2@
<VirtualHost *:@PORT2@>
    ServerName behind
    RemoteIPHeader X-Forwarded-For
    RemoteIPInternalProxy 127.0.0.1
    ProxyPass "/ip/" "balancer://ip/"
    ProxyPass "/net/" "balancer://net/"
    RewriteEngine on
    RewriteCond "%{LA-U:REQUEST_FILENAME}" "!never"
    RewriteRule "^/looked/" "/ip/" [PT]
</VirtualHost>
CONF

# One request; what was decided and who answered.
sub ask ($uri, %o) {
    my $r = $h->get($uri, %o);
    return (verdict($r), $r->member);
}

# Asks as often as there are members and a half: always kept by this one?
sub stays ($member, $uri, %o) {
    my %seen;
    $seen{join ' ', ask($uri, %o)}++ for 1 .. 8;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is_deeply \%seen, {"kept $member" => 8}, "$uri stays with $member";
}

# A new session: the verdict, and where it is from now on.
sub starts ($want, $uri, %o) {
    my ($verdict, $member) = ask($uri, %o);
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is $verdict, $want, "$uri is $want";
    return $member;
}

sub header_of (@pairs) {
    my @list;
    push @list, [splice @pairs, 0, 2] while @pairs;
    return headers => \@list;
}

sub app ($value) { return header_of(Cookie => "APPSESS=$value") }

subtest 'session=: learned from the cookie that the response sets' => sub {
    my $m = starts('new first', '/sess/?cookie=APPSESS%3Dabc%3B%20Path%3D/');
    stays($m, '/sess/', app('abc'));
    is source_of($h->get('/sess/', app('abc'))), 'session=APPSESS', 'source';

    $m = starts('new first', '/sess/?cookie=a%3D1&cookie=APPSESS%3Dmany'
        . '&cookie=b%3D2&cookie=XAPPSESS%3Dother&cookie=appsess%3Dother');
    stays($m, '/sess/', app('many'));
    starts('new unknown', '/sess/', app('other'));

    $m = starts('new first', '/sess/?cookie=APPSESS%3Dfirst'
        . '&cookie=c%3D1&cookie=APPSESS%3Dlast');
    stays($m, '/sess/', app('last'));
    starts('new unknown', '/sess/', app('first'));

    $m = starts('new first', '/sess/?cookie=APPSESS%3D%22quoted%22');
    stays($m, '/sess/', app('"quoted"'));
    stays($m, '/sess/', app('quoted'));

    $m = starts('new first', '/sess/?status=302&header=Location:/x'
        . '&cookie=APPSESS%3Dlogin');
    stays($m, '/sess/', app('login'));
    # A new id at login: the session goes on where it is.
    is join(' ', ask('/sess/?cookie=APPSESS%3Drotated', app('login'))),
        "kept $m", 'kept while the id changes';
    stays($m, '/sess/', app('rotated'));

    $m = starts('new first', '/sess/?status=500&cookie=APPSESS%3Derror');
    stays($m, '/sess/', app('error'));
};

subtest 'session=: deletion forgets it' => sub {
    my $n = 0;
    for my $line ('APPSESS=; Max-Age=0', 'APPSESS=x; Max-Age=0',
                  'APPSESS=gone; Expires=Thu, 01 Jan 1970 00:00:00 GMT',
                  'APPSESS=x; Max-Age=-1; Path=/', 'APPSESS=; Path=/',
                  'APPSESS=""') {
        my $id = 'deleted' . $n++;
        my $m = starts('new unknown', '/sess/', app($id));
        stays($m, '/sess/', app($id));
        (my $query = $line) =~ s/([^\w-])/sprintf '%%%02X', ord $1/ge;
        is((ask("/sess/?cookie=$query", app($id)))[0], 'kept', $line);
        # The value comes again and is a new one.
        $m = starts('new unknown', '/sess/', app($id));
        stays($m, '/sess/', app($id));
    }
};

subtest 'session=: an unknown value is learned when it was answered' => sub {
    my $m = starts('new unknown', '/sess/', app('fromelsewhere'));
    stays($m, '/sess/', app('fromelsewhere'));

    # A member that fails has answered nothing.
    $_->refuse for @web;
    $h->announce(qr/refused|failed to make connection|LBS\d+/);
    is $h->get('/sess/', app('early'))->status, 503, 'nobody is there';
    $_->accept for @web;
    ok wait_for(sub { $h->get('/sess/')->status == 200 }, 20), 'back';
    starts('new unknown', '/sess/', app('early'));
};

subtest 'ip' => sub {
    my $m = starts('new unknown', '/ip/', from => '127.0.0.5');
    stays($m, '/ip/', from => '127.0.0.5');
    my %seen = map { (ask('/ip/', from => "127.0.1.$_"))[1] => 1 } 1 .. 20;
    is keys %seen, 5, 'others are elsewhere';

    $m = starts('new unknown', '/net/', from => '127.0.7.1');
    stays($m, '/net/', from => "127.0.7.$_") for 2, 254;
    starts('new unknown', '/net/', from => '127.0.6.1');
    starts('new unknown', '/net/', from => '127.0.8.1');
};

subtest 'ip: the source port is no part of it' => sub {
    my ($first, @more) = map { join ' ', ask('/ip/', from => '127.0.9.9') }
        1 .. 100;
    my ($m) = $first =~ /^new unknown (\w+)$/;
    ok $m, 'the first of a hundred connections is new';
    is_deeply {map { $_ => 1 } @more}, {"kept $m" => 1}, 'all others kept';
};

# Addresses as mod_remoteip sees them, in the host that trusts a proxy.
subtest 'ip: v4, v6 and mapped addresses behind a proxy' => sub {
    my $by = sub ($addr) { (n => 2, header_of('X-Forwarded-For' => $addr)) };
    my $m = starts('new unknown', '/ip/', $by->('192.0.2.1'));
    stays($m, '/ip/', $by->('192.0.2.1'));
    stays($m, '/ip/', $by->('::ffff:192.0.2.1'));
    starts('new unknown', '/ip/', $by->('192.0.2.2'));

    $m = starts('new unknown', '/ip/', $by->('::ffff:198.51.100.7'));
    stays($m, '/ip/', $by->('198.51.100.7'));

    $m = starts('new unknown', '/ip/', $by->('2001:db8:1:2::1'));
    stays($m, '/ip/', $by->('2001:db8:1:2:ffff::9'));
    starts('new unknown', '/ip/', $by->('2001:db8:1:3::1'));

    $m = starts('new unknown', '/net/', $by->('2001:db8:5:1::1'));
    stays($m, '/net/', $by->('2001:db8:5:2::1'));
    starts('new unknown', '/net/', $by->('2001:db8:6:1::1'));

    # ::c000:201 is no mapped address, ::192.0.2.1 neither.
    starts('new unknown', '/ip/', $by->('::c000:201'));
    starts('new unknown', '/ip/', $by->('64:ff9b::c000:201'));

    # By way of a rewrite that looks ahead with a subrequest.
    ($m) = map { (ask('/ip/', $by->('192.0.2.1')))[1] } 1;
    stays($m, '/looked/', $by->('192.0.2.1'));
    stays($m, '/ip/', $by->('192.0.2.1, 127.0.0.1'));
};

subtest 'ip: a header counts only where the proxy is trusted' => sub {
    my @spoof = header_of('X-Forwarded-For' => '203.0.113.1');
    my $m = starts('new unknown', '/ip/', from => '127.0.3.3');
    stays($m, '/ip/', from => '127.0.3.3', @spoof);
    stays($m, '/ip/', n => 2, from => '127.0.3.3', @spoof);
    my $c = $h->connect(n => 2, from => '127.0.0.1');
    my @r = map {
        $h->get('/ip/', on => $c, header_of('X-Forwarded-For' => $_))
    } qw(203.0.113.7 203.0.113.8 203.0.113.7);
    is join(', ', map { verdict($_) } @r), 'new unknown, new unknown, kept',
        'on a kept connection each request has its own address';
    is $r[2]->member, $r[0]->member, 'and its own member';
};

subtest 'header=' => sub {
    my $key = sub ($value) { header_of('X-Key' => $value) };
    my $m = starts('new unknown', '/head/', $key->('abc'));
    stays($m, '/head/', $key->('abc'));
    stays($m, '/head/', header_of('x-key' => 'abc'));
    starts('new unknown', '/head/', $key->('Abc'));
    starts('new unknown', '/head/', $key->('ab'));
    $m = starts('new unknown', '/head/', $key->('a'));
    stays($m, '/head/', $key->('a'));
    # Of several fields, empty ones are none.
    my $fields = sub (@values) { (headers => [map { ['X-Key', $_] } @values]) };
    $m = starts('new unknown', '/head/', $key->('one'));
    stays($m, '/head/', $fields->('', 'one'));
    stays($m, '/head/', $fields->('', '', 'one', ''));
    is join(' ', (ask('/head/', $fields->('', '')))[0]), 'new first',
        'and no key at all where all are empty';
    # Long values count in full.
    for my $n (255, 256, 1024, 8000) {
        my $long = 'x' x ($n - 1);
        $m = starts('new unknown', '/head/', $key->("${long}1"));
        starts('new unknown', '/head/', $key->("${long}2"));
        is join(' ', ask('/head/', $key->("${long}1"))), "kept $m", "$n bytes";
    }
};

subtest 'query=' => sub {
    my $m = starts('new unknown', '/quest/?sid=abc');
    stays($m, "/quest/$_") for '?sid=abc', '?a=b&sid=abc&c=d', '?sid=&sid=abc',
        '?sid&sid=abc&sid=other', 'other/page?&&sid=abc&';
    starts('new unknown', '/quest/?sid=%61bc');
    starts('new unknown', '/quest/?sid=abc;x=1');
    starts('new unknown', '/quest/?sid=abc+');
    starts('new first', "/quest/$_") for '?xsid=abc', '?a=sid=abc', '?sid=',
        '?SID=abc', '?sid', '?a;sid=abc', '', '?', '?si=abc', '?=abc',
        ';sid=abc';
    $m = starts('new unknown', '/quest/?sid=1');
    stays($m, '/quest/?sid=1');
};

subtest 'path=' => sub {
    my $m = starts('new unknown', '/path/a;sid=abc');
    stays($m, "/path/$_") for 'a;sid=abc', 'b;x=1;sid=abc;y=2', 'c;sid=abc/d',
        'e;sid=/f;sid=abc?sid=other';
    starts('new unknown', '/path/a;sid=%61bc');
    starts('new first', "/path/$_") for 'a;xsid=abc', 'a;sid=', 'a?;sid=abc',
        'a;SID=abc', 'a;sid', 'sid=abc', 'a;a=sid=abc', '?sid=abc';
    $m = starts('new unknown', '/path/a;sid=1');
    stays($m, '/path/other;sid=1');
};

subtest 'route=: only members that take sessions' => sub {
    my $by = sub ($value) { header_of(Cookie => "JSESSIONID=$value") };
    stays("web$_", '/route/', $by->("0123456789.r$_")) for 1, 2;
    stays('web2', '/route/', $by->('"a.b.c.r2"'));
    stays('web1', '/route/', $by->('x.r9; JSESSIONID=y.r1'));
    is $h->get('/route/', $by->('x.r1'))->set_cookies, 0, 'no cookie of ours';
    stays('web2', "/route/$_") for 'a;JSESSIONID=x.r2', 'a/b;x=y;JSESSIONID=.r2';
    stays('web1', '/route/a;JSESSIONID=x.r2', $by->('x.r1'));
    for my $value ('x.r3', 'x.r4', 'x.r9', 'x.R1', 'x.r', 'x.r11') {
        my %seen = map { (ask('/route/', $by->($value)))[1] => 1 } 1 .. 6;
        is_deeply \%seen, {web1 => 1, web2 => 1}, "$value: the open members";
        starts('new unknown', '/route/', $by->($value));
    }
    starts('new first', '/route/', $by->($_)) for 'r1', '', 'x.r1.';
    my %open = map { (ask('/off/', $by->('x.r5')))[1] => 1 } 1 .. 6;
    is_deeply \%open, {web1 => 1, web2 => 1}, 'a disabled member';
    starts('new first', '/route/', header_of(Cookie => 'XJSESSIONID=x.r1'));
    starts('new first', '/route/?JSESSIONID=x.r1');
    # Nothing is stored: the same value without its route knows nothing.
    starts('new first', '/route/', $by->('0123456789'));
    stays('web5', '/drain/', $by->('x.r5'));
    my %seen = map { (ask('/drain/'))[1] => 1 } 1 .. 12;
    is_deeply \%seen, {web1 => 1, web2 => 1}, 'nobody new drains';
};

subtest 'expr=' => sub {
    my $by = sub ($user, $realm) {
        header_of('X-User' => $user, 'X-Realm' => $realm)
    };
    my $m = starts('new unknown', '/expr/', $by->('ann', 'HERE'));
    stays($m, '/expr/', $by->('ann', 'here'));
    starts('new unknown', '/expr/', $by->('ann', 'there'));
    starts('new unknown', '/expr/', $by->('bob', 'here'));

    my $as = sub ($user) {
        require MIME::Base64;
        header_of(Authorization =>
            'Basic ' . MIME::Base64::encode_base64("$user:x\@y", ''))
    };
    $m = starts('new unknown', '/user/', $as->('carol'));
    stays($m, '/user/', $as->('carol'));
    starts('new unknown', '/user/', $as->('dave'));
};

subtest 'several at once: the first that names a session decides' => sub {
    my $both = sub ($app, $key) {
        header_of(Cookie => "APPSESS=$app", 'X-Key' => $key)
    };
    my $m = starts('new unknown', '/two/?cookie=APPSESS%3Done',
                   header_of('X-Key' => 'k1'));
    stays($m, '/two/', app('one'));
    stays($m, '/two/', header_of('X-Key' => 'k1'));
    is source_of($h->get('/two/', $both->('one', 'k1'))), 'session=APPSESS',
        'both: the first written';
    is source_of($h->get('/two/', header_of('X-Key' => 'k1'))),
        'header=X-Key', 'alone: the other';

    # The first does not know its key: the second decides, the first learns.
    stays($m, '/two/', $both->('fresh', 'k1'));
    stays($m, '/two/', app('fresh'));

    # Both know one: the first decides and the second follows.
    my $n = starts('new unknown', '/two/', header_of('X-Key' => 'k2'));
    my $other = $n;
    for (1 .. 20) {
        last if $other ne $m;
        $other = (ask('/two/', header_of('X-Key' => "k2.$_")))[1];
        $n = "k2.$_";
    }
    isnt $other, $m, 'a key with another member';
    my $key = $n =~ /^k2\./ ? $n : 'k2';
    stays($m, '/two/', $both->('one', $key));
    stays($m, '/two/', header_of('X-Key' => $key));
};

subtest 'a URL never overrides a valid cookie' => sub {
    my $jar = LBS::Jar->new;
    my $m = $h->get('/url/', jar => $jar)->member;
    my $other = $m;
    for (1 .. 20) {
        last if $other ne $m;
        $other = starts('new unknown', "/url/?sid=u$_");
        stays($other, "/url/?sid=u$_") if $other ne $m;
    }
    isnt $other, $m, 'a session that a URL names, elsewhere';
    stays($m, '/url/?sid=u1', jar => $jar);
    stays($m, '/url/a;sid=u1', jar => $jar);
    stays($m, '/url/?LBSTICKY_url=' . $jar->value('LBSTICKY_url'),
          jar => $jar);
    is verdict($h->get('/url/?LBSTICKY_url=' . $jar->value('LBSTICKY_url'))),
        'new first', 'and the cookie counts nowhere but in Cookie';
};

subtest 'empty keys are no keys' => sub {
    my @empty = (
        ['/sess/', header_of(Cookie => 'APPSESS=')],
        ['/sess/', header_of(Cookie => 'APPSESS=""')],
        ['/sess/', header_of(Cookie => 'APPSESS')],
        ['/head/', header_of('X-Key' => '')],
        ['/quest/?sid=&sid='], ['/path/a;sid=;sid='],
        ['/route/', header_of(Cookie => 'JSESSIONID=.')],
    );
    for (@empty) {
        my ($uri, @o) = @$_;
        my %seen;
        for (1 .. 15) {
            my ($verdict, $member) = ask($uri, @o);
            $seen{$verdict}++;
            $seen{$member}++;
        }
        is delete $seen{'new first'}, 15, "$uri: never a session";
        my $each = $uri =~ /route/ ? 2 : 5;
        is keys %seen, $each, 'and balanced';
    }
};

$h->no_unexpected_log;
done_testing;
