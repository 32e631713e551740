#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# When a change is answered with 200 the next pick goes by it: in every process,
# by every method, at every virtual host with these members.
use lib 't/lib';
use LBS::Governed;
use LBS::State;
use LBS::Test;

my @web = LBS::Backend->many(3);
my @METHODS = qw(least-load least-busy least-sessions round-robin hash);
my $three = join "\n", map { qq(BalancerMember "http://\@B$_\@" route=r$_) } 1 .. 3;
my $h = governed(\@web, children => 3, server => "LBStickyAdmin on\nLBStickySlowStart off",
    (map { ($_ => "LBSticky header=X-User\nLBStickyMethod $_\n$three") } @METHODS),
    page => "LBSticky cookie\nLBStickyCookie first=10s\n$three",
    more => qq(<VirtualHost *:\@PORT2\@>\nLBSticky header=X-User\nLBStickyMethod least-busy\n)
        . qq(ProxyPass "/heir/" "balancer://hash/"\n</VirtualHost>\nListen 127.0.0.1:\@PORT2\@));

my $user = 0;

# Where new visitors go, each on a connection of its own.
sub picks ($path, $n, %o) {
    my %seen;
    for (1 .. $n) {
        my $r = $h->get($path, headers => [['X-User', 'u' . $user++], ['Connection', 'close']], %o);
        $seen{$r->member}++;
    }
    return join ' ', sort keys %seen;
}

for my $method (@METHODS) {
    subtest $method => sub {
        my @wrong;
        for my $round (1 .. 8) {
            for my $case (['r1', 'standby', 'web2 web3'], ['r2', 'weight', 'web3', weight => 0],
                          ['r1', 'enable', 'web1 web3'], ['r3', 'standby', 'web1'],
                          ['r1', 'drain', 'web3'], ['r2', 'reset', 'web2'], ['r1', 'reset', 'web1 web2'],
                          ['r3', 'reset', 'web1 web2 web3']) {
                my ($m, $action, $may, %field) = @$case;
                admin($h, $method, $m, $action, %field) if $round == 1;
                $h->post('/lb-status/admin', {pool => $method, member => $m, action => $action, %field},
                         headers => [['LBSticky-Admin', '1']]) if $round > 1;
                my @got = split ' ', picks("/$method/", 3);
                push @wrong, "$round: $m $action: @got" if grep { $may !~ /$_/ } @got;
            }
        }
        is_deeply \@wrong, [], 'each pick goes by the change before it';
    };
}

subtest 'a virtual host that inherits the pool' => sub {
    my @wrong;
    my $heir = sub () { $h->get('/heir/', port => $h->port(2), headers => [['X-User', 'h' . $user++]])->member };
    my %seen = map { ($heir->() => 1) } 1 .. 60;
    is scalar(keys %seen), 3, 'all of them, before';
    for my $round (1 .. 6) {
        admin($h, 'hash', 'r1', 'standby');
        my @got = map { $heir->() } 1 .. 3;
        admin($h, 'hash', 'r1', 'enable');
        push @wrong, "$round: @got" if grep { $_ eq 'web1' } @got;
    }
    is_deeply \@wrong, [], 'goes by the change, too';
};

subtest 'parallel requests of one client without a cookie' => sub {
    my @wrong;
    for my $round (1 .. 6) {
        my $at = member_of($h->get('/page/'));
        is member_of($h->get('/page/')), $at, 'its requests share a pick' if $round == 1;
        admin($h, 'page', $at, $round % 2 ? 'standby' : 'weight', $round % 2 ? () : (weight => 0));
        my @got = map { member_of($h->get('/page/')) } 1 .. 3;
        push @wrong, "$round: $at, then @got" if grep { $_ eq $at || $_ ne $got[0] } @got;
        admin($h, 'page', $at, 'reset');
    }
    is_deeply \@wrong, [], 'shares another one after the change';
};

subtest 'a session whose member has no time left to drain' => sub {
    my @wrong;
    for my $round (1 .. 6) {
        my @me = (headers => [['X-User', "s$round"]]);
        my $at = member_of($h->get('/hash/', @me));
        admin($h, 'hash', $at, 'drain', deadline => 0);
        my $r = $h->get('/hash/', @me);
        push @wrong, "$round: " . verdict($r) if verdict($r) ne 'moved drained';
        admin($h, 'hash', $at, 'enable');
    }
    is_deeply \@wrong, [], 'moves with its next request';
};

$h->no_unexpected_log;
done_testing;
