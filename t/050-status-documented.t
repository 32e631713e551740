#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# docs/status.md names every key and every metric that a server sends, and none
# that it does not.
use lib 't/lib';
use LBS::Test;
use LBS::Source qw(slurp);

my $doc = slurp('docs/status.md');
my ($json_part) = $doc =~ /^## JSON\n(.*?)^## /ms;
my ($metrics_part) = $doc =~ /^## Metrics\n(.*?)^## /ms;
my ($events_part) = $json_part =~ /^Events: (.*?)\n\n/ms;

# Words in backquotes; `table.bytes` is the key bytes.
sub words ($text) {
    return {map { s/^\w+\.//r => 1 } $text =~ /`([^`\s]+)`/g};
}

sub keys_of ($value, $into = {}) {
    if (ref $value eq 'HASH') {
        for (keys %$value) { $into->{$_} = 1; keys_of($value->{$_}, $into) }
    }
    elsif (ref $value eq 'ARRAY') { keys_of($_, $into) for @$value }
    return $into;
}

my @web = LBS::Backend->many(2);
my $h = LBS::Httpd->new(backends => \@web, conf => <<'CONF');
LBSticky cookie
LBStickyAdmin on
<Proxy "balancer://app">
    BalancerMember "http://@B1@" route=web1
    BalancerMember "http://@B2@" route=web2
    LBStickyForeign haproxy:SRV
    LBStickyDiscover file:@ROOT@/members allow=127.0.0.0/8
</Proxy>
ProxyPass "/" "balancer://app/"
# Nobody uses this one, so that there is an alert.
<Proxy "balancer://unused">
    BalancerMember "http://@B1@" route=web1
</Proxy>
<Location "/lb-status">
    SetHandler lb-status
    Require local
</Location>
CONF
$h->write('members', "http://127.0.0.7:9\n");
$h->announce(qr{AH00957: http: attempt to connect to 127\.0\.0\.7|AH01114: .*127\.0\.0\.7});    # a visitor may be given it
$h->start;
$h->get('/');
is $h->post('/lb-status/admin', {pool => 'app', member => 'web1',
    action => 'drain'}, headers => [['LBSticky-Admin', '1']])->status, 200,
    'a change, so that there is an event';

my %sent = %{keys_of($h->json)};
my %told = %{words($json_part =~ s/^Events: .*//msr)};
is_deeply [grep { !$told{$_} } sort keys %sent], [], 'every key is explained';
# Words that are values, not keys.
delete @told{qw(off 503)};
is_deeply [grep { !$sent{$_} && !/\.|=/ } sort keys %told], [],
    'every key that is explained is sent';

my %events = map { $_ => 1 }
    slurp('src/state/lbs_events.c') =~ /\[LBS_EVENT_\w+\] = "([\w-]+)"/g;
is_deeply words($events_part), \%events, 'the events';

my $text = $h->get('/lb-status/metrics')->body;
my %metric = map { $_ => 1 } $text =~ /^# TYPE (\w+) /mg;
cmp_ok scalar keys %metric, '>', 10, 'metrics were read';
my %documented = map { $_ => 1 } $metrics_part =~ /`(lbsticky_\w+)`/g;
is_deeply \%documented, \%metric, 'every metric, and no other';
my %label = map { $_ => 1 } $text =~ /[{,](\w+)="/g;
delete @label{qw(le)};
is_deeply [grep { $metrics_part !~ /`$_`/ } sort keys %label], [], 'its labels';

my $explained = $h->json('/lb-status/explain?pool=app');
my ($explain_part) = $doc =~ /^## Explain\n(.*?)^## /ms;
my %there = %{words($explain_part)};
is_deeply [grep { !$there{$_} } sort keys %{keys_of($explained)}], [],
    'every key of an explanation';
$h->stop;
$h->no_unexpected_log;
done_testing;
