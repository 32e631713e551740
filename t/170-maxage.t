#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# LBStickyCookie maxage= and LBStickyTimeout idle=: how long a busy visitor
# stays, and who is warned.
use lib 't/lib';
use LBS::Test;
use LBS::Governed;

my @web = LBS::Backend->many(2);

subtest 'a busy visitor keeps the member' => sub {
    my $h = governed(\@web, server => 'LBStickyMethod round-robin',
        same  => "LBSticky cookie\nLBStickyTimeout idle=8s\n"
            . 'LBStickyCookie first=off maxage=8s',
        early => "LBSticky cookie\nLBStickyTimeout idle=8s\n"
            . 'LBStickyCookie first=off maxage=3s');
    $h->announce(qr/LBS3200: pool early: LBStickyCookie maxage=3s ends before/);
    my %jar = map { $_ => LBS::Jar->new } qw(same early);
    my (%lost, %renewed);
    my $begun = time;
    while (time - $begun < 10) {
        for my $pool (sort keys %jar) {
            my $r = $h->get("/$pool/", jar => $jar{$pool});
            $lost{$pool}++ if verdict($r) eq 'new first';
            $renewed{$pool}++ if verdict($r) eq 'kept' && $r->set_cookies;
        }
        sleep 0.3;
    }
    is $lost{same}, 1, 'a cookie as long as the session: picked once';
    cmp_ok $renewed{same}, '>=', 1, 'because it is sent again in time';
    cmp_ok $lost{early}, '>=', 3, 'less than half of it: again and again';
    is $renewed{early}, undef, 'it is never sent again';
    ok $h->wait_log(qr/LBS3200/), 'the log says so at start';
    $h->no_unexpected_log(qr/LBS3200/);
};

# What `httpd -t` says of a pool `app` with these lines, and of main servers.
my $t = LBS::Httpd->new;
sub said ($lines, $more = '') {
    $t->conf("$lines\n" . <<"CONF");
<Proxy "balancer://app">
    BalancerMember "http://127.0.0.1:9" route=web1
</Proxy>
$more
CONF
    my ($status, $said) = $t->configtest;
    is $status, 0, 'nothing is refused';
    return grep { /LBS3200/ } split /\n/, $said;
}

subtest 'httpd -t says what to write instead' => sub {
    my @said = said("LBSticky cookie\nLBStickyTimeout idle=2h\nLBStickyCookie maxage=1h");
    is @said, 1, 'half of it is too short';
    like $said[0], qr/pool app: LBStickyCookie maxage=1h ends .* half of LBStickyTimeout idle=2h; .*: write maxage=2h or longer, or maxage=session/,
        'says why, and what to write';
    for my $good ("LBSticky cookie\nLBStickyCookie maxage=3601s",
                  'LBSticky cookie', "LBSticky ip\nLBStickyCookie maxage=1s",
                  "LBSticky cookie\nLBStickyCookie maxage=10min\nLBStickyTimeout idle=2h max=10min",
                  "LBSticky off\nLBStickyCookie maxage=1s") {
        is scalar(my @none = said($good)), 0, $good =~ s/\n/, /gr;
    }
    my $short = "LBSticky cookie\nLBStickyCookie maxage=1min";
    my $hosts = join '', map { "<VirtualHost *:80>\nServerName $_->[0]\n$_->[1]\n</VirtualHost>\n" }
        ['as-main', ''], ['longer', 'LBStickyCookie maxage=1d'],
        ['own', 'LBStickyTimeout idle=1h'];
    @said = said($short, $hosts);
    is_deeply [map { /idle=(\w+)/ } @said], ['2h', '1h'],
        'a virtual host that inherits both directives is not told again';
};

done_testing;
