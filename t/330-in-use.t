#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A session with a request in flight is not idle: a WebSocket, a stream, an
# upload or a download may last longer than LBStickyTimeout idle=.
use lib 't/lib';
use LBS::Test timeout => 240;

use LBS::Governed;
use LBS::State qw(admin);

my $IDLE = 2;
my $OVER = qr/^new (?:expired|unknown)$/;    # as it was swept by then, or not

sub start ($web, %o) {
    my %httpd = map { exists $o{$_} ? ($_ => delete $o{$_}) : () } qw(mpm children threads);
    my $list = join "\n", map { qq(BalancerMember "http://\@B$_\@" route=r$_ upgrade=websocket) }
        1 .. @$web;
    my $h = governed($web, children => 3, %httpd,
        server => "LBStickyMethod round-robin\nLBStickyAdmin on\nLBStickySlowStart off",
        map { ($_ => "$o{$_}\n$list") } keys %o);
    $h->announce(qr/\[proxy(?:_http)?:(?:error|warn)\]/, qr/exit signal Killed/);
    return $h;
}

sub sid ($k) { return [['Cookie', "sid=$k"]] }

sub ask ($h, $uri, $k) { return $h->get($uri, headers => sid($k)) }

# Requests that last, by name: each returns its connection, or what ends it.
my %LASTING = (
    websocket => sub ($h, $pool, $headers) {
        my $c = $h->connect;
        my $r = $c->request('GET', "/$pool/", headers => [@$headers,
            ['Connection', 'Upgrade'], ['Upgrade', 'websocket'],
            ['Sec-WebSocket-Version', '13'],
            ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ==']]);
        is $r->status, 101, 'a WebSocket';
        return $c;
    },
    stream => sub ($h, $pool, $headers) {
        my $c = $h->connect;
        $c->send_request('GET', "/$pool/?hang=10&size=100", headers => $headers);
        return $c;
    },
    'long poll' => sub ($h, $pool, $headers) {
        my $c = $h->connect;
        $c->send_request('GET', "/$pool/?delay=" . $IDLE * 3, headers => $headers);
        return $c;
    },
    upload => sub ($h, $pool, $headers) {
        my $c = $h->connect;
        $c->write("PUT /$pool/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n"
            . join('', map { "$_->[0]: $_->[1]\r\n" } @$headers) . "\r\n" . 'x' x 1000);
        return $c;
    },
    # Nobody reads it: the server is left with most of it.
    download => sub ($h, $pool, $headers) {
        my $c = $h->connect;
        $c->send_request('GET', "/$pool/?size=30000000", headers => $headers);
        return $c;
    },
);

# A session that has just begun, as the headers that show it.
sub begin ($h, $pool, $k) {
    my $r = ask($h, "/$pool/", $k);
    my $token = token_in($r, 'LB');
    return ($r->member, defined $token ? [['Cookie', "LB=$token"]] : sid($k));
}

each_mpm {
    my @web = LBS::Backend->many(4);
    my $h = start(\@web, app => "LBSticky session=sid\nLBStickyTimeout idle=${IDLE}s",
        mark => "LBSticky cookie\nLBStickyCookie name=LB first=off\nLBStickyTimeout idle=${IDLE}s");
    my (@open, @home);
    for my $pool (qw(app mark)) {
        for my $kind (sort keys %LASTING) {
            my ($member, $headers) = begin($h, $pool, "$pool-$kind");
            push @open, $LASTING{$kind}->($h, $pool, $headers);
            push @home, [$pool, $kind, $member, $headers];
        }
    }
    my (undef, $lonely) = begin($h, 'app', 'lonely');
    sleep $IDLE * 2.5;
    my $kept = sub ($when, @which) {
        for (@which) {
            my ($pool, $kind, $member, $headers) = @$_;
            my $r = $h->get("/$pool/", headers => $headers);
            is verdict($r) . ' ' . $r->member, "kept $member", "$pool, $kind: $when";
        }
    };
    $kept->('known while it lasts', @home);
    like verdict($h->get('/app/', headers => $lonely)), $OVER, 'one without is over';
    sleep $IDLE * 1.5;    # past the idle time of those requests
    $_->close for splice @open;
    $_->drop for @web;    # httpd waits for what members still have to say
    sleep $IDLE / 2;
    $kept->('another idle time begins when it ends', grep { $_->[1] ne 'long poll' } @home);
    sleep $IDLE * 1.5;
    my @kept = grep { verdict($h->get("/$_->[0]/", headers => $_->[3])) !~ $OVER } @home;
    is scalar(@kept), 0, 'and ends';
    $h->stop;
};

subtest 'a reload, and a child that is killed' => sub {
    my @web = LBS::Backend->many(4);
    my $idle = $IDLE + 1;    # a busy machine is slow at a reload
    my $h = start(\@web, children => 2, app => "LBSticky session=sid\nLBStickyTimeout idle=${idle}s");
    my ($member, $headers) = begin($h, 'app', 'reload');
    my @old = $h->children;
    my $c = $LASTING{websocket}->($h, 'app', $headers);
    $h->graceful;
    sleep $idle * 2;
    my $r = $h->get('/app/', headers => $headers);
    is verdict($r) . ' ' . $r->member, "kept $member", 'a WebSocket of a child of before the reload';
    my @left = grep { LBS::Proc::alive($_) } @old;
    is @left, 1, 'which is the only one left of them';
    kill KILL => @left;
    sleep $idle * 1.5;
    like verdict($h->get('/app/', headers => $headers)), $OVER, 'it is killed: nothing lasts any more';
    $c->close;
};

subtest 'max= ends a session all the same' => sub {
    my @web = LBS::Backend->many(4);
    my $h = start(\@web, app => "LBSticky session=sid\nLBStickyTimeout idle=2s max=4s",
        mark => "LBSticky cookie\nLBStickyCookie name=LB first=off\nLBStickyTimeout idle=2s max=4s");
    my @c;
    my @home = map {
        my ($member, $headers) = begin($h, $_, 'max');
        push @c, $LASTING{websocket}->($h, $_, $headers);
        [$_, $member, $headers]
    } qw(app mark);
    sleep 3;
    is verdict($h->get("/$_->[0]/", headers => $_->[2])), 'kept', "$_->[0]: before" for @home;
    sleep 3;
    like verdict($h->get("/$_->[0]/", headers => $_->[2])), $OVER, "$_->[0]: after" for @home;
    $_->close for @c;
};

subtest 'idle times of a drain and of failback' => sub {
    my @web = LBS::Backend->many(4);
    my $h = start(\@web, app => "LBSticky session=sid\nLBStickyTimeout idle=20s",
        back => "LBSticky session=sid\nLBStickyTimeout idle=20s\nLBStickyFailback idle=2s");
    my ($member, $headers) = begin($h, 'app', 'busy');
    my $c = $LASTING{websocket}->($h, 'app', $headers);
    my (undef, $lonely) = map { [begin($h, 'app', "lonely$_")] } 1 .. 4;
    my ($beside) = grep { $_->[0] eq $member } map { [begin($h, 'app', "beside$_")] } 1 .. 4;
    my ($home, $back) = begin($h, 'back', 'away');
    my ($b) = grep { $web[$_]->name eq $home } 0 .. $#web;
    admin($h, back => 'r' . ($b + 1), 'disable');
    my $r = $h->get('/back/', headers => $back);
    my $away = $r->member;
    isnt $away, $home, 'moved';
    my $d = $LASTING{websocket}->($h, 'back', $back);
    admin($h, back => 'r' . ($b + 1), 'enable');
    sleep 3.5;
    my ($i) = grep { $web[$_]->name eq $member } 0 .. $#web;
    admin($h, app => 'r' . ($i + 1), 'drain', idle => '2s');
    $r = $h->get('/app/', headers => $headers);
    is verdict($r) . ' ' . $r->member, "kept $member", 'a drain moves idle ones: not this one';
    is verdict($h->get('/app/', headers => $beside->[1])), 'moved drained', 'but another of the member';
    is $h->get('/back/', headers => $back)->member, $away, 'nor does it go home';
    $_->close for $c, $d;
    sleep 3.5;
    is verdict($h->get('/app/', headers => $headers)), 'moved drained', 'once it is idle it moves';
    is $h->get('/back/', headers => $back)->member, $home, 'and goes home';
};

done_testing;
