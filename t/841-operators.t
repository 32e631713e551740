#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What operators changed outlives reloads and stops, until the file says
# something else; drains end when and how they were told to.
use lib 't/lib';
use LBS::Test timeout => 180;
use LBS::Governed;
use LBS::State qw(:DEFAULT visit);

my @web = LBS::Backend->many(3);
my $SERVER = <<'CONF';
LBStickyAdmin on
<Location "/manager">
    SetHandler balancer-manager
</Location>
CONF

# Members r1, r2, r3 with what the file says of each.
sub conf (%say) {
    return governed_text(\@web, server => $SERVER, app => join "\n",
        'LBSticky session=sid', 'LBStickySlowStart off',
        map { qq(BalancerMember "http://\@B$_\@" route=r$_ ) . ($say{"r$_"} // '') }
            1 .. 3);
}

sub httpd (%say) {
    my $h = LBS::Httpd->new(backends => \@web, conf => conf(%say));
    return $h->start;
}

# As its form does it, with nonce and Referer.
sub manager ($h, $member, %field) {
    my @from = (headers => [['Referer', 'http://localhost:' . $h->port . '/manager']]);
    my ($nonce) = $h->get('/manager', @from)->body =~ /nonce=([\w-]+)/
        or die "no nonce\n";
    my $r = $h->post('/manager',
        {w => $member, b => 'app', nonce => $nonce, %field}, @from);
    is $r->status, 200, 'balancer-manager: ' . join ' ', %field;
    return;
}

sub becomes ($h, $route, $field, $want, $what) {
    my $got;
    wait_for(sub { ($got = member_state($h, 'app', $route)->{$field}) eq $want }, 3);
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is $got, $want, $what;
}

subtest 'changes survive reloads and a full stop' => sub {
    my $h = httpd();
    admin($h, 'app', 'r1', 'disable');
    admin($h, 'app', 'r2', 'weight', weight => '3.25');
    admin($h, 'app', 'r3', 'standby');
    my $as_wanted = sub ($when) {
        my %m = map { $_ => member_state($h, 'app', $_) } qw(r1 r2 r3);
        is_deeply [map { $_->{state} } @m{qw(r1 r2 r3)}], [qw(disabled up standby)],
            "$when: states";
        is $m{r2}{weight}, 3.25, 'weight';
        is_deeply [map { $_->{override} } @m{qw(r1 r2 r3)}],
            [['state'], ['weight'], ['state']], 'and they are shown as changes';
        is_deeply spread(map { visit($h, "$when$_") } 1 .. 10), {$web[1]->name => 10},
            'and effective';
    };
    sleep 0.3;    # who is picked is worked out anew with the next tick
    $as_wanted->('then');
    $h->graceful;
    $as_wanted->('after a reload');
    sleep 0.4;    # ticks: mod_proxy has forgotten, this module must not
    $as_wanted->('some ticks later');
    $h->stop;
    $h->start;
    $as_wanted->('after a stop and start');
    sleep 0.4;
    $as_wanted->('and some ticks');
    is_deeply [events($h, 'override-dropped')], [], 'nothing was dropped';
    $h->no_unexpected_log;
};

subtest 'the file wins for the field it changes, and only for that' => sub {
    my $h = httpd();
    admin($h, 'app', 'r1', 'drain');
    admin($h, 'app', 'r1', 'weight', weight => '7');
    admin($h, 'app', 'r2', 'weight', weight => '8');
    $h->graceful(conf(r1 => 'loadfactor=5'));
    my $r1 = member_state($h, 'app', 'r1');
    is_deeply [@$r1{qw(state weight override)}], ['drain', 5, ['state']],
        'the edited weight counts, the drain stays';
    is member_state($h, 'app', 'r2')->{weight}, 8, 'another member keeps its own';
    my ($event) = grep { $_->{event} eq 'override-dropped' } @{$h->json->{events}};
    is_deeply [@$event{qw(member reason)}],
        ['r1', "the configuration's weight was changed"], 'an event says so';
    $h->stop;
    $h->conf(conf(r1 => 'loadfactor=5 status=+D', r2 => 'loadfactor=2'));
    $h->start;
    $r1 = member_state($h, 'app', 'r1');
    is_deeply [@$r1{qw(state override)}], ['disabled', []],
        'so does an edit while httpd was stopped';
    is member_state($h, 'app', 'r2')->{weight}, 2, 'for each member';
    is_deeply [sort(events($h, 'override-dropped'))], [qw(r1 r2)], 'with events';
    $h->no_unexpected_log;
};

subtest 'reset' => sub {
    my $h = httpd(r1 => 'loadfactor=4');
    admin($h, 'app', 'r1', 'weight', weight => '1');
    admin($h, 'app', 'r1', 'drain', deadline => '1h');
    my $m = admin($h, 'app', 'r1', 'reset');
    is_deeply [@$m{qw(state weight override)}], ['up', 4, []], 'back to the file';
    is $m->{drain}{deadline}, 0, 'and no drain';
    $h->graceful;
    $m = member_state($h, 'app', 'r1');
    is_deeply [@$m{qw(state weight override)}], ['up', 4, []], 'also after a reload';
    $h->no_unexpected_log;
};

subtest "balancer-manager's changes are operators' changes" => sub {
    my $h = httpd();
    my $url = $web[0]->url;
    manager($h, $url, w_status_N => 1);
    becomes($h, 'r1', 'state', 'drain', 'its drain is one');
    manager($h, $web[1]->url, w_lf => '2.5');
    becomes($h, 'r2', 'weight', 2.5, 'its weight, too');
    is_deeply member_state($h, 'app', 'r1')->{override}, ['state'], 'shown as changes';
    is_deeply [events($h, 'drain')], ['r1'], 'and told, once';
    for my $when ('a reload', 'another') {
        $h->graceful;
        sleep 0.4;
        is member_state($h, 'app', 'r1')->{state}, 'drain', "drained after $when";
        is member_state($h, 'app', 'r2')->{weight}, 2.5, 'with its weight';
    }
    $h->stop;
    $h->start;
    sleep 0.4;
    is member_state($h, 'app', 'r1')->{state}, 'drain', 'and after a stop and start';
    is member_state($h, 'app', 'r2')->{weight}, 2.5, 'with its weight';
    like $h->get('/manager', headers => [['Referer', 'http://localhost:'
        . $h->port . '/manager']])->body, qr/\Q$url\E.*Drn/, 'balancer-manager shows it';
    manager($h, $url, w_status_N => 0);
    becomes($h, 'r1', 'state', 'up', 'and ends it');
    is_deeply member_state($h, 'app', 'r1')->{override}, [], 'no change any more';
    $h->no_unexpected_log;
};

subtest 'a drain with a deadline and an idle time' => sub {
    my $h = httpd();
    my (%home, @there);
    for my $n (1 .. 200) {
        $home{$n} = visit($h, $n)->member;
        push @there, $n if $home{$n} eq $web[0]->name;
    }
    sleep 2.6;
    my @busy = @there[0 .. @there / 2];
    my @idle = @there[@there / 2 + 1 .. $#there];
    visit($h, $_) for @busy;
    my $slow = $h->connect;
    $slow->send_request('GET', '/app/?delay=1',
                        headers => [['Cookie', "sid=s$busy[0]"]]);
    ok wait_for(sub { member_state($h, 'app', 'r1')->{inflight} == 1 }, 3), 'in flight';
    my $m = admin($h, 'app', 'r1', 'drain', deadline => '3s', idle => '1s');
    my $began = time;
    is $m->{drain}{sessions_left}, scalar @there, 'sessions left';
    is $m->{inflight}, 1, 'in flight';
    cmp_ok abs($m->{drain}{used_at} - $began), '<=', 1.1, 'when it was used last';
    cmp_ok abs($m->{drain}{deadline} - $began - 3), '<=', 1.1, 'the deadline';
    cmp_ok abs($m->{drain}{since} - $began), '<=', 1.1, 'since when';
    my @r = map { visit($h, $_) } @idle;
    is_deeply [map { $_->status . ' ' . verdict($_) } @r],
        [map { '200 moved drained' } @idle], 'a session that was idle for longer moves at once';
    @r = map { visit($h, $_) } @busy;
    is_deeply [map { verdict($_) } @r], [map { 'kept' } @busy], 'the others stay';
    is member_state($h, 'app', 'r1')->{drain}{sessions_left}, scalar @busy,
        'as many are left';
    ok !(grep { visit($h, $_)->member eq $web[0]->name } 201 .. 240), 'nobody new comes';
    is $slow->response('GET')->member, $web[0]->name, 'the request there is answered';
    my $moved_at = 0;
    my %seen;
    while (time < $began + 4.5) {
        my $r = visit($h, $busy[1]);
        $seen{$r->status}++;
        $moved_at ||= time - $began if $r->member ne $web[0]->name;
        sleep 0.02;
    }
    cmp_ok abs($moved_at - 3), '<', 0.5,
        sprintf 'a busy session moves with the deadline, after %.2f s', $moved_at;
    is_deeply [keys %seen], [200], 'without an error';
    is_deeply [grep { visit($h, $_)->status != 200 } @busy], [], 'nor has any other';
    is_deeply [events($h, 'drained')], ['r1'], 'the event';
    $m = member_state($h, 'app', 'r1');
    is_deeply [$m->{sessions}, $m->{inflight}], [0, 0], 'nobody is left';
    # The end of a drain is not the end of the change.
    $h->graceful;
    sleep 0.4;
    is member_state($h, 'app', 'r1')->{state}, 'drain', 'it stays drained';
    ok !(grep { visit($h, $_)->member eq $web[0]->name } @busy), 'for everybody';
    $h->no_unexpected_log;
};

subtest 'a deadline goes on through a reload and a stop' => sub {
    my $h = httpd();
    my @there = grep { visit($h, $_)->member eq $web[0]->name } 1 .. 60;
    my $began = time;
    admin($h, 'app', 'r1', 'drain', deadline => '3s');
    $h->graceful;
    is verdict(visit($h, $there[0])), 'kept', 'kept after the reload';
    $h->stop;
    $h->start;
    is verdict(visit($h, $there[0])), 'kept', 'kept after the start';
    ok wait_for(sub { join(' ', events($h, 'drained')) eq 'r1' }, 5), 'and over';
    cmp_ok abs(time - $began - 3), '<', 0.8, 'at the time that was said';
    is verdict(visit($h, $there[0])), 'moved drained', 'then it moves';
    $h->no_unexpected_log;
};

# Tokens outlive the table, so that what is forgotten must be remembered.
subtest 'forgotten stays forgotten' => sub {
    my $h = governed(\@web, app => "LBSticky cookie\nLBStickyMethod round-robin",
                     server => $SERVER);
    my (@token, @home);
    for my $n (0 .. 3) {
        my $r = $h->get('/app/');
        ($token[$n], $home[$n]) = (token_in($r, 'LBSTICKY_app'), member_of($r));
    }
    my $of = sub ($n) {
        my $e = $h->get("/lb-status/explain?pool=app&cookie=$token[$n]")->json;
        return join ' ', grep { defined } @$e{qw(decision reason)};
    };
    my $saved = sub { (Time::HiRes::stat($h->root . '/run/lbsticky.state'))[9] // 0 };
    is_deeply [map { $of->($_) =~ /^kept/ } 0 .. 3], [1, 1, 1, 1], 'four visitors';
    is $home[3], $home[0], 'the last has the member of the first';

    admin($h, 'app', $home[0], 'forget', cookie => $token[0]);
    admin($h, 'app', $home[1], 'forget');
    my $expect = ['new unknown', 'new unknown', $of->(2), $of->(3)];
    like "@$expect[2, 3]", qr/^kept\b.* kept\b/, 'two of them are not forgotten';
    my $look = sub ($when) {
        return is_deeply [map { $of->($_) } 0 .. 3], $expect, $when;
    };
    $look->('one and a member, at once');
    $h->graceful;
    $look->('after a reload');
    $h->stop;
    $h->start;
    $look->('after a stop and a start');

    # Nothing else happens that would need a file.
    sleep 11;
    admin($h, 'app', $home[2], 'forget', cookie => $token[2]);
    my $now = time;
    ok wait_for(sub { $saved->() > $now }, 10), 'another one; it is in the file soon';
    $h->announce(qr/AH00098/);
    $h->kill_all;
    $h->start;
    $expect->[2] = 'new unknown';
    $look->('after a crash');
    my $r = $h->get('/app/', headers => cookie_of(LBSTICKY_app => $token[2]));
    is verdict($r), 'new unknown', 'the visitor is new';
    $token[2] = token_in($r, 'LBSTICKY_app');
    like $of->(2), qr/^kept/, 'and has a token that counts';
    $h->no_unexpected_log;
};

subtest 'a virtual host that inherits the pool changes nothing of that' => sub {
    my $h = LBS::Httpd->new(backends => \@web, conf => conf() . <<'CONF');
<VirtualHost 127.0.0.1:@PORT2@>
    ServerName beside
</VirtualHost>
CONF
    $h->start;
    admin($h, app => 'r1', 'weight', weight => '0.5');
    admin($h, app => 'r2', 'drain', deadline => '1h');
    $h->graceful;
    $h->stop;
    $h->start;
    $h->graceful;
    is member_state($h, 'app', 'r1')->{weight}, 0.5, 'the weight is what it was made';
    is_deeply member_state($h, 'app', 'r1')->{override}, ['weight'], 'by an operator';
    is member_state($h, 'app', 'r2')->{state}, 'drain', 'the drain goes on';
    ok member_state($h, 'app', 'r2')->{drain}{deadline} > time,
        'with its deadline';
    is_deeply [events($h, 'override-dropped')], [], 'nothing was dropped';
    $h->stop;
};

done_testing;
