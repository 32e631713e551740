#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A rolling deploy by lbctl under load: every server is replaced, no visitor
# gets an error, and a session moves only from a server that is being rolled.
use lib 't/lib';
use JSON::PP ();
use LBS::Test timeout => 120;

my $VISITORS = 24;
my @web = map { LBS::Backend->new(name => "web$_") } 1 .. 3;    # a process each
my $h = LBS::Httpd->new(backends => \@web, children => 4, conf => <<'CONF');
LBSticky cookie
LBStickyAdmin on
LBStickySlowStart 1s
LBStickyCheck path=/ interval=500ms timeout=1s rise=1 fall=2
<Proxy "balancer://app">
    BalancerMember "http://@B1@" route=web1
    BalancerMember "http://@B2@" route=web2
    BalancerMember "http://@B3@" route=web3
</Proxy>
@STATUS@
ProxyPass "/" "balancer://app/"
CONF
$h->start;
my $root = $h->root;
my $url = 'http://127.0.0.1:' . $h->port . '/lb-status';

# A visitor that comes again and again until the deploy is over: what was
# wrong, and which servers it was on, one after the other.
sub visit ($number) {
    my $jar = LBS::Jar->new;
    my (@on, @wrong, $count);
    while (!-e "$root/over" && ++$count < 5000) {
        my $r = $h->get("/?delay=0.005", jar => $jar, headers => [['User-Agent', "v$number"]]);
        push @wrong, $r->status . ' ' . ($r->error // '') if $r->status != 200;
        my $member = $r->member // 'nobody';
        push @on, $member if !@on || $on[-1] ne $member;
        sleep 0.02;
    }
    return {count => $count, on => \@on, wrong => \@wrong};
}

# lbctl's command asks for a server to be replaced and waits until it is.
sub start (@code) {
    my $pid = open(my $pipe, '-|') // die "fork: $!";
    return ($pid, $pipe) if $pid;
    my $status = $code[0]->();
    close STDOUT;
    POSIX::_exit($status // 0);
}

my (undef, $visitors) = start(sub {
    print JSON::PP->new->encode([in_parallel($VISITORS, \&visit)]);
    return 0;
});
ok wait_for(sub { $h->json->{pools}[0]{requests} > 4 * $VISITORS }), 'visitors are there';

my ($lbctl, $said) = start(sub {
    open STDERR, '>&', \*STDOUT;
    exec 'bin/lbctl', '-u', $url, 'roll', 'app', '--deadline', '2s', '--timeout', '30s',
        '--', 'sh', '-c', "echo {} >$root/replace; while [ -e $root/replace ]; do sleep 0.05; done";
});

my (@replaced, %in_flight);
my $end = time + 90;
while (time < $end && kill 0, $lbctl) {
    last if waitpid($lbctl, POSIX::WNOHANG()) == $lbctl;
    if (-s "$root/replace") {
        my $name = LBS::Proc::slurp("$root/replace") =~ s/\s+//gr;
        my ($m) = grep { $_->{route} eq $name } @{$h->json->{pools}[0]{members}};
        $in_flight{$name} = $m->{inflight};
        my ($i) = $name =~ /(\d)$/;
        my $port = $web[$i - 1]->port;
        $web[$i - 1]->kill;
        $web[$i - 1] = LBS::Backend->new(name => $name, ports => [$port]);
        push @replaced, $name;
        unlink "$root/replace";
    }
    sleep 0.05;
}
my $status = $?;
$h->write('over', "over\n");
local $/;
my $text = <$said>;
my $did = JSON::PP->new->decode(<$visitors>);

is $status >> 8, 0, 'lbctl is content' or diag $text;
is "@replaced", 'web1 web2 web3', 'every server was replaced, in order';
is join(' ', map { $in_flight{$_} // '?' } @replaced), '0 0 0', 'with nothing in flight to it';
my @wrong = map { @{$_->{wrong} // [$_->{died}]} } @$did;
is join("\n", @wrong[0 .. ($#wrong < 9 ? $#wrong : 9)]), '', 'no visitor got an error';
my $requests = 0;
$requests += $_->{count} // 0 for @$did;
cmp_ok $requests, '>', 10 * $VISITORS, "$requests requests meanwhile";

# A session leaves a server when its turn comes, so it leaves each at most
# once, and in the order in which they are rolled.
my @needless = grep {
    my @left = map { /(\d)$/ } @{$_->{on}}[0 .. $#{$_->{on}} - 1];
    grep { $left[$_ - 1] >= $left[$_] } 1 .. $#left;
} @$did;
is scalar(@needless), 0, 'no session moved without need'
    or diag map { "@{$_->{on}}\n" } @needless;
my $pool = $h->json->{pools}[0];
is $pool->{decisions}{refused}{down} + $pool->{decisions}{refused}{full}, 0, 'nobody was refused';
my %moved = %{$pool->{decisions}{moved}};
is join(' ', map { "$_ $moved{$_}" } grep { $moved{$_} && $_ ne 'drained' } sort keys %moved), '',
    'sessions moved because of the drains alone';
cmp_ok $moved{drained}, '<=', 2 * $VISITORS + 8, 'and each at most once for each server';
is join(' ', map { $_->{state} } @{$pool->{members}}) =~ s/warming/up/gr, 'up up up', 'all are up';

$h->no_unexpected_log;
done_testing;
