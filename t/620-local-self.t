#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# LBStickyLocal self: an httpd that is a member of its own pool answers in
# process, and nobody can tell from the answer.
use lib 't/lib';
use LBS::Test timeout => 120;
use JSON::PP ();
use LBS::Pair;
use LBS::State qw(quiet);

# Vary is left out of comparisons: it tells which rules were looked at.
my $SITE = <<'CONF';
DirectoryIndex index.html
ErrorDocument 404 /missing.html
ErrorDocument 410 "gone for good"
Alias "/alias/" "@ROOT@/alias/"
Redirect 302 "/old" "http://pair/new"
RewriteEngine on
RewriteRule "^/rewritten$" "/who.txt" [PT]
RewriteRule "^/elsewhere$" "http://other.example.com/" [R=302,L]
RewriteCond "%{HTTP:X-Forwarded-Proto}" "=https"
RewriteRule "^/secure$" "/is-https.txt" [PT]
LimitRequestBody 100000
<Directory "@ROOT@/htdocs">
    Options +Includes +FollowSymLinks +MultiViews
    AllowOverride All
    AddOutputFilter INCLUDES .shtml
</Directory>
<Directory "@ROOT@/alias">
    Require all granted
</Directory>
<Directory "@ROOT@/cgi">
    Require all granted
</Directory>
<Directory "@ROOT@/htdocs/denied">
    Require all denied
</Directory>
<Directory "@ROOT@/htdocs/auth">
    AuthType Basic
    AuthName "pair"
    AuthUserFile "@ROOT@/conf/passwd"
    Require valid-user
</Directory>
<Location "/located/">
    Header set X-Located "yes"
</Location>
<Location "/wsgi/auth">
    AuthType Basic
    AuthName "pair"
    AuthUserFile "@ROOT@/conf/passwd"
    Require valid-user
</Location>
ScriptAlias "/cgi/" "@ROOT@/cgi/"
ScriptSock "@ROOT@/run/cgid"
LBStickyAdmin on
WSGIChunkedRequest On
CONF
$SITE =~ s/^ScriptSock.*\n//m;

my @h = LBS::Pair::make(2, pool => <<'POOL',
LBSticky cookie
LBStickyCookie first=off
LBStickyMethod round-robin
LBStickySlowStart off
POOL
    modules => [qw(cgid include negotiation auth_basic authn_file authz_user
                   http2)],
    more => $SITE);
my ($m1, $m2) = @h;
for my $h (@h) {
    $h->conf("ScriptSock \"\@ROOT\@/run/cgid\"\nProtocols h2c http/1.1\n"
             . LBS::Pair::again($h));
    my $m = 'm' . $h->{pair}[0];
    $h->write('conf/passwd', "user:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n");
    $h->write('htdocs/index.html', "index of $m\n");
    $h->write('htdocs/missing.html', "error page of $m\n");
    $h->write('htdocs/is-https.txt', "https\n");
    $h->write('htdocs/dir/index.html', "dir\n");
    $h->write('htdocs/bare/file.txt', "bare\n");
    $h->write('htdocs/denied/x.txt', "denied\n");
    $h->write('htdocs/auth/x.txt', "auth\n");
    $h->write('htdocs/located/x.txt', "located\n");
    $h->write('htdocs/neg.html', "negotiated\n");
    $h->write('htdocs/page.shtml',
        qq(<!--#include virtual="/who.txt" --><!--#include virtual="/dir/index.html" -->\n));
    $h->write('htdocs/ruled/.htaccess', <<'CONF');
RewriteEngine on
RewriteRule ^inside$ target.txt
RewriteRule ^to-wsgi/(.*)$ /wsgi/$1 [PT]
RewriteRule ^gone$ - [G]
CONF
    $h->write('htdocs/ruled/target.txt', "target\n");
    $h->write('htdocs/big.txt', join '', map { "line $_\n" } 1 .. 20000);
    $h->write('alias/x.txt', "alias\n");
    $h->write('cgi/run', <<'SH', 0755);
#!/bin/sh
cat >/dev/null
if [ "$PATH_INFO" = /redirect ]; then printf 'Location: /who.txt\n\n'; exit; fi
printf 'Content-Type: text/plain\n\ncgi %s %s %s\n' "$REQUEST_METHOD" "$PATH_INFO" "$QUERY_STRING"
SH
    # The same files on both must have the same validators.
    utime 1_700_000_000, 1_700_000_000, glob $h->root . '/htdocs/*.txt';
    $h->start;
}

my $decided = \&LBS::Pair::decided;
my $json = sub ($h) { $h->json->{pools}[0] };
my @user = (headers => [['Authorization', 'Basic dXNlcjpwYXNzd29yZA==']]);

# A cookie for each member.
my %jar;
sub new_visitors () {
    %jar = ();
    for (1 .. 20) {
        my $jar = LBS::Jar->new;
        my $r = $m1->get('/wsgi', host => 'pair', jar => $jar);
        $jar{$r->member} //= $jar;
    }
    return is join(' ', sort keys %jar), 'm1 m2', 'a visitor for each member';
}
new_visitors();
sub cookie_for ($m, @more) {
    return ['Cookie', $jar{$m}->header(host => 'pair', path => '/', tls => 0)];
}

# Requests for a URL in the logs of both, when no more come.
sub lines_with ($uri) {
    my ($lines, $before) = (0, -1);
    for (1 .. 50) {
        last if $lines > 0 && $lines == $before;
        sleep 0.1;
        ($before, $lines) = ($lines,
            scalar grep { / \Q$uri\E / } map { $_->access_log } @h);
    }
    return $lines;
}

sub member_json ($h, $route) {
    return (grep { $_->{route} eq $route } @{$json->($h)->{members}})[0];
}

subtest 'the member that serves: this httpd, or another' => sub {
    my $r = $m1->get('/wsgi/one', headers => [cookie_for('m1')]);
    is $r->json->{backend}, 'm1', 'a session of this httpd';
    is $decided->($r, 1), 'kept m1', 'is kept here';
    is $decided->($r, 2), undef, 'by one server';
    $r = $m1->get('/wsgi/two', headers => [cookie_for('m2')]);
    is $r->json->{backend}, 'm2', 'a session of the other';
    is $decided->($r, 1), 'kept m2', 'is sent there';
    is $decided->($r, 2), 'local', 'and served there, not balanced again';
    is lines_with('/wsgi/one'), 1, 'no connection to itself';
    is lines_with('/wsgi/two'), 2, 'and one to the peer';
    is member_json($m1, 'm1')->{self}, JSON::PP::true, 'JSON tells which is self';
    is member_json($m1, 'm2')->{self}, JSON::PP::false, 'and which is not';
    my %got;
    $got{$m1->get('/wsgi', close => 1)->json->{backend}}++ for 1 .. 10;
    is_deeply \%got, {m1 => 5, m2 => 5}, 'new visitors are spread over both';
};

# What may differ between an answer made here and one of a peer: what the
# proxying httpd says about itself and the way.
sub essence ($r) {
    my %h;
    for (@{$r->headers}) {
        my ($name, $value) = (lc $_->[0], $_->[1]);
        next if $name =~ /^(?:date|keep-alive|connection|x-decision-.*|set-cookie
            |transfer-encoding|content-length|upgrade|vary|x-machine)$/x;
        # A file that is a second old has a weak one: the two ask in turn.
        $value =~ s{^W/}{} if $name eq 'etag';
        push @{$h{$name}}, $value;
    }
    my $body = $r->body;
    if ($body =~ /^\{"/) {
        my $said = JSON::PP->new->decode($body);
        delete $said->{headers}{$_} for qw(HTTP_X_FORWARDED_FOR
            HTTP_X_FORWARDED_HOST HTTP_X_FORWARDED_SERVER HTTP_X_FORWARDED_PORT
            HTTP_CONNECTION HTTP_TRANSFER_ENCODING);
        $body = $said;
    }
    return {status => $r->status, headers => \%h, body => $body};
}

my @SET = (
    [GET => '/wsgi/a/b?x=%20y'], [GET => '/wsgi/%C3%A4;p=1'],
    [HEAD => '/wsgi/a'], [POST => '/wsgi/post', body => 'x=y' x 1000],
    [PUT => '/wsgi/put', body => 'chunk', chunked => 1],
    [DELETE => '/wsgi/x'], [OPTIONS => '/wsgi/x'],
    (map { [GET => "/wsgi/x?status=$_"] } 204, 302, 404, 410, 500, 503),
    [GET => '/wsgi/x?empty=1'], [GET => '/wsgi/x?cookie=a%3Db%3B%20Path%3D/'],
    [GET => '/who.txt'], [HEAD => '/who.txt'], [GET => '/big.txt'],
    [GET => '/big.txt', headers => [['Range', 'bytes=10-19']]],
    [GET => '/big.txt', headers => [['Range', 'bytes=10-19,30-39,9999999-']]],
    [GET => '/big.txt', headers => [['If-Modified-Since',
                                     'Tue, 14 Nov 2023 22:13:20 GMT']]],
    [GET => '/'], [GET => '/dir'], [GET => '/dir/'], [GET => '/bare/'],
    [GET => '/nothing'], [POST => '/nothing', body => 'x'],
    [GET => '/denied/x.txt'], [GET => '/located/x.txt'], [GET => '/neg'],
    [GET => '/alias/x.txt'], [GET => '/alias/none'], [GET => '/page.shtml'],
    [GET => '/auth/x.txt'], [GET => '/auth/x.txt', @user],
    [GET => '/wsgi/auth'], [GET => '/wsgi/auth', @user],
    [GET => '/rewritten'], [GET => '/elsewhere'], [GET => '/old/path?q'],
    [GET => '/ruled/inside'], [GET => '/ruled/to-wsgi/deep?q=1'],
    [GET => '/ruled/gone'], [GET => '/ruled/.htaccess'],
    [GET => '/cgi/run/more?q'], [POST => '/cgi/run', body => 'x=y'],
    [GET => '/cgi/run/redirect'], [GET => '/cgi/none'],
    [GET => '/who.txt/more'],
    [GET => '/dir/../who.txt'], [GET => '/secure'],
    [GET => '/secure', headers => [['X-Forwarded-Proto', 'https']]],
    [POST => '/who.txt', body => 'x'],
    [POST => '/wsgi/x', body => 'x' x 150_000],
);

subtest 'the same answer from here and through a hop' => sub {
    for my $case (@SET) {
        my ($method, $uri, %o) = @$case;
        my @headers = (@{$o{headers} // []}, cookie_for('m1'));
        my ($here, $hop) = map {
            $_->request($method, $uri, %o, host => 'pair', headers => \@headers)
        } $m1, $m2;
        is_deeply essence($here), essence($hop), "$method $uri: "
            . $here->status . " of both";
    }
};

subtest 'what the program sees' => sub {
    my $r = $m1->get('/wsgi/x', headers => [
        ['Cookie', 'a=b; ' . cookie_for('m1')->[1] . '; c=d'],
        ['X-Forwarded-Proto', 'https'], ['X-Forwarded-Port', '443']]);
    my $said = $r->json->{headers};
    is $said->{HTTP_COOKIE}, 'a=b; c=d', 'its own cookies only';
    is $said->{HTTP_X_FORWARDED_PROTO}, 'http', 'what is true of the client';
    is $said->{HTTP_X_FORWARDED_PORT}, $m1->port, 'not what it claims';
    is $r->json->{scheme}, 'http', 'and the scheme of the connection';
    for my $m (qw(m1 m2)) {
        my @seen = keys %{$m1->get('/wsgi/x', headers => [cookie_for($m),
            ['LBSticky-Hop', '1-x']])->json->{headers}};
        is_deeply [grep { /HOP/ } @seen], [], "no marker, at $m";
    }
};

subtest 'counted like any member' => sub {
    quiet($m1);    # a request is counted when its answer has been sent
    my $before = member_json($m1, 'm1');
    my $pool = $json->($m1)->{decisions}{kept};
    $m1->get($_, headers => [cookie_for('m1')]) for '/wsgi/x', '/who.txt',
        '/wsgi/x?status=404', '/nothing', '/dir', '/wsgi/x?status=500', '/cgi/run',
        '/wsgi/x?empty=1';
    $m1->post('/wsgi/x', 'x' x 5000, headers => [cookie_for('m1')]);
    quiet($m1);
    my $after = member_json($m1, 'm1');
    my %by = map { $_ => $after->{responses}{$_} - $before->{responses}{$_} }
        keys %{$before->{responses}};
    is_deeply \%by, {'1xx' => 0, '2xx' => 5, '3xx' => 1, '4xx' => 2, '5xx' => 1},
        'responses by class';
    is $after->{requests} - $before->{requests}, 9, 'requests';
    # Questions of the servers to each other may come besides: "local".
    is $json->($m1)->{decisions}{kept} - $pool, 9, 'decisions, each once';
    is $after->{inflight}, 0, 'nothing in flight';
    is $after->{failures}, 0, 'a status is no failure';
    cmp_ok $after->{latency_ms}{ewma}, '>', 0, 'latency';
    cmp_ok $after->{bytes_in} - $before->{bytes_in}, '>=', 5000, 'bytes in';
    cmp_ok $after->{bytes_out} - $before->{bytes_out}, '>', 1000, 'bytes out';
    my ($slow) = in_parallel(2, sub ($i) {
        return $m1->get('/wsgi/x?sleep=1', headers => [cookie_for('m1')])->status
            if $i;
        return wait_for(sub { member_json($m1, 'm1')->{inflight} }, 3);
    });
    is $slow, 1, 'in flight while it works';
    ok wait_for(sub { member_json($m1, 'm1')->{inflight} == 0 }), 'and not after';
    $m1->get('/wsgi/x', headers => [['Authorization', 'x']]) for 1 .. 3;
    my $c = $m1->connect;
    $c->send_request('GET', '/wsgi/x?sleep=0.3', headers => [cookie_for('m1')]);
    sleep 0.1;
    $c->close(reset => 1);
    ok wait_for(sub { member_json($m1, 'm1')->{inflight} == 0 }),
        'nor when the client leaves';
};

subtest 'learned like from any member' => sub {
    my $jar = LBS::Jar->new;
    my %first;
    for (1 .. 2) {
        my $r = $m1->get('/wsgi/x');
        my ($line) = $r->set_cookies('LBSTICKY_app');
        like $line, qr/^LBSTICKY_app=[\w-]{48};/, 'a new visitor gets a cookie';
        $first{$r->member} = $line;
    }
    is join(' ', sort keys %first), 'm1 m2', 'of either';
    my %by_error;
    for my $uri (qw(/nothing /nothing /dir /dir /ruled/gone /ruled/gone)) {
        my @lines = $m1->get($uri)->set_cookies('LBSTICKY_app');
        $by_error{$uri}{scalar @lines}++;
    }
    is_deeply \%by_error, {map { $_ => {1 => 2} } qw(/nothing /dir /ruled/gone)},
        'error pages and redirects carry exactly one, too';
};

sub admin ($h, %form) {
    return $h->post('/lb-status/admin', {pool => 'app', %form},
        headers => [['LBSticky-Admin', 1]])->status;
}

subtest 'the own member out' => sub {
    is admin($m1, member => 'm1', action => 'disable'), 200, 'disabled';
    my $r = $m1->get('/wsgi/x', headers => [cookie_for('m1')]);
    is $decided->($r, 1), 'moved disabled m2', 'its sessions move';
    is $r->json->{backend}, 'm2', 'to the other';
    $r = $m2->get('/wsgi/x', headers => [cookie_for('m1')]);
    is $r->json->{backend}, 'm1', 'a peer that was not told still sends requests here, and they are served';
    is admin($m1, member => 'm1', action => 'enable'), 200, 'enabled';
    is admin($m1, member => 'm1', action => 'drain'), 200, 'draining';
    is_deeply [map { $m1->get('/wsgi/x')->member } 1 .. 4], [('m2') x 4],
        'no new sessions';
    is admin($m1, member => 'm1', action => 'enable'), 200, 'enabled';
    ok wait_for(sub { $m1->get('/wsgi/x')->member eq 'm1' }), 'and picked again';
};

subtest 'the own member full' => sub {
    $m1->graceful("ScriptSock \"\@ROOT\@/run/cgid\"\nProtocols h2c http/1.1\n"
        . LBS::Pair::again($m1, pool => <<'POOL'));
LBSticky cookie
LBStickyCookie first=off
LBStickyMethod round-robin
LBStickySlowStart off
LBStickyLimit inflight=1
POOL
    new_visitors();
    my @r = in_parallel(2, sub ($i) {
        sleep 0.3 if $i;
        my $r = $m1->get('/wsgi/x?sleep=1', headers => [cookie_for('m1')]);
        return $decided->($r, 1);
    });
    is $r[0], 'kept m1', 'one request';
    is $r[1], 'moved full m2', 'a second one is served by the other';
};

subtest 'HTTP/2' => sub {
    my $url = 'http://127.0.0.1:' . $m1->port . '/wsgi/x';
    for my $m (qw(m1 m2)) {
        my ($c) = cookie_for($m)->[1];
        my $said = qx(curl -sm 5 --http2-prior-knowledge -H 'Host: pair' -H 'Cookie: $c' '$url');
        my $program = JSON::PP->new->decode($said || '{}');
        is $program->{backend}, $m, "a session of $m";
    }
};

subtest 'where a connection to itself is needed' => sub {
    my %way = (
        'another path' => [mount => 'ProxyPass "/shop/" "balancer://app/wsgi/"',
                           '/shop/far'],
        'expr=' => [pool => 'LBSticky expr=%{REQUEST_URI}', '/wsgi/expr'],
        'retry by status' => [pool => "LBSticky cookie\nLBStickyRetry status=503",
                              '/wsgi/retry'],
    );
    for my $what (sort keys %way) {
        my @o = @{$way{$what}};
        my $uri = pop @o;
        $m1->graceful(LBS::Pair::again($m1, @o,
            members => sub ($n) { $n }) =~ s/^ScriptAlias.*\n//mr);
        my $r = $m1->get($uri);
        is $r->json->{backend}, 'm1', "$what: served";
        is $r->json->{path}, $uri =~ s{^/\w+}{}r, 'as the path it maps to';
        my $to = $uri =~ s{^/shop}{/wsgi}r;
        is lines_with($to), $to eq $uri ? 2 : 1, 'over a connection';
    }
};

subtest 'the other dies' => sub {
    $m1->graceful(LBS::Pair::again($m1) =~ s/^ScriptAlias.*\n//mr);
    $m1->announce(qr/AH00957|AH01114|Connection refused/);
    $m2->stop;
    my $jar = $jar{m2};
    my @r = map { $m1->get('/wsgi/x', host => 'pair', jar => $jar) } 1 .. 3;
    is_deeply [map { $_->status } @r], [200, 200, 200], 'no error';
    is_deeply [map { $_->json->{backend} } @r], ['m1', 'm1', 'm1'], 'served here';
    is_deeply [map { $decided->($_, 1) } @r],
        ['moved down m1', 'kept m1', 'kept m1'], 'the session moved once';
    my $r = $m1->post('/wsgi/x', 'body', headers => [cookie_for('m2')]);
    is $r->json->{body_length}, 4, 'bodies arrive whole';
};

$_->stop for @h;
$_->no_unexpected_log(
    qr/AH01630|AH01797|AH01617|AH01618|AH00128|AH01264|AH03490/) for @h;
done_testing;
