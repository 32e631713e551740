#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# JSON there is no memory for: nobody takes a part of it for all of it.
use lib 't/lib';
use LBS::Test;

my $FORGET = ($ENV{LBS_BUILD} // 'build') . '/t/preload/forget.so';
my $MEMBERS = 300;    # more than twice what is sent at once
my $members = join '', map { sprintf qq(    BalancerMember "http://127.0.0.1:%d" route=web%d\n),
    41_000 + $_, $_ } 1 .. $MEMBERS;
my $h = LBS::Httpd->new(env => {LD_PRELOAD => $FORGET, LBS_FORGET => ''},
    conf => <<"CONF");
LBSticky cookie
LBStickyAdmin on
<Proxy "balancer://app">
$members</Proxy>
<Location "/lb-status">
    SetHandler lb-status
</Location>
ProxyPass "/" "balancer://app/"
CONF
$h->{env}{LBS_FORGET} = $h->root . '/forget';
$h->start;

sub json () { return $h->get('/lb-status/json') }
sub weight ($route) {
    return $h->post('/lb-status/admin', {pool => 'app', member => $route,
        action => 'weight', weight => 50}, headers => [['LBSticky-Admin', '1']]);
}

is scalar @{json()->json->{pools}[0]{members}}, $MEMBERS, 'with memory it is whole';

$h->write(forget => 'web2');
my $r = json();
is $r->status, 500, 'nothing was sent yet: 500';
unlike $r->body, qr/"version"/, 'and no JSON with it';
$r = weight('web2');
is $r->status, 200, 'a change is done all the same, and nobody says otherwise';
is_deeply [sort keys %{$r->json}], [qw(done id)], 'though not how the member is';
is $r->json->{done}, 'weight', 'but what was done';
my $said = qx(bin/lbctl -u http://127.0.0.1:${\$h->port}/lb-status weight app web2 50);
is "$? $said", "0 weight is done; how web2 is now could not be told\n", 'by lbctl, too';
is weight('web3')->status, 200, 'another member has all it needs';

$h->write(forget => "web$MEMBERS");
$r = json();
is $r->status, 200, 'a long one has begun when memory ends';
like $r->body, qr/"route":"web2"/, 'its beginning is there';
ok $r->incomplete, 'and it is seen to be cut off: ' . ($r->error // '');

unlink $h->{env}{LBS_FORGET};
my $members_now = json()->json->{pools}[0]{members};
is scalar @$members_now, $MEMBERS, 'later it is whole again';
is $members_now->[1]{weight}, 50, 'and what was done is seen';

is scalar(() = $h->error_log(qr/LBS2700: .*could not be written/)), 2, 'each is in the log';
is scalar(() = $h->error_log(qr/LBS2102: pool app: member web2 was changed/)), 2,
    'and each change';
$h->no_unexpected_log(qr/LBS2700|LBS2102/);
done_testing;
