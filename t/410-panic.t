#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# LBStickyPanic: when every member fails its check, the check is wrong.
use lib 't/lib';
use LBS::Test;
use LBS::Governed;
use LBS::State qw(pool_state);

my $SERVER = <<'CONF';
LBStickyAdmin on
CONF
my $CHECK = <<'POOL';
LBSticky cookie
LBStickySlowStart off
LBStickyCheck path=/healthz interval=200ms timeout=150ms rise=1 fall=1
POOL

sub pool ($h, $name = 'app') {
    return pool_state($h, $name);
}

sub states ($h, $name = 'app') {
    return join ' ', map { $_->{state} } @{pool($h, $name)->{members}};
}

# What visitors get to is another question.
sub weights ($h, $name = 'app') {
    return join ' ', map { $_->{effective_weight} } @{pool($h, $name)->{members}};
}

sub panics ($h, $wanted, $name = 'app') {
    return wait_for(sub { !!pool($h, $name)->{panic} == !!$wanted }, 5);
}

sub told ($h) {
    return map { "$_->{event}: $_->{reason}" } grep { $_->{event} =~ /^panic/ }
        @{$h->json->{events}};
}

sub admin ($h, $member, $action) {
    return $h->post('/lb-status/admin', {pool => 'app', member => $member,
        action => $action}, headers => [['LBSticky-Admin', '1']])->status;
}

# Who answers visitors: every status there is, and every member.
sub visitors ($h, $n = 30, $pool = 'app') {
    my %seen;
    for (1 .. $n) {
        my $r = $h->get("/$pool/");
        $seen{$r->status}++;
        $seen{$r->member}++ if $r->member ne '';
    }
    return \%seen;
}

subtest 'every check fails: visitors are served all the same' => sub {
    my @web = LBS::Backend->many(3, name => 'web');
    my $h = governed(\@web, server => $SERVER, app => $CHECK);
    ok wait_for(sub { @{[grep { $_->requests } @web]} == 3 }), 'checked';
    my ($seen) = in_parallel(2, sub ($i) {
        if ($i == 0) {
            my %status;
            my $end = time + 2.5;
            while (time < $end) {
                $status{$h->get('/app/')->status}++;
            }
            return \%status;
        }
        sleep 0.5;
        # The page is gone, and visitors of this site do not need it.
        $_->set(status => 404) for @web;
        return 1;
    });
    is_deeply [grep { !/^(?:200|404)$/ } keys %$seen], [],
        "nobody gets 503 while it begins ($seen->{200} + $seen->{404})";
    ok panics($h, 1), 'JSON says panic';
    is states($h), 'down down down', 'the members are shown as they are';
    like $h->get('/lb-status/metrics')->body,
        qr/^lbsticky_pool_panic\{pool="app"[^}]*\} 1$/m, 'so do the metrics';
    is pool($h)->{members}[0]{check}{last}, 'HTTP 404, want 200-399',
        'and the check still says why not';
    is_deeply [told($h)], ['panic: every check fails: ignored for the 3 that '
        . 'accept connections'], 'one event';
    is scalar(grep { /:warn\].*LBS3000: pool app: panic/ } $h->log_lines), 1,
        'one warning';
    like $h->get('/lb-status')->body, qr/panic: every check fails/,
        'the page says so';

    $web[1]->refuse;
    ok wait_for(sub { weights($h) eq '1 0 1' }),
        'a member that accepts no connection gets no visitors';
    my $served = visitors($h);
    is $served->{404}, 30, 'visitors are served';
    is $served->{$web[1]->name}, undef, 'by the others';

    is admin($h, 'r3', 'disable'), 200, 'an operator disables one';
    is states($h), 'down down disabled', 'it stays disabled';
    is_deeply visitors($h), {404 => 30, $web[0]->name => 30}, 'and unused';
    is admin($h, 'r3', 'drain'), 200, 'and drains it';
    is_deeply visitors($h), {404 => 30, $web[0]->name => 30},
        'no new visitors either';
    is admin($h, 'r3', 'enable'), 200, 'enabled';
    is scalar(told($h)), 1, 'all that time it is one panic';

    # The process that checks dies: the panic is known to the next one.
    my ($pid) = map { /\[pid (\d+)/ } grep { /LBS3000/ } $h->log_lines;
    $h->announce(qr/child pid $pid exit signal/);
    kill KILL => $pid;
    sleep 1.5;
    is visitors($h)->{404}, 30, 'without the child that found it';
    is scalar(told($h)), 1, 'it goes on';

    $web[2]->set;
    ok panics($h, 0), 'one member is well again: panic is over';
    is states($h), 'down down up', 'checks count again';
    is_deeply visitors($h), {200 => 30, $web[2]->name => 30}, 'only that one serves';
    is_deeply [sort map { s/:.*//r } told($h)], ['panic', 'panic-over'],
        'an event says so';
    $h->no_unexpected_log(qr/LBS3000/);
};

subtest 'whom an operator closed does not count' => sub {
    my @web = LBS::Backend->many(4, name => 'web');
    my $h = governed(\@web, server => $SERVER, app => $CHECK . <<'POOL');
BalancerMember "http://@B1@" route=r1
BalancerMember "http://@B2@" route=r2 status=+D
BalancerMember "http://@B3@" route=r3 status=+N
BalancerMember "http://@B4@" route=r4 status=+H
POOL
    ok wait_for(sub { !grep { $_->{check}{last} eq '' } @{pool($h)->{members}} }),
        'checked';
    $web[0]->set(status => 404);
    ok wait_for(sub { pool($h)->{members}[0]{state} eq 'down' }), 'one is down';
    sleep 0.5;
    ok !pool($h)->{panic}, 'no panic: the standby is well';
    is_deeply visitors($h), {200 => 30, $web[3]->name => 30}, 'and serves';
    $web[3]->set(status => 404);
    ok panics($h, 1), 'panic, though a disabled and a draining one are well';
    like states($h), qr/^down disabled drain /, 'drained and disabled members stay so';
    sleep 0.3;    # a tick
    is_deeply visitors($h), {404 => 30, $web[0]->name => 30},
        'the member serves, not the standby';
    $h->no_unexpected_log(qr/LBS3000/);
};

subtest 'LBStickyPanic off, and everything dead' => sub {
    my @web = LBS::Backend->many(2, name => 'web');
    my $h = governed(\@web, server => $SERVER,
        app => "${CHECK}LBStickyPanic off", dead => $CHECK);
    my %conf = (server => $SERVER, dead => $CHECK);
    ok wait_for(sub { !grep { $_->{check}{last} eq '' } @{pool($h)->{members}} }),
        'checked';
    $_->set(status => 404) for @web;
    ok wait_for(sub { states($h) eq 'down down' }), 'all are down';
    sleep 0.5;
    ok !pool($h)->{panic}, 'no panic';
    my $r = $h->get('/app/');
    is $r->status, 503, 'visitors get 503';
    ok $r->header('Retry-After'), 'with Retry-After';
    ok panics($h, 1, 'dead'), 'the pool beside it, same members, panics';

    $_->refuse for @web;
    ok wait_for(sub { weights($h, 'dead') eq '0 0' }), 'now all refuse';
    is $h->wait_log(qr/LBS3000: pool dead: panic: .* none accepts connections/), 1,
        'which is what the log says, and not that the check is wrong';
    is((told($h))[-1], 'panic: no member accepts connections', 'an event, too');
    like $h->get('/lb-status')->body, qr/panic: no member accepts connections/,
        'and the page';
    is $h->get('/dead/')->status, 503, 'nobody is there: 503';

    $_->accept for @web;
    ok panics($h, 1, 'dead'), 'there, and still wrong';
    $h->graceful(governed_text(\@web, %conf, app => $CHECK));
    ok panics($h, 1), 'on after a reload: panic';
    is visitors($h)->{404}, 30, 'visitors are served';
    $h->graceful(governed_text(\@web, %conf, app => "${CHECK}LBStickyPanic off"));
    ok panics($h, 0), 'off after a reload: over';
    is states($h), 'down down', 'checks count';
    $h->graceful(governed_text(\@web, %conf, app => 'LBSticky cookie'));
    like states($h), qr/^(?:up|warming) (?:up|warming)$/, 'without checks: up';
    is visitors($h)->{404}, 30, 'and visitors are served';
    $h->no_unexpected_log(qr/LBS3000/);
};

done_testing;
