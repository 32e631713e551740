#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Counting: exact over processes and threads, and nothing left in flight.
use lib 't/lib';
use LBS::Test timeout => 180;
use LBS::Governed;
use LBS::State qw(pool_state);

my $CLIENTS = 8;
my $EACH = 1250;    # 10 000 requests together
my @web = LBS::Backend->many(4, name => 'web');
my $h = governed(\@web,
    app  => "LBSticky cookie session=APP\nLBStickyMethod round-robin",
    calm => 'LBSticky cookie',
    children => 4, threads => 8, header => 0, server => <<'CONF');
LBStickyEject off
CONF

sub pool ($name) { return pool_state($h, $name) }

sub sum ($pool, $code) {
    my $sum = 0;
    $sum += $code->($_) for @{$pool->{members}};
    return $sum;
}

# A client has some visitors, each with a cookie; every tenth request is a new
# one, every hundredth shows a cookie that is none. Statuses and sizes vary.
sub client ($i) {
    my $c = $h->connect;
    my (@visitors, %did);
    for my $n (1 .. $EACH) {
        my $status = (200, 200, 404, 302, 502)[$n % 5];    # 500 would close
        my $size = $n % 97;
        my $body = 'b' x ($n % 13);
        my ($kind, @headers) = 'first';
        if ($n % 100 == 0) {
            ($kind, @headers) = ('forged', ['Cookie', 'LBSTICKY_app=' . 'A' x 48]);
        }
        elsif ($n % 100 == 50) {
            ($kind, @headers) = ('unknown', ['Cookie', "APP=client$i-$n"]);
        }
        elsif ($n % 10 != 0 && @visitors) {
            ($kind, @headers) = ('kept', ['Cookie', $visitors[$n % @visitors]]);
        }
        my $ask = sub {
            $h->request($body eq '' ? 'GET' : 'POST',
                "/app/?status=$status&size=$size", on => $c, headers => \@headers,
                $body eq '' ? () : (body => $body))
        };
        my $r = $ask->();
        # Where all threads of a child are busy httpd closes idle connections.
        ($c, $r) = ($h->connect, undef) if ($r->error // '') eq 'closed';
        $r //= $ask->();
        $did{$kind}++;
        $did{substr($r->status, 0, 1) . 'xx'}++;
        $did{"by " . $r->member}++;
        $did{in} += length $body;
        $did{out} += length $r->body;
        $did{wrong}++ if $r->status != $status || length $r->body != $size;
        my $token = token_in($r, 'LBSTICKY_app');
        $did{cookies}++ if defined $token;
        push @visitors, "LBSTICKY_app=$token"
            if $kind eq 'first' && @visitors < 40;
    }
    return \%did;
}

subtest '10 000 requests of 8 clients' => sub {
    my %did;
    for my $part (in_parallel($CLIENTS, \&client)) {
        $did{$_} += $part->{$_} =~ /^\d+$/ ? $part->{$_} : die $part->{$_}
            for keys %$part;
    }
    is $did{wrong} // 0, 0, 'all were answered as they should';
    my $total = $CLIENTS * $EACH;
    my $pool = pool('app');
    is $pool->{requests}, $total, 'requests of the pool';
    my $d = $pool->{decisions};
    is $d->{new}{$_}, $did{$_}, "new: $_" for qw(first forged unknown);
    is $d->{new}{expired}, 0, 'none expired';
    is $d->{kept}, $did{kept}, 'kept';
    is $d->{local}, 0, 'none local';
    my $others = 0;
    $others += $_ for map { values %{$d->{$_}} } qw(moved refused);
    is $others, 0, 'none moved or refused';
    is sum($pool, sub ($m) { $m->{requests} }), $total, 'requests of the members';
    for my $class (qw(2xx 3xx 4xx 5xx)) {
        is sum($pool, sub ($m) { $m->{responses}{$class} }), $did{$class}, $class;
    }
    for my $m (@{$pool->{members}}) {
        my $name = 'web' . substr $m->{route}, 1;
        is $m->{requests}, $did{"by $name"}, "requests of $name";
        is $m->{inflight}, 0, 'nothing in flight';
        is $m->{failures}, 0, 'no failure';
    }
    is $pool->{inflight}, 0, 'nor in the pool';
    is $pool->{queued}, 0, 'nobody waits';
    is sum($pool, sub ($m) { $m->{bytes_in} }), $did{in}, 'bytes to the members';
    is sum($pool, sub ($m) { $m->{bytes_out} }), $did{out}, 'bytes from them';
    # One for each new cookie, and the application's that were shown.
    my $sessions = $did{cookies} + $did{unknown};
    is $pool->{sessions}, $sessions, 'sessions';
    is sum($pool, sub ($m) { $m->{sessions} }), $sessions, 'sessions of the members';
    is $h->json->{table}{entries}, $sessions, 'entries of the table';
    my $served = 0;
    $served += $_->deliveries for @web;
    is $served, $total, 'as the members counted';
    is pool('calm')->{requests}, 0, 'the pool beside it counted nothing';
    $h->no_unexpected_log;
};

# Clients that hang up, members that break off, a child that is killed: each
# request is still one, and nothing stays in flight.
subtest 'nothing stays in flight' => sub {
    $h->announce(qr/AH\d+|LBS\d+/);
    my $before = pool('calm')->{requests};
    my $sent = 0;
    $sent += $_ for map { $_->{sent} } in_parallel(4, sub ($i) {
        my $n = 0;
        for my $kind (('abort', 'half', 'reset', 'broken', 'plain') x 6) {
            my $c = $h->connect;
            my $uri = $kind eq 'reset' ? '/calm/?reset=before'
                : $kind eq 'broken' ? '/calm/?size=50000&reset=1000'
                : $kind eq 'plain' ? '/calm/' : '/calm/?size=3000000&delay=0.02';
            $c->send_request('POST', $uri, body => 'x');
            $n++;
            $c->read_bytes(100_000, 5) if $kind eq 'half';
            if ($kind eq 'abort' || $kind eq 'half') {
                sleep 0.03;
                $c->close(reset => 1);
            }
            else {
                $c->response('POST', timeout => 5);
                $c->close;
            }
        }
        {sent => $n}
    });
    ok wait_for(sub { pool('calm')->{inflight} == 0 }, 10), 'the pool';
    my $pool = pool('calm');
    is "@{[map { $_->{inflight} } @{$pool->{members}}]}", '0 0 0 0', 'each member';
    cmp_ok $pool->{requests} - $before, '<=', $sent, 'not more than were sent';

    # Hanging requests of a child that is killed.
    my @open = map { $h->connect } 1 .. 6;
    $_->send_request('GET', '/calm/?hang=before') for @open;
    ok wait_for(sub { pool('calm')->{inflight} == 6 }, 10), 'six are in flight';
    my @children = $h->children;
    kill KILL => @children;
    ok wait_for(sub { !grep { LBS::Proc::alive($_) } @children }), 'all killed';
    ok wait_for(sub {
        my $pool = eval { pool('calm') };
        $pool && $pool->{inflight} == 0
    }, 15), 'their requests in flight are taken back';
    is $h->get('/calm/')->status, 200, 'and it goes on';
};

$h->no_unexpected_log;
done_testing;
