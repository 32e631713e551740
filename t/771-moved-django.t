#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Django with sessions in the memory of one process: a server that is drained,
# and one that its list no longer names, lose none, because the new one fetches
# them (demo/site/pages/moved.py).
use lib 't/lib';
use LBS::Test timeout => 240;
use LBS::App;
use LBS::Governed;
use LBS::Jar;
use LBS::State qw(admin pool_state);
use Cwd qw(getcwd);

use constant VISITORS => 50;

my ($gunicorn) = grep { -x } '/usr/bin/gunicorn';
my $django = system('/usr/bin/python3 -c "import django" 2>/dev/null') == 0;
needs(gunicorn => $gunicorn, 'python3-django' => $django);

my $h = LBS::Httpd->new;
my ($root, $site) = ($h->root, getcwd() . '/demo/site');
my %port = map { $_ => LBS::Ports::free() } qw(web1 web2 web3);
my %env = (PYTHONDONTWRITEBYTECODE => 1, SITE_DB => "$root/db.sqlite3",
    SITE_SECRET_KEY => 'of this test and of all its servers',
    SITE_PEERS => join ',', map { "$_=http://127.0.0.1:$port{$_}" } sort keys %port);
my $setup = join ' ', map { "$_='$env{$_}'" } sort keys %env;
is system("cd $site && $setup /usr/bin/python3 manage.py setup_site --password x"
    . " >$root/setup.log 2>&1"), 0, 'the site';

my %server = map {
    $_ => LBS::App->start(name => $_, port => $port{$_}, dir => $root,
        env => {%env, SITE_NAME => $_}, command => [$gunicorn, '--chdir', $site,
            qw(--workers 1 --threads 8 --bind 127.0.0.1:@PORT@ config.wsgi)])
} sort keys %port;
$_->ready for values %server;

sub list (@names) {
    $h->write('members.new', join '', map {
        "http://127.0.0.1:$port{$_} route=$_\n" } @names);
    rename "$root/members.new", "$root/members" or die $!;
    return;
}

list('web2', 'web3');
$h->conf(<<"CONF");
LBStickyAdmin on
LBStickyMethod round-robin
<Proxy "balancer://app">
    LBSticky cookie
    LBStickyCookie first=off
    LBStickyControl on
    LBStickyDiscover file:$root/members interval=1s hold=1s leave=1s \\
        allow=127.0.0.0/8
    BalancerMember "http://127.0.0.1:$port{web1}" route=web1
</Proxy>
ProxyPass "/lb-status" !
ProxyPass "/" "balancer://app/"
<Location "/lb-status">
    SetHandler lb-status
    Require local
</Location>
CONF
$h->start;

my @jar = map { LBS::Jar->new } 1 .. VISITORS;
my $round = 0;

# Each visitor asks once. How many have lost their session, and where they are.
sub all_ask () {
    $round++;
    my ($lost, %at) = (0);
    for my $jar (@jar) {
        my $r = $h->get('/whoami', jar => $jar);
        my $is = $r->status == 200 ? $r->json : {visits => 0, server => 'none'};
        $lost++ if $is->{visits} != $round;
        $at{$is->{server}}++;
    }
    return ($lost, \%at);
}

my ($lost, $at) = all_ask();
is $lost, 0, 'everybody has a session';
ok $at->{$_}, "some at $_" for qw(web1 web2 web3);

admin($h, app => 'web1', 'drain', deadline => '100ms');
ok wait_for(sub { pool_state($h, 'app')->{members}[0]{drain}{since} > 0 }, 10),
    'a server is drained';
ok wait_for(sub {
    ($lost, $at) = all_ask();
    $lost != 0 || !$at->{web1}
}, 20), 'its visitors move at the deadline';
is $lost, 0, 'and none has lost a session';
$server{web1}->kill;
($lost, $at) = all_ask();
is $lost, 0, 'when it is gone, either';

list('web3');
ok wait_for(sub {
    !grep { $_->{route} eq 'web2' } @{pool_state($h, 'app')->{members}}
}, 30), 'a server that is not named any more is no member then';
($lost, $at) = all_ask();
is $lost, 0, 'its sessions come along';
is $at->{web2} // 0, 0, 'to others';
is $at->{web3}, VISITORS, 'all of them';
my %moved = %{pool_state($h, 'app')->{decisions}{moved}};
cmp_ok $moved{drained} + $moved{removed} + $moved{down}, '>=', VISITORS / 3,
    'that many were moved';

my $peer = LBS::Client->new(port => $port{web3});
is $peer->request('GET', '/moved/' . ('x' x 40))->status, 403,
    'who does not know the secret gets no session';
my $r = $h->get('/whoami', headers => [['LBSticky-Moved', 'from=web2; reason=x'],
    ['Cookie', 'sessionid=' . 'a' x 32]]);
is $r->json->{visits}, 1, 'nor does a client that makes a move up';
$h->stop;
$h->no_unexpected_log;

done_testing;
