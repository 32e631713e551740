#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A real browser reaches a member through httpd, keeps its cookies and sends
# them back.
use lib 't/lib';
use LBS::Test;
use LBS::Browser;

plan skip_all => LBS::Browser->missing if LBS::Browser->missing;

my $web = LBS::Backend->new(name => 'web1');
my $h = LBS::Httpd->new(backends => [$web], conf => <<'CONF');
<Proxy "balancer://app">
    BalancerMember "http://@B1@" route=web1
</Proxy>
ProxyPass "/app/" "balancer://app/"
CONF
$h->write('htdocs/page.html', <<'HTML');
<!doctype html><title>page</title>
<form action="/app/"><input id="q" name="q"><button>go</button></form>
<p id="js">off</p><script>document.getElementById('js').textContent='on'</script>
HTML
$h->start;

my $at = 'http://localhost:' . $h->port;
my $b = LBS::Browser->new;
$b->go("$at/page.html");
is $b->title, 'page', 'a page';
ok $b->text_becomes('#js', qr/^on$/), 'its script runs';
$b->type('#q', 'abc');
$b->click('button');
wait_for(sub { $b->url =~ /q=abc/ }, 5);
like $b->url, qr{/app/\?q=abc$}, 'a form is sent';
like $b->text('pre'), qr/"backend":"web1"/, 'and answered by the member';

$b->go("$at/app/?cookie=" . 'sid%3D42%3B%20Path%3D/%3B%20HttpOnly');
is $b->cookie('sid')->{value}, 42, 'a cookie of the member';
ok $b->cookie('sid')->{httpOnly}, 'with its attributes';
$b->go("$at/app/");
like $b->text('pre'), qr/\["Cookie","sid=42"\]/, 'is sent back';
is_deeply [grep { !/favicon/ } $b->console], [], 'nothing on the console';

my $other = LBS::Browser->new(javascript => 0);
$other->go("$at/page.html");
is $other->text('#js'), 'off', 'a browser without scripts';
is $other->cookie('sid'), undef, 'that shares no cookies';

done_testing;
