#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What httpd -t -D LBSTICKY_PREVIEW says beside its numbers: why sessions move,
# what goes with them, what to write instead; and where nothing can be known.
use lib 't/lib';
use LBS::Test timeout => 180;
use LBS::Governed;
use LBS::Preview;
use LBS::State qw(:DEFAULT visit);

my @web = LBS::Backend->many(3);
my $SERVER = "LBStickyAdmin on\nServerName www.test:80\n";
my $APP = 'app www.test:80';

my $h = LBS::Httpd->new(backends => \@web, conf => '');
my $running;    # the configuration in force
my $FILE = $h->root . '/run/lbsticky.state';

sub pool ($settings, @members) {
    @members = map { qq("http://\@B$_\@" route=r$_) } 1 .. 3 if !@members;
    return (app => join "\n", $settings, 'LBStickyMethod round-robin',
        map { "BalancerMember $_" } @members);
}

# Start afresh with a configuration and 12 sessions, four at each member.
sub begin (@pools) {
    $h->stop if $h->running;
    unlink $FILE, "$FILE.refused";
    $running = governed_text(\@web, server => $SERVER, @pools);
    $h->conf($running);
    $h->start;
    visit($h, $_) for 1 .. 12;
    return;
}

# What was learned is in the file after a reload.
sub told_of (@pools) {
    $h->graceful($running);
    $h->conf(governed_text(\@web, server => $SERVER, @pools));
    my $p = preview($h, 12);
    is $p->{status}, 0, 'httpd -t is content' or diag $p->{raw};
    ok !-e "$FILE.refused", 'the file is taken';
    return $p;
}

sub numbers ($row) { return join ' ', @$row{qw(sessions stay move wait)} }

my @SAME = pool('LBSticky session=sid');

subtest 'nothing is changed' => sub {
    begin(@SAME);
    my $p = told_of(@SAME);
    is $p->{move}, 0, 'nobody moves';
    is_deeply [map { numbers($p->{pool}{$APP}{$_}) } qw(r1 r2 r3 all)],
        [('4 4 0 0') x 3, '12 12 0 0'], 'each member keeps its own';
    like $p->{raw}, qr/^written \d+ s ago$/m, 'how old the file is';
    like $p->{raw}, qr/^What httpd -t cannot know\n    sessions that began/m,
        'and what is not known';
    unlike $p->{raw}, qr/All of it/, 'nothing more is said';
};

subtest 'a member is renamed' => sub {
    my $p = told_of(pool('LBSticky session=sid', '"http://@B1@" route=one',
                         '"http://@B2@"', '"http://@B3@" route=r3'));
    is $p->{move}, 8, 'the sessions of two move';
    is $p->{pool}{$APP}{r1}{why}, 'removed', 'why';
    is $p->{pool}{$APP}{one}{why}, 'new', 'the other name is another member';
    like $p->{said}, qr/r1: one is at its URL, http:\S+; with route=r1 it would have its sessions/,
        'what to write';
    like $p->{said}, qr/r2: one without route= is at its URL/, 'the same without a route';
};

subtest 'the way back from a URL to a route' => sub {
    begin(pool('LBSticky session=sid', '"http://@B1@"', '"http://@B2@" route=r2'));
    my $p = told_of(pool('LBSticky session=sid', '"http://@B1@" route=r1',
                         '"http://@B2@" route=r2'));
    is $p->{move}, 6, 'its sessions move';
    like $p->{said}, qr/without route=r1 it would have its sessions/, 'what to write';
};

subtest 'the pool, its name, LBSticky' => sub {
    begin(@SAME);
    for ([{server => $SERVER, other => 'LBSticky session=sid'}, 'pool', 'another pool'],
         [{server => $SERVER =~ s/www/web/r, @SAME}, 'pool', 'another ServerName'],
         [{server => $SERVER =~ s/80/81/r, @SAME}, 'pool', 'another port of it'],
         [{server => $SERVER, pool('LBSticky off')}, 'pool', 'LBSticky off'],
         [{server => $SERVER, pool('LBSticky none')}, 'source', 'LBSticky none'],
         [{server => $SERVER, pool('LBSticky cookie')}, 'source', 'another source']) {
        my ($conf, $why, $what) = @$_;
        my $p = told_of(%$conf);
        is "$p->{move} $p->{pool}{$APP}{r1}{why}", "12 $why", "$what: all begin anew";
    }
    my $p = told_of(server => $SERVER, pool('LBSticky header=X-Id session=sid'));
    is $p->{move}, 0, 'one more source takes nobody away';
};

subtest 'some of the sources' => sub {
    begin(pool('LBSticky session=sid header=X-Id'));
    my $p = told_of(pool('LBSticky header=X-Id'));
    is $p->{move}, 0, 'they count as those that stay';
    like $p->{said}, qr/LBSticky names session=sid no more: visitors known by that alone begin anew, how many is not known/,
        'and it is said that not all may';
};

subtest 'failover off' => sub {
    begin(@SAME);
    my $p = told_of(pool("LBSticky session=sid\nLBStickyFailover off",
                         '"http://@B2@" route=r2', '"http://@B3@" route=r3'));
    is $p->{move}, 4, 'those who lose their member count';
    is $p->{pool}{$APP}{r1}{why}, 'refused', 'they are refused';
    $h->graceful;
    is_deeply [map { visit($h, $_)->status == 503 ? 1 : 0 } 1 .. 3], [1, 0, 0],
        'which is what happens';
};

subtest 'drains, and operators' => sub {
    begin(@SAME);
    admin($h, app => 'r1', 'drain', deadline => '1h');
    admin($h, app => 'r2', 'drain');
    admin($h, app => 'r3', 'weight', weight => '0.25');
    my $p = told_of(@SAME);
    is_deeply [map { numbers($p->{pool}{$APP}{$_}) } qw(r1 r2 r3)],
        ['4 0 0 4', '4 4 0 0', '4 4 0 0'], 'who waits for a deadline, who stays';
    like $p->{pool}{$APP}{r1}{why}, qr/^drains, 3[56]\d\d s are left$/, 'and for how long';
    is $p->{pool}{$APP}{r2}{why}, 'drains', 'a drain without a deadline';
    is $p->{move}, 0, 'nobody moves';
    $p = told_of(pool('LBSticky session=sid', '"http://@B1@" route=r1 status=+D',
        '"http://@B2@" route=r2 status=+H', '"http://@B3@" route=r3 loadfactor=2'));
    like $p->{said}, qr/r1: the state drain that an operator set becomes disabled: the configuration's value was changed/,
        'a drain that ends';
    like $p->{said}, qr/r2: the state drain that an operator set becomes standby/, 'another one';
    like $p->{said}, qr/r3: the weight 0\.25 that an operator set becomes 2\.00: the configuration's/,
        'a weight';
    is_deeply [map { numbers($p->{pool}{$APP}{$_}) } qw(r1 r2)], ['4 0 4 0', '4 4 0 0'],
        'a member that is disabled loses its sessions, a standby keeps them';
    $p = told_of(pool('LBSticky session=sid', '"http://@B2@" route=r2'));
    like $p->{said}, qr/r1: what an operator set goes with it/, 'a member that goes';
};

subtest 'a drain that moves who is idle' => sub {
    begin(@SAME);
    admin($h, app => 'r1', 'drain', deadline => '1h', idle => '2s');
    admin($h, app => 'r2', 'drain', deadline => '1h', idle => '1h');
    sleep 4;
    my $p = told_of(@SAME);
    is_deeply [map { numbers($p->{pool}{$APP}{$_}) } qw(r1 r2)], ['4 0 4 0', '4 0 0 4'],
        'they move at once, the others wait';
    like $p->{pool}{$APP}{r1}{why}, qr/^drained, drains, \d+ s are left$/, 'why';
};

subtest 'what moves without any change, too' => sub {
    begin(pool("LBSticky session=sid\nLBStickyCheck path=/ok interval=100ms timeout=1s fall=1"));
    admin($h, app => 'r1', 'drain', deadline => '0');
    $web[1]->set(status => 500);
    ok wait_for(sub { member_state($h, 'app', 'r2')->{state} eq 'down' }, 20), 'r2 is down';
    my $p = told_of(pool("LBSticky session=sid\nLBStickyCheck path=/ok", '"http://@B1@" route=r1',
                         '"http://@B2@" route=r2'));
    is_deeply [map { $p->{pool}{$APP}{$_}{why} } qw(r1 r2 r3)],
        ['drained, drains', 'down', 'removed'], 'why';
    like $p->{said}, qr/^    8 of the sessions that would move would do so without any change/m,
        'how many that are';
    is $p->{move}, 12, 'they count all the same';
    $web[1]->set(status => 200);
};

subtest 'a member that had been removed' => sub {
    begin(@SAME);
    $running = governed_text(\@web, server => $SERVER,
        pool('LBSticky session=sid', '"http://@B1@" route=r1'));
    $h->graceful($running);
    ok wait_for(sub { preview($h)->{said} =~ /removed already/ }, 20), 'the file knows';
    my $p = told_of(pool('LBSticky session=sid', '"http://@B1@" route=r1'));
    is $p->{pool}{$APP}{r2}{why}, 'removed already', 'why';
    like $p->{said}, qr/^    8 of the sessions/m, 'without any change, too';
    $p = told_of(@SAME);
    is $p->{move}, 0, 'they are back with it';
};

subtest 'a table that is too small' => sub {
    begin(@SAME);
    my $p = told_of(@SAME, server => "${SERVER}LBStickyTable sessions=10\n");
    is $p->{move}, 0, 'nobody moves at the reload';
    like $p->{said}, qr/LBStickyTable sessions=10 holds fewer than the 12 there are/, 'but later';
};

subtest 'secrets' => sub {
    my %file = map { my @lines = split //;
        ($_ => 'LBStickySecret file:' . $h->write("conf/$_",
            join('', map { "a secret by the name of $_\n" } @lines), 0600) . "\n") } qw(A AB BA B);
    my @cookie = pool('LBSticky cookie');
    my $with = sub ($secret) { return (@cookie, server => $SERVER . ($file{$secret} // '')) };
    begin($with->('AB'));
    my $p = told_of($with->('BA'));
    is $p->{move}, 0, 'the order of secrets moves nobody';
    $p = told_of($with->('A'));
    is $p->{move}, 0, 'nor does the end of one that had signed';
    like $p->{said}, qr/secret 2 of 2 verifies no more; visitors whose cookie it signed begin anew/,
        'which is said';
    $p = told_of($with->('B'));
    is "$p->{move} $p->{pool}{$APP}{r1}{why}", '12 secret', 'without the one that signs all begin anew';
    like $p->{said}, qr/the secret that signs cookies now verifies no more; put the new one before it/,
        'and what to write';
    like $p->{said}, qr/a stop and a start instead of a reload would refuse the state file/,
        'a stop would lose the rest';
    $p = told_of($with->('random'));
    is $p->{move}, 12, 'a random one instead';
    begin($with->('random'));
    $p = told_of($with->('random'));
    is $p->{move}, 0, 'a random one stays';
    $p = told_of($with->('A'));
    is $p->{move}, 12, 'and ends with another';
    begin(@SAME, server => $SERVER . $file{A});
    $p = told_of(@SAME, server => $SERVER . $file{B});
    is $p->{move}, 0, 'where no cookie is signed a reload changes nothing';
    like $p->{said}, qr/a stop and a start/, 'a stop does';
};

subtest 'nothing is known' => sub {
    begin(@SAME);
    $h->graceful;
    my $good = LBS::Proc::slurp($FILE);
    my $unknown = sub ($what, $why, %o) {
        $h->conf(governed_text(\@web, @SAME, server => $SERVER . ($o{server} // '')));
        my $p = preview($h);
        is $p->{status}, 0, "$what: httpd -t is content" or diag $p->{raw};
        is $p->{move}, undef, 'no number';
        like $p->{reason} // '', $why, 'why, and what to do';
    };
    $unknown->('LBStickyPersist off', qr/^LBStickyPersist is off/, server => "LBStickyPersist off\n");
    $unknown->('another file', qr/^there is no state file \S+other; .*run this with the former one$/,
               server => "LBStickyPersist other\n");
    $h->stop;
    for (['damaged', sub ($b) { substr($b, 300, 1) ^.= "\1"; $b }, qr/state file \Q$FILE\E: it is damaged/],
         ['cut off', sub ($b) { substr $b, 0, 200 }, qr/: it is truncated/],
         ['of a later version', sub ($b) { substr($b, 8, 4) = pack 'V', 99; $b }, qr/: it was written by a later version/],
         ['something else', sub ($b) { "<html>\n" x 100 }, qr/: it is not a state file/]) {
        my ($what, $change, $why) = @$_;
        $h->write('run/lbsticky.state', $change->($good), 0600);
        $unknown->($what, $why);
        ok !-e "$FILE.refused" && LBS::Proc::slurp($FILE) eq $change->($good),
            'and it is left as it is';
    }
    unlink $FILE;
    mkdir $FILE;
    $unknown->('a directory', qr/cannot be read: /);
    rmdir $FILE;
    $unknown->('no file', qr/^there is no state file/);
  SKIP: {
        skip 'only root can ask as another user', 3 if $> != 0;
        $h->write('run/lbsticky.state', $good, 0600);
        my @as = qw(setpriv --reuid 65534 --regid 65534 --clear-groups --);
        my $said = $h->in_env(sub {
            return qx(@as @{[$h->command('-t', '-DLBSTICKY_PREVIEW')]} 2>&1);
        });
        my $p = LBS::Preview::parse($? >> 8, $said);
        is $p->{move}, undef, 'as a user who may not read it';
        like $p->{reason} // $said, qr/cannot be read: Permission denied; run this as the user that starts httpd/,
            'why, and what to do';
    }
};

done_testing;
