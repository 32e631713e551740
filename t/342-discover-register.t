#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# LBStickyDiscover register: members announce themselves, for a lease.
use lib 't/lib';
use LBS::Test timeout => 240;
use LBS::State qw(pool_state events visit);

my @web = LBS::Backend->many(4, name => 'web');
my ($ALL, $APP) = ('0123456789abcdef-all', 'fedcba9876543210-app');

sub conf ($register = 'file:@ROOT@/tokens', %o) { return <<"CONF" }
LBSticky session=sid
LBStickySlowStart off
LBStickyRegister $register
LBStickyAdmin on
<Proxy "balancer://app">
    BalancerMember "http://\@B1\@" route=r1
    LBStickyDiscover register admin interval=1s hold=1s leave=1h \\
        max=@{[$o{max} // 3]} allow=127.0.0.0/8
</Proxy>
<Proxy "balancer://plain">
    BalancerMember "http://\@B1\@" route=r1
</Proxy>
ProxyPass "/app/" "balancer://app/"
ProxyPass "/plain/" "balancer://plain/"
<Location "/lb-status">
    SetHandler lb-status
    Require local
</Location>
CONF

sub tokens ($h) { return $h->write('tokens', "# two\n$ALL\n$APP pool=app\n") }

sub call ($h, $field, %o) {
    my $token = exists $o{token} ? $o{token} : $APP;
    return $h->post('/lb-status/register', {pool => 'app', %$field},
        headers => [$token ? ['Authorization', "Bearer $token"] : ()]);
}

sub port ($n) { return $web[$n - 1]->url =~ /(\d+)$/ ? $1 : die }

sub at ($h, $n) {
    my ($m) = grep { $_->{name} eq $web[$n - 1]->url }
        @{pool_state($h, 'app')->{members}};
    return $m // {};
}

sub source ($h) { return pool_state($h, 'app')->{discover}[0] }

each_mpm {
    my ($mpm) = @_;
    my $h = LBS::Httpd->new(backends => \@web, conf => conf());
    tokens($h);
    $h->start;
    my $r = call($h, {port => port(2), weight => 50, lease => '1h'});
    is $r->status, 200, 'registered' or diag $r->body;
    is_deeply [@{$r->json}{qw(name found weight state)}],
        [$web[1]->url, 'register', 50, 'up'], 'the answer is the member';
    cmp_ok $r->json->{lease_s}, '>', 3500, 'with its lease';
    my @at = map { visit($h, $_)->member } 1 .. 12;
    ok scalar(grep { $_ eq $web[1]->name } @at), 'it gets visitors at once';
    is call($h, {port => port(2), lease => '2h'})->status, 200, 'again';
    is_deeply [events($h, 'added')], [$web[1]->url], 'one event';
    cmp_ok at($h, 2)->{lease_s}, '>', 7000, 'another lease';
    is at($h, 2)->{weight}, 50, 'the weight that it said';
    $h->graceful;
    is_deeply [map { visit($h, $_)->member } 1 .. 12], \@at, 'a reload';
    $h->stop;
    $h->start;
    is_deeply [map { visit($h, $_)->member } 1 .. 12], \@at, 'and a stop';
    cmp_ok at($h, 2)->{lease_s}, '>', 7000, 'after which its lease begins anew';
    $r = call($h, {port => port(2), leave => 1});
    is $r->json->{state}, 'leaving', 'it leaves';
    cmp_ok $r->json->{drain}{sessions_left}, '>', 0, 'knows who is left';
    is call($h, {port => port(2)})->json->{state}, 'up', 'and is back';
    is_deeply [events($h, 'back')], [$web[1]->url], 'an event';
    $h->stop;
    $h->no_unexpected_log;
};

subtest 'refused' => sub {
    my $h = LBS::Httpd->new(backends => \@web, conf => conf());
    tokens($h);
    $h->start;
    my %me = (port => port(2));
    for ([\%me, 403, qr/Bearer/, token => undef],
         [\%me, 403, qr/token is none of/, token => 'x' x 20],
         [\%me, 403, qr/token is none of/, token => substr $APP, 0, 19],
         [\%me, 403, qr/token is none of/, token => 'x' x 4000],
         [{%me, pool => 'plain'}, 403, qr/not of this pool/],
         [{%me, pool => 'plain'}, 403, qr/LBStickyDiscover register/, token => $ALL],
         [{%me, pool => 'none'}, 404, qr/no such pool/, token => $ALL],
         [{}, 400, qr/port and url/], [{port => 0}, 400, qr/port/],
         [{%me, url => $web[1]->url}, 400, qr/one of the fields/],
         [{url => 'http://127.0.0.2:80'}, 403, qr/another address/],
         [{url => 'http://169.254.169.254'}, 403, qr/another address/],
         [{port => $h->port}, 400, qr/this httpd itself/],
         [{port => port(1)}, 409, qr/configured/],
         [{%me, lease => '500ms'}, 400, qr/lease/],
         [{%me, lease => '2d'}, 400, qr/lease/],
         [{%me, weight => 'x'}, 400, qr/weight/],
         [{%me, leave => 'x'}, 400, qr/leave/],
         [{%me, colour => 'x'}, 400, qr/no field colour/],
         [{%me, leave => 1}, 404, qr/not registered/]) {
        my ($field, $status, $said, %o) = @$_;
        my $r = call($h, $field, %o);
        ok $r->status == $status && $r->json->{error} =~ $said,
            "refused: $said" or diag $r->status, ' ', $r->body;
    }
    my @token = (headers => [['Authorization', "Bearer $APP"]]);
    is $h->get('/lb-status/register', @token)->status, 405, 'POST only';
    is $h->post('/lb-status/register', 'x=' . 'y' x 70000, @token)->status, 413,
        'a length';
    my $r = $h->post('/lb-status/register', '{"pool":"app"}', headers =>
        [$token[1][0], ['Content-Type', 'application/json']]);
    is $r->status, 400, 'a type';
    like $r->json->{error}, qr/x-www-form-urlencoded/, 'says which';
    is scalar(@{pool_state($h, 'app')->{members}}), 1, 'nothing was added';

    is call($h, \%me)->status, 200, 'registered';
    is $h->post('/lb-status/admin', {pool => 'app', action => 'remove',
        deadline => 0, member => $web[1]->url},
        headers => [['LBSticky-Admin', '1']])->status, 200, 'removed';
    $r = call($h, \%me);
    is $r->status, 403, 'it stays away';
    like $r->json->{error}, qr/an operator has removed/, 'and is told';
    $h->stop;
    $h->no_unexpected_log;
};

subtest 'leases end' => sub {
    my $h = LBS::Httpd->new(backends => \@web,
                            conf => conf('file:@ROOT@/tokens from=any lease=1h'));
    tokens($h);
    $h->start;
    is call($h, {url => $web[$_ - 1]->url})->status, 200, "web$_" for 2, 3, 4;
    visit($h, $_) for 1 .. 40;    # who has sessions stays for them
    is call($h, {url => $web[1]->url, lease => '1s'})->status, 200, 'a short one';
    ok wait_for(sub { (at($h, 2)->{state} // 'gone') =~ /leaving|gone/ }, 20),
        'one that does not renew its lease leaves';
    is source($h)->{state}, 'ok', 'the source is well';
    is at($h, $_)->{state}, 'up', "web$_ stays" for 3, 4;
    $h->announce(qr/LBS3604: .*do not renew/);
    call($h, {url => $web[$_ - 1]->url, lease => '1s'}) for 3, 4;
    ok wait_for(sub { source($h)->{state} eq 'stale' }, 20),
        'where most do not, the way is broken';
    is at($h, $_)->{state}, 'up', "web$_ is kept" for 3, 4;
    call($h, {url => $web[$_ - 1]->url, lease => '1h'}) for 3, 4;
    ok wait_for(sub { source($h)->{state} eq 'ok' }, 20), 'until they do';
    $h->stop;
    $h->no_unexpected_log;
};

subtest 'many calls of one' => sub {
    my $h = LBS::Httpd->new(backends => \@web, conf => conf());
    tokens($h);
    $h->start;
    my $before = $h->log_lines;
    my @seen = in_parallel(8, sub ($i) {
        my %n;
        $n{call($h, {port => port(2)})->status}++ for 1 .. 20;
        return \%n;
    });
    is_deeply [sort map { keys %$_ } @seen], [('200') x 8], 'all of them done';
    is scalar(events($h, 'added')), 1, 'one event';
    $h->stop;
    $h->no_unexpected_log;
};

for (['file:none', qr/a file that can be read/], ['x', qr/off, or file:PATH/],
     ['file:short', qr/16 to 256 bytes/],
     ['file:tokens from=all', qr/from/], ['file:tokens lease=0', qr/lease/]) {
    my ($words, $said) = @$_;
    my $h = LBS::Httpd->new(backends => \@web, conf => conf($words));
    tokens($h);
    $h->write('short', "abc\n");
    my ($status, $text) = $h->configtest;
    ok $status != 0 && $text =~ $said, "refused: $words" or diag $text;
}

done_testing;
