#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# lbctl preview prints the preview of httpd, and fails when more sessions would
# move than are allowed, or when nobody knows.
use lib 't/lib';
use LBS::Test;
use LBS::Governed;
use LBS::Lbctl;
use LBS::State qw(:DEFAULT visit);

my @web = LBS::Backend->many(2);
my $h = governed(\@web, app => "LBSticky session=sid\nLBStickyMethod round-robin");
my $ctl = LBS::Lbctl->new($h);
my @preload = $ENV{LBS_PRELOAD} ? ('env', 'ASAN_OPTIONS=detect_leaks=0',
    'LD_PRELOAD=' . join ':', split ' ', $ENV{LBS_PRELOAD}) : ();
my %known = (LBCTL_HTTPD => join ' ', @preload, $h->command);

sub lbctl (@args) { return $ctl->run(\%known, 'preview', @args) }

visit($h, $_) for 1 .. 10;
$h->graceful;
$h->conf(governed_text(\@web, app => <<'POOL'));
LBSticky session=sid
BalancerMember "http://@B2@" route=r2
POOL

# A reload in the middle of a writing leaves the file a moment behind.
ok wait_for(sub { (lbctl())[1] =~ /^    all +10 /m }, 20), 'the file has all sessions';
my ($status, $out, $err) = lbctl();
is $status, 0, 'without a limit any number will do';
is $err, '', 'nothing else is said';
like $out, qr/^    r1 +5 +0 +5 +0  removed$/m, 'the numbers' or diag $out;
like $out, qr/^5 sessions would move\.\n\z/m, 'the last line';
is +(lbctl('--max', 5))[0], 0, 'as many as are allowed';
($status, $out, $err) = lbctl('--max', 4);
is $status, 1, 'more than are allowed';
like $err, qr/\Albctl: 5 sessions would move, more than --max 4\n\z/, 'is said';
like $out, qr/^5 sessions would move\.\n\z/m, 'beside the preview';
for my $max (qw(-1 many 1.5), '') {
    ($status, undef, $err) = lbctl("--max=$max");
    is $status, 2, "--max '$max'";
}
like +(lbctl('--max=many'))[2], qr/--max many: wanted is a number of sessions, as in --max 100/,
    'what was wanted';

$h->stop;
unlink $h->root . '/run/lbsticky.state';
($status, $out, $err) = lbctl('--max', 1000);
is $status, 1, 'without a state file';
is $out, '', 'there is no preview';
like $err, qr/\Albctl: it is not known how many sessions would move: there is no state file/,
    'why not';

$h->conf("LBStickyNonsense on\n");
($status, $out, $err) = lbctl();
is $status, 1, 'a configuration that httpd does not accept';
like $err, qr/does not accept the configuration\n.*LBStickyNonsense/s, 'is told';
my $without = LBS::Httpd->new(start => 0, without => ['lbsticky'], conf => '');
($status, undef, $err) = $ctl->run({LBCTL_HTTPD => join ' ', $without->command}, 'preview');
is $status, 1, 'without the module';
like $err, qr/does not load mod_lbsticky/, 'is told';

done_testing;
