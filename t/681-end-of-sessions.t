#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# LBStickyTimeout max= ends a session that is in use, by whatever key it is
# known, through a restart, at another server, and while a request is under
# way.
use lib 't/lib';
use LBS::Governed;
use LBS::Store;
use LBS::Proc;
use LBS::Test timeout => 120;
use List::Util qw(max);

my @web = LBS::Backend->many(2);
my $TIMES = 'LBStickyTimeout idle=3s max=5s';
my $SECRET = qq(LBStickySecret "file:\@ROOT\@/conf/secret"\n);
my %POOLS = (
    cookie => "LBSticky cookie\n$TIMES", session => "LBSticky session=sid\n$TIMES",
    addr => "LBSticky ip\n$TIMES", both => "LBSticky cookie session=sid\n$TIMES");

sub site (%o) {
    my $h = governed(\@web, %POOLS, %{$o{pools} // {}}, modules => ['socache_redis'],
                     server => $SECRET . ($o{server} // ''), start => 0);
    $h->write('conf/secret', "one secret for all of them\n", 0600);
    return $h->start;
}

# A busy visitor of each pool, asking until its session ends: when that was,
# in seconds after its begin, and how.
sub busy ($pool, @h) {
    my $jar = LBS::Jar->new;
    my @id = $pool eq 'session' || $pool eq 'both' ? (headers => cookie_of(sid => "s$$-$pool")) : ();
    my ($began, $said, $n) = (time, 'kept', 0);
    my $ask = sub () {
        my $h = $h[$n++ % @h];
        return $h->get("/$pool/", $pool eq 'session' ? @id : (jar => $jar));
    };
    if (@h > 1) {
        # The second one hears of it in another second of the clock.
        sleep 1.9 - (time - int time);
        $began = time;
        $ask->();
        sleep 0.2;
    }
    $ask->();
    while ($said eq 'kept' && time < $began + 12) {
        sleep 0.1;
        $said = verdict($ask->());
    }
    my $after = time - $began;
    sleep 0.2 if @h > 1;    # ends are rounded to parts of max=
    my @then = map { $ask->() } 1 .. 6;
    return {after => $after, said => $said, members => scalar(keys %{{map { ($_->member => 1) } @then}}),
            then => join ' ', map { verdict($_) } @then};
}

sub ends_in_time ($what, $got) {
    is $got->{said}, 'new expired', "$what: it ends";
    # A token has the second in which it was made, and no fraction.
    ok $got->{after} > 4 && $got->{after} < 8, sprintf '%s: after %.1f s', $what, $got->{after};
    is "$got->{then}, $got->{members}", 'kept kept kept kept kept kept, 1', "$what: and another begins";
    return;
}

subtest 'of a busy visitor' => sub {
    my $h = site();
    my @pools = sort keys %POOLS;
    my @got = in_parallel(scalar @pools, sub ($i) { busy($pools[$i], $h) });
    ends_in_time($pools[$_], $got[$_]) for 0 .. $#pools;
    $h->stop;
    $h->no_unexpected_log;
};

subtest 'max= comes in force when sessions are there already' => sub {
    for my $how ('graceful', 'restart') {
        my $h = site(pools => {map { $_ => $POOLS{$_} =~ s/ max=5s//r } keys %POOLS});
        my $file = $h->root . '/conf/httpd.conf';
        my $with = LBS::Proc::slurp($file) =~ s/idle=3s/idle=3s max=5s/gr;
        my @jar = map { LBS::Jar->new } 1, 2;
        my $ask = sub ($pool, $n = 1) {
            return verdict($pool eq 'session' ? $h->get('/session/', headers => cookie_of(sid => "before$n"))
                : $h->get("/$pool/", jar => $jar[$n - 1]));
        };
        $ask->($_) for qw(cookie session addr);
        if ($how eq 'graceful') {
            $h->write('conf/httpd.conf', $with);
            $h->graceful;
        }
        else {
            $h->stop;
            $h->write('conf/httpd.conf', $with);
            $h->start;
        }
        my ($began, %ended) = (time);
        while (time < $began + 12 && keys %ended < 2) {
            for my $pool (qw(session addr)) {
                my $said = $ask->($pool);
                $ended{$pool} //= time - $began if $said ne 'kept';
            }
            sleep 0.1;
        }
        for my $pool (qw(session addr)) {
            my $after = $ended{$pool} // 0;
            ok $after > 4 && $after < 10, sprintf '%s, %s: it ends after %.1f s', $how, $pool, $after;
        }
        $h->stop;
        $h->no_unexpected_log;
    }
};

subtest 'whose requests pass two servers in turn' => sub {
    my $redis = LBS::Store->redis;
    my $port = $redis->port;
    my @h = map { site(server => "LBStickyStore redis:127.0.0.1:$port timeout=3s\n") } 1, 2;
    my @got = in_parallel(2, sub ($i) { busy((qw(cookie session))[$i], @h) });
    ends_in_time((qw(cookie session))[$_], $got[$_]) for 0, 1;
    $_->stop for @h;
    $_->no_unexpected_log for @h;
    $redis->kill;
};

subtest 'a request that is under way at the end begins nothing anew' => sub {
    my $h = site();
    my @got = in_parallel(2, sub ($i) {
        my $pool = (qw(cookie session))[$i];
        my $jar = LBS::Jar->new;
        my @o = $i ? (headers => cookie_of(sid => 'long')) : (jar => $jar);
        my $began = time;
        my @said = verdict($h->get("/$pool/", @o));
        sleep 2;
        push @said, verdict($h->get("/$pool/", @o));
        sleep 4.2 - (time - $began);
        push @said, verdict($h->get("/$pool/?delay=2.5", @o));    # from 4.2 to 6.7
        sleep 6.9 - (time - $began);
        push @said, verdict($h->get("/$pool/", @o));
        \@said
    });
    is_deeply $got[0], ['new first', 'kept', 'kept', 'new expired'], 'cookie';
    is_deeply $got[1], ['new unknown', 'kept', 'kept', 'new expired'], 'session=';
    $h->stop;
    $h->no_unexpected_log;
};

# The session before it was idle for 3 seconds, 2 before its end by max=.
subtest 'a key that begins again has all of its time' => sub {
    my $redis = LBS::Store->redis;
    my $store = 'LBStickyStore redis:127.0.0.1:' . $redis->port . " timeout=3s\n";
    my %pools = map { $_ => $POOLS{$_} =~ s/idle=3s max=5s/idle=3s max=8s/r } qw(session addr);
    my @h = (site(pools => \%pools), site(pools => \%pools, server => $store));
    my @got = in_parallel(4, sub ($i) {
        my ($h, $pool) = ($h[$i / 2], (qw(session addr))[$i % 2]);
        my $ask = sub { verdict($h->get("/$pool/", headers => cookie_of(sid => 'again'))) };
        my @said = $ask->();
        sleep 5;
        my $began = time;
        push @said, $ask->();
        while (time < $began + 5.5) {
            sleep 0.5;
            push @said, $ask->();
        }
        join ' ', @said
    });
    like $got[$_], qr/^new \w+ new \w+(?: kept)+$/, (qw(session addr))[$_ % 2] . ($_ > 1 ? ', with a store' : '')
        for 0 .. 3;
    $_->stop for @h;
    $_->no_unexpected_log for @h;
    $redis->kill;
};

done_testing;
