#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# LBStickyStore: balancers share what they learned, over real servers, and go
# on without them.
use lib 't/lib';
use LBS::Test timeout => 120;
use LBS::Governed;
use LBS::Ports;
use LBS::State;
use LBS::Store;
use List::Util qw(max);

my @web = LBS::Backend->many(3, name => 'web');
my @NOISE = (qr/socache_(?:redis|memcache)/, qr/LBS2502/);

my $SECRET = qq(LBStickySecret "file:\@ROOT\@/conf/secret"\n);

sub balancer ($store, %o) {
    my $h = LBS::Httpd->new(backends => \@web, modules => [qw(socache_redis
        socache_memcache socache_shmcb)], children => $o{children} // 2);
    $h->write('conf/secret', $o{secret} // "one secret for both of them\n", 0600);
    $h->conf(governed_text(\@web,
        server => "$SECRET LBStickyStore $store\nLBStickyAdmin on\nLBStickyMethod round-robin\n"
            . qq(<Location "/lb-status">\nSetHandler lb-status\n</Location>\n),
        app => 'LBSticky session=sid', addr => 'LBSticky ip',
        mark => 'LBSticky cookie', head => 'LBSticky header=X-Key',
        brief => "LBSticky header=X-Key\nLBStickyTimeout idle=2s"));
    return $h;
}

sub key ($k) { return (headers => [['X-Key', $k]]) }
sub sid ($k) { return (headers => [['Cookie', "sid=$k"]]) }

sub shared ($store) {
    my @h = map { balancer($store) } 1, 2;
    $_->start for @h;
    my %got;
    for my $k (1 .. 12) {
        my $r = $h[$k % 2]->get('/head/', key("k$k"));
        my $other = $h[1 - $k % 2]->get('/head/', key("k$k"));
        $got{verdict($r) . ', then ' . verdict($other)}++;
        is $other->member, $r->member, "key $k: the same member from the other"
            if $other->member ne $r->member;
    }
    is_deeply \%got, {'new unknown, then kept' => 12},
        'the other server knows at once what this one learned';
    return @h;
}

subtest 'redis' => sub {
    my $port = LBS::Ports::free();
    my $redis = LBS::Store->redis($port);
    # Longer than the default: a busy machine is not a store that hangs.
    my @h = shared("redis:127.0.0.1:$port timeout=500ms");
    my ($a, $b) = @h;

    my $r = $a->get('/app/?cookie=sid%3Dfresh%3B%20Path%3D/');
    is $b->get('/app/', sid('fresh'))->member, $r->member,
        'a session that the application sets, before its answer is out';
    $r = $a->get('/app/?cookie=sid%3D%3B%20Max-Age%3D0', sid('fresh'));
    is verdict($b->get('/app/', sid('gone'))), 'new unknown', 'another one is new';
    $r = $a->get('/addr/');
    is $b->get('/addr/')->member, $r->member, 'an address';
    my $known = qx(redis-cli -p $port dbsize);
    $a->get('/mark/') for 1 .. 3;
    is qx(redis-cli -p $port dbsize), $known, 'cookies need no store';

    my @names = split /\n/, qx(redis-cli -p $port keys '*');
    is_deeply [grep { !/^lbsticky:[0-9a-f]{64}$/ } @names], [],
        'names tell nothing';
    is_deeply [grep { /fresh|127\.0|k1/ } @names], [], 'of keys and addresses';

    $r = $a->get('/brief/', key('x'));
    is verdict($b->get('/brief/', key('x'))), 'kept', 'a short session';
    sleep 4.2;
    isnt verdict($b->get('/brief/', key('x'))), 'kept', 'ends in the store, too';

    $r = $a->get('/head/', key('drop'));
    admin($a, 'head', member_of($r), 'forget', key => 'header=X-Key:drop');
    is verdict($a->get('/head/', key('drop'))), 'new unknown',
        'the store forgets sessions that an administrator has forgotten';

    $r = $a->get('/head/', key('seen'));
    my $home = member_of($r);
    my $e = $b->json('/lb-status/explain?pool=head&key=header%3DX-Key:seen');
    is "$e->{decision} $e->{member} " . ($e->{table}{found} ? 1 : 0), "kept $home 0",
        'explain at the other server shows the store\'s record';
    admin($b, 'head', $home, 'forget', key => 'header=X-Key:seen');
    is verdict($b->get('/head/', key('seen'))), 'new unknown', 'and can forget it';
    $a->get('/head/', key($_)) for qw(all far);
    admin($a, 'head', $_, 'forget') for qw(r1 r2 r3);
    is verdict($a->get('/head/', key('all'))), 'new unknown',
        'all sessions of a member do not come back from there either';
    is verdict($b->get('/head/', key('far'))), 'kept',
        'though to a server that was not told they do';
    is verdict($a->get('/head/', key('far'))), 'new unknown', 'not by way of it';
    sleep 1.1;    # a second is what it is remembered by
    $a->get('/head/', key('later'));
    is verdict($b->get('/head/', key('later'))), 'kept', 'later ones are shared';

    # Who can write to the store can end sessions, not make them.
    $a->get('/head/', key('stolen'));
    qx(redis-cli -p $port flushall);
    $a->get('/head/', key('mine'));
    my ($mine) = split /\n/, qx(redis-cli -p $port keys '*');
    $a->get('/head/', key('target'));
    my ($target) = grep { $_ ne $mine } split /\n/, qx(redis-cli -p $port keys '*');
    qx(redis-cli -p $port copy $mine $target replace);
    is verdict($b->get('/head/', key('target'))), 'new unknown',
        'the record of another session means nothing';
    qx(redis-cli -p $port set $mine garbage);
    is verdict($b->get('/head/', key('mine'))), 'new unknown', 'nor does garbage';

    $_->announce(@NOISE) for @h;
    $a->get('/head/', key('kept-through'));
    $redis->kill;
    my @r = map { $a->get('/head/', key("down$_")) } 1 .. 20;
    is scalar(grep { $_->status == 200 } @r), 20, 'down: requests go on';
    is $a->get('/head/', key('down1'))->member, $r[0]->member,
        'and sessions stay where this server knows them';
    my $slowest = max(map { $_->elapsed } @r);
    cmp_ok $slowest, '<', 1, 'nobody waits long';
    is scalar(my @warned = $a->error_log(qr/LBS2502/)), 1, 'one warning';
    ok wait_for(sub { grep { $_->{event} eq 'store-down' } @{$a->json->{events}} }),
        'the event store-down';
    my $is_down = sub { pool_state($a, 'head')->{store_down} ? 1 : 0 };
    is $is_down->(), 1, 'and so it is, in the JSON';
    like $a->get('/lb-status')->body, qr/LBStickyStore does not answer/, 'on the page';
    like qx(bin/lbctl -u http://127.0.0.1:@{[$a->port]}/lb-status doctor),
        qr/^head: LBStickyStore does not answer: sessions are known to this server alone$/m, 'and to lbctl';
    $redis = LBS::Store->redis($port);
    ok wait_for(sub {
        $a->get('/head/', key('up' . rand));
        grep { $_->{event} eq 'store-up' } @{$a->json->{events}}
    }, 20), 'store-up when it is back';
    is $is_down->(), 0, 'and it is up';
    ok wait_for(sub {
        my $key = 'again' . rand;
        $a->get('/head/', key($key));
        verdict($b->get('/head/', key($key))) eq 'kept'
    }, 20),
        'and it is used again';

    $redis->signal('STOP');
    my @hung = map { $a->get('/head/', key("hung$_")) } 1 .. 8;
    is scalar(grep { $_->status == 200 } @hung), 8, 'hanging: requests go on';
    $slowest = max(map { $_->elapsed } @hung);
    cmp_ok $slowest, '<', 1.5, 'after timeout=';
    my $all = 0;
    $all += $_->elapsed for @hung;
    cmp_ok $all, '<', 4, 'and soon nobody waits any more';
    $redis->signal('CONT');
    $_->stop for @h;
    $_->no_unexpected_log for @h;
};

subtest 'memcached' => sub {
    my $port = LBS::Ports::free();
    my $memcached = LBS::Store->memcached($port);
    my @h = shared("memcache:127.0.0.1:$port timeout=500ms");
    $_->announce(@NOISE) for @h;
    $memcached->kill;
    is scalar(grep { $_->status == 200 }
              map { $h[0]->get('/head/', key("down$_")) } 1 .. 5), 5, 'down';
    $_->stop for @h;
    $_->no_unexpected_log for @h;
};

subtest 'shmcb' => sub {
    my $h = balancer('shmcb:@ROOT@/run/store(512000) timeout=1s');
    $h->start;
    my @r = in_parallel(4, sub ($i) {
        return scalar grep { $h->get('/head/', key("$i-$_"))->status == 200 } 1 .. 50
    });
    is_deeply \@r, [(50) x 4], 'from several processes at once';
    $h->stop;
    $h->no_unexpected_log;
};

subtest 'a server that hangs keeps no process from ending' => sub {
    for my $provider (qw(redis memcache)) {
        # It accepts, by its backlog, and says nothing.
        my $deaf = IO::Socket::INET->new(Listen => 50, LocalAddr => '127.0.0.1');
        my $h = balancer("$provider:127.0.0.1:" . $deaf->sockport)->start;
        my $ask = sub ($key) {
            my @c = map { $h->connect } 1 .. 6;
            $c[$_]->send_request('GET', '/head/', key("$key$_")) for 0 .. $#c;
            return grep { $_->response->status == 200 } @c;
        };
        is scalar($ask->('a')), 6, "$provider: requests go on";
        my @old = $h->children;
        $h->graceful;
        ok wait_for(sub { !grep { LBS::Proc::alive($_) } @old }, 5), 'a reload';
        is scalar($ask->('b')), 6, 'requests go on';
        my $began = time;
        $h->stop;
        cmp_ok time - $began, '<', 2.5, sprintf 'a stop, %.2f s', time - $began;
        is scalar($h->error_log(qr/AH0004[56]/)), 0, 'httpd had to end nobody by force';
        $h->no_unexpected_log(@NOISE);
    }
};

subtest 'other secrets' => sub {
    my $port = LBS::Ports::free();
    my $redis = LBS::Store->redis($port);
    my $a = balancer("redis:127.0.0.1:$port timeout=2s");
    my $b = balancer("redis:127.0.0.1:$port timeout=2s", secret => "another, of sixteen bytes\n");
    $_->start for $a, $b;
    $a->get('/head/', key('k'));
    is verdict($b->get('/head/', key('k'))), 'new unknown', 'do not share';
    $b->write('conf/secret', "another, of sixteen bytes\none secret for both of them\n", 0600);
    $b->graceful;
    $a->get('/head/', key('l'));
    is verdict($b->get('/head/', key('l'))), 'kept', 'an older one is read';
    $_->stop for $a, $b;
    $_->no_unexpected_log(qr/AH03490/) for $a, $b;
};

subtest 'refused by -t' => sub {
    for (['nosuch:x', qr/LBS2600.*"nosuch".*wanted redis.*LoadModule socache_nosuch_module/],
         ['redis', qr/LBS2601.*"redis:".*redis:HOST:PORT/],
         ['""', qr/LBStickyStore.*wanted off, or PROVIDER/],
         ['redis:127.0.0.1:1 timeout=never', qr/LBStickyStore.*timeout/],
         ['redis:127.0.0.1:1 x=y', qr/LBStickyStore/]) {
        my ($words, $said) = @$_;
        my $b = balancer($words);
        my ($status, $out) = $b->configtest;
        isnt $status, 0, "LBStickyStore $words";
        like $out, $said, 'with what to write';
        my ($line) = $out =~ /on line (\d+) of \S+httpd\.conf/;
        my @lines = split /^/, LBS::Proc::slurp($b->root . '/conf/httpd.conf');
        like $lines[$line - 1], qr/^ ?LBStickyStore \Q$words\E$/, 'and where it stands';
    }
    my ($status) = balancer('off')->configtest;
    is $status, 0, 'off';
};

done_testing;
