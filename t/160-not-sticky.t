#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# LBSticky none: methods, retries, ejection and admin changes as in any pool,
# and nobody is remembered.
use lib 't/lib';
use LBS::Test;
use LBS::Governed;
use LBS::State;

my @web = LBS::Backend->many(3, name => 'web');

# What mod_proxy tells of connections it lost or could not open.
my @TOLD = (qr/\[proxy(?:_http)?:error\]/, qr/\[proxy_http:warn\]/,
            qr/LBS160[0-3]/);

sub start (%o) {
    my $h = governed(\@web, server => "LBStickyMethod round-robin\n"
        . "LBStickySlowStart off\n", %o);
    $h->announce(@TOLD);
    return $h;
}

# Turns are given out anew with the next tick, so until then who is closed has
# some that others take.
sub in_turns ($h, $want, $what) {
    my $got;
    wait_for(sub {
        $got = spread(map { $h->get('/none/') } 1 .. 6);
        join(' ', map { $_, $got->{$_} } sort keys %$got)
            eq join(' ', map { $_, $want->{$_} } sort keys %$want)
    });
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is_deeply($got, $want, $what);
}

sub becomes ($h, $pool, $route, $state) {
    return wait_for(sub { member_state($h, $pool, $route)->{state} eq $state });
}

sub clear { $_->clear for @web; return }
sub pool ($h, $name = 'none') { return pool_state($h, $name) }

subtest 'nothing is set, learned or taken from a client' => sub {
    my $h = start(none => 'LBSticky none', sticky => 'LBSticky cookie ip');
    my $jar = LBS::Jar->new;
    $h->get('/sticky/', jar => $jar);
    my $token = $jar->value('LBSTICKY_sticky');
    my $entries = $h->json->{table}{entries};
    cmp_ok $entries, '>', 0, 'another pool remembers somebody';
    my @shows = (LBSTICKY_none => $token, sid => 'x.r2', JSESSIONID => 'y.r3');
    clear();
    my @r = map {
        $h->get('/none/page;JSESSIONID=z.r1?sid=q.r1&cookie=sid%3Dnew',
                headers => cookie_of(@shows))
    } 1 .. 12;
    is_deeply spread(@r), {web1 => 4, web2 => 4, web3 => 4}, 'each is a pick';
    is scalar(grep { $_->set_cookies('LBSTICKY_none') } @r), 0,
        'no cookie of ours';
    is_deeply [map { ($_->set_cookies)[0] } @r], [('sid=new') x 12],
        'the application keeps its own';
    is scalar(grep { $_->header('Cache-Control') } @r), 0, 'nor a word to caches';
    is_deeply [map { verdict($_) } @r], [('none') x 12], 'decisions';
    is_deeply [map { source_of($_) } @r], [('') x 12], 'by no source';
    is_deeply [map { attempts_of($_) } @r], [(1) x 12], 'one attempt each';
    my ($sent) = map { $_->{headers} } $web[0]->requests;
    is_deeply [map { $_->[1] } grep { $_->[0] eq 'Cookie' } @$sent],
        ['sid=x.r2; JSESSIONID=y.r3'],
        'members see every cookie but the one from a time when the pool was sticky';
    sleep 0.3;    # counts of sessions come with the tick
    my $p = pool($h);
    is $p->{requests}, 12, 'each counts';
    is $p->{decisions}{none}, 12, 'as a decision';
    is $p->{decisions}{kept}, 0, 'none was kept';
    is_deeply [$p->{sessions}, map { $_->{sessions} } @{$p->{members}}],
        [0, 0, 0, 0], 'no sessions';
    is $h->json->{table}{entries}, $entries, 'no entry in the table';
    like $h->get('/lb-status/metrics')->body,
        qr/^lbsticky_decisions_total\{pool="none",vhost="[^"]+",decision="none",reason=""\} 12$/m,
        'for Prometheus, too';
    $h->graceful;
    is pool($h)->{decisions}{none}, 12, 'a reload keeps the count';
    $h->no_unexpected_log;
};

subtest 'failures are hidden' => sub {
    my $h = start(none => "LBSticky none\nLBStickyEject off\nLBStickyRetry budget=100",
                  off => "LBSticky none\nLBStickyEject off\nLBStickyFailover off");
    $web[0]->refuse;
    clear();
    for my $pool (qw(none off)) {
        my @r = map { $h->post("/$pool/", "body $_") } 1 .. 6;
        is scalar(grep { $_->status == 200 } @r), 6,
            "$pool: refused connections go elsewhere, a POST, too";
        is_deeply [map { verdict($_) } @r], [('none') x 6], 'as what they were';
        my @tries = map { $_->{TRIES} } decided($h, 6, "/$pool/");
        # The second one is a pick like any other. A moment after the first
        # the member may be known to be down.
        like "@tries", qr/^2(?: [12]){5}$/,
            'each to web1 took two';
        is pool($h, $pool)->{decisions}{none}, 6, 'each is counted once';
    }
    $web[0]->accept;
    ok becomes($h, none => r1 => 'up'), 'it is back';
    in_turns($h, {web1 => 2, web2 => 2, web3 => 2}, 'and has its turn');
    clear();
    $web[1]->set(reset => 'before');
    my @r = map { $h->get("/none/get?$_") } 1 .. 9;
    is scalar(grep { $_->status == 200 } @r), 9, 'lost connections are repeated';
    my $twice = grep { $_->{TRIES} > 1 } decided($h, 9, '/none/get');
    cmp_ok $twice, '>=', 3, 'of which there were some';
    is pool($h)->{retries}, $twice, 'each is counted';
    my %status = (502 => 0, 200 => 0);
    $status{$h->post("/none/post?$_", 'x')->status}++ for 1 .. 9;
    is_deeply \%status, {200 => 6, 502 => 3}, 'but not a POST';
    $_->refuse for @web;
    my $r = $h->get('/none/last');
    is $r->status . ' ' . verdict($r), '503 refused down', 'nobody is left';
    like $r->header('Retry-After'), qr/^[1-9]\d*$/, 'when to try again';
    is pool($h)->{decisions}{refused}{down}, 1, 'counted as refused';
    $_->accept for @web;
    $_->set for @web;
    ok quiet($h), 'quiet';
    $h->no_unexpected_log;
};

subtest 'a failing member is ejected, and comes back' => sub {
    my $h = start(none => "LBSticky none\nLBStickyEject failures=2 hold=2s-2s");
    $web[2]->set(reset => 'before');
    $h->get('/none/') for 1 .. 6;
    is member_state($h, 'none', 'r3')->{state}, 'ejected', 'two in a row';
    $web[2]->set;
    clear();
    in_turns($h, {web1 => 3, web2 => 3}, 'the others take turns');
    is $web[2]->deliveries, 0, 'nothing is sent there';
    ok wait_for(sub {
        $h->get('/none/');
        member_state($h, 'none', 'r3')->{state} eq 'up'
    }, 5), 'until its hold is over and it answers';
    in_turns($h, {web1 => 2, web2 => 2, web3 => 2}, 'then it has its share');
    $h->no_unexpected_log;
};

subtest 'a member that an operator closes gets nothing at once' => sub {
    my $h = start(none => 'LBSticky none', server => "LBStickyMethod round-robin\n"
        . "LBStickySlowStart off\nLBStickyAdmin on\n");
    for my $action (qw(drain disable standby)) {
        my $m = admin($h, none => 'r2', $action);
        clear();
        in_turns($h, {web1 => 3, web3 => 3}, "$action: the others take turns");
        is $web[1]->deliveries, 0, "$action: nothing is sent there";
        is $m->{drain}{sessions_left}, 0, 'nobody is left' if $action eq 'drain';
        admin($h, none => 'r2', 'enable');
        in_turns($h, {web1 => 2, web2 => 2, web3 => 2}, 'enabled again');
    }
    admin($h, none => 'r2', 'forget');
    is_deeply spread(map { $h->get('/none/') } 1 .. 6),
        {web1 => 2, web2 => 2, web3 => 2}, 'there is nothing to forget';
    $h->no_unexpected_log;
};

done_testing;
