#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A request is broken at every point of its way, by the client and by the
# member: who gets what, who is blamed, and what the client sees of it follows
# from rules (LBS::Fault::Rules), beside the stock balancer.
#
#   FAULTS=20000 SEED=7 prove -It/lib t/700-faults.t     more, and other ones
#   CASE=http:PUT:... prove -v -It/lib t/700-faults.t     one alone, in detail
use lib 't/lib';
use LBS::Test timeout => 300 + ($ENV{FAULTS} // 0) / 5;
use LBS::Fault;

plan skip_all => 'prefork keeps no connection for the next request'
    if ($ENV{LBS_MPM} // '') eq 'prefork';
my $seed = $ENV{SEED} // 1;
my $all = $ENV{FAULTS} // 2000;
my %share = (http => 0.5, https => 0.06, h2c => 0.12, ajp => 0.1, fcgi => 0.1,
             scgi => 0.06, uwsgi => 0.06);
my @cases = $ENV{CASE}
    ? (map { LBS::Fault::Cases::of_id($_) } split ' ', $ENV{CASE})
    : LBS::Fault::Cases::many($seed, map { $_ => int $all * $share{$_} } keys %share);

my $fault = LBS::Fault->new(notes => sub ($id, $facts, @wrong) {
    return if !$ENV{CASE};
    diag($id);
    diag("    $_") for LBS::Fault::told($facts), map { "WRONG: $_" } @wrong;
});
my $start = time;
my @wrong = $fault->run(@cases);

# What went wrong once among fifty others on a busy machine is tried again with
# the few like it; only what never comes again was the machine's.
if (@wrong && !$ENV{CASE}) {
    my %ids = map { (split ' ')[0] => 1 } @wrong;
    my %again = map { (split ' ')[0] => 1 }
        map { $fault->run(map { LBS::Fault::Cases::of_id($_) } sort keys %ids) } 1 .. 3;
    diag("once only: $_") for grep { !$again{(split ' ')[0]} } @wrong;
    @wrong = grep { $again{(split ' ')[0]} } @wrong;
}
my %of;
push @{$of{(split /:/)[0]}}, $_ for @wrong;
for my $scheme (sort keys %{$fault->counts}) {
    my @bad = @{$of{$scheme} // []};
    is scalar @bad, 0, "$scheme: " . $fault->counts->{$scheme} . ' requests that break';
    diag("CASE=$_") for @bad > 30 ? @bad[0 .. 29] : @bad;
}
note sprintf 'SEED=%s, %.0f s', $seed, time - $start;
ok $fault->httpd->running, 'httpd runs';
is scalar $fault->httpd->error_log(qr/exit signal/), 0, 'none of its children died';

done_testing;
