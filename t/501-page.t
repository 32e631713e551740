#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The page: members that fail are listed first, downtime and turns outlive a
# reload and a restart, times name their zone, and questions say what happens.
use lib 't/lib';
use LBS::Test;
use LBS::State;

my @web = LBS::Backend->many(3);
my $conf = <<'CONF';
LBSticky cookie
LBStickySlowStart off
LBStickyAdmin on
LBStickyEject off
<Proxy "balancer://app">
    LBStickyCheck path=/health interval=200ms timeout=2s rise=1 fall=1
    BalancerMember "http://@B1@" route=web1
    BalancerMember "http://@B2@" route=web10
    BalancerMember "http://@B3@" route=web2
</Proxy>
@STATUS@
ProxyPass "/" "balancer://app/"
CONF
my $h = LBS::Httpd->new(backends => \@web, conf => $conf, env => {TZ => 'XYZ-5:45'});
$h->start;

sub page ($query = '', @o) { return $h->get("/lb-status$query", @o)->body }
sub listed ($page) { return join ' ', $page =~ m{<th scope='row'><a href='[^']*'>(web\d+)</a>}g }
sub member ($route) { return member_state($h, 'app', $route) }
sub becomes ($route, $state) {
    return ok wait_for(sub { member($route)->{state} eq $state }, 20), "$route is $state";
}

# One figure of a member in the metrics.
sub metric ($name, $route) {
    my ($value) = $h->get('/lb-status/metrics')->body =~ /^\Q$name\E\{[^}]*member="$route"\} (\S+)$/m;
    return $value;
}

# The last moment of a downtime is counted with the next tick.
sub stands_still ($what) {
    my $name = 'lbsticky_member_downtime_seconds_total';
    return ok wait_for(sub {
        my $before = metric($name, 'web10');
        sleep 0.5;
        return metric($name, 'web10') == $before;
    }, 20), $what;
}

subtest 'the order of the list' => sub {
    is listed(page()), 'web1 web2 web10', 'numbers in names count by their value';
    $web[1]->set(status => 500);
    becomes('web10', 'down');
    is listed(page()), 'web10 web1 web2', 'a member that is down comes first';
    is listed(page('?sort=name')), 'web1 web2 web10', 'unless another order is asked for';
    admin($h, 'app', 'web1', 'drain');
    is listed(page()), 'web10 web1 web2', 'then one that is drained';
    admin($h, 'app', 'web1', 'enable');
};

subtest 'downtime and turns' => sub {
    is member('web10')->{turns}, 1, 'it turned once';
    ok wait_for(sub { member('web10')->{downtime_s} >= 2 }, 20), 'its downtime grows';
    is member('web1')->{turns} + member('web1')->{downtime_s}, 0, 'that of others does not';
    is metric('lbsticky_member_turns_total', 'web10'), 1, 'a metric';
    cmp_ok metric('lbsticky_member_downtime_seconds_total', 'web10'), '>=', 1, 'and the other';
    like page(), qr{data-label='Downtime'>\d+ s <span class='note'>1 turn</span>}, 'on the page';
    my $before = member('web10')->{downtime_s};
    $h->graceful;
    is member('web10')->{turns}, 1, 'a reload is no turn';
    cmp_ok member('web10')->{downtime_s}, '>=', $before, 'and loses no time';
    $before = member('web10')->{downtime_s};
    $h->stop;
    $h->start;
    cmp_ok member('web10')->{downtime_s}, '>=', $before, 'nor does a restart';
    becomes('web10', 'down');
    is member('web10')->{turns}, 1, 'which is no turn either';
    $web[1]->set;
    becomes('web10', 'up');
    stands_still('up is no downtime');
    $web[1]->set(status => 500);
    becomes('web10', 'down');
    is member('web10')->{turns}, 2, 'down again: the second turn';
    admin($h, 'app', 'web10', 'disable');
    stands_still('closed by an operator is no downtime');
    admin($h, 'app', 'web10', 'reset');
    $web[1]->set;
    becomes('web10', 'up');
};

subtest 'errors of the last minutes, and sums of the pool' => sub {
    $h->get('/', headers => [['User-Agent', "v$_"]]) for 1 .. 12;
    my $n = 0;
    ok wait_for(sub {
        $h->get('/x?status=404', headers => [['User-Agent', 'x' . $n++]]);
        !grep { $_->{responses}{'4xx'} == 0 } @{pool_state($h, 'app')->{members}};
    }, 20), 'each member answers a 404';
    my $page = page();
    is scalar(() = $page =~ m{data-label='4xx'>[1-9]\d*(?:\.\d)?\xc2\xa0%}g), 3,
        'and has its share of 4xx';
    my %sum;
    for my $m (@{pool_state($h, 'app')->{members}}) {
        $sum{$_} += $m->{responses}{$_} for '2xx', '4xx';
    }
    like $page, qr{<dt>$_</dt><dd>$sum{$_} \(\d}, "the pool has the sum of $_" for '2xx', '4xx';
    like $page, qr{<dt>From members</dt><dd>\d}, 'and of bytes';
};

subtest 'events: one line each, in the zone of the server' => sub {
    my $page = page();
    like $page, qr{<span id='zone'>UTC\+05:45 \(XYZ\)</span>}, 'the zone is named';
    my @lines = $page =~ m{<li>(<time .*?)</li>}g;
    my ($down) = grep { /web10/ && />down</ } @lines;
    my $time = qr{<time datetime='\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ'>[^<]+</time>};
    my $whom = "<span class='who'>app / web10</span> <b class='event bad'>down</b>";
    my $why = "<span class='why'>HTTP 500, want 200-399</span>";
    like $down, qr{^$time $whom $why$}, 'time, pool, member, what, why';
    my ($utc, $local) = $down =~ /T(\d\d:\d\d):\d\dZ'>(?:\S+ )?(\d\d:\d\d):/;
    my $minutes = sub ($t) { my ($hour, $min) = split /:/, $t; return 60 * $hour + $min };
    is +($minutes->($local) - $minutes->($utc)) % 1440, 345, 'five hours and 45 minutes ahead';
};

subtest 'the question before a drain says what will happen' => sub {
    my $ask = sub { page('?pool=app&member=web1&action=drain') };
    like $ask->(), qr{<b>will move</b> to 2 other members}, 'others take over';
    admin($h, 'app', $_, 'disable') for qw(web2 web10);
    my $page = $ask->();
    unlike $page, qr/will move|to nobody/, 'nobody is left: none will move';
    like $page, qr/No other member can take over: new visitors will get 503/, 'new visitors get 503';
    like $page, qr{left then <b>will get 503</b>, unless another member is there}, 'others at the deadline';
    my $jar = LBS::Jar->new;
    is $h->get('/', jar => $jar)->status, 200, 'a session';
    admin($h, 'app', 'web1', 'drain');
    is $h->get('/', headers => [['User-Agent', 'new']])->status, 503, 'and so it is';
    is $h->get('/', jar => $jar)->status, 200, 'the session stays';
    admin($h, 'app', 'web1', 'drain', deadline => 0);
    is $h->get('/', jar => $jar)->status, 503, 'until the deadline';
    admin($h, 'app', $_, 'reset') for qw(web1 web2 web10);
};

subtest 'where LBStickyAdmin is off the page says which line switches it on' => sub {
    my $line = '<code>LBStickyAdmin on</code>';
    ok index(page(), $line) < 0, 'it is on: nothing to say';
    $h->graceful($conf =~ s/^LBStickyAdmin on\n//mr);
    for my $query ('', '?pool=app', '?pool=app&member=web1', '?pool=app&member=web1&action=drain') {
        my $page = page($query);
        ok index($page, $line) > 0, "'$query': the line";
        like $page, qr{<code>Require</code>}, 'and who may';
        unlike $page, qr/data-dialog|<form method/, 'no button';
    }
};

$h->no_unexpected_log(qr/LBS1603/, qr/LBS3000/);
done_testing;
