#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A member whose connections are refused: the request goes to another one,
# whole, once to each, and the visitor with it.
use lib 't/lib';
use LBS::Test timeout => 180;
use LBS::Governed;
use Digest::SHA qw(sha256_hex);

my @web = LBS::Backend->many(4, name => 'web');
my $three = join "\n", map { qq(BalancerMember "http://\@B$_\@" route=r$_) } 1 .. 3;
my $ring = join "\n", map {
    my $to = $_ % 3 + 1;
    qq(BalancerMember "http://\@B$_\@" route=r$_ redirect=r$to)
} 1 .. 3;

# With route= a test says itself which member a visitor is bound to.
my $h = governed(\@web,
    app   => "LBSticky cookie\n$three",
    route => "LBSticky route=R\n$three",
    sess  => "LBSticky session=APP\n$three",
    off   => "LBSticky route=R cookie\nLBStickyFailover off\n$three",
    param => "LBSticky route=R\nProxySet nofailover=On\n$three",
    both  => "LBSticky route=R\nProxySet nofailover=On\nLBStickyFailover on\n$three",
    most  => "LBSticky route=R\nProxySet maxattempts=1\n$three",
    only  => "LBSticky route=R\nProxySet maxattempts=0\n$three",
    none  => "LBSticky none\n$three",
    ring  => "LBSticky route=R\n$ring",
    home  => "LBSticky cookie\nLBStickyFailback return\n$three",
    idle  => "LBSticky cookie\nLBStickyTimeout idle=1min\n"
        . "LBStickyFailback idle=1s\n$three",
    # A session's idle time is known to about a second here.
    zero  => "LBSticky cookie\nLBStickyTimeout idle=1d\n"
        . "LBStickyFailback idle=0\n$three",
    eject => "LBSticky route=R\nLBStickySlowStart off\n"
        . "LBStickyEject failures=1 hold=1s-1s\n$three",
    server => <<'CONF');
LBStickyMethod round-robin
LBStickyEject off
ErrorDocument 503 /sorry.html
<Location "/off/plain">
    ErrorDocument 503 default
</Location>
CONF
$h->write('htdocs/sorry.html', "sorry\n");
$h->announce(qr/refused|failed to make connection|LBS\d+/);

sub bound ($n, @more) { return headers => [['Cookie', "R=x.r$n"], @more] }

sub clear { $_->clear for @web; return }

sub who_got ($uri) {
    return join ' ', sort map { my $b = $_; map { $b->name }
        grep { $_->{uri} =~ m{^\Q$uri\E} } $b->requests } @web;
}

subtest 'any method moves, with a new cookie' => sub {
    for my $method (qw(GET HEAD POST PUT DELETE PATCH OPTIONS REPORT)) {
        my $jar = LBS::Jar->new;
        my $home = $h->get('/app/', jar => $jar)->member;
        my ($b) = grep { $_->name eq $home } @web;
        my $old = $jar->value('LBSTICKY_app');
        $b->refuse;
        clear();
        my $r = $h->request($method, '/app/', jar => $jar,
            $method =~ /^P/ ? (body => "some $method") : ());
        is $r->status, 200, $method;
        isnt $r->member, $home, 'by another member';
        is verdict($r), 'moved down', 'why';
        is member_of($r), $r->member =~ s/web/r/r,
            'the environment names the member that answered in the end';
        isnt $jar->value('LBSTICKY_app'), $old, 'a new cookie';
        is who_got('/'), $r->member, 'it went out once';
        $b->accept;
        my $again = $h->get('/app/', jar => $jar);
        is verdict($again) . ' ' . $again->member, 'kept ' . $r->member,
            'and the visitor stays there';
        is scalar(my @set = $again->set_cookies), 0, 'with this cookie';
    }
    my @all = decided($h, 24, '/app/');
    my @moved = grep { $_->{DECISION} eq 'moved' } @all;
    is scalar(grep { $_->{TRIES} == 1 } @all), 16, 'one attempt';
    is_deeply [map { $_->{TRIES} } @moved], [(2) x 8], 'two when moved';
};

subtest 'requests of one session at once move to one member' => sub {
    my %cookies;
    # It was away a moment ago.
    wait_for(sub {
        my $jar = LBS::Jar->new;
        my $home = $h->get('/app/', jar => $jar)->member;
        $cookies{$jar->value('LBSTICKY_app')} = 1 if $home eq 'web1';
        keys %cookies == 2
    });
    is keys %cookies, 2, 'two visitors of the first';
    $web[0]->refuse;
    for my $token (sort keys %cookies) {
        my @headers = (headers => [['Cookie', "LBSTICKY_app=$token"]]);
        my @who = in_parallel(8, sub ($i) {
            my $r = $h->get('/app/?delay=0.05', @headers);
            return $r->member . ' ' . verdict($r);
        });
        my %to = map { s/ .*//r => 1 } @who;
        is scalar(keys %to), 1, 'all of them meet at one member';
        is scalar(grep { /kept|moved down/ } @who), 8, 'and say so';
        is $h->get('/app/', @headers)->member, [keys %to]->[0],
            'where the session stays';
    }
    $web[0]->accept;
};

subtest 'a learned session moves, too' => sub {
    my $home = $h->get('/sess/?cookie=APP%3Ds1')->member;
    my ($b) = grep { $_->name eq $home } @web;
    $b->refuse;
    my $r = $h->get('/sess/', headers => [['Cookie', 'APP=s1']]);
    is verdict($r), 'moved down', 'moved';
    $b->accept;
    my $again = $h->get('/sess/', headers => [['Cookie', 'APP=s1']]);
    is verdict($again) . ' ' . $again->member, 'kept ' . $r->member, 'stays';
};

subtest 'the body arrives whole' => sub {
    $web[0]->refuse;
    my $seed = join '', map { chr($_ * 7 % 256) } 0 .. 255;
    for my $size (0, 1, 2, 1000, 8191, 8192, 65535, 65536, 65537, 200_000,
                  1_000_000, 10_000_000) {
        my $body = substr $seed x (1 + $size / 256), 0, $size;
        my $want = sha256_hex($body);
        for my $chunked (0, 1) {
            clear();
            my $r = $h->post('/route/', $body, bound(1), chunked => $chunked);
            my $how = $chunked ? 'chunked' : 'Content-Length';
            is $r->status . ' ' . verdict($r), '200 moved down', "$size, $how";
            is $r->json->{body_sha256}, $want, 'every byte';
            is $r->json->{body_length}, $size, 'and no more';
        }
    }
    # The client waits for the first answer before it sends.
    my $c = $h->connect;
    my $body = 'x' x 300_000;
    $c->write("PUT /route/ HTTP/1.1\r\nHost: x\r\nCookie: R=x.r1\r\n"
        . "Expect: 100-continue\r\nContent-Length: 300000\r\n\r\n");
    like $c->read_bytes(25), qr{^HTTP/1\.1 100 Continue\r\n\r\n}, '100 Continue';
    $c->write($body);
    my $r = $c->response('PUT');
    is $r->json->{body_sha256}, sha256_hex($body), 'with Expect';

    # A slow client: the body comes in pieces while the first try is over.
    $c = $h->connect;
    $c->write("POST /route/ HTTP/1.1\r\nHost: x\r\nCookie: R=x.r1\r\n"
        . "Content-Length: 30\r\n\r\n");
    for (1 .. 3) {
        sleep 0.15;
        $c->write('0123456789');
    }
    $r = $c->response('POST');
    is $r->json->{body_sha256}, sha256_hex('0123456789' x 3), 'in pieces';
    is verdict($r), 'moved down', 'moved';
    $web[0]->accept;
};

subtest 'LBStickyFailover off' => sub {
    $web[0]->refuse;
    clear();
    for my $pool (qw(off param)) {
        my $r = $h->get("/$pool/", bound(1));
        is $r->status, 503, "$pool: the member is not there";
        is $r->body, "sorry\n", 'ErrorDocument';
        like $r->header('Retry-After'), qr/^[1-9]\d*$/, 'when to try again';
        is scalar(my @set = $r->set_cookies), 0, 'no cookie';
        is $h->get("/$pool/", bound(2))->member, 'web2', 'others are served';
        my ($line) = decided($h, 2, "/$pool/");
        is "$line->{DECISION} $line->{REASON}", 'refused down', 'in the log';
    }
    is who_got('/'), 'web2 web2', 'nobody else got it';
    my $r = $h->get('/off/plain', bound(1));
    is $r->status, 503, 'without an ErrorDocument';
    like $r->body, qr/503 Service Unavailable/, 'the page of httpd';
    like $r->header('Retry-After'), qr/^[1-9]\d*$/, 'when to try again';
    is verdict($r), 'refused down', 'the environment';
    is verdict($h->get('/both/', bound(1))), 'moved down',
        'an explicit LBStickyFailover wins over nofailover=';
    for (1 .. 6) {
        is $h->get('/off/')->status, 200, 'a visitor without a session goes elsewhere';
    }
    $web[0]->accept;
    is $h->get('/off/', bound(1))->member, 'web1', 'back';
};

subtest 'each member once' => sub {
    $_->refuse for @web;
    for my $case (['route', 3], ['ring', 3], ['none', 3], ['most', 2],
                  ['only', 1], ['off', 1]) {
        my ($pool, $tries) = @$case;
        my $before = decided($h, 0, "/$pool/");
        for my $n (1 .. 3) {
            my $begun = time;
            my $r = $h->get("/$pool/", bound($n));
            is $r->status, 503, "$pool: nobody there";
            cmp_ok time - $begun, '<', 1, 'and at once';
        }
        my @last = decided($h, $before + 3, "/$pool/");
        is_deeply [map { $_->{TRIES} } @last[-3 .. -1]], [($tries) x 3],
            "attempts: $tries";
    }
    $_->accept for @web;

    # They take the connection and the request, and then close: seen by all
    # of them, twice by none.
    $h->announce(qr/AH01102: error reading status|AH00898: Error reading/);
    $_->set(close => 'before') for @web;
    clear();
    my $r = $h->get('/ring/', bound(1));
    isnt $r->status, 200, 'nobody answered';
    is who_got('/'), 'web1 web2 web3', 'each got it once';
    for my $case ([most => 2], [only => 1]) {
        my ($pool, $members) = @$case;
        $h->get("/$pool/lost-$pool", bound(1));
        my @who = split ' ', who_got("/lost-$pool");
        is "$who[0] " . @who, "web1 $members", "$pool: maxattempts= counts those, too";
    }
    $_->set for @web;
};

# route=: a visitor that is bound to r1 for ever shows when it is tried again.
subtest 'a member is tried again when its hold is over, not before' => sub {
    $web[0]->refuse;
    my $ejected = time;
    is verdict($h->get('/eject/', bound(1))), 'moved down', 'fails';
    $web[0]->accept;
    clear();
    my $early = 0;
    while (time - $ejected < 0.85) {
        my $r = $h->get('/eject/', bound(1));
        $early++ if $r->member eq 'web1'
            || verdict($r) !~ /^moved (?:ejected|down)$/;
        sleep 0.05;
    }
    is $early, 0, 'held: nobody is sent there';
    is $web[0]->deliveries, 0, 'indeed';
    sleep 1.2 - (time - $ejected);

    # Half-open: fifty at once, and the member takes its time.
    $web[0]->set(delay => 0.7, times => 1);
    my @got = in_parallel(50, sub ($i) {
        my $r = $h->get('/eject/', bound(1));
        {member => $r->member, status => $r->status, begun => time - $r->elapsed}
    });
    is scalar(grep { $_->{status} != 200 } @got), 0, 'all are served';
    # The module's own probe comes before.
    my ($probe, @later) = map { $_->{at} }
        grep { !grep { "@$_" =~ /mod_lbsticky/ } @{$_->{headers}} } $web[0]->requests;
    ok $probe, 'one tries';
    is scalar(grep { $_ < $probe + 0.7 } @later), 0, 'nobody beside it';
    my $meanwhile = grep { $_->{member} ne 'web1' && $_->{begun} > $probe } @got;
    cmp_ok $meanwhile, '>', 5, 'though there were more';
    my $r = $h->get('/eject/', bound(1));
    is verdict($r) . ' ' . $r->member, 'kept web1', 'then it is in use again';
};

subtest 'LBStickyFailback' => sub {
    for my $pool (qw(home idle zero)) {
        my $jar = LBS::Jar->new;
        my $home = $h->get("/$pool/", jar => $jar)->member;
        my ($b) = grep { $_->name eq $home } @web;
        my $old = $jar->value("LBSTICKY_$pool");
        $b->refuse;
        my $r = $h->get("/$pool/", jar => $jar);
        is verdict($r), 'moved down', "$pool: away";
        my $away = $r->member;
        $b->accept;
        if ($pool eq 'idle') {
            for (1 .. 6) {
                $r = $h->get('/idle/', jar => $jar);
                is $r->member, $away, 'stays while in use';
                sleep 0.25;
            }
            sleep 1.1;
        }
        $r = $h->get("/$pool/", jar => $jar);
        is verdict($r) . ' ' . $r->member, "moved failback $home", 'home again';
        $r = $h->get("/$pool/", jar => $jar);
        is verdict($r) . ' ' . $r->member, "kept $home", 'and there';
    }
};

$h->no_unexpected_log;
done_testing;
