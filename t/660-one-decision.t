#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What /explain says beside what a request gets a moment later: pools, states
# of members and keys are drawn at random. LBS_SEED repeats a run.
use lib 't/lib';
use LBS::Governed;
use LBS::State;
use LBS::Test timeout => 200;

my $seed = $ENV{LBS_SEED} // time ^ $$;
srand $seed;
diag "LBS_SEED=$seed";

my $JUMP = ($ENV{LBS_BUILD} // 'build') . '/t/preload/jump.so';
my @web = LBS::Backend->many(5);
my @POOLS = map { "p$_" } 1 .. 12;
my @SOURCES = ('cookie', 'header=X-Key', 'session=sid', 'route=R', 'cookie header=X-Key');

sub any (@of) { return $of[rand @of] }

# A pool of two to five members in any role; each virtual visitor is one of
# its keys.
sub draw_pool ($sources) {
    my @m = 1 .. 2 + int rand 4;
    my @lines = "LBSticky $sources";
    push @lines, 'LBStickyMethod ' . any(qw(least-load least-busy least-sessions round-robin hash));
    push @lines, 'LBStickyFailover off' if rand() < 0.1;
    push @lines, 'LBStickyFailback return' if rand() < 0.2;
    push @lines, 'LBStickyLimit inflight=1' if rand() < 0.25;
    push @lines, 'LBStickyEject failures=1 hold=5min-5min cap=100';
    push @lines, 'LBStickyTimeout idle=' . any(qw(1s 2h 2h 2h 2h));
    for my $n (@m) {
        my @words = "route=r$n";
        push @words, 'lbset=1' if rand() < 0.25;
        push @words, 'redirect=r' . any(@m) if rand() < 0.25;
        push @words, 'status=' . any(qw(+H +R +D +N)) if rand() < 0.2;
        push @lines, qq(BalancerMember "http://\@B$n\@" @words);
    }
    return join "\n", @lines;
}

# Without the last member, so that its sessions have lost theirs.
my %text = map { ($POOLS[$_] => draw_pool($SOURCES[$_] // any(@SOURCES))) } 0 .. $#POOLS;
my %later = %text;
s/\nBalancerMember [^\n]+\z// for values %later;

sub httpd_with ($pools, %o) {
    my $secret = delete $o{secret} // 'one secret for both of them';
    my $h = governed(\@web, start => 0, %o, %$pools,
        server => qq(LBStickySecret "file:\@ROOT\@/conf/secret"\nLBStickyAdmin on\nLBStickySlowStart off));
    $h->write('conf/secret', "$secret\n", 0600);
    return $h;
}

my $h = httpd_with(\%text)->start;

# A visitor: what a request shows, and how /explain is asked about it.
sub by_cookie ($pool, $token) {
    return {pool => $pool, query => "cookie=$token", headers => cookie_of("LBSTICKY_$pool" => $token)};
}

sub by_value ($pool, $source, $value) {
    my %headers = ('header=X-Key' => [['X-Key', $value]], 'session=sid' => cookie_of(sid => $value),
                   'route=R' => cookie_of(R => $value));
    return {pool => $pool, query => 'key=' . ($source =~ s/=/%3D/r) . ":$value", headers => $headers{$source}};
}

sub tokens ($site, $pool) {
    return grep { defined } map { token_in($site->get("/$pool/"), "LBSTICKY_$pool") } 1 .. 4;
}

my @visitors;

sub add_visitors ($pool, @foreign) {
    my ($sources) = $text{$pool} =~ /^LBSticky (.*)$/m;
    if ($sources =~ /cookie/) {
        my @own = tokens($h, $pool);
        push @visitors, map { by_cookie($pool, $_) } @own, (map { tokens($_, $pool) } @foreign),
            'short', 'A' x 48, map { s/^./$& eq 'A' ? 'B' : 'A'/er } @own;
    }
    for my $source (grep { $_ ne 'cookie' } split ' ', $sources) {
        my @values = $source eq 'route=R' ? map { "$pool$_" } qw(.r1 .r2 .r3 .r4 .r5 .r9 r1 x.)
            : map { "$pool-$_" } 1 .. 5;
        my @of = map { by_value($pool, $source, $_) } @values;
        $h->get("/$pool/", headers => $_->{headers}) for @of[0 .. 2];
        push @visitors, @of;
    }
    push @visitors, {pool => $pool, query => '', headers => []} if $sources ne 'cookie';
    return;
}

# Sites whose tokens are signed by another secret, dated ahead, and of long ago.
my @foreign = map {
    my ($secret, $jump) = @$_;
    my $site = httpd_with(\%text, secret => $secret, $jump ? (env => {LD_PRELOAD => $JUMP}) : ());
    $site->{env}{LBS_JUMP} = $site->write('jump', $jump) if $jump;
    $site->start;
} ['quite another one', 0], ['one secret for both of them', 3 * 86_400],
  ['one secret for both of them', 3600], ['one secret for both of them', -10 * 86_400];
add_visitors($_, @foreign) for @POOLS;
$_->stop for @foreign;
$h->graceful(governed_text(\@web, %later,
    server => qq(LBStickySecret "file:\@ROOT\@/conf/secret"\nLBStickyAdmin on\nLBStickySlowStart off)));
sleep 1.1;    # idle=1s

# An operator, a dead member, and one that is full.
my %busy;

sub upset ($pool) {
    my @members = @{pool_state($h, $pool)->{members}};
    my $m = any(@members)->{route};
    my $what = any(qw(disable drain enable standby weight occupy eject));
    if ($what eq 'occupy') {
        return if $text{$pool} !~ /inflight=1/;
        my $c = $h->connect;
        $c->send_request('GET', "/$pool/?delay=20", headers => [['Connection', 'close']]);
        wait_for(sub { grep { $_->{inflight} } @{pool_state($h, $pool)->{members}} }, 2);
        push @{$busy{$pool}}, $c;
    }
    elsif ($what eq 'eject') {
        my ($b) = grep { "r" . ($_->name =~ s/\D//gr) eq $m } @web;
        $b->refuse;
        for my $v (grep { $_->{pool} eq $pool } @visitors) {
            $h->get("/$pool/", headers => $v->{headers});
            last if member_state($h, $pool, $m)->{state} eq 'ejected';
        }
        $b->accept;
    }
    else {
        admin($h, $pool, $m, $what, $what eq 'weight' ? (weight => any(0, 0.5, 3)) : ());
    }
    return;
}

my (%wrong, %seen);

sub compare ($v) {
    my $e = $h->get("/lb-status/explain?pool=$v->{pool}" . ($v->{query} && "&$v->{query}"))->json;
    my $r = $h->get("/$v->{pool}/", headers => $v->{headers});
    my $said = join ' ', grep { $_ ne '' } @$e{qw(decision reason)};
    my $done = verdict($r);
    my @may = $e->{chance} ? map { $_->{member} } grep { $_->{eligible} } @{$e->{candidates}}
        : ($e->{member});
    $seen{$done}++;
    return if $said eq $done && (grep { $_ eq member_of($r) } @may);
    my $what = "$v->{pool} $v->{query}: said $said $e->{member}, done $done " . member_of($r);
    $wrong{$what} = "$later{$v->{pool}}\n" . join ' ', map { "$_->{member}: $_->{state} $_->{why};" } @{$e->{candidates}};
    return;
}

my $end = time + 60;
my $asked = 0;
while ($asked < 300 && time < $end) {
    my $v = any(@visitors);
    upset($v->{pool}) if rand() < 0.2;
    compare($v);
    $asked++;
}
cmp_ok $asked, '>', 100, "$asked questions";
is scalar(keys %wrong), 0, 'a request goes where explain said';
diag "$_\n$wrong{$_}" for (sort keys %wrong)[0 .. ($#{[keys %wrong]} > 4 ? 4 : $#{[keys %wrong]})];
for my $case ('kept', 'new first', 'new unknown', 'new expired', 'new forged') {
    ok $seen{$case}, "$case: " . ($seen{$case} // 0);
}
ok scalar(grep { /^moved/ } keys %seen), 'moved: ' . join ', ', grep { /^moved|^refused/ } sort keys %seen;
$h->announce(qr/AH00957|AH01114|AH01102|AH00898/);    # of members that refuse
$_->close for map { @$_ } values %busy;
$h->no_unexpected_log;
done_testing;
