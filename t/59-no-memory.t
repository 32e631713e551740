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
is weight('web2')->status, 500, 'nor half of a member';
is weight('web3')->status, 200, 'another member has all it needs';

$h->write(forget => "web$MEMBERS");
$r = json();
is $r->status, 200, 'a long one has begun when memory ends';
like $r->body, qr/"route":"web2"/, 'its beginning is there';
ok $r->incomplete, 'and it is seen to be cut off: ' . ($r->error // '');

unlink $h->{env}{LBS_FORGET};
is scalar @{json()->json->{pools}[0]{members}}, $MEMBERS, 'later it is whole again';

is scalar(() = $h->error_log(qr/LBS2700: .*could not be written/)), 3, 'each is in the log';
$h->no_unexpected_log(qr/LBS2700/);
done_testing;
