#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# LBStickyControl: whatever the scheme, the kind of answer and the modules
# beside, an application's word is heard and does not get out.
use lib 't/lib';
use LBS::Test timeout => 240;
use LBS::Governed;
use LBS::Schemes qw(two_members);

sub says ($uri, @more) { return "$uri?" . join '&', 'header=LBSticky-Move:any', @more }

sub leaks ($r) {
    return scalar grep { $_->[0] =~ /^lbsticky/i } @{$r->headers};
}

my $CONF = "LBSticky session=sid\nLBStickyControl on";
my $serial = 0;

# An answer with the word, and then the request that goes elsewhere.
sub hears ($what, $h, $uri, $status, %o) {
    my @id = (headers => [['Cookie', 'sid=e' . $serial++],
                          ['LBSticky-Moved', 'from=x'], ['lbsticky_moved', 'y']]);
    my $first = $h->get($uri, @id);
    unlike $first->body, qr/from=x|"y"/, "$what: a client's word is taken out";
    $o{before}->() if $o{before};
    my $r = $h->request($o{method} // 'GET', says($uri, @{$o{query} // []}), @id);
    $o{behind}->() if $o{behind};
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is $r->status, $status, "the answer is $status";
    ok !leaks($r), 'nothing of it reaches the client';
    my $then = $h->get($uri, @id);
    is verdict($then), 'moved asked', 'it is heard';
    isnt member_of($then), member_of($first), 'elsewhere';
    return $then;
}

for my $scheme (qw(http h2c ajp fcgi scgi uwsgi)) {
    my @web = two_members($scheme);
    my $lines = join '', map {
        qq(\nBalancerMember "$scheme://) . $web[$_]->addr . qq(" route=r) . ($_ + 1)
    } 0, 1;
    my $h = governed(\@web, app => $CONF . $lines, modules => [
        $scheme eq 'http' ? () : 'proxy_' . ($scheme eq 'h2c' ? 'http2' : $scheme)]);
    my %framed = $scheme ne 'h2c' ? ()
        : (before => sub { $_->set('send away') for @web },
           behind => sub { $_->set('answer') for @web });
    my $then = hears($scheme, $h, '/app/', 200, %framed);
    like $then->body, qr/from=r\d; reason=asked/, 'the new member is told'
        if $scheme ne 'h2c';
    $h->stop;
    $h->no_unexpected_log;
}

my @web = LBS::Backend->many(2, name => 'web');
my $h = governed(\@web, app => $CONF, over => $CONF, cached => $CONF, head => $CONF,
    modules => ['cache', 'cache_socache', 'socache_shmcb', 'http2'], server => <<'CONF');
Protocols h2c http/1.1
CacheSocache       shmcb
CacheEnable        socache "/cached"
CacheHeader        on
ErrorDocument 503 "our own page"
<Location "/over/">
    ProxyErrorOverride on
</Location>
<Location "/head/">
    Header set X-Copy "expr=%{resp:LBSticky-Move}"
    Header always set LBSticky-Site "the site's own"
</Location>
CONF

hears('an error', $h, '/app/', 404, query => ['status=404']);
hears('an error page of httpd', $h, '/over/', 503, query => ['status=503']);
hears('not modified', $h, '/app/', 304, query => ['status=304']);
hears('no content', $h, '/app/', 204, query => ['status=204']);
hears('HEAD', $h, '/app/', 200, method => 'HEAD');
hears('chunks', $h, '/app/', 200, query => ['chunked=1']);
hears('behind an interim answer', $h, '/app/', 200, query => ['early=103']);

my $r = $h->get(says('/head/'), headers => [['Cookie', 'sid=h']]);
is $r->header('LBSticky-Site'), "the site's own", 'a field that httpd sets stays';
is $r->header('X-Copy') // '', '', 'nothing is left to copy';

my $out = 0;
ok wait_for(sub {
    my $page = $h->get(says('/cached/once', 'header=Cache-Control:max-age%3D60'));
    $out += leaks($page);
    ($page->header('X-Cache') // '') =~ /^HIT/
}), 'an answer is cached';
is $out, 0, 'without it';

my $url = 'http://127.0.0.1:' . $h->port . says('/app/h2');
my $text = `curl -s -i --http2-prior-knowledge -H 'LBSticky-Moved: x' '$url' 2>&1`;
like $text, qr/^HTTP\/2 200/, 'a client with HTTP/2';
unlike $text, qr/^lbsticky/mi, 'sees nothing of it either';
$h->stop;
$h->no_unexpected_log;

done_testing;
