#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# -D DUMP_LBSTICKY says what is in force as it is written in a configuration:
# least and greatest values, words for "none", and what needs quotes.
use lib 't/lib';
use LBS::Test;

my $h = LBS::Httpd->new;

# What a pool is told to have of a directive, written with this value.
sub in_force ($name, $value) {
    $h->conf(($name eq 'LBSticky' ? '' : "LBSticky none\n") . <<"CONF");
$name $value
<Proxy "balancer://app">
    BalancerMember "http://127.0.0.1:9" route=web1
</Proxy>
CONF
    my ($status, $said) = $h->configtest('-DDUMP_LBSTICKY');
    my ($pool) = $said =~ /^(# pool app .*)/ms;
    my ($is) = ($pool // '') =~ /^$name (.*)/m;
    die "$name $value: $said" if $status != 0 || !defined $is;
    return $is;
}

subtest 'the lines of -DDUMP_LBSTICKY can be written in place of the configuration' => sub {
    my %told = (
        LBSticky => ['none', 'ip/1/1', 'cookie session=S header=X query=q path=p '
            . 'route=R', 'cookie "expr=%{REMOTE_USER} x"',
            q('expr="%{REMOTE_USER}" and so' "expr=it's\\%{REMOTE_ADDR}")],
        LBStickyMethod => ['hash bound=1.05', 'hash bound=4'],
        LBStickyTimeout => ['idle=1s', 'idle=1001ms max=1s', 'max=off',
            'idle=3650d max=3650d'],
        LBStickyCookie => ['first=0', 'first=1ms', 'first=40min', 'maxage=1s',
            'maxage=3650d', 'maxage=session', 'domain=off samesite=off'],
        LBStickyFailback => ['idle=0', 'idle=1ms', 'idle=3650d'],
        LBStickyRetry => ['tries=0', 'tries=100 budget=0 body=0', 'budget=100%'],
        LBStickyEject => ['failures=1 window=1s hold=1ms cap=0', 'stall=off',
            'stall=100ms status=off', 'status=Auto', 'status=500,502-504', 'hold=1ms-3650d failures=1000 cap=100'],
        LBStickyCheck => ['path=/ interval=100ms timeout=10ms rise=1 fall=1',
            'path=/ interval=3650d timeout=3650d rise=100 fall=100'],
        LBStickySlowStart => ['0', '1ms', '3650d'],
        LBStickyForeign => ['off', 'HAProxy:SRV', "nginx:a'b bigip:a|b~c"],
        LBStickyLimit => ['inflight=auto', 'inflight=AUTO queue=3 wait=1s', 'inflight=1 wait=0', 'inflight=1 wait=1ms',
            'inflight=1000000 queue=256 wait=3650d'],
    );
    for my $name (sort keys %told) {
        for my $value (@{$told{$name}}) {
            my $is = in_force($name, $value);
            is in_force($name, $is), $is, "$name $value: $is";
        }
    }
    is in_force(LBStickyFailback => 'idle=0'), 'return', 'without waiting: return';
    is in_force(LBStickyTimeout => 'idle=1s'), 'idle=1s max=off', 'the shortest';
};

done_testing;
