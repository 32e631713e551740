#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# lbctl against a real httpd, and against what is none.
use lib 't/lib';
use LBS::Test;
use JSON::PP ();
use LBS::Ports;

my $bin = 'bin/lbctl';
my @web = LBS::Backend->many(3);
my $h = LBS::Httpd->new(backends => \@web,
    modules => [qw(auth_basic authn_file authz_user)], conf => <<'CONF');
LBSticky cookie session=sid
LBStickyAdmin on
LBStickySlowStart off
<Proxy "balancer://tight">
    LBSticky route=R
    LBStickyLimit inflight=1
    BalancerMember "http://@B1@" route=only
</Proxy>
<Proxy "balancer://sick">
    LBStickyCheck path=/ interval=200ms rise=1 fall=1
    LBStickyPanic off
    BalancerMember "http://@B3@" route=patient
</Proxy>
<Proxy "balancer://app">
    BalancerMember "http://@B1@" route=web1
    BalancerMember "http://@B2@" route=web2
    BalancerMember "http://@B3@" route=web3
</Proxy>
@STATUS@
<Location "/secret">
    SetHandler lb-status
    AuthType Basic
    AuthName "status"
    AuthBasicProvider file
    AuthUserFile "@ROOT@/conf/users"
    Require valid-user
</Location>
<Location "/closed">
    SetHandler lb-status
    Require all denied
</Location>
Redirect "/moved" "http://localhost:@PORT@/lb-status"
<Location "/files">
    ProxyPass "!"
</Location>
ProxyPass "/moved" "!"
ProxyPass "/tight/" "balancer://tight/"
ProxyPass "/sick/" "balancer://sick/"
ProxyPass "/" "balancer://app/"
CONF
$h->write('conf/users', 'ann:{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=' . "\n");
$h->start;
my $url = 'http://127.0.0.1:' . $h->port . '/lb-status';

# Exit status, what it printed, what it complained.
sub lbctl (@args) {
    my %env = (LBCTL_URL => $url, LBCTL_CURL => '', NO_COLOR => undef, TERM => 'xterm');
    %env = (%env, %{shift @args}) if ref $args[0];
    my $err = $h->root . '/lbctl.err';
    local %ENV = %ENV;
    defined $env{$_} ? ($ENV{$_} = $env{$_}) : delete $ENV{$_} for keys %env;
    my $pid = open my $out, '-|';
    if (!$pid) {
        open STDERR, '>', $err;
        exec $bin, @args or POSIX::_exit(126);
    }
    local $/;
    my $text = <$out> // '';
    close $out;
    return ($? >> 8, $text, LBS::Proc::slurp($err));
}

sub state_of ($route) {
    my ($m) = grep { $_->{route} eq $route } map { @{$_->{members}} } @{$h->json->{pools}};
    return $m->{state};
}

# Fails with that status, and says why in one line.
sub fails ($what, $status, $match, @args) {
    my ($got, $out, $err) = lbctl(@args);
    is $got, $status, "$what: exit status";
    like $err, $match, "$what: says why";
    is scalar(() = $err =~ /\n/g), 1, "$what: in one line" or diag $err;
    is $out, '', "$what: nothing else";
}

subtest 'it needs nothing but what Debian has in its base' => sub {
    my @modules = grep { !/^LBCtl::/ } map { LBS::Proc::slurp($_) =~ /^\s*(?:use|require)\s+([A-Z][\w:]+)/mg }
        $bin, glob 'share/lbctl/LBCtl/*.pm';
    ok @modules > 0, 'it uses modules';
    my $list = '/var/lib/dpkg/info/perl-base.list';
  SKIP: {
        skip 'this is no Debian', 1 if !-e $list;
        my $files = LBS::Proc::slurp($list);
        is join(' ', grep { my $f = s{::}{/}gr; $files !~ m{/\Q$f\E\.pm\n} } @modules),
            '', 'all of them are in perl-base';
    }
};

subtest 'looking' => sub {
    $h->get('/', headers => [['User-Agent', 'x']]);
    my ($status, $out, $err) = lbctl('status');
    is $status, 0, 'status';
    is $err, '', 'no complaint';
    like $out, qr/^app of .*sticky by cookie, session=sid, least-load$/m, 'the pool';
    like $out, qr/^  web1 +up +1 +\d+ +0 /m, 'a member';
    unlike $out, qr/\e/, 'no colours when it is not a terminal';
    ($status, $out) = lbctl('json');
    is $status, 0, 'json';
    is_deeply [sort map { $_->{name} } @{JSON::PP->new->decode($out)->{pools}}],
        [qw(app sick tight)], 'as it came';
    ($status, $out) = lbctl('explain', 'app', 'key=session=sid:nobody');
    is $status, 0, 'explain';
    is(JSON::PP->new->decode($out)->{reason}, 'unknown', 'the reason');
    ($status, $out) = lbctl('doctor');
    is $status, 0, 'doctor';
    is $out, "all is well\n", 'all is well';
    my $one = $h->connect;
    $one->send_request('GET', '/tight/?delay=2');
    ok wait_for(sub { grep { $_->{inflight} } @{$h->json->{pools}} }), 'a full pool';
    ($status, $out) = lbctl('doctor');
    is $status, 1, 'all is not';
    is $out, "tight: every member is full: new visitors wait or get 503\n", 'and why';
    is $one->response->status, 200, 'for a while';
    ($status, $out) = lbctl({LBCTL_URL => undef}, '-u', "$url/", 'status', 'app');
    is $status, 0, 'with -u and a slash';
    ($status, $out) = lbctl('--help');
    is $status, 0, 'help';
    like $out, qr/lbctl roll POOL/, 'tells of roll';
};

subtest 'changing' => sub {
    my ($status, $out) = lbctl('drain', 'app', 'web1', '--deadline', '10min');
    is $status, 0, 'drain';
    like $out, qr/^web1 is drain, weight 1, \d+ sessions?, 0 in flight$/, 'says what is now';
    is state_of('web1'), 'drain', 'and so it is';
    like +(lbctl('status'))[1], qr/^  web1 +drain .*sessions? left, (?:10|9) min.* to go$/m, 'status tells';
    is +(lbctl('enable', 'app', 'web1'))[0], 0, 'enable';
    is state_of('web1'), 'up', 'enabled';
    is +(lbctl('weight', 'app', 'web1', '0.5'))[0], 0, 'weight';
    is +(lbctl('reset', 'app', 'web1'))[0], 0, 'reset';
    is +(lbctl('disable', 'app', 'web1', '--wait'))[0], 0, 'disable';
    is state_of('web1'), 'disabled', 'disabled';
    is +(lbctl('enable', 'app', 'web1', '--wait', '--timeout', '5s'))[0], 0, 'enable';
    is +(lbctl('forget', 'app', 'web1'))[0], 0, 'forget';
};

subtest 'drain --wait' => sub {
    my $r = $h->get('/', headers => [['User-Agent', 'w']]);
    my $home = $r->member;
    my ($status, $out, $err) = lbctl('drain', 'app', $home, '--wait', '--timeout', '1s');
    is $status, 4, 'somebody is left: time-out';
    like $err, qr/^\Q$home\E: \d+ sessions? left, 0 in flight$/m, 'progress';
    like $err, qr/^lbctl: \Q$home\E is not ready in time/m, 'and the reason';
    lbctl('forget', 'app', $home);
    is +(lbctl('drain', 'app', $home, '--wait', '--timeout', '5s'))[0], 0, 'nobody is left';
    lbctl('enable', 'app', $home);
    is +(lbctl('drain', 'app', $home, '--deadline', '1s', '--wait', '--timeout', '9s'))[0],
        0, 'the deadline is the end of it';
    lbctl('enable', 'app', $home);
    $h->get('/tight/');
    ($status, $out, $err) = lbctl('drain', 'tight', 'only', '--wait');
    like $err, qr/^only: 0 sessions left \(those of route=R are not counted, the last answer was \d s ago\), 0 in flight$/m,
        'what it cannot know it says';
    lbctl('enable', 'tight', 'only');
};

subtest 'enable --wait' => sub {
    $web[2]->set(status => 500);
    ok wait_for(sub { state_of('patient') eq 'down' }), 'a member is down';
    my ($status, $out, $err) = lbctl('enable', 'sick', 'patient', '--wait', '--timeout', '1s');
    is $status, 4, 'it is not open before its check says so';
    like $err, qr/^lbctl: patient is not ready in time: down, HTTP 500, want 200-399$/m, 'and is told why';
    ($status, $out) = lbctl('doctor');
    is $status, 1, 'doctor';
    is $out =~ s/for \d+ s/for N s/r,
        "sick: no member can serve (1 down): every visitor gets 503\n"
        . "sick: patient is down for N s: its check says HTTP 500, want 200-399\n", 'says what that means';
    ($status, $out) = lbctl('doctor', '--json');
    is $status, 1, 'doctor --json';
    is_deeply [map { "$_->{severity} $_->{code} $_->{pool} $_->{member}" } @{JSON::PP::decode_json($out)}],
        ['act no-member sick ', 'attention member-out sick patient'], 'for scripts';
    $web[2]->set(status => undef);
    is +(lbctl('enable', 'sick', 'patient', '--wait', '--timeout', '9s'))[0], 0, 'then it is';
    is state_of('patient'), 'up', 'open';
};

subtest 'doctor names members that take no new visitors' => sub {
    lbctl('disable', 'app', 'web1');
    lbctl('weight', 'app', 'web2', '0');
    my ($status, $out) = lbctl('doctor');
    is $status, 0, 'nothing is wrong';
    is $out, "all is well\napp: no new visitors for 1 disabled, 1 of weight 0\n", 'but for this';
    lbctl('standby', 'app', 'web3');
    is +(lbctl('doctor'))[0], 0, 'a standby takes over';
    lbctl('enable', 'app', $_) for qw(web1 web3);
    lbctl('reset', 'app', 'web2');
};

subtest 'roll' => sub {
    lbctl('forget', 'app', "web$_") for 1 .. 3;
    my $log = $h->root . '/rolled';
    my ($status, $out, $err) = lbctl('roll', 'app', '--', 'sh', '-c',
        "echo {} \$LBCTL_MEMBER_URL >>$log");
    is $status, 0, 'a rolling deploy' or diag $err;
    is LBS::Proc::slurp($log), join('', map { "web$_ " . $web[$_ - 1]->url . "\n" } 1 .. 3),
        'the command ran for each member, in order';
    like $out, qr/^3 of 3 members done$/m, 'and says so';
    is state_of("web$_"), 'up', "web$_ is up again" for 1 .. 3;
    my $held = $h->get('/', headers => [['User-Agent', 'r']])->member;
    ($status, $out, $err) = lbctl('roll', 'app', '--timeout', '1s', '--', 'true');
    is $status, 4, 'somebody stays too long';
    like $err, qr/^lbctl: \Q$held\E is not ready in time: .*; \Q$held\E is left drained, see:/m,
        'which leaves the member drained, and it is said';
    lbctl('forget', 'app', $held);
    lbctl('enable', 'app', $held);
    unlink $log;
    ($status, $out, $err) = lbctl('roll', 'app', '--', 'sh', '-c',
        "echo {} >>$log; test {} != web2");
    is $status, 1, 'a command that fails';
    like $err, qr/^lbctl: web2: the command failed with status 1; web2 is left drained/m, 'ends it';
    is LBS::Proc::slurp($log), "web1\nweb2\n", 'the rest is left alone';
    is join(' ', map { state_of("web$_") } 1 .. 3), 'up drain up', 'one is drained';
    lbctl('disable', 'app', 'web1');
    ($status, $out, $err) = lbctl('roll', 'app', '--', 'true');
    is $status, 1, 'nobody else could take over';
    like $err, qr/web3: no other member could take over/, 'and says so';
    is state_of('web3'), 'up', 'so it is not drained';
    lbctl('enable', 'app', $_) for qw(web1 web2);
};

subtest 'what goes wrong' => sub {
    my $port = LBS::Ports::free();
    fails('no server', 3, qr/nobody accepts connections there/, '-u', "http://127.0.0.1:$port/", 'status');
    fails('no host', 3, qr/not known/, '-u', 'http://no-such-host.invalid/', 'status');
    fails('no URL', 3, qr/lbctl: /, '-u', 'gopher//x', 'json');
    fails('a wrong path', 1, qr/no lb-status at .*files \(404\)/, '-u', $url =~ s/lb-status/files/r, 'status');
    fails('another page', 1, qr/but not as lb-status/, '-u', $url =~ s/lb-status/x/r, 'status');
    fails('a password', 1, qr/wants a password \(401\)/, '-u', $url =~ s/lb-status/secret/r, 'status');
    is +(lbctl({LBCTL_CURL => '--user ann:test'}, '-u', $url =~ s/lb-status/secret/r, 'status'))[0], 0, 'with it';
    my $with = sub ($user) { $url =~ s{//}{//$user@}r =~ s/lb-status/secret/r };
    is +(lbctl('-u', $with->('ann:test'), 'status'))[0], 0, 'with it in the URL';
    fails('another password', 1, qr{^lbctl: http://127[^@]*/secret does not accept this user and password \(401\)$},
          '-u', $with->('ann:wrong'), 'status');
    fails('a redirect', 1, qr{/moved sends us on \(302\): use http://localhost:\d+/lb-status$},
          '-u', $url =~ s/lb-status/moved/r, 'status');
    fails('access denied', 1, qr/does not let us in \(403\)/, '-u', $url =~ s/lb-status/closed/r, 'drain', 'app', 'web1');
    fails('no such pool', 1, qr/there is no pool nobody/, 'drain', 'nobody', 'web1');
    fails('no such member', 1, qr/the pool app has no member nobody/, 'drain', 'app', 'nobody');
    fails('a bad duration', 1, qr/deadline is 10x, wanted is/, 'drain', 'app', 'web1', '--deadline', '10x');
    fails('a bad weight', 1, qr/weight is 101, wanted is a number from 0 to 100/, 'weight', 'app', 'web1', '101');
    fails('no command', 2, qr/what is to be done/);
    fails('an unknown command', 2, qr/there is no command explode/, 'explode');
    fails('too few arguments', 2, qr/wrong number of arguments for drain/, 'drain', 'app');
    fails('an unknown option', 2, qr/^lbctl: unknown option: colour, see lbctl --help$/, '--colour', 'status');
    fails('an option of the command that roll runs', 2, qr/^lbctl: unknown option: no-block, see lbctl --help; -- goes before the command/,
          'roll', 'app', 'systemctl', 'restart', '--no-block');
    fails('an option of it that another command has', 2, qr/roll takes no --now, see lbctl --help; -- goes before the command/,
          'roll', 'app', 'systemctl', 'restart', '--now');
    fails('an option without its value', 2, qr/deadline requires an argument, see/, 'drain', 'app', 'web1', '--deadline');
    fails('an option of another command', 2, qr/enable takes no --deadline/, 'enable', 'app', 'web1', '--deadline', '5min');
    fails('a time-out for nothing', 2, qr/--timeout is for --wait/, 'drain', 'app', 'web1', '--timeout', '5s');
    fails('a bad time-out', 2, qr/--timeout 5x: wanted is a number with ms/, 'drain', 'app', 'web1', '--wait', '--timeout', '5x');
    fails('no such virtual host', 1, qr/there is no pool in nohost/, 'status', '--vhost', 'nohost');
    fails('wrong options for curl', 3, qr/curl does not take the options in LBCTL_CURL/,
          {LBCTL_CURL => '--nonsense'}, 'status');
    is join(' ', map { state_of("web$_") } 1 .. 3), 'up up up', 'nothing was changed';
};

$h->no_unexpected_log(qr/AH01630: client denied/, qr/AH01617|AH01618|AH01797/);
subtest 'a pool of two virtual hosts: the option to write is named' => sub {
    my $two = LBS::Httpd->new(backends => \@web, conf => join '', "LBStickyAdmin on\n\@STATUS\@\n",
        map { <<"CONF" } qw(one two));
<VirtualHost 127.0.0.1:\@PORT\@>
    ServerName $_.example.com
    LBSticky   cookie
    <Proxy "balancer://app">
        BalancerMember "http://\@B1\@" route=web1
    </Proxy>
    ProxyPass "/" "balancer://app/"
</VirtualHost>
CONF
    $two->start;
    my @at = ('-u', 'http://127.0.0.1:' . $two->port . '/lb-status');
    my $one = qr/--vhost (?:one|two)\.example\.com:\d+/;
    for my $command ([qw(drain app web1)], [qw(explain app)], [qw(roll app -- true)]) {
        my ($status, undef, $err) = lbctl(@at, @$command);
        isnt $status, 0, "$command->[0] does nothing";
        like $err, qr/several virtual hosts have a pool app, say which: $one or $one/,
            'and says what to write';
    }
};

subtest 'the page before a drain, where nobody else is left' => sub {
    my ($pool) = grep { $_->{name} eq 'tight' } @{$h->json->{pools}};
    for my $action (qw(drain disable)) {
        my $page = $h->get("/lb-status?pool=tight&member=only&action=$action&vhost=$pool->{vhost}")->body;
        like $page, qr/No other member can take over: (?:new )?visitors will get 503/, "$action: it says so";
        unlike $page, qr/nobody else|will move/, 'and nobody moves to nobody';
    }
};

done_testing;
