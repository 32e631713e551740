#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# LBStickyDiscover admin: an operator adds members and removes them, and has the
# last word where a file names members, too.
use lib 't/lib';
use LBS::Test timeout => 240;
use LBS::Lbctl;
use List::Util qw(first);
use LBS::State qw(pool_state member_state admin events visit);

use constant VISITORS => 12;

my @web = LBS::Backend->many(4, name => 'web');

sub conf ($sources = 'admin', %o) { return <<"CONF" }
LBSticky session=sid
LBStickySlowStart off
LBStickyAdmin on
<Proxy "balancer://app">
    BalancerMember "http://\@B1\@" route=r1
    @{[$o{more} // '']}
    LBStickyDiscover $sources interval=1s hold=1s leave=2s \\
        max=@{[$o{max} // 3]} allow=127.0.0.0/8
</Proxy>
<Proxy "balancer://plain">
    BalancerMember "http://\@B1\@" route=r1
</Proxy>
ProxyPass "/app/" "balancer://app/"
ProxyPass "/plain/" "balancer://plain/"
<Location "/lb-status">
    SetHandler lb-status
    Require local
</Location>
CONF

sub ask ($h, %field) {
    return $h->post('/lb-status/admin', {pool => 'app', %field},
                    headers => [['LBSticky-Admin', '1']]);
}

sub add ($h, $n, %more) {
    my $r = ask($h, action => 'add', url => $web[$n - 1]->url, %more);
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is $r->status, 200, "web$n is added" or diag $r->body;
    return $r->status == 200 ? $r->json : {};
}

sub names ($h) {
    return join ' ', sort map { $_->{name} }
        @{pool_state($h, 'app')->{members}};
}

sub urls (@n) { return join ' ', sort map { $web[$_ - 1]->url } @n }

sub at ($h, $n) {
    my ($m) = grep { $_->{name} eq $web[$n - 1]->url }
        @{pool_state($h, 'app')->{members}};
    return $m // {};
}

sub places ($h, @n) {
    return map {
        my $r = visit($h, $_);
        die 'status ' . $r->status . "\n" if $r->status != 200;
        $r->member
    } @n;
}

each_mpm {
    my ($mpm) = @_;
    my $h = LBS::Httpd->new(backends => \@web, conf => conf());
    $h->start;
    my ($source) = @{pool_state($h, 'app')->{discover}};
    is_deeply [@$source{qw(source state found)}], ['admin', 'ok', 0],
        'the source is well before anybody is added';

    my $m = add($h, 2, weight => '50', lbset => 0);
    is_deeply [@$m{qw(name found weight state)}],
        [$web[1]->url, 'admin', 50, 'up'], 'the answer is the member';
    my @before = places($h, 1 .. VISITORS);
    ok scalar(grep { $_ eq $web[1]->name } @before),
        'the next picks know it, in every process';
    is_deeply [events($h, 'added')], [$web[1]->url], 'an event';
    like +(grep { $_->{event} eq 'added' } @{$h->json->{events}})[0]{reason},
        qr/^admin, from 127\.0\.0\.1$/, 'names the source and the operator';
    is ask($h, action => 'add', url => $web[1]->url)->status, 200,
        'again: nothing happens';
    is at($h, 2)->{weight}, 50, 'to its weight';

    $h->graceful;
    is_deeply [places($h, 1 .. VISITORS)], \@before, 'a reload moves nobody';
    $h->stop;
    $h->start;
    is_deeply [places($h, 1 .. VISITORS)], \@before, 'nor a stop';
    is_deeply [@{at($h, 2)}{qw(found weight)}], ['admin', 50],
        'it is as it was';

    $m = ask($h, action => 'remove', member => $m->{id});
    is $m->status, 200, 'removed' or diag $m->body;
    is $m->json->{state}, 'leaving', 'it leaves';
    cmp_ok $m->json->{leaving}{deadline}, '>', 0, 'by a deadline';
    is ask($h, action => 'add', url => $web[1]->url)->json->{state}, 'up',
        'added again it is back';
    is_deeply [events($h, 'back')], [$web[1]->url], 'an event';
    is_deeply [places($h, 1 .. VISITORS)], \@before, 'with its sessions';
    $m = ask($h, action => 'remove', member => $web[1]->url, deadline => 0);
    is $m->status, 200, 'now' or diag $m->body;
    is names($h), urls(1), 'it is gone';
    is_deeply [places($h, 1 .. VISITORS)], [($web[0]->name) x VISITORS],
        'its sessions have moved';
    $h->stop;
    $h->no_unexpected_log;
};

# The state file as it is now is on the disk.
sub saved ($h) {
    my $age = sub { $h->json->{table}{age_s} };
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return ok wait_for(sub { $age->() > 0 }, 20)
        && wait_for(sub { $age->() == 0 }, 30), 'the state is saved';
}

sub list ($h, @n) {
    $h->write('members.new', join '', map { $web[$_ - 1]->url . "\n" } @n);
    rename $h->root . '/members.new', $h->root . '/members' or die $!;
    return;
}

subtest 'beside a file' => sub {
    my $h = LBS::Httpd->new(backends => \@web,
                            conf => conf('admin file:@ROOT@/members'));
    list($h, 2, 3);
    $h->start;
    is names($h), urls(1, 2, 3), 'members of the file';
    is add($h, 2)->{found}, 'file', 'an operator adds one of them, too';
    list($h, 3);
    my $seen = 0;
    ok wait_for(sub {
        $seen = (pool_state($h, 'app')->{discover}[1]{found} // 9) == 1 }, 20),
        'the file names it no more';
    is at($h, 2)->{state}, 'up', 'it stays, for the operator named it';
    is at($h, 2)->{leaving}{since}, 0, 'and does not leave';

    is ask($h, action => 'remove', member => $web[2]->url,
           deadline => 0)->status, 200, 'one that the file names is removed';
    is names($h), urls(1, 2), 'it is gone';
    my $source = sub { pool_state($h, 'app')->{discover}[1] };
    my $at = $source->()->{at};
    ok wait_for(sub { $source->()->{at} > $at + 1 }, 20), 'the file is read';
    is names($h), urls(1, 2), 'and does not bring it back';
    is $source->()->{ignored}, 1, 'it is ignored';
    saved($h);
    $h->announce(qr/AH00098: /);
    $h->kill_all;
    $h->start;
    is names($h), urls(1, 2), 'nor does it after a crash';
    add($h, 3);
    is names($h), urls(1, 2, 3), 'an operator does';
    $h->stop;
    $h->no_unexpected_log;
};

subtest 'a stop while it leaves' => sub {
    my $h = LBS::Httpd->new(backends => \@web, conf => conf());
    $h->start;
    my $id = add($h, 2, weight => 100)->{id};
    my $mine = first { (places($h, $_))[0] eq $web[1]->name } 1 .. 400;
    ask($h, action => 'remove', member => $id, deadline => '1h');
    ok $mine && (places($h, $mine))[0] eq $web[1]->name, 'it has a visitor';
    my $deadline = at($h, 2)->{leaving}{deadline};
    $h->stop;
    $h->start;
    is at($h, 2)->{state}, 'leaving', 'it leaves as before';
    cmp_ok abs(at($h, 2)->{leaving}{deadline} - $deadline), '<', 30,
        'by the same deadline';
    is +(places($h, $mine))[0], $web[1]->name, 'with its visitor';
    ask($h, action => 'remove', member => $id, deadline => '1h', idle => 0);
    my $place;
    ok wait_for(sub { ($place = (places($h, $mine))[0]) ne $web[1]->name }, 20),
        'idle=0 moves the idle';
    ask($h, action => 'remove', member => $id, deadline => 0);
    is names($h), urls(1), 'a deadline ends it';
    $h->stop;
    $h->no_unexpected_log;
};

subtest 'refused' => sub {
    my $h = LBS::Httpd->new(backends => \@web, conf => conf('admin', max => 1));
    $h->start;
    my $before = names($h);
    for (['http://169.254.169.254', 400, qr/link-local/],
         ['http://224.0.0.1', 400, qr/multicast/],
         ['http://0.0.0.0:80', 400, qr/no address of a server/],
         ['http://10.1.2.3', 400, qr/not in allow=/],
         ['http://127.0.0.1:' . $h->port, 400, qr/this httpd itself/],
         ['http://localhost:80', 400, qr/an address, such as/],
         ['https://127.0.0.1:80', 400, qr/scheme of the pool's first/],
         ['http://127.0.0.1:80/x', 400, qr/path of the pool's first/],
         ['http://127.0.0.1:0', 400, qr/port from 1/],
         ['x' x 700, 400, qr/too long/], ['', 400, qr/url is missing/],
         [$web[0]->url, 409, qr/is configured/]) {
        my ($url, $status, $said) = @$_;
        my $r = ask($h, action => 'add', url => $url);
        ok $r->status == $status && $r->json->{error} =~ $said,
            "refused: " . substr $url, 0, 40
            or diag $r->status, ' ', $r->body;
    }
    for ([{action => 'add', url => $web[1]->url, lbset => 100}, 400, qr/lbset/],
         [{action => 'add', url => $web[1]->url, weight => -1}, 400, qr/weight/],
         [{action => 'add', url => $web[1]->url, member => 'x'}, 400, qr/belong/],
         [{action => 'add', url => $web[1]->url, pool => 'none'}, 404, qr/no pool/],
         [{action => 'remove', member => 'x'}, 404, qr/no member/],
         [{action => 'remove', member => 'r1'}, 409, qr/is configured/],
         [{action => 'add', pool => 'plain', url => $web[1]->url}, 403,
          qr/write LBStickyDiscover admin into its <Proxy>/]) {
        my ($field, $status, $said) = @$_;
        my $r = ask($h, %$field);
        ok $r->status == $status && $r->json->{error} =~ $said,
            "refused: $said" or diag $r->status, ' ', $r->body;
    }
    is names($h), $before, 'nothing was changed';
    add($h, 2);
    my $r = ask($h, action => 'add', url => $web[2]->url);
    is $r->status, 507, 'no room';
    like $r->json->{error}, qr/max=/, 'says why';
    $h->stop;
    $h->no_unexpected_log;
};

subtest 'reloads' => sub {
    my $h = LBS::Httpd->new(backends => \@web, conf => conf());
    $h->start;
    add($h, $_) for 2, 3;
    my @before = places($h, 1 .. VISITORS);
    my $id = at($h, 2)->{id};
    $h->graceful(conf('admin', more => 'BalancerMember "http://@B2@"'));
    is at($h, 2)->{found}, '', 'a found member is configured now';
    is at($h, 2)->{id}, $id, 'it is the same';
    is_deeply [places($h, 1 .. VISITORS)], \@before, 'nobody moves';
    $h->graceful(conf());
    is names($h), urls(1, 3), 'no longer configured it is gone';
    add($h, 2);
    my @now = places($h, 1 .. VISITORS);
    is_deeply [grep { $before[$_] eq $web[2]->name && $now[$_] ne $before[$_] }
               0 .. $#now], [], 'nobody else has moved';
    $h->graceful(conf('admin', max => 1));
    is names($h), urls(1, 3), 'a lower max keeps those that came first';
    $h->graceful(conf() =~ s/LBStickyDiscover.*\n.*\n//r);
    is names($h), urls(1), 'without LBStickyDiscover none is there';
    is_deeply [places($h, 1 .. VISITORS)], [($web[0]->name) x VISITORS],
        'visitors go to those that are';
    $h->stop;
    $h->no_unexpected_log;
};

subtest 'lbctl' => sub {
    my $h = LBS::Httpd->new(backends => \@web, conf => conf());
    $h->start;
    my $ctl = LBS::Lbctl->new($h);
    my ($status, $out, $err) =
        $ctl->run('add', 'app', $web[1]->url, '--weight', '2', '--wait');
    is $status, 0, 'add' or diag $err;
    like $out, qr/is up, weight 2/, 'says what it is now';
    ($status, $out, $err) =
        $ctl->run('remove', 'app', $web[1]->url, '--now', '--wait');
    is $status, 0, 'remove' or diag $err;
    is names($h), urls(1), 'it is gone';
    ($status, $out, $err) = $ctl->run('add', 'plain', $web[1]->url);
    is $status, 1, 'refused';
    like $err, qr/write LBStickyDiscover admin/, 'with the line to write';
    ($status) = $ctl->run('remove', 'app', 'r1', '--now', '--deadline', '1h');
    is $status, 2, 'two deadlines';
    $h->stop;
    $h->no_unexpected_log;
};

done_testing;
