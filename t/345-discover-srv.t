#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# LBStickyDiscover srv: a member is a target and its port, wherever it moves.
use lib 't/lib';
use LBS::Test timeout => 200;
use LBS::Dns;
use LBS::Ports;
use LBS::State qw(pool_state events visit);

my $port = LBS::Ports::free();
my @web = map { LBS::Backend->new(name => "web$_", addr => "127.0.7.$_", ports => [$port]) } 1 .. 4;
my $dns = LBS::Dns->new;

sub conf () { return <<"CONF" }
LBSticky session=sid
LBStickySlowStart off
<Proxy "balancer://app">
    BalancerMember "http://127.0.7.1:$port" status=+S
    LBStickyDiscover srv:_http._tcp.app.test interval=1s hold=1s leave=2s \\
        allow=127.0.7.0/24 resolver=${\ $dns->addr}
</Proxy>
ProxyPass "/app/" "balancer://app/"
<Location "/lb-status">
    SetHandler lb-status
    Require local
</Location>
CONF

sub m_of ($h, $n) {
    return (grep { $_->{name} eq "http://pod$n.app.test:$port" } @{pool_state($h, 'app')->{members}})[0];
}

sub pods (%at) {
    return map { ("pod$_.app.test" => {a => ["127.0.7.$at{$_}"]}) } keys %at;
}

sub services (@s) {
    $dns->zone('_http._tcp.app.test' => {srv => [map { [$_->[1], $_->[2], $port, "pod$_->[0].app.test"] } @s]});
    return;
}

each_mpm {
    my ($mpm) = @_;
    $dns->zone(pods(2 => 2, 3 => 3, 4 => 3));
    services([2, 0, 10], [3, 0, 20]);
    my $h = LBS::Httpd->new(backends => \@web, conf => conf());
    $h->start;
    ok wait_for(sub { m_of($h, 3) }, 20), 'targets are members';
    is m_of($h, 3)->{weight}, 20, 'a weight is the loadfactor';
    is m_of($h, 3)->{found}, 'srv', 'found';
    my @all = 1 .. 12;
    my @before = map { visit($h, $_)->member } @all;
    is scalar(grep { /^web[23]$/ } @before), @all, 'who serve';

    $dns->zone(pods(2 => 4));
    my $at2 = (grep { $before[$_ - 1] eq 'web2' } @all)[0] // 99;
    $at2 = (grep { visit($h, $_)->member eq 'web2' } 100 .. 200)[0] if $at2 == 99;
    ok wait_for(sub { visit($h, $at2)->member eq 'web4' }, 20), 'a target moves';
    is_deeply [map { visit($h, $_)->member } @all],
        [map { $_ eq 'web2' ? 'web4' : $_ } @before], 'with its sessions';
    is scalar(events($h, 'added')) + scalar(events($h, 'leaving')), scalar(events($h, 'added')),
        'nobody leaves for it';
    $h->graceful;
    is_deeply [map { visit($h, $_)->member } @all],
        [map { $_ eq 'web2' ? 'web4' : $_ } @before], 'a reload keeps it';

    $dns->zone('pod2.app.test' => {mode => 'servfail'});
    my $asked = $dns->asked('pod2.app.test', 'A');
    services([2, 0, 0], [3, 1, 20]);
    ok wait_for(sub { m_of($h, 2)->{weight} == 0.01 }, 20), 'weight 0 beside others';
    ok wait_for(sub { $dns->asked('pod2.app.test', 'A') > $asked + 2 }, 20)
        && m_of($h, 2)->{state} eq 'up', 'a target whose address is not known stays';
    is_deeply [map { visit($h, $_)->member } 300 .. 306], [('web4') x 7],
        'a priority is the lbset';
    services([3, 1, 0]);
    ok wait_for(sub { !m_of($h, 2) }, 20), 'one that is not named any more leaves';
    is m_of($h, 3)->{weight}, 1, 'all weights 0: equal ones';

    if ($mpm eq 'event') {
        my $moved = (map { visit($h, $_)->member } 1)[0];
        my $saved = sub { $h->json->{table}{age_s} };
        ok wait_for(sub { $saved->() > 0 }, 20) && wait_for(sub { $saved->() == 0 }, 30), 'saved';
        $h->kill_all;
        $h->announce(qr/AH00098: /, qr/LBS3604: /);
        $dns->zone('_http._tcp.app.test' => {mode => 'servfail'});
        $h->start;
        is visit($h, 1)->member, $moved, 'the state file has its address';
    }
    $h->stop;
    $h->no_unexpected_log;
};

for (['srv:' => qr/wanted srv:/], ['srv:app.test' => qr/wanted srv:/],
     ['srv:_http._tcp..x' => qr/wanted srv:/]) {
    my ($source, $said) = @$_;
    my $h = LBS::Httpd->new(backends => \@web, conf => conf() =~ s/srv:_http\S+/$source/r);
    my ($status, $text) = $h->configtest;
    ok $status != 0 && $text =~ $said, "refused: $source" or diag $text;
}

done_testing;
