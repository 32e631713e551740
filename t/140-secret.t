#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# LBStickySecret: what servers with one secret share, how it is changed, and
# that nobody without it makes a token that counts.
use lib 't/lib';
use LBS::Test;
use LBS::Governed;

my @web = LBS::Backend->many(4, name => 'web');
my $ONE = 'the first secret of these tests';
my $TWO = 'another secret, as long as it';

# Pools in another order of members, too: who a member is, its route says.
my $POOL = join "\n", map { qq(BalancerMember "http://\@B$_\@" route=r$_) } 1 .. 4;
my $REVERSED = join "\n", reverse split /\n/, $POOL;

sub server ($secret, %o) {
    my $members = $o{members} // $POOL;
    my $own = "LBStickyCookie first=off name=LB\n$members";
    my $h = governed(\@web,
        app   => "LBSticky cookie\n$own", other => "LBSticky cookie\n$own",
        sess  => "LBSticky session=APP\n$members",
        key   => "LBSticky header=X-Key\nLBStickyMethod hash\n$members",
        addr  => "LBSticky none\nLBStickyMethod hash\n$members",
        visit => "LBSticky cookie\nLBStickyMethod hash\n$own",
        start => $o{start} // 1,
        server => "LBStickyMethod round-robin\n" . $secret . <<'CONF');

RemoteIPHeader X-Forwarded-For
RemoteIPInternalProxy 127.0.0.1
CONF
    $h->announce(qr/LBS3315/);    # one cookie name for all
    return $h;
}

sub token_of ($h, $pool = 'app') { return token_in($h->get("/$pool/"), 'LB') }
sub show ($h, $token, $pool = 'app') {
    return $h->get("/$pool/", headers => [['Cookie', "LB=$token"]]);
}

sub secret_file ($h, @lines) {
    return $h->write('conf/secret', join '', map { "$_\n" } @lines);
}

my $dir = LBS::Httpd->new;    # nothing but a place for the secret's file
my $file = secret_file($dir, $ONE);
my $first = server("LBStickySecret file:$file");
my $second = server(qq(LBStickySecret "exec:/bin/echo '$ONE'"),
                    members => $REVERSED);
my $foreign = server("LBStickySecret random");

subtest 'servers with one secret accept each other\'s cookies' => sub {
    for (1 .. 8) {
        for my $pair ([$first, $second], [$second, $first]) {
            my ($from, $to) = @$pair;
            my $r = $from->get('/app/');
            my $there = show($to, token_in($r, 'LB'));
            is verdict($there), 'kept', 'accepted';
            is $there->member, $r->member, 'same member';
            is scalar(my @set = $there->set_cookies), 0, 'no new cookie';
        }
    }
    for my $pair ([$first, $foreign], [$foreign, $second]) {
        my ($from, $to) = @$pair;
        my $r = show($to, token_of($from));
        is verdict($r), 'new forged', 'another secret: not';
        is scalar(my @set = $r->set_cookies), 1, 'and a cookie of its own';
    }
};

subtest 'and compute the same member by hash' => sub {
    my (%by, %third);
    for my $h ($first, $second) {
        my $c = $h->connect;
        for my $n (1 .. 1000) {
            my $addr = join '.', 10, $n % 7, $n >> 8, $n & 255;
            push @{$by{$n}}, join ' ', map { $_->member }
                $h->get('/addr/?size=1', on => $c,
                        headers => [['X-Forwarded-For', $addr]]),
                $h->get('/key/?size=1', on => $c,
                        headers => [['X-Key', "key $n"]]);
        }
    }
    my @differ = grep { $by{$_}[0] ne $by{$_}[1] } keys %by;
    is "@differ", '', 'for 1000 addresses and 1000 keys';
    my %share;
    $share{$_}++ for map { split ' ', $_->[0] } values %by;
    for (sort keys %share) {
        cmp_ok abs($share{$_} / 500 - 1), '<', 0.2, "$_ has its share";
    }

    my $c = $foreign->connect;
    my $same = grep {
        my $r = $foreign->get('/key/?size=1', on => $c,
                              headers => [['X-Key', "key $_"]]);
        $by{$_}[0] =~ / (\w+)/ && $r->member eq $1
    } 1 .. 200;
    cmp_ok $same, '<', 100, 'another secret has another table';
    my @visit = map { $_->member } map {
        my $h = $_;
        map { $h->get('/visit/', headers =>
            [['X-Forwarded-For', '198.51.100.9']]) } 1 .. 3
    } $first, $second;
    is keys %{{map { $_ => 1 } @visit}}, 1,
        'without a key the address is hashed';
};

# Everything that is no token of this pool: a pick in time, a new cookie, and
# one entry, that of the new session.
subtest 'forged, cut, flipped and foreign tokens' => sub {
    my $token = token_of($first);
    my $alphabet = join '', 'A' .. 'Z', 'a' .. 'z', 0 .. 9, '-', '_';
    my @forged = (token_of($first, 'other'), token_of($foreign), 'A' x 48,
                  '_' x 48, scalar reverse $token);
    for my $i (0 .. 47) {
        my $flipped = $token;
        my $value = index $alphabet, substr $token, $i, 1;
        substr $flipped, $i, 1, substr $alphabet, $value ^ (1 << $i % 6), 1;
        push @forged, $flipped;
    }
    my @unknown = ((map { substr $token, 0, $_ } 1, 4, 47), "${token}A",
        "$token=", $token x 2, substr($token, 1), $token =~ s/.$/+/r,
        $token =~ s/.$/%41/r, "\x{e4}" x 48, 'A' x 4000, "A$token", '.r1', 'r1');
    my $before = $first->json->{table}{entries};
    my $slowest = 0;
    for (map({ ['forged', $_] } @forged), map { ['unknown', $_] } @unknown) {
        my ($reason, $value) = @$_;
        my $r = show($first, $value);
        my $name = $value =~ /^[ -~]{1,60}$/ ? $value
            : length($value) . ' bytes';
        is $r->status . ' ' . verdict($r), "200 new $reason", $name;
        my $new = token_in($r, 'LB') // '';
        is length $new, 48, 'a new cookie';
        isnt $new, $value, 'another one';
        $slowest = $r->elapsed if $r->elapsed > $slowest;
    }
    cmp_ok $slowest, '<', 1, 'each in time';
    is $first->json->{table}{entries}, $before + @forged + @unknown,
        'an entry for each new session, none for shown cookies';
    is verdict(show($first, $token)), 'kept', 'the true one is kept';
    my $r = $first->get('/app/', headers => [['Cookie',
        "LB=$forged[9]; LB=$token; LB=$forged[8]"]]);
    is verdict($r), 'kept', 'also among forged ones';
};

subtest 'no entry before a member has answered' => sub {
    $first->announce(qr/refused|failed to make connection|LBS\d+/);
    $_->refuse for @web;
    my $before = $first->json->{table}{entries};
    for my $n (1 .. 20) {
        my $r = $first->get('/sess/', headers => [['Cookie', "APP=x$n"]]);
        is $r->status, 503, 'nobody there' if $n == 1;
        show($first, 'A' x 48);
        $first->get('/key/', headers => [['X-Key', "never $n"]]);
    }
    is $first->json->{table}{entries}, $before, 'the table is as before';
    $_->accept for @web;
    ok wait_for(sub { $first->get('/app/')->status == 200 }), 'they are back';
};

subtest 'rotation' => sub {
    my $old = token_of($first);
    my $member = show($first, $old)->member;
    secret_file($dir, $TWO, '', $ONE);
    $first->graceful;
    my $r = show($first, $old);
    is verdict($r) . ' ' . $r->member, "kept $member", 'the old one verifies';
    my $new = token_of($first);
    is verdict(show($second, $new)), 'new forged', 'the new one signs';
    secret_file($dir, $TWO);
    $first->graceful;
    is verdict(show($first, $new)), 'kept', 'the new one stays';
    is verdict(show($first, $old)), 'new forged', 'the old one is gone';
};

subtest 'random' => sub {
    my $token = token_of($foreign);
    my $member = show($foreign, $token)->member;
    my $key = sub {
        join ' ', map { $foreign->get('/key/?size=1', headers =>
            [['X-Key', "before $_"]])->member } 1 .. 50
    };
    my $picks = $key->();
    for my $how (qw(graceful restart)) {
        $foreign->$how;
        my $r = show($foreign, $token);
        is verdict($r) . ' ' . $r->member, "kept $member", "$how: kept";
    }
    $foreign->stop;
    $foreign->start;
    my $r = show($foreign, $token);
    is verdict($r) . ' ' . $r->member, "kept $member", 'stop and start: kept';
    is $key->(), $picks, 'and its hash table';
    is verdict(show($second, $token)), 'new forged', 'nobody else has it';
};

subtest 'secrets that -t refuses' => sub {
    my $short = $dir->write('conf/short', "fifteen bytes..\n");
    my $empty = $dir->write('conf/empty', "\n\n");
    for (["file:$short", qr/16 bytes/], ["file:$empty", qr/./],
         ["file:$file.none", qr/can be read/], ['exec:/bin/false', qr/ended with 1/],
         ['exec:/nonexistent/x', qr/command/], ['exec:', qr/command/],
         ["exec:/bin/echo short", qr/16 bytes/], ['text', qr/random, file:/]) {
        my ($value, $wanted) = @$_;
        my $h = server(qq(LBStickySecret "$value"), start => 0);
        my ($status, $said) = $h->configtest;
        isnt $status, 0, $value;
        like $said, qr/line \d+.*LBStickySecret.*\Q$value\E/s, 'where it is';
        like $said, $wanted, 'and what was wanted';
        unlike $said, qr/fifteen bytes/, 'the secret itself is not printed';
    }
};

$_->no_unexpected_log for $first, $second, $foreign;
done_testing;
