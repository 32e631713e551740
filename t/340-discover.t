#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# LBStickyDiscover: members that a file lists come and go while httpd runs, and
# nobody's session moves but those of a member that leaves. LBS_CHURN: seconds
# for which members come and go all the time.
use lib 't/lib';
use LBS::Test timeout => 240;
use LBS::State qw(pool_state member_state admin events visit);

use constant VISITORS => 20;

my @web = LBS::Backend->many(4, name => 'web');

sub conf ($extra = '') { return <<"CONF" }
LBSticky session=sid
LBStickySlowStart off
LBStickyAdmin on
<Proxy "balancer://app">
    BalancerMember "http://\@B1\@" route=r1 timeout=7
    LBStickyDiscover file:\@ROOT\@/members interval=1s hold=1s leave=2s max=3 \\
        allow=127.0.0.0/8
    $extra
</Proxy>
ProxyPass "/app/" "balancer://app/"
ProxyPassReverse "/app/" "balancer://app/"
<Location "/lb-status">
    SetHandler lb-status
    Require local
</Location>
CONF

# Renamed into its place, as programs should do it.
sub list ($h, @lines) {
    $h->write('members.new', join '', map { "$_\n" } @lines);
    rename $h->root . '/members.new', $h->root . '/members' or die $!;
    return;
}

# The line of a member; the first is configured.
sub line ($n, $more = "route=r$n") { return $web[$n - 1]->url . " $more" }

sub source ($h) { return pool_state($h, 'app')->{discover}[0] }

sub routes ($h) {
    return join ' ', sort map { $_->{route} || $_->{name} }
        @{pool_state($h, 'app')->{members}};
}

sub wait_routes ($h, $want, $what) {
    my $is;
    wait_for(sub { ($is = routes($h)) eq $want }, 20);
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is $is, $want, $what;
}

# Where each visitor is; an answer that is none dies.
sub places ($h, @n) {
    return map {
        my $r = visit($h, $_);
        die 'status ' . $r->status . "\n" if $r->status != 200;
        $r->member
    } @n;
}

# Visitors that come until the member has one; a draw may take some.
sub until_at ($h, $name, $from) {
    for my $n ($from .. $from + 400) {
        return $n if (places($h, $n))[0] eq $name;
    }
    return;
}

each_mpm {
    my ($mpm) = @_;
    my $h = LBS::Httpd->new(backends => \@web, conf => conf());
    list($h, line(2));
    $h->start;
    is routes($h), 'r1 r2', 'members of the file are there from the start';
    is member_state($h, 'app', 'r2')->{found}, 'file', 'found';
    is member_state($h, 'app', 'r1')->{found}, '', 'or configured';

    my @all = 1 .. VISITORS;
    my @before = places($h, @all);
    my $at2 = until_at($h, $web[1]->name, 1000);
    ok $at2, 'the found one gets visitors';

    list($h, line(2), line(3, 'route=r3 loadfactor=2'));
    wait_routes($h, 'r1 r2 r3', 'another one comes');
    is member_state($h, 'app', 'r3')->{weight}, 2, 'with its weight';
    is_deeply [places($h, @all)], \@before, 'nobody moves for it';
    my $at3 = until_at($h, $web[2]->name, 2000);
    ok $at3, 'and it gets visitors';
    is_deeply [places($h, ($at3) x 20)], [($web[2]->name) x 20],
        'who stay, whichever process they meet';
    is_deeply [events($h, 'added')], ['r3'], 'an event';

    my $at1 = until_at($h, $web[0]->name, 1000);
    $_->set(header => 'Location: ' . $_->url . '/there', status => 302)
        for @web[0, 1];
    my $mapped = visit($h, $at1)->header('Location');
    like $mapped, qr{^http://localhost:\d+/app/}, 'ProxyPassReverse';
    is visit($h, $at2)->header('Location'), $mapped,
        'maps what a found member writes, too';
    $_->set for @web[0, 1];

    $h->graceful;
    is_deeply [places($h, @all, $at2, $at3)],
        [@before, $web[1]->name, $web[2]->name], 'a reload moves nobody';

    $h->announce(qr/LBS3604: /);
    # One after the other takes its seconds: all of them under one MPM.
    my @bad = ([], [line(2), 'web7'], ["# all\n"]);
    for my $bad ($mpm eq 'event' ? @bad : ()) {
        list($h, @$bad);
        ok wait_for(sub { source($h)->{state} eq 'stale' }, 20),
            'a bad file is told of';
        list($h, line(2), line(3));
        ok wait_for(sub { source($h)->{state} eq 'ok' }, 20), 'and a good one';
    }
    unlink $h->root . '/members';
    ok wait_for(sub { source($h)->{state} eq 'stale' }, 20), 'none at all';
    is routes($h), 'r1 r2 r3', 'and changes nothing';
    is_deeply [places($h, @all, $at2, $at3)],
        [@before, $web[1]->name, $web[2]->name], 'nor any session';

    my $id = member_state($h, 'app', 'r2')->{id};
    list($h, line(3));
    ok wait_for(sub { (member_state($h, 'app', 'r2') // {})->{state}
                          eq 'leaving' }, 20),
        'a member that is not named any more leaves';
    cmp_ok member_state($h, 'app', 'r2')->{leaving}{deadline}, '>', 0,
        'by a deadline';
    wait_routes($h, 'r1 r3', 'and is gone then');
    my @after = places($h, @all);
    is_deeply [map { $before[$_] eq $web[1]->name ? 'moved' : $after[$_] }
                   0 .. $#after],
        [map { $_ eq $web[1]->name ? 'moved' : $_ } @before],
        'only its sessions move';
    ok !(grep { $_ eq $web[1]->name } @after), 'to those that are there';
    is_deeply [events($h, 'leaving')], ['r2'], 'an event of its leaving';
    is_deeply [events($h, 'removed')], ['r2'], 'and of its end';

    list($h, line(2), line(3));
    wait_routes($h, 'r1 r2 r3', 'it comes back');
    is member_state($h, 'app', 'r2')->{id}, $id, 'as the same member';
    is_deeply [places($h, @all)], \@after, 'nobody moves for that';
    my $text = $h->get('/lb-status/metrics')->body;
    my ($members) = $text =~ /^lbsticky_discover_members\{.*\} (\d+)$/m;
    is $members, 2, 'a metric';
    $h->stop;
    $h->no_unexpected_log;
};

subtest 'refused, ignored, checked' => sub {
    my $h = LBS::Httpd->new(backends => \@web,
                            conf => conf('LBStickyCheck path=/up interval=1s'));
    $h->announce(qr/LBS3606: .*169\.254/, qr/LBS160[23]: /);
    $web[2]->set(status => 503);
    list($h, line(2));
    $h->start;
    list($h, line(2), line(3), 'http://169.254.169.254', 'http://10.1.2.3',
         'http://127.0.0.1:' . $h->port, line(1));
    wait_routes($h, 'r1 r2 r3', 'an address that may not be is no member');
    ok wait_for(sub { source($h)->{ignored} == 3 }, 20), 'it is counted';
    is source($h)->{state}, 'ok', 'the others are taken';
    is scalar(grep { $_->{event} eq 'refused-address' }
                  @{$h->json->{events}}), 1, 'one event';
    is member_state($h, 'app', 'r3')->{state}, 'joining',
        'a newcomer waits for its check';
    ok !until_at($h, $web[2]->name, 3000), 'and gets nobody';
    $web[2]->set;
    ok wait_for(sub { member_state($h, 'app', 'r3')->{state} eq 'up' }, 20),
        'until one has passed';
    ok until_at($h, $web[2]->name, 4000), 'then visitors';
    admin($h, app => 'r3', 'drain');
    is member_state($h, 'app', 'r3')->{state}, 'drain', 'it can be drained';
    list($h, line(2));
    $h->graceful;
    wait_routes($h, 'r1 r2', 'and leaves all the same');
    $h->stop;
    $h->no_unexpected_log;
};

subtest 'a crash' => sub {
    my $h = LBS::Httpd->new(backends => \@web, conf => conf());
    list($h, line(2));
    $h->start;
    list($h, line(2), line(3));
    wait_routes($h, 'r1 r2 r3', 'a member is found');
    my @before = places($h, 1 .. VISITORS);
    # By then another image of the state was begun after the last visit.
    my $saved = sub { $h->json->{table}{age_s} };
    ok wait_for(sub { $saved->() > 0 }, 20)
        && wait_for(sub { $saved->() == 0 }, 30), 'the state is saved';
    $h->kill_all;
    $h->announce(qr/AH00098: /);
    unlink $h->root . '/members';
    $h->announce(qr/LBS3604: /);
    $h->start;
    is routes($h), 'r1 r2 r3', 'the state file names them without the source';
    is_deeply [places($h, 1 .. VISITORS)], \@before, 'with their sessions';
    $h->stop;
    $h->no_unexpected_log;
};

subtest 'no request meets a member other than the one it is told of' => sub {
    my $h = LBS::Httpd->new(backends => \@web,
        conf => 'Header set X-Member "%{LBSTICKY_MEMBER}e"' . "\n"
            . conf() =~ s/leave=2s max=3/leave=1s max=9/r =~ s/^LBSticky .*/LBSticky none/r);
    my $end = time + ($ENV{LBS_CHURN} // 5);
    my %name = map { ("r$_" => $web[$_ - 1]->name) } 1 .. 4;

    list($h, line(2));
    $h->start;
    my @parts = in_parallel(4, sub ($i) {
        my %saw = (asked => 0, wrong => 0);
        my $turn = 0;
        while (time < $end) {
            # One of them also changes the list.
            list($h, map { line($_) } ([2, 3], [3, 4], [4, 2])[$turn++ % 3]->@*)
                if $i == 0 && $saw{asked} % 50 == 0;
            my $r = $h->get('/app/');
            $saw{asked}++;
            $saw{wrong}++ if $r->status != 200
                || $r->member ne $name{$r->header('X-Member')};
        }
        return \%saw;
    });
    cmp_ok $_->{asked}, '>', 20, 'requests' for @parts;
    is $_->{wrong}, 0, 'all of them well answered' for @parts;
    $h->stop;
    $h->no_unexpected_log;
};

# Members of this pool are named by address: there is nothing to look up.
for (['dns' => qr/could look up|without c-ares/],
     ['srv:app', qr/wanted srv:|without c-ares/],
     ['admin:x', qr/nothing behind it/], ['register:x', qr/nothing behind it/],
     ['file:', qr/wanted off, or .*file:PATH/],
     ['file:/x file:/x', qr/each source once/],
     ['file:/x allow=10.0.0.0/40', qr/allow=10.0.0.0\/40": wanted private/],
     ['file:/x max=257', qr/from 1 to 256/], ['file:/x hold=0', qr/hold/],
     ['file:/x ttl=3', qr/ttl/]) {
    my ($words, $said) = @$_;
    my $h = LBS::Httpd->new(backends => \@web,
        conf => conf() =~ s/LBStickyDiscover .*\n.*$/LBStickyDiscover $words/mr);
    my ($status, $text) = $h->configtest;
    ok $status != 0 && $text =~ $said, "refused: $words" or diag $text;
}

done_testing;
