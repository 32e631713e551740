#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# LBStickyLocal files: what is a file here is served here, under this httpd's
# own rules; all else goes to the pool.
use lib 't/lib';
use LBS::Test;
use LBS::Governed;

my ($web) = LBS::Backend->many(1, name => 'web');
my $h = LBS::Httpd->new(backends => [$web], modules => [qw(cgid negotiation userdir)],
    conf => <<'CONF');
Header always set X-Decision "%{LBSTICKY_DECISION}e|%{LBSTICKY_REASON}e|%{LBSTICKY_MEMBER}e|%{LBSTICKY_SOURCE}e|%{LBSTICKY_TRIES}e"
ScriptSock "@ROOT@/run/cgid"
LBSticky      cookie
LBStickyLocal files
AllowEncodedSlashes NoDecode
<Proxy "balancer://app">
    BalancerMember "http://@B1@" route=web
</Proxy>
Alias "/media/" "@ROOT@/media/"
AliasMatch "^/dl-(.*)$" "@ROOT@/media/$1"
AliasMatch "^/(\w+)-dl/(.*)$" "@ROOT@/media/.$1/$2"
Alias "/dotted" "@ROOT@/.site/public"
Alias "/half/" "@ROOT@/media/."
UserDir "@ROOT@/home/*/www"
RewriteEngine on
# Only where the module looks for a file.
RewriteCond "%{ENV:no-proxy}" "1"
RewriteRule "^/rw-(.*)$" "@ROOT@/htdocs/$1"
RewriteRule "^/pt-(.*)$" "/$1" [PT]
RewriteCond "%{ENV:no-proxy}" "1"
RewriteRule "^/dot-(.*)$" "@ROOT@/media/.$1"
ScriptAlias "/cgi/" "@ROOT@/cgi/"
Redirect "/moved" "http://localhost/elsewhere"
<DirectoryMatch "^@ROOT@/(media|home|\.site)">
    Require all granted
</DirectoryMatch>
<Directory "@ROOT@/htdocs">
    Options -FollowSymLinks +MultiViews
</Directory>
<Directory "@ROOT@/htdocs/links">
    Options +FollowSymLinks
</Directory>
<Directory "@ROOT@/htdocs/secret">
    Require all denied
</Directory>
<Directory "@ROOT@/htdocs/headers">
    Header set X-From-Directory "yes"
    Header unset ETag
</Directory>
@STATUS@
ErrorDocument 403 /error-page?status=403
ProxyPass "/encoded" "balancer://app/encoded" mapping=encoded
ProxyPass "/" "balancer://app/"
CONF

$h->write('htdocs/a.txt', "0123456789\n");
$h->write('htdocs/sp ace.txt', "space\n");
$h->write('htdocs/encoded/sp ace.txt', "space\n");
$h->write('htdocs/page.html', "page\n");
$h->write('htdocs/dir/index.html', "index\n");
$h->write('htdocs/.hidden', "dot\n");
$h->write('htdocs/.git/config', "dot\n");
$h->write('htdocs/dir/.env', "dot\n");
$h->write('htdocs/secret/x.txt', "secret\n");
$h->write('htdocs/headers/x.txt', "headers\n");
$h->write('htdocs/moved', "a file\n");
$h->write('htdocs/links/target.txt', "target\n");
$h->write('media/pic.png', "png\n");
$h->write($_, "dot\n") for qw(media/.env media/.git/config media/dir/.env
    home/joe/www/.env media/..double);
$h->write('media/dir/x.txt', "x\n");
$h->write('home/joe/www/x.txt', "x\n");
$h->write('.site/public/x.txt', "x\n");
$h->write('.site/public/.env', "dot\n");
$h->write('cgi/run', "#!/bin/sh\necho; echo run\n", 0755);
symlink 'a.txt', $h->root . '/htdocs/link.txt';
symlink 'target.txt', $h->root . '/htdocs/links/link.txt';
symlink '/nonexistent', $h->root . '/htdocs/links/dangling.txt';
symlink '../dir', $h->root . '/htdocs/links/dir';
$h->start;

sub is_local ($r, $what) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is verdict($r), 'local', "$what: served here";
}

sub is_sent ($r, $what) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is $r->member, 'web', "$what: sent to the pool";
}

subtest 'files' => sub {
    my $r = $h->get('/a.txt');
    is_local($r, 'a file');
    is $r->body, "0123456789\n", 'its bytes';
    is $r->header('Content-Type'), 'text/plain', 'its type';
    is scalar($r->set_cookies), 0, 'and no cookie: no member was needed';
    is_local($h->request('HEAD', '/a.txt'), 'HEAD');
    is_local($h->get('/a.txt?x=y'), 'with a query');
    is_local($h->get('/sp%20ace.txt'), 'with an encoded blank');
    is_local($h->get('/encoded/sp%20ace.txt'), 'of a path mapped undecoded');
    is_local($h->get('/dir/../a.txt'), 'by way of ..');
    is_local($h->get('//a.txt'), 'with two slashes');
    is_local($h->get('/media/pic.png'), 'of an Alias');
    is_local($h->get('/dir/index.html'), 'an index by its name');
    is $h->get('/headers/x.txt')->header('X-From-Directory'), 'yes',
        '<Directory> adds its headers';
};

subtest 'requests that match no file go to the pool' => sub {
    is_sent($h->get('/missing.txt'), 'a missing file');
    is_sent($h->get('/dir'), 'a directory');
    is_sent($h->get('/dir/'), 'with its index');
    is_sent($h->get('/'), 'the root');
    is_sent($h->get($_), "dot-file $_")
        for '/.hidden', '/.git/config', '/dir/.env', '/%2egit/config';
    is_sent($h->get('/a.txt/more'), 'trailing path info');
    is_sent($h->get('/a.txt/'), 'a slash behind a file');
    is_sent($h->get('/dir%2findex.html'), 'an encoded slash');
    is_sent($h->get('/page'), 'what content negotiation would find');
    is_sent($h->get('/links/dangling.txt'), 'a link to nothing');
    is_sent($h->get('/links/dir'), 'a link to a directory');
    is_sent($h->get('/cgi/run'), 'a program of ScriptAlias');
    is_sent($h->get('/moved'), 'what another rule redirects');
    is $h->get('/moved')->header('Location'), undef, 'nothing stays of the rule';
    is_sent($h->request($_, '/a.txt', body => 'x=y'), "$_ to a file's URL")
        for qw(POST PUT DELETE OPTIONS);
};

# What the URL is mapped to counts as much as the URL.
subtest 'dot-files by every mapping' => sub {
    is_sent($h->get($_), $_) for qw(/dl-.env /dl-%2eenv /dl-.git/config
        /dl-dir/.env /git-dl/config /media/.env /media/dir/%2eenv /half/env
        /dotted/.env /~joe/.env /~joe/%2eenv /rw-.hidden /rw-.git/config
        /rw-dir/.env /pt-.hidden /pt-dir/.env /dot-env /dot-git/config
        /dl-..double /media/..double);
    is_local($h->get($_), $_) for qw(/dl-pic.png /dl-dir/x.txt /dotted/x.txt
        /~joe/x.txt /rw-a.txt /pt-a.txt);
};

subtest 'a denial stays one' => sub {
    $web->clear;
    my $r = $h->get('/secret/x.txt');
    is $r->status, 403, '<Directory> denies';
    is_deeply [map { $_->{uri} } $web->requests], ["/error-page?status=403"],
        'and nobody else is asked for the file, only for the error page';
    is $h->get('/link.txt')->status, 403, 'a link where links are not followed';
    is $h->get('/links/link.txt')->body, "target\n", 'and where they are';
    is_deeply [grep { /secret|link/ } map { $_->{uri} } $web->requests], [],
        'no member saw these URLs';
};

subtest 'as by httpd alone' => sub {
    my $r = $h->get('/a.txt', headers => [['Range', 'bytes=2-4']]);
    is $r->status, 206, 'Range';
    is $r->body, '234', 'gives a part';
    my $etag = $h->get('/a.txt')->header('ETag');
    $r = $h->get('/a.txt', headers => [['If-None-Match', $etag]]);
    is $r->status, 304, 'If-None-Match';
    is_local($r, 'and that');
    my $c = $h->connect;
    my @r = map { $h->get($_, on => $c) } '/a.txt', '/missing', '/a.txt';
    is_deeply [map { $_->body =~ /^0123/ ? 'file' : $_->member } @r],
        ['file', 'web', 'file'], 'in turn on one connection';
    is $h->json->{pools}[0]{name}, 'app', 'lb-status is reached';
};

subtest 'counted' => sub {
    my $before = $h->json->{pools}[0];
    $h->get('/a.txt') for 1 .. 5;
    $h->get('/secret/x.txt');
    my $after = $h->json->{pools}[0];
    is $after->{decisions}{local} - $before->{decisions}{local}, 6,
        'each once, the denied one too';
    is $after->{members}[0]{requests} - $before->{members}[0]{requests}, 1,
        'the member had the error page only';
};

subtest 'off' => sub {
    $h->graceful($h->{conf} =~ s/(LBStickyLocal) files/$1 off/r);
    is_sent($h->get('/a.txt'), 'a file');
    $h->graceful($h->{conf} =~ s/LBStickyLocal files//r);
    is_sent($h->get('/a.txt'), 'a file, without the directive');
};

subtest 'wrong words' => sub {
    for my $words ('', 'file', 'files files', 'off files', 'on') {
        my $t = LBS::Httpd->new(backends => [$web],
            conf => "LBSticky cookie\nLBStickyLocal $words\n");
        my ($status, $said) = $t->configtest;
        isnt $status, 0, "LBStickyLocal $words";
        like $said, qr/LBStickyLocal.*wanted off, or files or self/, 'is explained';
    }
};

$h->stop;
$h->no_unexpected_log(qr/AH01797: client denied|AH00037|AH01630: client denied/);
done_testing;
