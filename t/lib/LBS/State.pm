# SPDX-License-Identifier: Apache-2.0
# LBS::State - what /lb-status says, and what it is told to do.
#
#   is member_state($h, 'app', 'r1')->{state}, 'drain';
#   is pool_state($h, 'app')->{inflight}, 0;
#   admin($h, app => 'r1', 'drain', deadline => '2s');     # asserts 200
#   is_deeply [events($h, 'drain')], ['r1'];
#   is visit($h, 7)->member, 'web2';          # where the seventh session is
package LBS::State;
use v5.36;

use Exporter qw(import);
use JSON::PP ();
use Test::More ();
use Time::HiRes qw(time sleep);

our @EXPORT = qw(pool_state member_state admin events unharmed quiet sound
                 validate);
our @EXPORT_OK = qw(visit);
my $VALIDATE = ($ENV{LBS_BUILD} // 'build') . '/t/tools/validate';

sub pool_state ($h, $pool) {
    my ($found) = grep { $_->{name} eq $pool } @{$h->json->{pools}};
    return $found // die "no pool $pool\n";
}

sub member_state ($h, $pool, $route) {
    my ($found) = grep { $_->{route} eq $route }
        @{pool_state($h, $pool)->{members}};
    return $found;
}

# A visitor with an application's session of their own, by number, in the pool
# `app` of governed(), or another; what is behind its path is `query`.
sub visit ($h, $n, %o) {
    my $uri = '/' . ($o{pool} // 'app') . '/' . ($o{query} // '');
    return $h->get($uri, %o, headers => [['Cookie', "sid=s$n"]]);
}

# Returns the member as it is then.
sub admin ($h, $pool, $member, $action, %field) {
    my $r = $h->post('/lb-status/admin',
        {pool => $pool, member => $member, action => $action, %field},
        headers => [['LBSticky-Admin', '1']]);
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    Test::More::is($r->status, 200, "$action $member of $pool")
        or Test::More::diag($r->body);
    return $r->status == 200 ? $r->json : {};
}

# The members that an event was told of, the oldest first.
sub events ($h, $event) {
    return map { $_->{member} } sort { $a->{at} <=> $b->{at} }
        grep { $_->{event} eq $event } @{$h->json->{events}};
}

# What a crowd saw: nothing that a visitor would mind.
sub unharmed ($seen, $what) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $ok = Test::More::is_deeply([@$seen{qw(moved failed broken hung)}],
        [0, 0, 0, 0],
        "$what: of $seen->{visits} visits none moved, failed, broken, hung");
    Test::More::diag($_) for $ok ? () : @{$seen->{notes}};
    return $ok;
}

# Nothing is in flight, anywhere, within `patience` seconds.
sub quiet ($h, $patience = 5) {
    my $end = time + $patience;
    my @busy;
    do {
        my $state = $h->json;
        @busy = map { my $p = $_; map { "$p->{name} " . ($_->{route} // "") . ": $_->{inflight}" }
                      grep { $_->{inflight} != 0 } $p, @{$p->{members}} }
            @{$state->{pools}};
        sleep 0.05 if @busy;
    } while (@busy && time < $end);
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return Test::More::is("@busy", '', 'in flight comes back to 0');
}

# What t/tools/validate finds in shared memory; nothing when only root may look.
sub validate ($h) {
    my $line = qx($VALIDATE @{[$h->pid]} 2>&1);
    return if $? >> 8 == 2 && $> != 0;
    die "validate: $line" if $? >> 8 == 2;
    return {%{JSON::PP->new->decode($line)}, sound => $? == 0};
}

# The session table in shared memory is as it should be. Returns what was
# found there.
sub sound ($h, $what = 'the session table is sound') {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $found = validate($h);
  SKIP: {
        Test::More::skip("$what: only root may look", 1) if !$found;
        Test::More::ok($found->{sound}, $what)
            or Test::More::diag(JSON::PP->new->canonical->encode($found));
    }
    return $found // {};
}

1;
