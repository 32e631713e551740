#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The section on mod_status's page, and the module without mod_status.
use lib 't/lib';
use LBS::Test;

my ($web) = LBS::Backend->new(name => 'web1');
my $pool = <<'CONF';
<Proxy "balancer://a&b">
    LBSticky cookie
    BalancerMember "http://@B1@" route=web1
</Proxy>
ProxyPass "/app/" "balancer://a&b/"
CONF
my $h = LBS::Httpd->new(backends => [$web], conf => $pool . <<'CONF');
<Location "/server-status">
    SetHandler server-status
</Location>
ProxyStatus On
<Location "/manager">
    SetHandler balancer-manager
</Location>
CONF
$h->start;
$h->get('/app/', headers => [['User-Agent', "v$_"]]) for 1 .. 3;

my $page = $h->get('/server-status')->body;
ok index($page, '<h2>LBSticky</h2>') > 0, 'a section';
ok $page =~ m{<li>a&amp;b of [^:]+:\d+: 1 of 1 members serve, 3 sessions, 0 in flight; 3 requests, 0 kept, 0 moved, 0 refused</li>},
    'with the pool';

my %line = map { /^(LBSticky.*): (\d+)$/ ? ($1, $2) : () }
    split /\n/, $h->get('/server-status?auto')->body;
is $line{LBStickyCapacity}, 250_000, '?auto: the table';
is $line{LBStickyEntries}, 3, '?auto: its entries';
is $line{LBStickyProblems}, 0, '?auto: nothing is wrong';
my ($requests) = grep { /^LBSticky\[a&b of [^\]]+\]Requests$/ } keys %line;
is $line{$requests // ''}, 3, '?auto: requests of the pool';
# mod_proxy's own tables: its page of balancers and balancer-manager.
sub proxy_counters ($path) {
    my ($row) = $h->get($path)->body =~ m{<tr>\s*((?:(?!</tr>).)*>web1<.*?)</tr>}s;
    my @cell = map { s/<[^>]*>//gr } ($row // '') =~ m{<td>(.*?)</td>}gs;
    return \@cell;
}
$h->announce(qr/AH10187/);    # balancer-manager wants a Referer
my @seen;
for (1 .. 50) {
    @seen = @{proxy_counters('/manager')};
    last if grep { $_ eq '3' } @seen;
    sleep 0.1;
}
ok scalar(grep { $_ eq '3' } @seen), 'balancer-manager: Elected is what was sent'
    or diag "@seen";
ok scalar(grep { $_ eq '3' } @{proxy_counters('/server-status')}),
    'server-status, too';
$h->no_unexpected_log;

my $without = LBS::Httpd->new(backends => [$web], without => ['status'], conf => $pool);
$without->start;
is $without->get('/app/')->member, 'web1', 'it works without mod_status';
$without->no_unexpected_log;

my $none = LBS::Httpd->new(backends => [$web], conf => <<'CONF');
<Location "/server-status">
    SetHandler server-status
</Location>
CONF
$none->start;
ok index($none->get('/server-status')->body, 'LBSticky') < 0, 'no section where nothing is governed';
$none->no_unexpected_log;

done_testing;
