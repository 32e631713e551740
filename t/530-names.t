#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Names that are markup, quotes, UTF-8 or no UTF-8, and long ones: safe and
# whole on the page, in JSON, in metrics and in the log.
use lib 't/lib';
use LBS::Test;

my @web = LBS::Backend->many(3);
my $path = '/%22%3E%3Cscript%3E' . 'p' x 200;
my $h = LBS::Httpd->new(backends => \@web, conf => <<"CONF");
LBSticky cookie "session=it's&co"
LBStickyAdmin on
<Proxy "balancer://a\\"><script>alert(1)">
    BalancerMember "http://\@B1\@" "route=\\"><script>alert(1)</script>"
    BalancerMember "http://\@B2\@$path" "route=gr\xc3\xbc\xc3\x9f\\\\d'e"
    BalancerMember "http://\@B3\@" "route=\xff\xfebroken"
</Proxy>
\@STATUS\@
ProxyPass "/app/" "balancer://a\\"><script>alert(1)/"
CONF
$h->start;
$h->get('/app/');
my $state = $h->json;
my ($pool) = @{$state->{pools}};
is $pool->{name}, 'a"><script>alert(1)', 'the pool in JSON';
my @members = @{$pool->{members}};
is $members[0]{route}, '"><script>alert(1)</script>', 'a route in JSON';
is $members[1]{route}, "gr\xc3\xbc\xc3\x9f\\d'e", 'UTF-8 in JSON';
is $members[2]{route}, "\xef\xbf\xbd\xef\xbf\xbdbroken", 'what is none is replaced';
cmp_ok length $members[1]{name}, '>', 200, 'a long URL is whole';

my $escape = sub ($text) { $text =~ s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ger };
my $name = $escape->($pool->{name});
for my $query ('', "?pool=$name", map({ my $m = $_;
        ("?pool=$name&member=$m->{id}", map { "?pool=$name&member=$m->{id}&action=$_" }
         qw(drain weight forget enable)) } @members),
        '?find=%22%3E%3Cscript%3Ealert(1)', '?pool=%22%3E%3Cscript%3E', '?%22%3E%3Cscript%3E=1') {
    my $body = $h->get("/lb-status$query")->body;
    my @scripts = $body =~ /<script[^>]*>/g;
    is "@scripts" =~ tr/'/"/r, '<script src="lb-status/app.js" defer>', 'one script: ' . substr $query, 0, 40;
    ok $body !~ /it's&co/, 'no bare ampersand of a source';
}
my $metrics = $h->get('/lb-status/metrics')->body;
ok index($metrics, 'pool="a\\"><script>alert(1)"') > 0, 'a pool in metrics';
ok index($metrics, "member=\"gr\xc3\xbc\xc3\x9f\\\\d'e\"") > 0, 'a route in metrics';
ok $metrics !~ /[\xff\xfe]/, 'no broken bytes in metrics';
is scalar(grep { !/^(?:# (?:HELP|TYPE) \w+ .+|\w+(?:\{\w+="(?:[^"\\\n]|\\[\\"n])*"(?:,\w+="(?:[^"\\\n]|\\[\\"n])*")*\})? \S+)$/ }
          split /\n/, $metrics), 0, 'every line is one of the format';

my $r = $h->post('/lb-status/admin', {pool => $pool->{name}, member => $members[0]{id},
    action => 'drain'}, headers => [['LBSticky-Admin', '1']]);
is $r->status, 200, 'such a member can be changed';
is $r->json->{route}, '"><script>alert(1)</script>', 'and is the answer';
$h->post('/lb-status/admin', {pool => "x\n[error] forged line", member => "\e[2J",
    action => 'drain'}, headers => [['LBSticky-Admin', '1']]);
is scalar(grep { /^\[error\] forged/ } $h->error_log), 0, 'no line of the log is forged';
is scalar(grep { /\e/ } $h->error_log), 0, 'no escape gets to a terminal';
ok scalar(grep { /LBS2100.*forged line/ } $h->error_log), 'but it is logged';
$r = $h->get("/lb-status/explain?pool=$name&key=" . $escape->("session=it's&co:abc"));
is $r->status, 200, 'explain';
is $r->json->{source}, "session=it's&co", 'names the source';

$h->no_unexpected_log;
done_testing;
