#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The dashboard asks for metrics that there are, with labels that they have,
# in queries that Prometheus takes.
use lib 't/lib';
use JSON::PP ();
use LBS::Test timeout => 30;

my ($web) = LBS::Backend->new(name => 'web1');
my $h = LBS::Httpd->new(backends => [$web], conf => <<'CONF');
LBSticky cookie
<Proxy "balancer://app">
    BalancerMember "http://@B1@" route=web1
</Proxy>
@STATUS@
ProxyPass "/" "balancer://app/"
CONF
$h->start;

my %labels;
for (split /\n/, $h->get('/lb-status/metrics')->body) {
    my ($name, $labels) = /^(\w+)(?:\{(.*)\})? / or next;
    $labels{$name}{$_} = 1 for ($labels // '') =~ /(\w+)="/g;
    $labels{$name} //= {};
}
cmp_ok scalar(keys %labels), '>', 15, 'there are metrics';

my $dashboard = JSON::PP->new->decode(LBS::Proc::slurp('conf/grafana/lbsticky.json'));
my @panels = @{$dashboard->{panels}};
my @queries = map { $_->{expr} } map { @{$_->{targets}} } @panels;
cmp_ok scalar(@queries), '>', 15, 'there are queries';
push @queries, map { $_->{query}{query} =~ /^label_values\((.*), (\w+)\)$/ ? "sum by ($2) ($1)" : () }
    grep { $_->{type} eq 'query' } @{$dashboard->{templating}{list}};

my (@unknown, %used);
for my $query (@queries) {
    my @asked = $query =~ /(lbsticky_\w+)(?:\{([^}]*)\})?/g;
    while (my ($name, $selector) = splice @asked, 0, 2) {
        $selector //= '';
        $used{$name =~ s/_bucket$//r} = 1;
        push @unknown, $name if !$labels{$name};
        push @unknown, map { "$name: $_" } grep { !$labels{$name}{$_} } $selector =~ /(\w+)=~?"/g;
    }
    my @names = $query =~ /(lbsticky_\w+)/g;
    push @unknown, map { "by $_" } grep { my $l = $_; !grep { $labels{$_}{$l} } @names }
        map { split /, / } $query =~ /\b(?:by|on) \(([^)]*)\)/g;
}
is join(' ', @unknown), '', 'metrics and labels that there are';
my @left = grep { !$used{s/_(?:bucket|sum|count)$//r} } grep { $_ ne 'lbsticky_up' } sort keys %labels;
is "@left", '', 'no metric is left out';

my %seen;
is scalar(grep { $seen{$_->{id}}++ } @panels), 0, 'every panel has an id of its own';
my @overlap;
for my $p (@panels) {
    my $g = $p->{gridPos};
    for my $y ($g->{y} .. $g->{y} + $g->{h} - 1) {
        push @overlap, $p->{title} if grep { $seen{"$y $_"}++ } $g->{x} .. $g->{x} + $g->{w} - 1;
    }
}
is "@overlap", '', 'no panel lies on another';

SKIP: {
    my ($promtool) = grep { -x } map { "$_/promtool" } split /:/, $ENV{PATH};
    skip 'promtool is not installed', 1 if !$promtool;
    my $number = 0;
    my $rules = join '', "groups:\n- name: dashboard\n  rules:\n", map {
        my $expr = s/\$__rate_interval|\$__range/5m/gr =~ s/\$\w+/.*/gr;
        sprintf "  - record: q:%d\n    expr: %s\n", $number++, JSON::PP->new->allow_nonref->encode($expr)
    } @queries;
    $h->write('rules.yml', $rules);
    my $said = qx($promtool check rules @{[$h->root]}/rules.yml 2>&1);
    is $?, 0, 'Prometheus takes the queries' or diag $said;
}

$h->no_unexpected_log;
done_testing;
