#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What an answer teaches: cookies of one name for several paths and domains,
# ids handed out in a header, answers that refuse a key, and a member that sets
# a cookie of this module's name.
use lib 't/lib';
use LBS::Test timeout => 180;
use LBS::Governed;

my @web = LBS::Backend->many(4, name => 'web');
my $h = governed(\@web,
    sess => 'LBSticky session=sid', mapped => 'LBSticky session=sid',
    mcp => 'LBSticky header=Mcp-Session-Id', quest => 'LBSticky query=sid',
    tomcat => 'LBSticky session=JSESSIONID path=jsessionid',
    addr => 'LBSticky ip', mark => "LBSticky cookie\nLBStickyCookie name=LB first=off",
    open => "LBSticky cookie\nLBStickyCookie name=LB first=off strip=off",
    away => "LBSticky session=sid\nLBStickyFailback return\nLBStickyRetry on=connect",
    server => <<'CONF');
LBStickyMethod round-robin
LBStickyAdmin  on
ProxyPassReverseCookiePath   "/inner" "/mapped"
ProxyPassReverseCookieDomain "inner.example" "www.example.com"
ErrorDocument 404 "httpd's own"
<Location "/quest/own/">
    ProxyErrorOverride on 404
</Location>
CONF

sub escape ($text) { return $text =~ s/([^\w-])/sprintf '%%%02X', ord $1/ger }

# GET with these Set-Cookie lines in the answer.
sub setting ($uri, @lines) {
    return "$uri?" . join '&', map { 'cookie=' . escape($_) } @lines;
}

sub sid (@values) {
    return headers => [['Cookie', join '; ', map { "sid=$_" } @values]];
}

sub ask ($uri, %o) {
    my $r = $h->get($uri, %o);
    return (verdict($r), $r->member);
}

# Four members take turns: who is asked six times was bound.
sub stays ($member, $what, $uri, %o) {
    my %seen;
    $seen{join ' ', ask($uri, %o)}++ for 1 .. 6;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is_deeply \%seen, {"kept $member" => 6}, $what;
}

sub starts ($uri, %o) {
    my ($verdict, $member) = ask($uri, %o);
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    like $verdict, qr/^new (?:first|unknown)$/, "$uri: a pick";
    return $member;
}

my $serial = 0;
my $GONE = '; Expires=Thu, 01 Jan 1970 00:00:00 GMT';
my @host = (host => 'www.example.com');

# A known session, whose answer then has these lines: is it there afterwards?
sub survives ($want, $what, $uri, @lines) {
    my $id = 'known' . $serial++;
    my $m = starts($uri, sid($id), @host);
    is((ask(setting($uri, @lines), sid($id), @host))[0], 'kept', $what);
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return $want ? stays($m, 'it stays', $uri, sid($id), @host)
                 : is((ask($uri, sid($id), @host))[0], 'new unknown', 'it is over');
}

subtest 'a cookie is set for one path and ended for another' => sub {
    for my $lines (['sid=%s; Path=/', "sid=; Path=/legacy$GONE"],
                   ["sid=; Path=/legacy$GONE", 'sid=%s; Path=/'],
                   ['sid=%s; Path=/', "sid=; Path=/sess$GONE", "sid=; Max-Age=0"],
                   ["sid=; Path=/; Domain=example.com$GONE", 'sid=%s; Path=/']) {
        my $id = 'set' . $serial++;
        my ($first, $m) = ask(setting('/sess/', map { s{%s}{$id}r } @$lines), @host);
        is $first, 'new first', join ', ', @$lines;
        stays($m, 'the cookie that was set is the session', '/sess/', sid($id), @host);
    }
};

subtest 'only a cookie whose path covers the request ends the session shown' => sub {
    survives(1, 'another path', '/sess/', "sid=; Path=/legacy$GONE");
    survives(1, 'a path below', '/sess/', 'sid=; Path=/sess/deeper; Max-Age=0');
    survives(1, 'a path that only begins like it', '/sess/', 'sid=; Path=/ses; Max-Age=0');
    survives(1, 'the default path of another name', '/sess/', 'Sid=; Max-Age=0');
    survives(1, 'another domain', '/sess/', "sid=; Path=/; Domain=other.example$GONE");
    survives(1, 'a domain below', '/sess/', 'sid=; Domain=a.www.example.com; Max-Age=0');
    survives(1, 'and another is set', '/sess/', 'sid=; Path=/; Max-Age=0', 'sid=x; Path=/else');
    survives(0, 'the root', '/sess/', 'sid=; Path=/; Max-Age=0');
    survives(0, 'this path', '/sess/', "sid=gone; Path=/sess$GONE");
    survives(0, 'the default path', '/sess/', 'sid=; Max-Age=0');
    survives(0, 'the domain above', '/sess/', "sid=; Path=/; Domain=.example.com$GONE");
    survives(0, 'a path and the root', '/sess/', 'sid=; Path=/sess; Max-Age=0', 'sid=; Max-Age=0; Path=/');
};

subtest 'paths and domains are those that the browser sees' => sub {
    survives(0, 'the member says its own path', '/mapped/', 'sid=; Path=/inner; Max-Age=0');
    survives(1, 'a path that is not mapped', '/mapped/', 'sid=; Path=/outer; Max-Age=0');
    survives(0, 'and its own domain', '/mapped/', 'sid=; Path=/; Domain=inner.example; Max-Age=0');
    my $id = 'set' . $serial++;
    my (undef, $m) = ask(setting('/mapped/x/', "sid=$id; Path=/inner", "sid=; Path=/; Max-Age=0"));
    stays($m, 'a cookie set there is learned', '/mapped/', sid($id));
};

subtest 'each value of one name is learned' => sub {
    my (undef, $m) = ask(setting('/sess/', map { "sid=many$_; Path=/p$_" } 1 .. 5));
    stays($m, "the value of path $_", '/sess/', sid("many$_")) for 1 .. 5;
    (undef, $m) = ask(setting('/sess/', 'sid=wide; Path=/; Domain=example.com', 'sid=narrow; Path=/'), @host);
    stays($m, "$_, of two domains", '/sess/', sid($_)) for qw(wide narrow);

    # A browser shows both, the longer path first.
    my $other = starts('/sess/', sid('second'));
    is join(' ', ask('/sess/', sid('stale', 'second'))), "kept $other", 'of two values the known one counts';
    is join(' ', ask(setting('/sess/', 'sid=; Path=/sess; Max-Age=0'), sid('stale', 'second'))),
        "kept $other", 'one of them is ended';
    stays($other, 'the other is not lost by that', '/sess/', sid('second'));

    (undef, $m) = ask(setting('/sess/', (map { "sid=x$_; Path=/p$_" } 1 .. 60), 'sid=last; Path=/'));
    stays($m, 'among many the one for this path', '/sess/', sid('last'));
};

subtest 'the session shown lives on beside a cookie set for another path' => sub {
    my $m = starts('/sess/', sid('here'));
    ask(setting('/sess/', 'sid=there; Path=/else'), sid('here'));
    stays($m, "$_ is a session", '/sess/', sid($_)) for qw(here there);
};

subtest 'header=: the server hands the id out' => sub {
    for my $name (qw(Mcp-Session-Id mcp-session-id)) {
        my %seen;
        for my $n (1 .. 40) {
            my $id = "$name-$n";
            my (undef, $m) = ask("/mcp/?header=" . escape("$name:$id"));
            my ($verdict, $again) = ask('/mcp/', headers => [['Mcp-Session-Id', $id]]);
            $seen{$verdict . ($again eq $m ? ', same' : ', other')}++;
        }
        is_deeply \%seen, {'kept, same' => 40}, "$name: 40 of 40 second requests are kept";
    }
    my $id = sub ($v) { (headers => [['Mcp-Session-Id', $v]]) };
    my (undef, $m) = ask('/mcp/?header=' . escape('Mcp-Session-Id:new-one'), $id->('old-one'));
    stays($m, "$_: what was shown and what was given", '/mcp/', $id->($_)) for qw(old-one new-one);
    (undef, $m) = ask('/mcp/?status=401&header=' . escape('Mcp-Session-Id:in-401'));
    stays($m, 'handed out with a refusal', '/mcp/', $id->('in-401'));
    (undef, $m) = ask('/mcp/?header=' . escape('Mcp-Session-Id:'));
    is((ask('/mcp/'))[0], 'new first', 'an empty one is none');
};

# With an echo of the id in the answer, as some servers do.
subtest 'an answer that refuses an unknown key teaches nothing' => sub {
    my %source = (
        sess => sub ($k) { ('/sess/?', sid($k)) },
        mcp => sub ($k) { ('/mcp/?', headers => [['Mcp-Session-Id', $k]]) },
        quest => sub ($k) { ("/quest/?sid=$k&") },
        tomcat => sub ($k) { ("/tomcat/x;jsessionid=$k?") },
    );
    for my $pool (sort keys %source) {
        for my $status (400, 401, 403, 404, 410, 500, 502, 503) {
            my $key = "wrong$status$pool";
            my ($uri, @with) = $source{$pool}->($key);
            is((ask("${uri}status=$status&header=" . escape("Mcp-Session-Id:$key"), @with))[0],
               'new unknown', "$pool: $status");
            is((ask($uri, @with))[0], 'new unknown', 'it is unknown still');
            my (undef, $m) = ask($uri, @with);
            stays($m, 'and learned from an answer', $uri, @with);
            ask("${uri}status=$status", @with);
            stays($m, 'a known one stays', $uri, @with);
        }
        my ($uri, @with) = $source{$pool}->("login$pool");
        my (undef, $m) = ask("${uri}status=302&header=" . escape('Location:/login'), @with);
        stays($m, "$pool: a redirect refuses nothing", $uri, @with);
    }
    is((ask("/quest/own/?sid=own&status=404"))[0], 'new unknown', 'a page of httpd in its place');
    is((ask("/quest/own/?sid=own"))[0], 'new unknown', 'is a refusal, too');
    my (undef, $m) = ask('/addr/?status=404', from => '127.0.0.77');
    stays($m, 'addresses are nothing that a member knows', '/addr/', from => '127.0.0.77');
};

# Ids made by one member and shown to another before anything was learned.
subtest 'Tomcat without cookies' => sub {
    for my $n (1 .. 8) {
        my $id = "T$n";
        for (1 .. 8) {
            last if $h->get("/tomcat/x;jsessionid=$id?status=400&at=web2,web3,web4")->status == 200;
        }
        my $r = $h->get("/tomcat/x;jsessionid=$id?status=400&at=web2,web3,web4");
        is $r->status . ' ' . verdict($r), '200 kept', "$id: at the member that knows it";
    }
};

subtest 'a session that is elsewhere for a while gets a new id' => sub {
    my $act = sub ($member, $action) {
        is $h->post('/lb-status/admin', {pool => 'away', action => $action,
            member => $member}, headers => [['LBSticky-Admin', '1']])->status, 200, "$action $member";
    };
    my $r = $h->get('/away/', sid('before'));
    my ($home, $backend) = (member_of($r), $r->member);
    $act->($home, 'disable');
    $r = $h->get(setting('/away/', 'sid=after; Path=/'), sid('before'));
    is verdict($r), 'moved disabled', 'its member is closed';
    my $away = $r->member;
    stays($away, 'the new id is known there', '/away/', sid('after'));
    $act->($home, 'enable');
    is((ask('/away/', sid('after')))[1], $backend, 'and goes home');
};

subtest 'a member sets a cookie of this name' => sub {
    $h->announce(qr/LBS3500/);
    for my $pool (qw(mark open)) {
        my $jar = LBS::Jar->new;
        my $uri = setting("/$pool/", 'LB=inner; Path=/', 'other=1; Path=/');
        my $r = $h->get($uri, jar => $jar);
        my $member = $r->member;
        is scalar(my @all = $r->set_cookies('LB')), 2, "$pool: both are sent";
        like $jar->value('LB'), qr/^[\w-]{48}$/, 'this server\'s cookie is the last of its name';
        my %seen;
        for (1 .. 12) {
            $r = $h->get($uri, jar => $jar);
            $seen{verdict($r) . ' ' . $r->member}++;
        }
        is_deeply \%seen, {"kept $member" => 12}, 'the visitor stays';
        is $jar->value('other'), 1, 'other cookies pass';
        my @said = $h->error_log(qr/LBS3500.*pool $pool:/);
        is @said, 1, 'it is said, once';
        like $said[0], qr/:warn\].*member \S+ sets the cookie LB\b.*name=/, 'with what to write';
        $r = $h->get(setting("/$pool/", 'LB=; Path=/; Max-Age=0'), jar => $jar);
        ok !defined $jar->value('LB'), 'an application may still end it';
    }
};

$h->no_unexpected_log(qr{LBS3315: pools mark and open have the same cookie LB});
done_testing;
