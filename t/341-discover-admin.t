#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# LBStickyDiscover admin: an operator adds members and removes them, and has the
# last word where a file names members, too.
use lib 't/lib';
use LBS::Test timeout => 240;
use LBS::State qw(pool_state member_state admin events visit);

use constant VISITORS => 12;

my @web = LBS::Backend->many(4, name => 'web');

sub conf ($sources = 'admin', %o) { return <<"CONF" }
LBSticky session=sid
LBStickySlowStart off
LBStickyAdmin on
<Proxy "balancer://app">
    BalancerMember "http://\@B1\@" route=r1
    @{[$o{more} // '']}
    LBStickyDiscover $sources interval=1s hold=1s leave=2s \\
        max=@{[$o{max} // 3]} allow=127.0.0.0/8
</Proxy>
<Proxy "balancer://plain">
    BalancerMember "http://\@B1\@" route=r1
</Proxy>
ProxyPass "/app/" "balancer://app/"
ProxyPass "/plain/" "balancer://plain/"
<Location "/lb-status">
    SetHandler lb-status
    Require local
</Location>
CONF

sub ask ($h, %field) {
    return $h->post('/lb-status/admin', {pool => 'app', %field},
                    headers => [['LBSticky-Admin', '1']]);
}

sub add ($h, $n, %more) {
    my $r = ask($h, action => 'add', url => $web[$n - 1]->url, %more);
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is $r->status, 200, "web$n is added" or diag $r->body;
    return $r->status == 200 ? $r->json : {};
}

sub names ($h) {
    return join ' ', sort map { $_->{name} }
        @{pool_state($h, 'app')->{members}};
}

sub urls (@n) { return join ' ', sort map { $web[$_ - 1]->url } @n }

sub at ($h, $n) {
    my ($m) = grep { $_->{name} eq $web[$n - 1]->url }
        @{pool_state($h, 'app')->{members}};
    return $m // {};
}

sub places ($h, @n) {
    return map {
        my $r = visit($h, $_);
        die 'status ' . $r->status . "\n" if $r->status != 200;
        $r->member
    } @n;
}

each_mpm {
    my ($mpm) = @_;
    my $h = LBS::Httpd->new(backends => \@web, conf => conf());
    $h->start;
    my ($source) = @{pool_state($h, 'app')->{discover}};
    is_deeply [@$source{qw(source state found)}], ['admin', 'ok', 0],
        'the source is well before anybody is added';

    my $m = add($h, 2, weight => '50', lbset => 0);
    is_deeply [@$m{qw(name found weight state)}],
        [$web[1]->url, 'admin', 50, 'up'], 'the answer is the member';
    my @before = places($h, 1 .. VISITORS);
    ok scalar(grep { $_ eq $web[1]->name } @before),
        'the next picks know it, in every process';
    is_deeply [events($h, 'added')], [$web[1]->url], 'an event';
    like +(grep { $_->{event} eq 'added' } @{$h->json->{events}})[0]{reason},
        qr/^admin, from 127\.0\.0\.1$/, 'names the source and the operator';
    is ask($h, action => 'add', url => $web[1]->url)->status, 200,
        'again: nothing happens';
    is at($h, 2)->{weight}, 50, 'to its weight';

    $h->graceful;
    is_deeply [places($h, 1 .. VISITORS)], \@before, 'a reload moves nobody';
    $h->stop;
    $h->start;
    is_deeply [places($h, 1 .. VISITORS)], \@before, 'nor a stop';
    is_deeply [@{at($h, 2)}{qw(found weight)}], ['admin', 50],
        'it is as it was';

    $m = ask($h, action => 'remove', member => $m->{id});
    is $m->status, 200, 'removed' or diag $m->body;
    is $m->json->{state}, 'leaving', 'it leaves';
    cmp_ok $m->json->{leaving}{deadline}, '>', 0, 'by a deadline';
    is ask($h, action => 'add', url => $web[1]->url)->json->{state}, 'up',
        'added again it is back';
    is_deeply [events($h, 'back')], [$web[1]->url], 'an event';
    is_deeply [places($h, 1 .. VISITORS)], \@before, 'with its sessions';
    $m = ask($h, action => 'remove', member => $web[1]->url, deadline => 0);
    is $m->status, 200, 'now' or diag $m->body;
    is names($h), urls(1), 'it is gone';
    is_deeply [places($h, 1 .. VISITORS)], [($web[0]->name) x VISITORS],
        'its sessions have moved';
    $h->stop;
    $h->no_unexpected_log;
};

done_testing;
