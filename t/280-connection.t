#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Connection names fields that end here. A client gets rid of its own fields
# that way, and of none that the module or the configuration wrote, or that
# decided where the request goes.
use lib 't/lib';
use LBS::Test timeout => 120;
use LBS::Pair;

my $web = LBS::Backend->new(name => 'web');

sub got ($r, $name) {
    return join ' | ', map { $_->[1] }
        grep { lc $_->[0] eq lc $name } @{$r->json->{headers}};
}

subtest 'a Connection field of the configuration stays' => sub {
    my $h = LBS::Httpd->new(backends => [$web], conf => <<'CONF');
LBSticky header=X-Session cookie
RequestHeader set X-By-Admin "yes"
RequestHeader set X-Early "yes" early
RequestHeader append X-Both "yes"
RequestHeader add X-Added "yes"
RequestHeader set X-Forwarded-Proto "https"
<Location "/in">
    RequestHeader set X-Section "yes"
</Location>
RemoteIPHeader X-Forwarded-For
RemoteIPInternalProxy 127.0.0.8
<Proxy "balancer://app">
    BalancerMember "http://@B1@" upgrade=websocket
</Proxy>
ProxyPass "/" "balancer://app/"
CONF
    $h->start;
    my @names = qw(X-By-Admin X-Early X-Both X-Added X-Section);
    for my $form ('%s', 'close, %s', 'a %s', '"%s"', "a\t%s;", ',%s,') {
        my $list = join ', ', map { sprintf $form, $_ } @names,
            'X-Forwarded-Proto', 'X-Session', 'X-Mine';
        my $r = $h->get('/in/x', headers => [(map { [$_, 'forged'] } @names),
            ['X-Session', 'abc'], ['X-Mine', 'mine'], ['Connection', $list]]);
        like got($r, $_), qr/\byes$/, "$form: $_" for @names;
        is got($r, 'X-Forwarded-Proto'), 'https', "$form: X-Forwarded-Proto";
        is got($r, 'X-Session'), 'abc', "$form: the field of a source";
        is got($r, 'X-Mine'), '', "$form: the client's own goes";
    }
    my $named = sub (@from) {
        my $r = $h->get('/x', headers => [['Forwarded', 'for=9.9.9.9'],
            ['X-Forwarded-For', '203.0.113.9'], ['X-Forwarded-Custom', 'c'],
            ['Connection', 'X-Forwarded-For Forwarded X-Forwarded-Custom']],
            @from);
        return join '; ', map { got($r, $_) } qw(Forwarded X-Forwarded-For
            X-Forwarded-Custom);
    };
    is $named->(from => '127.0.0.8'), 'for=9.9.9.9; 203.0.113.9; c',
        'the fields of a trusted proxy stay';
    is $named->(), '; 127.0.0.1; ', 'the fields of a client go';
    my $c = $h->connect;
    my $r = $c->request('GET', '/ws', headers => [
        ['Connection', 'Upgrade X-Forwarded-Proto, Cookie;"keep-alive"'],
        ['Upgrade', 'websocket'], ['Sec-WebSocket-Version', '13'],
        ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ==']]);
    is $r->status, 101, 'a WebSocket with an odd Connection field opens';
    $c->write('hello');
    is $c->read_bytes(5, 5), 'hello', 'and carries data';
    $c->close;
    $h->stop;
    $h->no_unexpected_log(qr/proxy\w*:(?:warn|error)/);
};

subtest 'between servers' => sub {
    my ($m1, $m2) = LBS::Pair::make(2, pool => <<'POOL');
LBSticky cookie
LBStickyCookie first=off
LBStickyMethod round-robin
POOL
    $_->start for $m1, $m2;
    for my $list ('Cookie', 'a Cookie', "X-Forwarded-Port zX-Forwarded-Proto\tCookie",
                  'LBSticky-Hop LBSticky-Trail', '"LBSticky-Hop"', 'Host') {
        my %by;
        for (1 .. 4) {
            my $r = $m1->get('/wsgi/x', headers => [['Cookie', 'a=b'],
                ['X-Forwarded-Proto', 'https'], ['Connection', $list]]);
            my $said = $r->json;
            $by{$said->{backend}} = join ' ', map { $_ // '-' }
                LBS::Pair::decided($r, 2) // '-',
                @{$said->{headers}}{qw(HTTP_COOKIE HTTP_X_FORWARDED_PROTO)};
        }
        is $by{m1}, '- a=b http', "$list: in process";
        is $by{m2}, 'local a=b http', "$list: at the peer, which serves it";
    }
    $_->stop for $m1, $m2;
    $_->no_unexpected_log for $m1, $m2;
};

done_testing;
