#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# conf/examples/registration: what a systemd unit calls and what `manage.py
# register` does register a member with the configuration that is beside them.
use lib 't/lib';
use LBS::Test timeout => 120;
use LBS::App;
use LBS::Source qw(slurp);
use LBS::State qw(pool_state);
use Cwd qw(getcwd);

my $DIR = 'conf/examples/registration';
my @web = LBS::Backend->many(2, name => 'web');
my $TOKEN = '0123456789abcdef-of-examples';

sub httpd () {
    my $conf = slurp("$DIR/balancer.conf");
    $conf =~ s{/run/secrets/lbsticky_token}{\@ROOT\@/conf/token}g;
    $conf =~ s{127\.0\.0\.1:9\b}{127.0.0.1:\@FREE\@};
    $conf =~ s{\*:80\b}{*:\@PORT\@};
    $conf =~ s{Require ip \S+}{Require ip 127.0.0.1};
    # A pool of this test is read every second, and its members are here.
    $conf =~ s{(LBStickyDiscover register)}{$1 admin allow=127.0.0.0/8 interval=1s hold=1s};
    my $h = LBS::Httpd->new(backends => \@web,
        conf => "LBStickyAdmin on\nLBStickySlowStart off\n$conf");
    $h->write('conf/token', "# one\n$TOKEN\n", 0644);
    $h->announce(qr/AH0(?:0957|1114): |LBS1603: /,    # the standby is none
        qr/LBS3604: /);    # a slow machine: a lease is over
    return $h->start;
}

sub found ($h) {
    my %is = map { ($_->{name} => $_) } grep { $_->{found} }
        @{pool_state($h, 'app')->{members}};
    return \%is;
}

sub wait_state ($h, $url, $want) {
    my $is;
    wait_for(sub { ($is = (found($h)->{$url} // {state => 'gone'})->{state}) eq $want }, 30);
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is $is, $want, "the member is $want";
}

# The command of the unit, with this machine's places and ports.
sub of_unit ($h, $key, $port) {
    my ($line) = slurp("$DIR/lbsticky-register.service") =~ /^$key=(.+)$/m
        or die "no $key\n";
    my $root = $h->root;
    $line =~ s{\$\{CREDENTIALS_DIRECTORY\}}{$root/conf}g;
    $line =~ s{https://www\.example\.com/}{http://127.0.0.1:@{[$h->port]}/}g;
    return $line =~ s{\b8000\b}{$port}gr;
}

my $h = httpd();
my ($me) = $web[0]->url =~ /:(\d+)$/;
$h->write('conf/header', "Authorization: Bearer $TOKEN\n");
sub ask ($h, %o) { return $h->get('/', host => 'www.example.com', %o) }

is ask($h)->status, 503, 'nobody is there';

subtest 'systemd' => sub {
    is system(of_unit($h, 'ExecStartPre', $me)), 0, 'the site answers';
    isnt system(of_unit($h, 'ExecStartPre', $h->free_port) . ' 2>/dev/null'), 0,
        'or does not';
    my $said = qx(@{[of_unit($h, 'ExecStart', $me)]});
    is $?, 0, 'curl' or diag $said;
    is found($h)->{$web[0]->url}{state}, 'up', 'the member is there';
    cmp_ok found($h)->{$web[0]->url}{lease_s}, '>', 30, 'for its lease';
    is ask($h)->member, $web[0]->name, 'and serves';
    $h->write('conf/header', "Authorization: Bearer another-one-than-that\n");
    $said = qx(@{[of_unit($h, 'ExecStart', $me)]} 2>/dev/null);
    isnt $?, 0, 'a token that is none fails the unit';
    like $said, qr/token is none of/, 'whose log has the reason';
    my ($every) = slurp("$DIR/lbsticky-register.timer") =~ /^OnUnitInactiveSec=(\d+)s$/m;
    my ($lease) = slurp("$DIR/lbsticky-register.service") =~ /lease=(\d+)min/;
    cmp_ok 3 * $every, '<=', 60 * $lease, 'three calls in a lease';
};

subtest 'manage.py register' => sub {
    plan skip_all => 'no python3-django'
        if system('/usr/bin/python3 -c "import django" 2>/dev/null') != 0;
    my ($root, $url) = ($h->root, $web[1]->url);
    my ($port) = $url =~ /:(\d+)$/;
    my $app = LBS::App->start(name => 'register', port => $port, dir => $root,
        env => {PYTHONDONTWRITEBYTECODE => 1, SITE_SECRET_KEY => 'of this test'},
        command => ['/usr/bin/python3', getcwd() . '/demo/site/manage.py', 'register',
            qw(--pool app --drain --lease 30 --weight 50 --port @PORT@),
            '--token-file', "$root/conf/token",
            'http://127.0.0.1:' . $h->port . '/lb-status/register']);
    my $log = sub { slurp("$root/register.log") };
    wait_state($h, $url, 'up') or diag $log->();
    is found($h)->{$url}{weight}, 50, 'with its weight';
    # A visitor with the module's cookie, who holds it until they are released.
    my $jar;
    ok wait_for(sub {
        $jar = LBS::Jar->new;
        my $r = ask($h, jar => $jar);
        $r = ask($h, jar => $jar);
        $r->member eq $web[1]->name;
    }, 20), 'it serves';
    kill TERM => $app->{pid};
    wait_state($h, $url, 'leaving');
    is ask($h, jar => $jar)->member, $web[1]->name,
        'who is there stays there';
    is kill(0, $app->{pid}), 1, 'it waits for its visitors';
    my $r = $h->post('/lb-status/admin', {pool => 'app', member => $url,
        action => 'remove', deadline => 0}, headers => [['LBSticky-Admin', '1']]);
    is $r->status, 200, "an operator removes it" or diag $r->body;
    wait_state($h, $url, 'gone');
    my $ended = wait_for(sub { !LBS::Proc::alive($app->{pid}) }, 20);
    ok $ended, 'and ends when none is left' or diag $log->();
    $app->kill;
};

$h->stop;
$h->no_unexpected_log;
done_testing;
