#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The page, JSON and metrics asked 100 times a second while members come and
# go and httpd is reloaded: no error, and never half of a document.
use lib 't/lib';
use JSON::PP ();
use LBS::Test timeout => 180;

my $SECONDS = $ENV{LBS_POLL_SECONDS} // 30;
my $POLLERS = 4;
my @web = LBS::Backend->many(2);

# Members 3 to 3 + n - 1 exist in name only: they are on standby.
sub conf ($n) {
    my $more = join '', map { sprintf qq(    BalancerMember "http://127.0.0.1:%d" route=web%d status=+H\n),
        41_000 + $_, $_ } 3 .. 2 + $n;
    return <<"CONF";
LBSticky cookie
LBStickyAdmin on
<Proxy "balancer://app">
    BalancerMember "http://\@B1\@" route=web1
    BalancerMember "http://\@B2\@" route=web2
$more</Proxy>
\@STATUS\@
ProxyPass "/" "balancer://app/"
CONF
}

my $h = LBS::Httpd->new(backends => \@web, conf => conf(20), children => 4);
$h->start;

# Each poller asks for all three in turn, 100 / $POLLERS times a second.
sub poll ($number) {
    my ($end, $asked, @wrong) = (time + $SECONDS, 0);
    my %whole = ('' => qr{</html>\n\z}, '/json' => qr/\A\{.*\}\n\z/s,
                 '/metrics' => qr/_count\{[^\n]+\} \d+\n\z/);
    my @what = sort keys %whole;
    my $start = time;
    while (time < $end) {
        my $what = $what[$asked % @what];
        my $r = $h->get("/lb-status$what");
        push @wrong, "$what: " . $r->status . ' ' . ($r->error // '')
            if $r->status != 200;
        push @wrong, "$what is not whole" if $r->status == 200 && $r->body !~ $whole{$what};
        push @wrong, "$what is no JSON" if $what eq '/json' && $asked % 15 == 0
            && !eval { JSON::PP->new->decode($r->body) };
        $asked++;
        my $due = $start + $asked * $POLLERS / 100;
        sleep($due - time) if $due > time;
    }
    return {asked => $asked, wrong => \@wrong};
}

# One more process changes members and reloads httpd, with 5 to 40 members.
sub disturb () {
    my ($end, $reloads, @wrong) = (time + $SECONDS, 0);
    while (time < $end - 1) {
        $h->graceful(conf(5 + 35 * ($reloads % 2)));
        $reloads++;
        for my $action (qw(drain enable disable enable)) {
            my $r = $h->post('/lb-status/admin', {pool => 'app', member => 'web2',
                action => $action}, headers => [['LBSticky-Admin', '1']]);
            push @wrong, "$action: " . $r->status if $r->status != 200;
            my $visit = $h->get('/', headers => [['User-Agent', rand]]);
            push @wrong, 'visitor: ' . $visit->status if $visit->status != 200;
        }
        sleep 0.5;
    }
    return {asked => $reloads, wrong => \@wrong};
}

# All pollers, beside us: only the process that started httpd may reload it.
sub start_polling () {
    my $pid = open(my $pipe, '-|') // die "fork: $!";
    return $pipe if $pid;
    print JSON::PP->new->encode([in_parallel($POLLERS, \&poll)]);
    close STDOUT;
    POSIX::_exit(0);
}

my $pipe = start_polling();
my $did = disturb();
local $/;
my $polled = JSON::PP->new->decode(<$pipe>);
close $pipe;

my ($asked, @wrong) = (0);
for my $poller (@$polled) {
    $asked += $poller->{asked} // 0;
    push @wrong, @{$poller->{wrong} // [$poller->{died}]};
}
is join("\n", @wrong[0 .. ($#wrong < 9 ? $#wrong : 9)]), '', 'every poll was answered, whole';
cmp_ok $asked, '>', 60 * $SECONDS, "$asked polls";
cmp_ok $did->{asked}, '>=', 3, "$did->{asked} reloads meanwhile";
is join("\n", @{$did->{wrong}}), '', 'and every change was made, every visitor served';
my %members = map { $_->{route} => $_ } @{$h->json->{pools}[0]{members}};
is $members{web1}{inflight} + $members{web2}{inflight}, 0, 'nothing is in flight';

$h->no_unexpected_log(qr/AH03490|AH00288/);
done_testing;
