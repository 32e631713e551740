#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# httpd -t -D LBSTICKY_PREVIEW tells what a reload does to known sessions: 200
# random changes of pools, made after they were told, and each session asked
# for; LBS_SEED=N draws the changes of another seed, LBS_ROUNDS=N more of them.
use lib 't/lib';
use LBS::Test timeout => 300;
use LBS::Preview;
use LBS::State;

my $SEED = $ENV{LBS_SEED} // int(time * 1000) % 1_000_000;
my $ROUNDS = $ENV{LBS_ROUNDS} // 20;
my @POOLS = map { "p$_" } 1 .. 10;
my $VISITORS = 8;
my %VALUE = (session => 'Cookie', header => 'X-Id', query => '');

note "LBS_SEED=$SEED";
srand $SEED;

sub one_of (@list) { return $list[rand @list] }
sub some ($share) { return rand() < $share }

# --- configurations ------------------------------------------------------------

my @TIMEOUT = ('idle=2h', 'idle=30min', 'idle=1h max=1d', 'idle=1h max=2d');

# A pool: where it is defined, sources, members as [route, backend, options].
sub any_pool ($name) {
    my $n = 2 + int rand 3;
    my @members = map { [some(0.8) ? "w$_" : '', $_, ''] } 1 .. $n;
    return {name => $name, host => $name =~ /[1-5]$/ ? 1 : 2, cookie => '',
            failover => 'on', timeout => one_of(@TIMEOUT), sources => any_sources(),
            members => \@members};
}

sub any_sources () {
    return one_of(['cookie'], ['cookie'], ['session=sid'], ['header=X-Id'],
        ['query=id'], ['cookie', 'session=sid'], ['session=sid', 'header=X-Id'],
        ['session=sid', 'query=id', 'cookie']);
}

# Routes and URLs stay different.
sub give ($p, $at, $value) {
    return if grep { $_->[$at] eq $value } @{$p->{members}};
    one_of(@{$p->{members}})->[$at] = $value;
    return;
}

my %change = (
    add     => sub ($p) { push @{$p->{members}}, ['', 5, '']; give($p, 0, 'new') },
    remove  => sub ($p) { splice @{$p->{members}}, rand @{$p->{members}}, 1 },
    rename  => sub ($p) { give($p, 0, 'other') },
    unname  => sub ($p) { one_of(@{$p->{members}})->[0] = '' },
    url     => sub ($p) { give($p, 1, 6) },
    reorder => sub ($p) { @{$p->{members}} = reverse @{$p->{members}} },
    weight  => sub ($p) { one_of(@{$p->{members}})->[2] = 'loadfactor=' . one_of(2, 3) },
    state   => sub ($p) { one_of(@{$p->{members}})->[2] = 'status=' . one_of(qw(+D +N +H +S)) },
    sources => sub ($p) { $p->{sources} = any_sources() },
    cookie  => sub ($p) { $p->{cookie} = 'name=OTHER' },
    none    => sub ($p) { $p->{sources} = ['none'] },
    off     => sub ($p) { $p->{sources} = ['off'] },
    gone    => sub ($p) { $p->{gone} = 1 },
    refuse  => sub ($p) { $p->{failover} = 'off'; splice @{$p->{members}}, 0, 1 },
    timeout => sub ($p) { $p->{timeout} = one_of(@TIMEOUT) },
    nothing => sub ($p) { },
);

my @MEMBERS = qw(add remove rename unname url reorder weight state);
my @DRAWN = ((@MEMBERS) x 3, sort keys %change);

sub changed ($p) {
    my $new = {%$p, members => [map { [@$_] } @{$p->{members}}]};
    my %what = map { one_of(@DRAWN) => 1 } 1 .. 1 + int rand 2;
    my @what = sort keys %what;
    for (@what) {
        # A pool without members is none.
        push @{$new->{members}}, ['last', 4, ''] if !@{$new->{members}};
        $change{$_}->($new);
    }
    push @{$new->{members}}, ['last', 4, ''] if !@{$new->{members}};
    $new->{what} = "@what";
    return $new;
}

sub pool_text ($p) {
    my $text = qq(<Proxy "balancer://$p->{name}">\n    LBSticky @{$p->{sources}}\n)
        . "    LBStickyFailover $p->{failover}\n    LBStickyTimeout $p->{timeout}\n"
        . "    LBStickyCookie first=off $p->{cookie}\n";
    $text .= sprintf qq(    BalancerMember "http://\@B%d\@"%s %s\n), $_->[1],
        $_->[0] ne '' ? " route=$_->[0]" : '', $_->[2] for @{$p->{members}};
    return "$text</Proxy>\n"
        . qq(ProxyPass "/$p->{name}/" "balancer://$p->{name}/"\n);
}

sub text ($c) {
    my %of = (1 => '', 2 => '');
    $of{$_->{host}} .= pool_text($_) for grep { !$_->{gone} } @{$c->{pools}};
    return <<"CONF";
ServerName $c->{name}[0]
LBStickySecret $c->{secret}
LBStickyAdmin on
LBStickyTable sessions=$c->{table}
LBStickyMethod round-robin
ProxyErrorOverride Off
Header always set X-Decision "%{LBSTICKY_DECISION}e"
$of{1}
\@STATUS\@
<VirtualHost 127.0.0.1:\@PORT2\@>
ServerName $c->{name}[1]
$of{2}
</VirtualHost>
CONF
}

# --- visitors --------------------------------------------------------------------

my @web = LBS::Backend->many(6);
my $h = LBS::Httpd->new(backends => \@web, modules => ['headers']);
$h->port(2);
$h->announce(qr/LBS3315/);    # which pools have the same cookie is drawn, too
my @SECRET = map { "file:" . $h->write("conf/secret$_", join('', map { "the secret of name $_\n" }
    split //, $_), 0600) } qw(A BA B);

# Everything that any source may go by.
sub ask ($p, $i, $jar) {
    return $h->get("/$p->{name}/?id=q$i", n => $p->{host}, jar => $jar,
        headers => [['X-Id', "x$i"], ['Cookie', "sid=s$i"]]);
}

sub name_of ($p, $member) {
    return $member->[0] ne '' ? $member->[0] : 'http://' . $web[$member->[1] - 1]->addr;
}

# {pool}{member} -> jars of the visitors there
sub settle ($c) {
    my %at;
    for my $p (@{$c->{pools}}) {
        my %member = map { $web[$_->[1] - 1]->name => name_of($p, $_) } @{$p->{members}};
        for my $i (1 .. $VISITORS) {
            my $jar = LBS::Jar->new;
            my $r = ask($p, $i, $jar);
            push @{$at{$p->{name}}{$member{$r->member // ''} // 'nobody'}}, [$i, $jar];
        }
    }
    return \%at;
}

sub operate ($p, $vhost) {
    my $m = one_of(@{$p->{members}});
    my ($action, %field) = @{one_of(['drain', deadline => '1h'], ['drain'],
        ['weight', weight => '0.5'], ['disable'], ['standby'])};
    $h->post('/lb-status/admin', {pool => $p->{name}, member => name_of($p, $m),
        vhost => $vhost, action => $action, %field},
        headers => [['LBSticky-Admin', '1']])->status == 200
        or diag "$action of $p->{name} failed";
    return;
}

# --- a round ---------------------------------------------------------------------

# Sessions per member that stayed, of pools as they were: each visitor is known
# by every source of the pool.
sub stayed ($c, $at) {
    my %stay;
    for my $p (@{$c->{pools}}) {
        for my $m (keys %{$at->{$p->{name}}}) {
            $stay{$p->{name}}{$m} = @{$p->{sources}} * grep {
                my $r = ask($p, @$_);
                ($r->header('X-Decision') // '') eq 'kept'
            } @{$at->{$p->{name}}{$m}};
        }
    }
    return \%stay;
}


# Operators' changes that went: "pool member field".
sub dropped_by ($told) {
    my ($pool, @found) = '';
    for (split /\n/, $told->{said}) {
        $pool = $1 if m{^balancer://(\S+)};
        push @found, "$pool $1 $2" if /^    (\S+): the (state|weight) \S+ that an operator/;
    }
    return sort @found;
}

sub dropped_by_events () {
    return sort map { "$_->{pool} $_->{member} " . ($_->{reason} =~ /(state|weight)/)[0] }
        grep { $_->{event} eq 'override-dropped' } @{$h->json->{events}};
}

my ($differences, $changes, %met) = (0, 0);

sub compare ($was, $is, $told, $stay) {
    for my $p (@{$was->{pools}}) {
        my $vhost = $was->{name}[$p->{host} - 1];
        my $rows = $told->{pool}{"$p->{name} $vhost"} // {};
        my ($new) = grep { $_->{name} eq $p->{name} } @{$is->{pools}};
        my $what = "$new->{what}; $is->{what}";
        $changes++;
        for my $m (sort keys %{$stay->{$p->{name}}}) {
            my $row = $rows->{$m} // {stay => 0, wait => 0, why => 'no row'};
            my $off = abs $row->{stay} + $row->{wait} - $stay->{$p->{name}}{$m};
            $met{$_}++ for split /, /, $row->{why} =~ s/\d+ s are left/deadline/r;
            $differences += $off;
            diag "pool $p->{name} ($what), $m: told $row->{stay} + $row->{wait} "
                . "($row->{why}), stayed $stay->{$p->{name}}{$m}\n",
                pool_text($p), pool_text($new), $told->{raw} if $off;
        }
    }
    return;
}

for my $round (1 .. $ROUNDS) {
    my $was = {pools => [map { any_pool($_) } @POOLS], secret => $SECRET[0],
               name => ['main.test:80', 'other.test:80'], table => 2000};
    my $is = {%$was, pools => [map { changed($_) } @{$was->{pools}}]};
    $is->{what} = one_of(('') x 8, qw(secret host port table));
    $is->{secret} = one_of(@SECRET[1, 2], 'random') if $is->{what} eq 'secret';
    $is->{name} = ['main.test:80', 'renamed.test:80'] if $is->{what} eq 'host';
    $is->{name} = ['main.test:81', 'other.test:81'] if $is->{what} eq 'port';
    $is->{table} = 1000 if $is->{what} eq 'table';

    unlink $h->root . '/run/lbsticky.state';
    $h->conf(text($was));
    $h->start;
    my $at = settle($was);
    operate($_, $was->{name}[$_->{host} - 1])
        for grep { some(0.3) } @{$was->{pools}};
    $h->graceful;    # what has changed is in the file then
    $h->conf(text($is));
    my $keys = 0;
    $keys += $VISITORS * @{$_->{sources}} for @{$was->{pools}};
    my $told = preview($h, $keys);
    $h->graceful;
    compare($was, $is, $told, stayed($was, $at));
    is_deeply [dropped_by($told)], [dropped_by_events()],
        "round $round: operators' changes that are dropped" or diag $told->{raw};
    my $sum = 0;
    $sum += $_->{all}{move} for values %{$told->{pool}};
    is $told->{move}, $sum, "round $round: the last line is the sum" or diag $told->{raw};
    $h->stop;
}
is $differences, 0, "$changes changes (LBS_SEED=$SEED): 0 sessions of difference";
note join ', ', map { "$_ $met{$_}" } sort keys %met;
ok $changes >= 10 * $ROUNDS, 'as many as were drawn';

done_testing;
