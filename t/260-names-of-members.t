#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Members called by a name: when the name leads to another address, within
# addressttl= requests and checks go there and no session notices; when it
# leads nowhere, that member is one that cannot be reached.
use lib 't/lib';
use LBS::Test;
use LBS::Governed;
use LBS::Ports;
use LBS::State;

my $RESOLVE = ($ENV{LBS_BUILD} // 'build') . '/t/preload/resolve.so';
my $port = LBS::Ports::free();
my %at = map { $_->[0] => LBS::Backend->new(name => $_->[0], addr => $_->[1],
                                            ports => [$port]) }
    ['old', '127.0.0.1'], ['new', '127.0.0.2'];
my $other = LBS::Backend->new(name => 'other');

my $members = <<"POOL";
BalancerMember "http://one.members.test:$port" route=one addressttl=1
BalancerMember "http://\@B1\@" route=two
POOL
my $h = LBS::Httpd->new(backends => [$other], env => {LD_PRELOAD => $RESOLVE});
sub leads_to ($address) {
    # In one piece: it is read at any time.
    $h->write('names.new', $address eq '' ? '' : "one.members.test $address\n");
    my $names = $h->root . "/names";
    rename "$names.new", $names or die "$names: $!";
    return;
}
$h->{env}{LBS_RESOLVE} = $h->root . '/names';
leads_to('127.0.0.1');
$h->conf(governed_text([$other],
    app => "LBSticky session=sid\nLBStickySlowStart off\n"
        . "LBStickyCheck path=/healthz interval=300ms rise=1 fall=2\n$members",
    bare => "LBSticky session=sid\nLBStickyEject off\n$members",
    server => <<'CONF'));
LBStickyMethod round-robin
@STATUS@
CONF
$h->announce(qr/\[proxy(?:_http)?:error\]/);
$h->start;

# Each child keeps the address it was told for as long as addressttl= says:
# that one of them goes elsewhere says nothing of the others.
sub all_look_again { sleep 1.1; return }

sub visit ($pool, $n, %o) {
    return $h->request($o{method} // 'GET', "/$pool/", %o,
                       headers => [['Cookie', "sid=s$n"]]);
}

# Sessions of both members, in both pools.
my @sids = 1 .. 12;
my %home = map { my $p = $_; $p => {map { $_ => visit($p, $_)->member } @sids} }
    qw(app bare);
for my $pool (sort keys %home) {
    is_deeply [sort keys %{{reverse %{$home{$pool}}}}], ['old', 'other'],
        "$pool: both members are used";
}

# What answers, for those who were with the member that has a name.
sub answers ($pool) {
    my %seen;
    $seen{verdict($_) . ' ' . $_->member}++ for map { visit($pool, $_) }
        grep { $home{$pool}{$_} eq 'old' } @sids;
    return join ', ', sort keys %seen;
}

subtest 'the name leads to another address' => sub {
    ok wait_for(sub { $at{old}->requests }), 'checked at the old one';
    my $status = 0;
    leads_to('127.0.0.2');
    ok wait_for(sub {
        my @r = map { visit('app', $_) } @sids;
        $status += grep { $_->status != 200 } @r;
        !grep { $_->member eq 'old' } @r
    }, 5), 'requests go there';
    is $status, 0, 'without an error on the way';
    all_look_again();
    $at{old}->refuse;
    ok wait_for(sub { answers($_) eq 'kept new' }, 3), "$_: every session stays"
        for sort keys %home;
    ok wait_for(sub { grep { $_->{uri} eq '/healthz' } $at{new}->requests }),
        'checks go there, too';
    sleep 0.8;
    is member_state($h, 'app', 'one')->{state}, 'up', 'and find it well';
    is_deeply [events($h, 'down'), events($h, 'ejected')], [], 'as it always was';
    is pool_state($h, $_)->{decisions}{moved}{down}, 0, "$_: nobody moved"
        for sort keys %home;
};

subtest 'the name leads nowhere' => sub {
    leads_to('');
    my $where;
    ok wait_for(sub {
        $where = answers('bare');
        $where =~ /^(?:moved down|kept) other$/
    }, 5), 'its sessions are served elsewhere' or diag $where;
    all_look_again();
    my @r = map { visit('bare', "n$_", method => $_ % 2 ? 'GET' : 'POST', body => 'abc') }
        1 .. 6;
    is_deeply spread(@r), {other => 6}, 'so are new visitors, whatever they send';
    ok wait_for(sub { member_state($h, 'app', 'one')->{state} eq 'down' }, 5),
        'its check fails';
    like member_state($h, 'app', 'one')->{check}{last},
        qr/^resolve: unknown host one\.members\.test$/, 'and says why';
    leads_to('127.0.0.2');
    ok wait_for(sub { member_state($h, 'app', 'one')->{state} eq 'up' }, 5),
        'known again: up';
    ok wait_for(sub { grep { visit('bare', rand)->member eq 'new' } 1 .. 2 }, 5),
        'and used';
};

$h->no_unexpected_log;
done_testing;
