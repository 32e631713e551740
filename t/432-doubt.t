#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Finding out whether a member lives, without risking a visitor.
use lib 't/lib';
use LBS::Test timeout => 150;

use LBS::Gateway;
use LBS::Governed;
use LBS::State qw(pool_state member_state admin);

# What mod_proxy tells of connections it lost or could not open.
my @TOLD = (qr/\[proxy(?:_[a-z0-9]+)?:(?:error|warn)\]/, qr/\[ssl:warn\]/);

sub start ($web, %o) {
    my $h = governed($web, ($o{mpm} // '') eq 'prefork' ? () : (threads => 40), %o,
        server => "LBStickySlowStart off\nLBStickyAdmin on\n" . ($o{server} // ''));
    $h->announce(@TOLD);
    return $h;
}

sub at ($n) { return cookie_of(R => "x.r$n") }
sub state_of ($h, $n, $pool = 'app') {
    return member_state($h, $pool, "r$n")->{state};
}

sub becomes ($h, $n, $state, $seconds, $pool = 'app') {
    return wait_for(sub { state_of($h, $n, $pool) eq $state }, $seconds);
}

sub events ($h, $n, $pool = 'app') {
    return map { $_->{event} } grep { $_->{pool} eq $pool
        && $_->{member} eq "r$n" } @{$h->json->{events}};
}

sub doctor ($h) {
    my $url = 'http://127.0.0.1:' . $h->port . '/lb-status';
    my $out = qx($^X bin/lbctl -u $url doctor 2>&1);
    return ($? >> 8, $out);
}

# --- is it there? -----------------------------------------------------------

subtest 'a member that refuses connections is down for all to see' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web, app => 'LBSticky route=R');
    $h->get('/app/', headers => at($_)) for 1, 2;
    is +(doctor($h))[0], 0, 'all is well';
    my @before = map { $_->stats->{connections} } @web;
    sleep 1.5;
    is_deeply [map { $_->stats->{connections} } @web], \@before,
        'nobody connects to members that are known to be well';

    $web[0]->refuse;
    my $r = $h->get('/app/', headers => at(1));
    is $r->status . ' ' . $r->member, '200 ' . $web[1]->name,
        'its visitor is served elsewhere';
    ok becomes($h, 1, 'down', 3), 'one visitor is enough: it is down';
    my $m = member_state($h, 'app', 'r1');
    like $m->{check}{last}, qr/^connect: Connection refused$/, 'JSON says why';
    cmp_ok abs($m->{since} - time), '<', 4, 'and since when';
    is join(' ', events($h, 1)), 'down', 'an event';
    is $h->wait_log(qr/LBS1603: pool app: member r1 is down: connect: /), 1, 'the log';
    my ($status, $out) = doctor($h);
    is $status, 1, 'lbctl doctor ends with 1';
    like $out, qr/r1 is dead.*Connection refused/, 'and says so';
    like $h->get('/lb-status')->body,
        qr/Act now.{0,200}r1 is dead[^<]*accepts no connections/s,
        'the page: the gravest alarm';
    like $h->get('/lb-status/metrics')->body,
        qr/^lbsticky_member_up\{[^}]*member="r1"[^}]*\} 0/m, 'the metrics';
    my $failures = $m->{failures};
    is $h->get('/app/', headers => at(1))->member, $web[1]->name, 'visitors go on'
        for 1 .. 3;
    is member_state($h, 'app', 'r1')->{failures}, $failures, 'none tries it';

    my $from = time;
    $web[0]->accept;
    ok becomes($h, 1, 'up', 4), 'it is back';
    cmp_ok time - $from, '<', 2, 'within two seconds';
    is $web[0]->stats->{heads}, 1, 'found out without a request';
    is join(' ', events($h, 1)), 'down up', 'an event';
    is +(doctor($h))[0], 0, 'all is well again';
    is $h->get('/app/', headers => at(1))->member, $web[0]->name, 'and it serves';
    is member_state($h, 'app', 'r1')->{check}{last}, '', 'nothing is checked';
    @before = map { $_->stats->{connections} } @web;
    sleep 1.5;
    is_deeply [map { $_->stats->{connections} } @web], \@before,
        'nobody connects any more';
};

subtest 'both members dead: none is called well, and the first one back is found' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web, app => 'LBSticky cookie');
    $_->refuse for @web;
    is $h->get('/app/')->status, 503, 'nobody is there';
    ok becomes($h, $_, 'down', 4), "r$_ is down" for 1, 2;
    is pool_state($h, 'app')->{panic} ? 1 : 0, 0, 'without checks there is no panic';
    my ($status, $out) = doctor($h);
    is $status, 1, 'lbctl doctor ends with 1';
    like $out, qr/no member can serve \(2 down\)/, 'and says what it means';
    like $h->get('/lb-status')->body,
        qr/Act now.{0,200}no member can serve \(2 down\)/s, 'so does the page';
    sleep 2;
    $web[1]->accept;
    my $r = $h->get('/app/');
    is $r->status . ' ' . $r->member, '200 ' . $web[1]->name,
        'nobody is refused before members that are down were tried';
    ok becomes($h, 2, 'up', 4), 'and it is up';
};

subtest 'a failure that is none of the connection' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web, app => 'LBSticky route=R');
    $h->get('/app/?reset=before&at=' . $web[0]->name, headers => at(1));
    sleep 1;
    is state_of($h, 1), 'up', 'it accepts connections: it is up';
    is join(' ', events($h, 1)), '', 'nothing is told';
    my $before = $web[0]->stats->{connections};
    sleep 1;
    is $web[0]->stats->{connections}, $before, 'one connection was enough';
};

subtest 'the only other one is ejected: it is asked before anybody is refused' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web,
        app => "LBSticky route=R\nLBStickyEject failures=1 hold=20s-60s");
    $h->get('/app/?reset=before&at=' . $web[1]->name, headers => at(2));
    is state_of($h, 2), 'ejected', 'one is ejected, and well';
    $web[0]->refuse;
    my @bad = grep { $_->status != 200 || $_->member ne $web[1]->name }
        map { $h->request($_ % 2 ? 'GET' : 'POST', '/app/', headers => at(1 + $_ % 2)) }
        1 .. 30;
    is scalar(@bad), 0, 'the other one refuses: nobody is';
    ok becomes($h, 1, 'down', 4), 'which is known';
    ok becomes($h, 2, 'up', 4), 'as the last one it is ejected no more';
};

subtest 'LBStickyFailover off: a restart is no reason to refuse' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web, app => "LBSticky route=R\nLBStickyFailover off");
    $web[0]->refuse;
    is $h->get('/app/', headers => at(1))->status, 503, 'it is not there';
    ok becomes($h, 1, 'down', 4), 'and known to be down';
    is $h->get('/app/', headers => at(1))->status, 503, 'still not there';
    $web[0]->accept;
    is $h->get('/app/', headers => at(1))->member, $web[0]->name,
        'back: its next visitor gets there';
};

subtest 'every scheme, and unix sockets' => sub {
    my @gate = map { LBS::Gateway->new(scheme => $_) } qw(ajp fcgi scgi uwsgi);
    my @web = LBS::Backend->many(1);
    my @scheme = qw(ajp fcgi scgi uwsgi https h2c);
    my $list = join "\n", map {
        qq(BalancerMember "$scheme[$_]://127.0.0.1:\@FREE@{[$_ + 1]}\@" route=r@{[$_ + 1]})
    } 0 .. $#scheme;
    $list .= qq(\nBalancerMember "unix:\@ROOT\@/none.sock|http://localhost" route=r7\n)
        . qq(BalancerMember "http://\@B1\@" route=r8\nLBSticky route=R);
    my $h = start(\@web, modules => [qw(ssl proxy_ajp proxy_fcgi proxy_scgi
        proxy_uwsgi proxy_http2)], server => 'SSLProxyEngine on', app => $list);
    $h->get('/app/', headers => at($_)) for 1 .. 7;
    for my $n (1 .. 7) {
        ok becomes($h, $n, 'down', 4), ($scheme[$n - 1] // 'unix') . ': down';
    }
    is $h->get('/app/')->member, $web[0]->name, 'the last one serves';
};

subtest 'the process that asks dies' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web, app => 'LBSticky route=R', children => 2);
    $web[0]->refuse;
    $h->get('/app/', headers => at(1));
    ok becomes($h, 1, 'down', 4), 'down';
    my ($pid) = map { /\[pid (\d+)/ } $h->error_log(qr/LBS1603/);
    $h->announce(qr/child pid $pid exit signal/);
    kill KILL => $pid;
    $web[0]->accept;
    ok becomes($h, 1, 'up', 6), 'another one finds it well';
    my ($other) = map { /\[pid (\d+)/ } $h->error_log(qr/LBS1602/);
    isnt $other, $pid, 'indeed';
};

subtest 'known to be dead over a reload and a restart' => sub {
    my @web = LBS::Backend->many(2);
    my %conf = (app => 'LBSticky cookie', server => "LBStickySlowStart off");
    my $h = start(\@web, app => 'LBSticky route=R');
    $web[0]->refuse;
    $h->get('/app/', headers => at(1));
    ok becomes($h, 1, 'down', 4), 'down';
    $h->graceful;
    is state_of($h, 1), 'down', 'after a reload';
    $h->stop;
    $h->start;
    is state_of($h, 1), 'down', 'after a restart';
    $web[0]->accept;
    ok becomes($h, 1, 'up', 4), 'and found well';
    is scalar(grep { $_->[0] eq 'up' && $_->[1] ne 'connected' }
        map { [@$_{qw(event reason)}] } @{$h->json->{events}}), 0,
        'by a connection';
};

# --- does it hang? ----------------------------------------------------------

# Three GETs of six seconds at the first member, quick ones at the second, and,
# later, bystanders of the first: their answers would end any doubt. Returns
# [status, member, seconds] of each.
sub slow_ones ($h, $seconds = 6) {
    my $end = time + $seconds;
    my @got = in_parallel(5, sub ($i) {
        if ($i < 3) {
            my $r = $h->get("/app/slow$i?delay=$seconds", headers => at(1));
            return [$r->status, $r->member, $r->elapsed];
        }
        my @r;
        sleep $i == 3 ? 0 : $seconds * 0.6;
        while (time < $end - 0.5) {
            my $r = $h->request($i == 3 ? 'GET' : 'POST', '/app/quick',
                headers => at($i == 3 ? 2 : 1), $i == 3 ? () : (body => 'x'));
            push @r, [$r->status, $r->member, $r->elapsed];
            sleep 0.05;
        }
        return \@r;
    });
    return @got;
}

for my $case (
    ['a stall is doubt, not proof: slow requests', {}, ''],
    ['slow requests, failover off', {}, 'LBStickyFailover off'],
    ['slow requests, with a check',
     {}, 'LBStickyCheck path=/healthz interval=5s'],
) {
    my ($what, undef, $lines) = @$case;
    subtest $what => sub {
        my @web = LBS::Backend->many(2);
        my $h = start(\@web, app => "LBSticky route=R\nLBStickyEject stall=1s\n$lines");
        $h->get('/app/', headers => at($_)) for 1, 2;
        my @got = slow_ones($h);
        is_deeply [map { "$_->[0] $_->[1]" } @got[0 .. 2]],
            [('200 ' . $web[0]->name) x 3], 'the slow ones are answered there';
        is scalar(grep { $_->{uri} =~ /slow/ } $web[0]->requests), 3, 'each once';
        is scalar(grep { $_->{uri} =~ /slow/ } $web[1]->requests), 0,
            'and nowhere else';
        is scalar(grep { $_->[0] != 200 } @{$got[3]}, @{$got[4]}), 0,
            'no bystander is refused';
        is scalar(grep { $_->[1] ne $web[0]->name } @{$got[4]}), 0, 'nor moved';
        cmp_ok percentile(90, map { $_->[2] } @{$got[4]}), '<', 0.4,
            'a POST is not kept waiting';
        is join(' ', events($h, 1)), '', 'nothing happened to it';
        my @asked = grep { $_->{uri} !~ /slow|quick|app/ } $web[0]->requests;
        cmp_ok scalar(@asked), '>', 0, 'it was asked: ' . @asked . ' times';
        cmp_ok scalar(@asked), '<', 25, 'now and then';
    };
}

subtest 'an upload that is slow because of its client is no stall' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web, app => "LBSticky route=R\nLBStickyEject stall=1s");
    $web[0]->set(delay => 0.1);
    $h->get('/app/', headers => at($_)) for 1, 2;
    $web[0]->set;
    my @c = map { my $c = $h->connect;
        $c->write("PUT /app/ HTTP/1.1\r\nHost: localhost\r\nCookie: R=x.r1\r\n"
            . "Content-Length: 100000\r\n\r\n" . 'x' x 50_000); $c } 1 .. 4;
    $web[0]->clear;
    my $end = time + 2.5;
    while (time < $end) {
        $h->get('/app/', headers => at(2));
        sleep 0.05;
    }
    is scalar(grep { $_->{method} eq 'HEAD' } $web[0]->requests), 0,
        'there is no doubt';
    $_->write('x' x 50_000) for @c;
    is scalar(grep { $_->response('PUT')->status == 200 } @c), 4, 'all arrive';
    is join(' ', events($h, 1)), '', 'nothing happened';
};

subtest 'a member that speaks TLS is asked, too' => sub {
    my @web = LBS::Backend->many(1);
    my $back = LBS::Httpd->new(backends => \@web, modules => ['ssl'], conf => <<'CONF');
Listen 127.0.0.1:@PORT2@
<VirtualHost *:@PORT2@>
    SSLEngine on
    SSLCertificateFile "@CERT@"
    SSLCertificateKeyFile "@KEY@"
    ProxyPass "/" "http://@B1@/"
</VirtualHost>
CONF
    $back->start;
    $back->announce(qr/\[ssl:warn\]/);
    my $other = LBS::Backend->new;
    my $port = $back->port(2);
    my $h = start([$other], modules => ['ssl'], server => 'SSLProxyEngine on',
        app => <<"POOL");
LBSticky route=R
LBStickyEject stall=1s
SSLProxyVerify none
SSLProxyCheckPeerName off
BalancerMember "https://127.0.0.1:$port" route=r1
BalancerMember "http://\@B1\@" route=r2
POOL
    $h->get('/app/', headers => at($_)) for 1, 2;
    my @got = slow_ones($h, 3);
    is scalar(grep { $_->[0] == 200 && $_->[1] eq $web[0]->name } @got[0 .. 2]), 3,
        'slow ones stay';
    is join(' ', events($h, 1)), '', 'nothing happened to it';
    cmp_ok scalar(grep { $_->{method} eq 'HEAD' } $web[0]->requests), '>', 0,
        'it was asked';
};

sub hang_is_left ($h, $web, $most) {
    $h->get('/app/', headers => at($_)) for 1 .. 2;
    $web->[0]->set(hang => 'before');
    for (three_wait($h)) {
        is "$_->[0] $_->[1]", '200 ' . $web->[1]->name, 'served elsewhere';
        cmp_ok $_->[2], '<', $most, "within $most s";
    }
    return is state_of($h, 1), 'ejected', 'it is out';
}

for my $case (['a hang is left', ''],
    ['a hang is left, though the last check was good',
     'LBStickyCheck path=/healthz interval=30s timeout=10s']) {
    my ($what, $lines) = @$case;
    subtest $what => sub {
        my @web = LBS::Backend->many(2);
        my $h = start(\@web, app => "LBSticky route=R\n$lines");
        hang_is_left($h, \@web, 3);
    };
}

# --- is it well again? ------------------------------------------------------

subtest 'no visitor is the first to try a member that was ejected' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web, app => "LBSticky route=R");
    hang_is_left($h, \@web, 3);
    $web[0]->clear;
    my $end = time + 5;
    my @bad;
    while (time < $end) {
        my $r = $h->get('/app/', headers => at(1));
        push @bad, $r if $r->status != 200 || $r->elapsed > 0.5;
        sleep 0.05;
    }
    is scalar(@bad), 0, 'while it hangs nobody waits for it';
    my $from = time;
    $web[0]->set;
    ok wait_for(sub { $h->get('/app/', headers => at(1))->member
        eq $web[0]->name }, 6), 'it is in use again';
    cmp_ok time - $from, '<', 2, 'within two seconds';
};

subtest 'a POST is never the trial; no session goes home before its member has answered' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web, app =>
        "LBSticky route=R cookie\nLBStickyFailback return\nLBStickyEject failures=1 hold=1s-60s");
    my $name = $web[0]->name;
    my $home = $h->get('/app/', headers => at(1));
    my $token = token_in($home, 'LBSTICKY_app');
    is $home->member, $name, 'a session at home';
    my @mine = (headers => [['Cookie', "LBSTICKY_app=$token"]]);
    $web[0]->set(reset => 'before');
    is $h->get('/app/', @mine)->member, $web[1]->name, 'home fails: moved';
    $web[0]->clear;
    my $end = time + 6;
    my %seen;
    while (time < $end) {
        my $r = $h->post('/app/', 'x', @mine);
        $seen{$r->status . ' ' . $r->member}++;
        sleep 0.05;
    }
    is_deeply [keys %seen], ['200 ' . $web[1]->name], 'no POST is lost';
    is scalar(grep { $_->{method} eq 'POST' } $web[0]->requests), 0,
        'none was sent home';
    my $from = time;
    $web[0]->set;
    ok wait_for(sub { $h->post('/app/', 'x', @mine)->member eq $name }, 6),
        'home answers: POSTs go home, too';
    cmp_ok time - $from, '<', 2.5, 'soon';
};

# --- every MPM --------------------------------------------------------------

for my $mpm ('worker', under_tsan ? () : 'prefork') {
    subtest "mpm $mpm: dead, slow, hanging" => sub {
        my @web = LBS::Backend->many(2);
        my $h = start(\@web, app => "LBSticky route=R\nLBStickyEject stall=1s",
            mpm => $mpm, $mpm eq 'prefork' ? (children => 12) : ());
        $h->get('/app/', headers => at($_)) for 1, 2;
        my @got = slow_ones($h, 3);
        is_deeply [map { "$_->[0] $_->[1]" } @got[0 .. 2]],
            [('200 ' . $web[0]->name) x 3], 'slow ones stay';
        is join(' ', events($h, 1)), '', 'nothing happened to it';
        $web[0]->refuse;
        $h->get('/app/', headers => at(1));
        ok becomes($h, 1, 'down', 4), 'refusing: down';
        $web[0]->accept;
        ok becomes($h, 1, 'up', 4), 'and up';
        hang_is_left($h, \@web, 3);
    };
}

done_testing;
