#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# LBStickyStore with a store that answers slowly or not at all: a request waits
# once, whatever its client shows, and a process that ends waits for no call.
use lib 't/lib';
use LBS::Test timeout => 200;
use LBS::Governed;
use LBS::Ports;
use List::Util qw(max);

my @web = LBS::Backend->many(2);

# A Redis that knows nothing and answers each command after so many seconds,
# one process for each connection; it counts commands by name.
package SlowRedis {
    use IO::Socket::INET;
    sub start ($class, $delay) {
        my $listener = IO::Socket::INET->new(Listen => 100, LocalAddr => '127.0.0.1',
                                             ReuseAddr => 1) or die "listen: $!";
        my $log = File::Temp->new;
        my $pid = fork // die "fork: $!";
        if ($pid == 0) {
            $SIG{$_} = 'DEFAULT' for qw(TERM INT HUP ALRM);
            $SIG{CHLD} = 'IGNORE';
            setpgrp;
            while (1) {
                my $c = $listener->accept or next;
                my $child = fork // next;
                next if $child;
                serve($c, $delay, $log);
                POSIX::_exit(0);
            }
        }
        return bless {pid => $pid, port => $listener->sockport, log => $log}, $class;
    }
    sub serve ($c, $delay, $log) {
        while (defined(my $head = <$c>)) {
            my ($n) = $head =~ /^\*(\d+)/ or last;
            my @words = map { my ($len) = <$c> =~ /(\d+)/; read $c, my $w, $len + 2;
                              substr $w, 0, $len } 1 .. $n;
            my $word = uc $words[0];
            syswrite $log, "$word $words[1]\n" if $word ne 'PING';
            select undef, undef, undef, $delay if $word ne 'PING';
            print {$c} {PING => "+PONG\r\n", GET => "\$-1\r\n", DEL => ":0\r\n"}->{$word}
                // "+OK\r\n";
            $c->flush;
        }
        return;
    }
    sub names ($self, $word) {
        return LBS::Proc::slurp($self->{log}->filename) =~ /^$word (\S*)/mg;
    }
    # Servers read of each other several times a second, by these names: all that
    # are asked for before the first request.
    sub idle ($self, $secrets) {
        LBS::Test::wait_for(sub { keys %{{map { $_ => 1 } $self->names('GET')}} == $secrets });
        $self->{board}{$_} = 1 for $self->names('GET');
        return;
    }
    sub count ($self, $word) {
        return scalar grep { !$self->{board}{$_} } $self->names($word);
    }
    sub DESTROY ($self) {
        local ($?, $!);
        kill KILL => -$self->{pid}, $self->{pid};
        waitpid $self->{pid}, 0;
        return;
    }
}

package main;

sub start ($redis, $timeout, %o) {
    my ($secrets, $sticky) = (delete $o{secrets} // 3, delete $o{sticky} // 'session=sid');
    my $h = LBS::Httpd->new(backends => \@web, modules => ['socache_redis', 'include'], %o);
    $h->write('conf/secret',
        join('', map { "secret number $_, long enough\n" } 1 .. $secrets), 0600);
    $h->conf(governed_text(\@web, app => "LBSticky $sticky",
        more => 'LimitRequestFieldSize 16000', server => <<"CONF"));
<Directory "\@ROOT\@/htdocs">
    Options +Includes
    AddOutputFilter INCLUDES .shtml
</Directory>
LBStickySecret file:\@ROOT\@/conf/secret
LBStickyStore  redis:127.0.0.1:$redis->{port} timeout=$timeout
LimitRequestFieldSize 16000
CONF
    $h->announce(qr/LBS2502/, qr/socache_redis/);
    return $h->start;
}

sub shown (@ids) { return headers => [['Cookie', join '; ', map { "sid=$_" } @ids]] }

subtest 'hundreds of values are a few calls, and one time' => sub {
    my $redis = SlowRedis->start(0.001);
    my $h = start($redis, '3s');
    $redis->idle(3);
    my $r = $h->get('/app/', shown(map { "v$_" } 1 .. 900));
    is $r->status . ' ' . verdict($r), '200 new unknown', '900 values';
    cmp_ok $redis->count('GET'), '<=', 4 * 3, 'four of them are asked for, by three secrets';
    my $before = $redis->count('GET');
    $r = $h->get('/app/', shown(('same') x 900));
    is $redis->count('GET') - $before, 3, '900 times the same value is one';
    $r = $h->get('/app/', shown(('other') x 300, 'v1', ('more') x 100));
    is verdict($r), 'kept', 'what the table knows is found behind them';
    $h->stop;
    $h->no_unexpected_log;
};

subtest 'slow calls' => sub {
    my $redis = SlowRedis->start(0.15);
    my $h = start($redis, '400ms');
    my $r = $h->get('/app/', shown(map { "v$_" } 1 .. 900));
    is $r->status, 200, 'a request with 900 values';
    cmp_ok $r->elapsed, '<', 1.2, sprintf 'waits for one time-out: %.2f s', $r->elapsed;
    is scalar($h->error_log(qr/LBS2502/)), 0, 'the store is not blamed for what was left of it';
    $r = $h->get('/app/', shown('v1'));
    is verdict($r), 'kept', 'and it is a session here';
    my @r = in_parallel(20, sub ($i) {
        return [$h->get('/app/', shown(map { "w$i-$_" } 1 .. 300))->elapsed];
    });
    cmp_ok max(map { $_->[0] } @r), '<', 2, 'many of them at once';
    $h->stop;
    $h->no_unexpected_log;
};

# What has answered in time does not begin a second one for what comes after it.
subtest 'asking and telling have one time together' => sub {
    my $redis = SlowRedis->start(2.5);
    my $h = start($redis, '3s', secrets => 1, sticky => 'session=sid query=q');
    $h->write('htdocs/page.shtml', join "\n",
        map { qq(<!--#include virtual="/app/?q=$_" -->) } 1 .. 3);
    my $r = $h->get('/app/', shown('slow'));
    is $r->status, 200, 'a request';
    cmp_ok $r->elapsed, '>', 2.4, sprintf 'it has waited for the look-up: %.2f s', $r->elapsed;
    cmp_ok $r->elapsed, '<', 4.5, 'and no time-out more for the write';
    ok wait_for(sub { $redis->count('SET') + $redis->count('SETEX') }, 5), 'which was made';
    # Each part of a page looks for its sessions.
    $r = $h->get('/page.shtml', shown('slow2'), timeout => 30);
    is scalar(() = $r->body =~ /backend/g), 3, 'a page of three parts';
    cmp_ok $r->elapsed, '<', 5, sprintf 'has one time: %.2f s', $r->elapsed;
    $h->stop;
};

subtest 'calls that are never answered' => sub {
    each_mpm {
        my $redis = SlowRedis->start(60);
        my $h = start($redis, '300ms', children => 2, threads => 8);
        my @r = map { $h->get('/app/', shown(map { "v$_" } 1 .. 200)) } 1 .. 2;
        is join(' ', map { $_->status } @r), '200 200', 'requests go on';
        cmp_ok max(map { $_->elapsed } @r), '<', 1.2, 'after one time-out';
        # A process that has calls under way.
        my @c = map { my $c = $h->connect; $c->send_request('GET', '/app/', shown("x$_")); $c } 1 .. 6;
        sleep 0.1;
        my $began = time;
        $h->stop;
        cmp_ok time - $began, '<', 4, sprintf 'a stop, %.2f s', time - $began;
        is scalar($h->error_log(qr/AH0004[56]/)), 0, 'ends nobody by force';
        $h->no_unexpected_log;
    };
};

done_testing;
