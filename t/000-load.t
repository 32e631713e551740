#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The module loads, serves, reloads and stops under each MPM.
use lib 't/lib';
use LBS::Test;

my ($web) = LBS::Backend->new(name => 'web1');
my $conf = <<'CONF';
<Proxy "balancer://app">
    BalancerMember "http://@B1@" route=web1
</Proxy>
ProxyPass "/app/" "balancer://app/"
CONF

each_mpm {
    my $h = LBS::Httpd->new(backends => [$web], conf => $conf);
    my ($status, $said) = $h->configtest;
    is $status, 0, 'httpd -t accepts the configuration' or diag $said;
    like $said, qr/^Syntax OK$/m, 'and says so';

    $h->start;
    my ($loaded) = $h->configtest('-DDUMP_MODULES');
    is $loaded, 0, 'the list of modules';
    is $h->get('/index.html')->body, "index\n", 'serves a file';
    my $r = $h->get('/app/x?a=b');
    is $r->status, 200, 'an ungoverned pool is left to mod_proxy_balancer';
    is $r->json->{uri}, '/x?a=b', 'the member got the URL';

    $h->graceful;
    is $h->get('/app/')->member, 'web1', 'serves after a graceful restart';
    $h->kill_child;
    is $h->get('/app/')->member, 'web1', 'serves after the loss of a child';
    my $pid = $h->pid;
    ok $h->stop, 'stops in order';
    ok !kill(0, $pid), 'and is gone';
    $h->no_unexpected_log;
};

subtest 'the harness notices what it must' => sub {
    my $h = LBS::Httpd->new(conf => "NoSuchDirective on\n");
    my ($status, $said) = $h->configtest;
    isnt $status, 0, 'httpd -t refuses an unknown directive';
    like $said, qr/NoSuchDirective/, 'and names it';
    ok !eval { $h->start; 1 }, 'it does not start either';
    like $@, qr/NoSuchDirective/, 'and what it printed is shown';

    my ($r) = LBS::Backend->new;
    $h->{backends} = [$r];
    $h->conf("ProxyPass / http://\@B1\@/\n");
    $h->start;
    $r->refuse;
    is $h->get('/')->status, 503, 'a refused connection';
    my @bad = $h->unexpected;
    ok @bad >= 1, 'an error in the log is unexpected unless announced';
    like $bad[0], qr/Connection refused/, 'and the line itself is shown';
    is scalar($h->unexpected), 0, 'each line is reported once';
};

done_testing;
