#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# demo/cluster/run proves, between two machines, that visitors keep their
# sessions whatever dies. Only where network namespaces may be made and what it
# takes is installed (tools/bootstrap cluster).
# Not under asan: it runs the module of build/.
# Not under tsan: it runs the module of build/.
use lib 't/lib';
use LBS::Test timeout => 400;
use File::Temp ();
use LBS::Proc qw(slurp);
use POSIX qw(WNOHANG);

plan skip_all => 'make cluster: root is needed for network namespaces' if $> != 0;
plan skip_all => 'make cluster: this machine allows no network namespaces'
    if system('unshare --net --mount true 2>/dev/null') != 0;
my @missing = grep { `dpkg-query -W -f '\${db:Status-Status}' '$_' 2>/dev/null` ne 'installed' }
    split ' ', `tools/bootstrap --list cluster`;
plan skip_all => "make cluster: not installed: @missing" if @missing;

my $said = File::Temp->new;
my $pid = fork // die "fork: $!\n";
if ($pid == 0) {
    delete $ENV{$_} for grep { /^MAKE|^MFLAGS/ } keys %ENV;
    $ENV{ONCE} = 1;
    open STDIN, '<', '/dev/null';
    open STDOUT, '>', $said->filename;
    open STDERR, '>&', \*STDOUT;
    exec 'demo/cluster/run' or POSIX::_exit(127);
}
my $ended = wait_for(sub { waitpid($pid, WNOHANG) == $pid }, 300);
my $status = $ended ? $? : -1;
if (!$ended) {
    kill INT => $pid;    # it takes its machines down
    waitpid $pid, 0;
}
ok $ended, 'it ends';
is $status, 0, 'and all that it promises is so' or diag slurp($said->filename);
done_testing;
