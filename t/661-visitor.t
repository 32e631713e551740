#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# LBStickyLocal self: a request that goes over a connection between servers, or
# from a server to itself, is judged by the visitor's address, as if there were
# no such connection; and lb-status never answers one.
use lib 't/lib';
use LBS::Test timeout => 240;
use LBS::Pair;

# The servers connect to each other from 127.0.0.1. This visitor comes by a
# proxy that mod_remoteip trusts.
my $VISITOR = '203.0.113.5';
my @outside = (from => '127.0.0.8',
               headers => [['X-Forwarded-For', $VISITOR]]);

my $RULES = <<'CONF';
RemoteIPHeader X-Forwarded-For
RemoteIPInternalProxy 127.0.0.8
LBStickyAdmin on
WSGIChunkedRequest On
<Location "/lb-status">
    Require local
</Location>
<Directory "@ROOT@/htdocs/local">
    Require local
</Directory>
<Directory "@ROOT@/htdocs/near">
    Require ip 127.0.0.1 192.0.2.0/24
</Directory>
<Directory "@ROOT@/htdocs/old">
    Order deny,allow
    Deny from all
    Allow from 127.0.0.1
</Directory>
<Directory "@ROOT@/htdocs/expr">
    Require expr "%{REMOTE_ADDR} == '127.0.0.1'"
</Directory>
<Directory "@ROOT@/htdocs/theirs">
    Require ip 203.0.113.5
</Directory>
<Directory "@ROOT@/htdocs/page">
    Options +Includes
    AddOutputFilter INCLUDES .shtml
</Directory>
LogFormat "%a %h %U" visitors
CustomLog "@ROOT@/logs/visitors" visitors
CONF

my $POOL = <<'CONF';
LBSticky cookie
LBStickyCookie first=off
LBStickyMethod round-robin
LBStickySlowStart off
CONF

# Every way on which a server connects to itself: a path that ProxyPass
# changes, and an answer that may be repeated elsewhere.
my %WAY = (
    'another path' => {
        base => '/app', mount => 'ProxyPass "/app/" "balancer://app/"'},
    'another path, and the whole site' => {
        base => '/app', mount => qq(ProxyPass "/app/" "balancer://app/"\n)
            . qq(ProxyPass "/" "balancer://app/")},
    'repeated by status' => {
        base => '', pool => "${POOL}LBStickyRetry status=503\n"},
    'expr=' => {
        base => '', pool => "LBSticky expr=%{REQUEST_URI}\n"},
    'HTTP/2' => {
        base => '/app', mount => 'ProxyPass "/app/" "balancer://app/"',
        scheme => 'h2c'},
);

sub fill ($h) {
    $h->write("htdocs/$_/x.txt", "inside $_\n")
        for qw(local near old expr theirs);
    $h->write('htdocs/local/index.html', "inside local\n");
    $h->write('htdocs/page/x.shtml',
        qq(<!--#include virtual="/near/x.txt" -->\n)
        . qq(<!--#include virtual="/theirs/x.txt" -->\n));
    return;
}

# What an outsider gets, and what gets nobody anything.
sub judge ($h, $base, $where) {
    for my $dir (qw(local near old expr)) {
        my $r = $h->get("$base/$dir/x.txt", @outside);
        is $r->status, 403, "$where: $dir is closed to the visitor";
    }
    is $h->get("$base/theirs/x.txt", @outside)->body, "inside theirs\n",
        "$where: what is open to the visitor is";
    is $h->get("$base/theirs/x.txt")->status, 403,
        "$where: and not to the servers";
    is $h->get("$base/near/x.txt")->body, "inside near\n",
        "$where: a visitor from there sees what is for there";
    is $h->get("$base/wsgi/x", @outside)->json->{address}, $VISITOR,
        "$where: a program is told of the visitor";
    my $page = $h->get("$base/page/x.shtml", @outside)->body;
    like $page, qr/inside theirs/, "$where: subrequests are the visitor's";
    unlike $page, qr/inside near/, "$where: all of them";
    return;
}

sub no_status ($h, $base, $where) {
    for my $doc ('', '/', '/json', '/metrics', '/explain?pool=app') {
        for my $from ([@outside], []) {
            isnt $h->get("$base/lb-status$doc", @$from)->status, 200,
                "$where: lb-status$doc is not reached";
        }
    }
    my $r = $h->post("$base/lb-status/admin",
        {pool => 'app', member => 'm1', action => 'disable'},
        headers => [['LBSticky-Admin', 1]]);
    isnt $r->status, 200, "$where: nor is admin";
    is $h->json->{pools}[0]{members}[0]{state}, 'up', "$where: by nobody";
    return;
}

sub with_scheme ($text, $scheme) {
    return $text =~ s{"http://(127\.0\.0\.1:\d+)" route}{"$scheme://$1" route}gr;
}

my @modules = qw(include access_compat http2 proxy_http2);
my @quiet = (qr{AH01630|AH01797|AH03490|unable to include "/near},
             # children of before a reload keep connections to each other
             qr/AH0004[56]/);

# The httpd connects to itself.
each_mpm {
    my ($mpm) = @_;
    my ($h) = LBS::Pair::make(1, pool => $POOL, more => $RULES,
                              modules => \@modules);
    fill($h);
    for my $way (sort keys %WAY) {
        my %o = %{$WAY{$way}};
        my $scheme = delete $o{scheme} // 'http';
        next if $scheme ne 'http' && $mpm eq 'prefork';
        my $base = delete $o{base};
        $h->conf("Protocols h2c http/1.1\n"
            . with_scheme(LBS::Pair::again($h, %o), $scheme));
        $h->start;
        judge($h, $base, $way);
        no_status($h, $base, $way) if $base ne '';
        $h->stop;
    }
    my $logged = LBS::Proc::slurp($h->root . '/logs/visitors');
    like $logged, qr{^\Q$VISITOR $VISITOR\E /theirs/x.txt$}m, 'logs name the visitor';
    $h->no_unexpected_log(@quiet);
};

# A peer forwards.
sub pair (%o) {
    my ($m1, $m2) = LBS::Pair::make(2, pool => $POOL, more => $RULES,
                                    modules => \@modules, %o);
    fill($_) for $m1, $m2;
    $_->start for $m1, $m2;
    return ($m1, $m2);
}

my ($m1, $m2) = pair(pool => "${POOL}LBStickyFailback stay\n");

subtest 'forwarded by a peer' => sub {
    $m1->post('/lb-status/admin', {pool => 'app', member => 'm1',
        action => 'disable'}, headers => [['LBSticky-Admin', 1]]);
    $m2->post('/lb-status/admin', {pool => 'app', member => 'm2',
        action => 'enable'}, headers => [['LBSticky-Admin', 1]]);
    judge($m1, '', 'by m1');
    my $r = $m1->get('/theirs/x.txt', @outside);
    is $r->header('X-Machine'), 'm2', 'the peer has answered';
};

subtest 'a peer that mod_remoteip trusts' => sub {
    for my $h ($m1, $m2) {
        $h->graceful(LBS::Pair::again($h,
            more => $RULES =~ s/(RemoteIPInternalProxy .*)/$1 127.0.0.1/r));
    }
    $m1->post('/lb-status/admin', {pool => 'app', member => 'm1',
        action => 'disable'}, headers => [['LBSticky-Admin', 1]]);
    is $m1->get('/local/x.txt', @outside)->status, 403, 'is no visitor';
    is $m1->get('/theirs/x.txt', @outside)->body, "inside theirs\n",
        'the visitor is known all the same';
    my $r = $m1->get('/wsgi/x', from => '127.0.0.9',
        headers => [['X-Forwarded-For', '127.0.0.1']]);
    is $r->json->{address}, '127.0.0.9', 'and cannot claim an address';
};

subtest 'a marker that a client writes' => sub {
    my $seen = sub { LBS::Proc::slurp($m2->root . '/logs/hops') =~ /^(1-\S+) / };
    $m2->graceful(LBS::Pair::again($m2, more => $RULES
        . qq(CustomLog "\@ROOT\@/logs/hops" "%{lbsticky-hop}n %U"\n)));
    # A connection that m1 has kept goes to a child without this log.
    ok wait_for(sub { $m1->get('/theirs/x.txt', @outside); $seen->() }),
        'one is read off the network';
    my ($marker) = $seen->();
    my @covered = (['X-Forwarded-Proto', 'http'],
                   ['X-Forwarded-Port', $m1->port]);
    my $ask = sub ($text, $uri = '/theirs/x.txt') {
        $m2->get($uri, from => '127.0.0.9',
            headers => [['LBSticky-Hop', $text], @covered])->status
    };
    # m2 alone serves: what is not for it is served by m1.
    $m2->post('/lb-status/admin', {pool => 'app', member => 'm1',
        action => 'disable'}, headers => [['LBSticky-Admin', 1]]);
    is $ask->($marker), 200, 'the same request may be sent once more';
    is $ask->($marker, '/near/x.txt'), 403, 'another one is not let in';
    my @part = split /-/, $marker;
    is scalar(@part), 6, 'a marker has six parts';
    for my $i (0 .. $#part) {
        my @other = @part;
        $other[$i] =~ tr/0-9a-f/1-9a-f0/;
        isnt $ask->(join '-', @other), 200, "another part $i is not let in";
    }
    (my $local = $marker) =~ s/-cb007105-/-7f000001-/;
    isnt $local, $marker, 'the address of the visitor stands in it';
    is $ask->($local, '/near/x.txt'), 403, 'another address is not let in';
    is $ask->($local, '/local/x.txt'), 200, 'nor is anybody shut out';
    is $ask->("$marker, $marker"), 403, 'two of them are none';
    for my $doc (qw(json admin)) {
        is $m2->get("/lb-status/$doc", headers => [['LBSticky-Hop', $marker],
            @covered])->status, $doc eq 'json' ? 200 : 405,
            "a marker for something else does not close lb-status/$doc";
    }
};

# Who is sent to the peer first comes to this server by a connection.
subtest 'the peer refuses' => sub {
    for my $m (qw(m1 m2)) {
        $m1->post('/lb-status/admin', {pool => 'app', member => $m,
            action => 'enable'}, headers => [['LBSticky-Admin', 1]]);
    }
    my $jar = LBS::Jar->new;
    ok wait_for(sub {
        $jar = LBS::Jar->new;
        $m1->get('/wsgi/x', host => 'pair', jar => $jar)->member eq 'm2';
    }), 'a visitor of the peer';
    $m2->stop;
    $m1->announce(qr/AH00957|AH01114|Connection refused/);
    my $r = $m1->get('/near/x.txt', host => 'pair', jar => $jar, @outside);
    is $r->status, 403, 'is a visitor here, too';
    like $m1->get('/wsgi/x', @outside, host => 'pair')->json->{address},
        qr/^\Q$VISITOR\E$/, 'whose address is known';
    judge($m1, '', 'without the peer');
};

$_->stop for $m1, $m2;
$_->no_unexpected_log(@quiet) for $m1, $m2;

# A peer's clock is ten minutes ahead: to it all markers are old ones.
subtest 'a marker of another time' => sub {
    my ($here, $there) = LBS::Pair::make(2, pool => $POOL, more => $RULES,
                                         modules => \@modules);
    fill($_) for $here, $there;
    $there->{env} = {LD_PRELOAD => ($ENV{LBS_BUILD} // 'build')
                         . '/t/preload/jump.so',
                     LBS_JUMP => $there->write('conf/jump', '600')};
    $_->start for $here, $there;
    $there->announce(qr/LBS2300/);
    my %jar;
    for (1 .. 4) {
        my $jar = LBS::Jar->new;
        my $r = $here->get('/wsgi/x', host => 'pair', jar => $jar);
        $jar{$r->member} //= [$jar, $r->json->{backend}];
    }
    my ($jar, $first) = @{$jar{m2}};
    my $visit = sub ($uri, @from) {
        $here->get($uri, host => 'pair', jar => $jar, @from)
    };
    is $first, 'm2', 'a request that is for the peer is served there';
    is $visit->('/wsgi/x')->json->{backend}, 'm2', 'every time';
    is $visit->('/wsgi/x', @outside)->json->{address}, '0.0.0.0',
        'for a visitor whose address is not known';
    is $visit->("/$_/x.txt")->status, 403, "whom nothing lets in: $_"
        for qw(local near old expr theirs);
    is $visit->('/near/x.txt', from => '127.0.0.9')->status, 403,
        'and whom no server vouches for';
    my $lines = () = $there->error_log(qr/LBS2300/);
    cmp_ok $lines, '>=', 1, 'the log says that the clocks differ';
    cmp_ok $lines, '<=', scalar(my @all = $there->children),
        'once a minute and process';
    $there->graceful(LBS::Pair::again($there,
        more => $RULES =~ s/(RemoteIPInternalProxy .*)/$1 127.0.0.1/r));
    ok wait_for(sub { $visit->('/wsgi/x', @outside)->json->{address} eq $VISITOR }),
        'mod_remoteip may vouch for the peer';
    $_->stop for $here, $there;
    $_->no_unexpected_log(@quiet) for $here, $there;
};
done_testing;
