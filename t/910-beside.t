# SPDX-License-Identifier: Apache-2.0
# What httpd and its modules do to a request beside this module: limits of a
# connection, header fields of RequestHeader, rules with [P].
use lib 't/lib';
use LBS::Test;
use LBS::Governed;

my @web = LBS::Backend->many(2);
my $h = governed(\@web, app => 'LBSticky cookie', start => 0,
                 server => <<'SERVER');
MaxKeepAliveRequests 3
LBStickyLocal files
<Location "/app/added/">
    RequestHeader add Cookie "one=1"
    RequestHeader add Cookie "two=2"
</Location>
<Proxy "balancer://stock">
    BalancerMember "http://@B2@"
</Proxy>
ProxyPass "/stock/" "balancer://stock/"
<Directory "@ROOT@/htdocs/app">
    RewriteEngine on
    RewriteRule "^url.txt$" "http://@B2@/url" [P]
    RewriteRule "^pool.txt$" "balancer://stock/pool" [P]
</Directory>
SERVER
mkdir $h->root . '/htdocs/app', 0755;
$h->write("htdocs/app/$_.txt", 'a file') for qw(url pool plain);
$h->start;

sub once ($uri, %o) {
    return LBS::Client->new(port => $h->port)->request('GET', $uri, %o);
}

subtest 'a connection ends after MaxKeepAliveRequests, as everywhere' => sub {
    for my $uri ('/stock/x', '/app/x') {
        my $c = LBS::Client->new(port => $h->port);
        my @r = map { $c->request('GET', $uri) } 1 .. 4;
        is join(' ', map { $_->header('Connection') // 'kept' } @r),
            'kept kept kept close', $uri;
    }
};

subtest 'our cookie is taken out of several fields, nothing else is' => sub {
    my $r = once('/app/added/x', headers => [[Cookie => 'LBSTICKY_app=x; a=b']]);
    is_deeply [map { $_->[1] } grep { $_->[0] eq 'Cookie' }
                   @{$r->json->{headers}}],
        ['a=b', 'one=1', 'two=2'], 'the three that are left';
};

subtest 'a file whose directory sends it elsewhere' => sub {
    is once('/app/plain.txt')->body, 'a file', 'is one';
    for my $to (qw(url pool)) {
        my $r = once("/app/$to.txt");
        is $r->status, 200, "$to: answered";
        is $r->member, $web[1]->name, "$to: by the one the rule names";
        is $r->json->{uri}, "/$to", "$to: with the rule's path";
    }
};

$h->no_unexpected_log;
done_testing;
