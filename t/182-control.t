#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# LBStickyControl: an application says that its session ends, goes elsewhere,
# or stays; its words reach nobody else; a moved session's new member is told
# where it was.
use lib 't/lib';
use LBS::Test timeout => 240;
use LBS::Governed;
use LBS::State qw(admin pool_state);
use JSON::PP qw(decode_json);

my @web = LBS::Backend->many(3, name => 'web');
my %name = map { ("r$_" => $web[$_ - 1]->name) } 1 .. 3;

# The member's answer with these words in it.
sub says ($uri, @fields) {
    return "$uri?" . join '&', map { 'header=' . s/([^\w.-])/sprintf '%%%02X', ord $1/ger }
        @fields;
}

sub moved_in ($r) {
    my @all = map { $_->[1] } grep { lc $_->[0] eq "lbsticky-moved" }
        @{decode_json($r->body)->{headers}};
    return join '|', @all;
}

sub leaks ($r) {
    return scalar grep { $_->[0] =~ /^lbsticky/i } @{$r->headers};
}

# explain says what the next request gets; the visitor is the latest.
my $serial = 0;
sub explained ($h, $pool) {
    my $json = $h->json("/lb-status/explain?pool=$pool&key=session=sid:v"
        . ($serial - 1));
    return is "$json->{decision} $json->{reason}", 'moved asked', 'explain says so';
}

# One visitor's way through a pool: a closure that asks.
sub visitor ($h, $pool) {
    my $id = 'v' . $serial++;
    my $token;
    return sub ($fields = [], @more) {
        my $cookie = $pool eq 'own' ? $token && "LB=$token" : "sid=$id";
        my $r = $h->get(says("/$pool/", @$fields), headers => [
            $cookie ? ['Cookie', $cookie] : (), @more]);
        if ($pool eq 'own' && defined(my $new = token_in($r, 'LB'))) {
            $token = $new;
        }
        return $r;
    };
}

my %pools = (
    own => "LBSticky cookie\nLBStickyCookie name=LB first=off\nLBStickyControl on",
    sess => "LBSticky session=sid\nLBStickyControl on",
    home => "LBSticky session=sid\nLBStickyControl on\nLBStickyFailback return",
    off => 'LBSticky session=sid',
    bound => "LBSticky session=sid\nLBStickyControl on\nLBStickyFailover off",
    addr => "LBSticky ip\nLBStickyControl on",
);

each_mpm {
    my $h = governed(\@web, %pools, server => "LogLevel lbsticky:info\n"
        . "LBStickyAdmin on\nLBStickyMethod round-robin\nLBStickySlowStart off");
    for my $pool (qw(own sess bound)) {
        my $ask = visitor($h, $pool);
        my $r = $ask->();
        my $at = $r->member;
        is moved_in($r), '', "$pool: a new session was nowhere before";
        $r = $ask->(['LBSticky-Move:any']);
        is $r->member, $at, "$pool: a word is for the next request";
        ok !leaks($r), 'and not for the client';
        explained($h, $pool) if $pool eq 'sess';
        $r = $ask->();
        is verdict($r), 'moved asked', 'which moves';
        my $then = $r->member;
        isnt $then, $at, 'elsewhere';
        my ($from) = grep { $name{$_} eq $at } keys %name;
        is moved_in($r), "from=$from; reason=asked", 'and tells from where';
        $r = $ask->();
        is verdict($r) . ' ' . $r->member, "kept $then", 'it stays there';
        is moved_in($r), '', 'told once';
        ok !leaks($r), 'no field of ours in an answer';

        my ($to) = grep { $name{$_} ne $then } sort keys %name;
        $ask->(["LBSticky-Move: $to"]);
        $r = $ask->();
        is $r->member, $name{$to}, "$pool: to the member that is named";
        $ask->(['LBSticky-Move:nowhere']);
        isnt $ask->()->member, $name{$to}, 'one that is not there: elsewhere';

        $r = $ask->(['LBSticky-Release: 1', 'LBSticky-Move:any']);
        ok !leaks($r), "$pool: the session ends";
        like((verdict($ask->())), qr/^new /, 'the next request is a pick');
        is verdict($ask->()), 'kept', 'of a session';
    }

    my $ask = visitor($h, 'sess');
    my $at = $ask->()->member;
    for my $bad (['LBSticky-Move:'], ['LBSticky-Move:a b'], ['LBSticky-Release:2'],
                 ['LBSticky-Move:any', 'LBSticky-Move:any'],
                 ['LBSticky-Release:1', 'LBSticky-Release:1'],
                 ['LBSticky-Move:' . 'x' x 4000], ['LBSticky-Hold:soon'],
                 ['LBSticky_Move:any'], ['LBSticky-Else:1']) {
        my $r = $ask->($bad);
        is verdict($r) . ' ' . $r->member . leaks($r), "kept ${at}0",
            'does not count: ' . substr "@$bad", 0, 40;
    }
    is verdict($ask->()), 'kept', 'at all';
    my $off = visitor($h, 'off');
    $at = $off->()->member;
    ok !leaks($off->(['LBSticky-Move:any'])), 'without the directive: removed';
    is $off->()->member, $at, 'and ignored';
    my $r = $off->([], ['LBSticky-Moved', 'from=r1; reason=asked'],
                   ['lbsticky_move', 'any'], ['LBSticky-Hold', '1h']);
    unlike $r->body, qr/lbsticky/i, "a client's fields reach no member";
    is scalar(() = $h->error_log(qr/LBS1204: /)), 1, 'a message';
    is scalar(() = $h->error_log(qr/LBS1205: /)), 1, 'one for all';
    is scalar(() = $h->error_log(qr/LBS1206: /)), 1, "and one of the client's";

    $ask = visitor($h, 'home');
    $at = $ask->()->member;
    my ($home) = grep { $name{$_} eq $at } keys %name;
    admin($h, home => $home, 'disable');
    $r = $ask->(['LBSticky-Hold: 1h']);
    is moved_in($r), "from=$home; reason=disabled", 'a session that had to move';
    my $held = $r->member;
    admin($h, home => $home, 'enable');
    is $ask->()->member, $held, 'is held where it is';
    $ask->(['LBSticky-Hold: 0']);
    $r = $ask->();
    is verdict($r) . ' ' . $r->member, "moved failback $at", 'until it may go home';
    my ($was) = grep { $name{$_} eq $held } keys %name;
    is moved_in($r), "from=$was; reason=failback", 'and tells where it was';

    $ask = visitor($h, 'sess');
    $at = $ask->(['LBSticky-Hold: 1h'])->member;
    my ($drained) = grep { $name{$_} eq $at } keys %name;
    admin($h, sess => $drained, 'drain', idle => 1, deadline => 3600);
    sleep 2.5;
    is verdict($ask->()), 'kept', 'a held session is not moved for being idle';
    admin($h, sess => $drained, 'drain', deadline => '100ms');
    ok wait_for(sub { verdict($ask->()) eq 'moved drained' }, 10),
        'a deadline moves it';
    is pool_state($h, 'sess')->{decisions}{moved}{asked} > 0, 1, 'counted';

    $ask = sub (@f) { $h->get(says('/addr/', @f)) };
    $at = $ask->()->member;
    $ask->('LBSticky-Move:any');
    $r = $ask->();
    is verdict($r), 'moved asked', 'a session of an address';
    $ask->('LBSticky-Release:1');
    is verdict($ask->()), 'new unknown', 'ends, too';

    $h->announce(qr/LBS120[45]: /);
    $h->stop;
    $h->no_unexpected_log;
};

done_testing;
