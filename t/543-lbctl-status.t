#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# lbctl status shows what is asked for, failing members first; what is missing
# on a fresh machine, it says; waiting is quiet where no terminal is.
use lib 't/lib';
use LBS::Test timeout => 180;
use LBS::Lbctl;
use LBS::Ports;

my @web = LBS::Backend->many(3);
my $h = LBS::Httpd->new(backends => \@web, conf => <<'CONF');
LBStickyAdmin on
LBStickyPersist off
LBSticky cookie
<Proxy "balancer://app">
    BalancerMember "http://@B1@" route=a
    BalancerMember "http://@B2@" route=b
    BalancerMember "http://@B3@" route=c
</Proxy>
<Proxy "balancer://ill">
    LBStickyCheck path=/ interval=200ms rise=1 fall=1
    BalancerMember "http://@B1@" route=well
    BalancerMember "http://@B2@" route=closed
    BalancerMember "http://127.0.0.1:@FREE1@" "route=gone überall"
</Proxy>
@STATUS@
ProxyPass "/app/" "balancer://app/"
ProxyPass "/ill/" "balancer://ill/"
CONF
$h->start;
my $ctl = LBS::Lbctl->new($h);
$ctl->run('disable', 'ill', 'closed');
$ctl->run('drain', 'app', 'b');
ok wait_for(sub { ($ctl->run('doctor'))[1] =~ /gone/ }, 20), 'a member is down';

# The members that are shown: [pool, member ...] in the order of the pools.
sub shown (@args) {
    my ($status, $out, $err) = $ctl->run('status', @args);
    is $status, 0, "status @args" or diag $err;
    my @pools;
    for (split /\n/, $out) {
        if (/^(\w+) of /) { push @pools, [$1] }
        elsif (@pools && /^  (\S(?:.*?\S)??) +(?:up|down|ejected|drain|disabled|warming)\b/) { push @{$pools[-1]}, $1 }
    }
    return \@pools;
}

subtest 'what is shown' => sub {
    my $gone = 'gone überall';
    is_deeply shown(), [[qw(app a b c)], ['ill', $gone, 'well', 'closed']], 'all; failing members first';
    is_deeply shown('--pool', 'ill'), [['ill', $gone, 'well', 'closed']], '--pool';
    is_deeply shown('ill'), [['ill', $gone, 'well', 'closed']], 'a pool';
    is_deeply shown('--failing'), [['ill', $gone]], '--failing';
    is_deeply shown('--state', 'down,ejected'), [['ill', $gone]], '--state';
    is_deeply shown('--state=drain,disabled'), [[qw(app b)], [qw(ill closed)]], 'states of two pools';
    is_deeply shown('app', '--state', 'disabled'), [], 'nobody';
    like +($ctl->run('status', 'app', '--state', 'disabled,down'))[1], qr/^no member is disabled or down$/m, 'says so';
    like +($ctl->run('status', '--pool', 'app', '--failing'))[1], qr/^no member is failing$/m, 'likewise';
    my (undef, $out) = $ctl->run('status', '--failing');
    like $out, qr/^  1 of 3 members:$/m, 'how many there are is told';
    # The columns stand under each other, whatever bytes a name has.
    utf8::decode($out);
    my @at = map { /^(.*?  )(?:STATE|down)/ ? length $1 : () } split /\n/, $out;
    is $at[0], $at[1], 'a name beyond ASCII does not move the columns';
    (undef, $out) = $ctl->run('status', 'app');
    unlike $out, qr/gone/, 'alerts of other pools are left out';
    ok shown('--vhost', 'localhost:' . ($out =~ /^app of \S+?:(\d+)/m)[0]), '--vhost';
};

subtest 'what is refused' => sub {
    for ([1, qr/there is no pool ap; there are app, ill$/, 'ap'],
         [1, qr/there is no pool ap; there are app, ill$/, '--pool', 'ap'],
         [1, qr/there is no pool app in nowhere; there are app --vhost localhost:\d+, ill --vhost/, 'app', '--vhost', 'nowhere'],
         [2, qr/wrong number of arguments for status, wanted is: lbctl status \[POOL\] \[OPTION \.\.\.\]$/, 'a', 'b'],
         [2, qr/two pools, app and --pool ill/, 'app', '--pool', 'ill'],
         [2, qr/there is no state dead: wanted is .*down, drain, ejected/, '--state', 'down,dead'],
         [2, qr/there is no state :/, '--state', '']) {
        my ($want, $match, @args) = @$_;
        my ($status, $out, $err) = $ctl->run('status', @args);
        is $status, $want, "@args: exit status";
        like $err, $match, 'says why';
        is scalar(() = $err =~ /\n/g), 1, 'in one line';
    }
};

subtest 'no status page' => sub {
    my $bare = LBS::Httpd->new(conf => qq(Redirect "/in" "/login"\n));
    $bare->start;
    my $fresh = LBS::Lbctl->new($bare);
    for my $command (['status'], ['doctor'], ['events'], ['drain', 'app', 'web1']) {
        my ($status, $out, $err) = $fresh->run(@$command);
        is $status, 1, "@$command";
        is $out, '', 'nothing else';
        like $err, qr{\Albctl: there is no lb-status at http://127\S+/lb-status \(404\)\n}, 'says what is missing';
        like $err, qr{^    <Location "/lb-status">\n +SetHandler lb-status\n +Require +local\n +</Location>\n}m,
            'and which lines to write';
    }
    my ($lines) = ($fresh->run('status'))[2] =~ /^( +<Location.*<\/Location>\n)/ms;
    $bare->announce(qr/LBS3400/);
    $bare->graceful($lines);
    like +($fresh->run('status'))[2], qr{\Albctl: http://\S+/lb-status: no pool has LBSticky in force; write LBSticky cookie [^\n]+\n\z},
        'without LBSticky: that one is told instead';
    $bare->graceful("LBSticky cookie\n$lines");
    is +($fresh->run('status'))[0], 0, 'and with them all is well';
    like +($fresh->run('status'))[1], qr/no balancer has LBSticky: lbctl advise/, 'but for the balancer';
    my ($status, undef, $err) = $fresh->run('-u', $fresh->url =~ s{/lb-status}{/other}r, 'status');
    like $err, qr/\Albctl: there is no lb-status at \S+ \(404\): is the URL right\?\n\z/, 'another place';
    ($status, undef, $err) = $fresh->run('-u', $fresh->url =~ s{/lb-status}{}r, 'status');
    like $err, qr{\Albctl: there is no lb-status at (\S+) \(404\): is it \1/lb-status\?\n\z}, 'the path forgotten';
    $bare->graceful("RedirectMatch \"^/lb-status\" \"/login?next=/lb-status/json\"\n");
    ($status, undef, $err) = $fresh->run('status');
    is $status, 1, 'a site that wants a login';
    like $err, qr/answers, but not as lb-status \(302\)\n.*SetHandler lb-status/s, 'is none of ours';
};

subtest 'two sites with a pool of one name' => sub {
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
    my $both = LBS::Lbctl->new($two);
    my (undef, $out) = $both->run('status', 'app');
    is_deeply [sort $out =~ /^app of (\w+)/mg], [qw(one two)], 'status shows both';
    (undef, $out) = $both->run('status', 'app', '--vhost', 'two.example.com:' . $two->port);
    is_deeply [$out =~ /^app of (\w+)/mg], ['two'], '--vhost one';
    my ($status, undef, $err) = $both->run('drain', 'app', 'web1');
    is $status, 1, 'a change is refused';
    like $err, qr/say which: --vhost (?:one|two)\S+ or --vhost (?:one|two)\S+ \(400\)$/, 'with what to write';
    my ($other) = $err =~ /--vhost (two\S+)/;
    like +($both->run('drain', 'app', 'web1', '--vhost', $other))[2],
        qr/may not be changed from here: ask the lb-status of that virtual host \(-u URL\), it needs LBStickyAdmin on/,
        'a site does not change another, and it is said who does';
    my ($vhost) = $err =~ /--vhost (one\S+)/;    # the host that 127.0.0.1 means
    ($status, undef, $err) = $both->run('drain', 'app', 'web1', '--vhost', $vhost);
    is $status, 0, 'and so it is done' or diag $err;
    is +($both->run('enable', 'app', 'web1', '--vhost', 'one.example.com'))[0], 0, 'the port may be left out';
    like +($both->run('status', 'app', '--vhost', 'one.example.co'))[2],
        qr/there is no pool app in one\.example\.co; there are app --vhost one\.example\.com:\d+, app/, 'not more';
    (undef, $out) = $both->run('events');
    like $out, qr/ drain +app of one\S+ web1/, 'the event tells which';
    (undef, $out) = $both->run('events', '--vhost', $vhost);
    like $out, qr/ drain +app of one/, 'events of one';
};

# Standard error on a terminal that `script` makes.
sub on_terminal ($term, @args) {
    local @ENV{qw(LBCTL_URL TERM)} = ($ctl->url, $term);
    my $command = join ' ', 'bin/lbctl', @args;
    return scalar qx(script -qec '$command' /dev/null </dev/null 2>&1);
}

subtest 'waiting' => sub {
    my $jar = LBS::Jar->new;
    my $home = $h->get('/app/', jar => $jar)->member;
    my ($route) = map { $_->{route} } grep { $_->{sessions} }
        map { @{$_->{members}} } @{$h->json->{pools}};
    my $going = $ctl->start('drain', 'app', $route, '--wait');
    ok wait_for(sub { $going->err =~ /\n/ }, 20), 'a line at the start';
    # The session's end is told neither; several looks are taken meanwhile.
    $h->get('/app/', jar => $jar) for 1 .. 5;
    my $slow = $h->connect;
    $slow->send_request('GET', '/app/?delay=2', headers => [['Cookie', $jar->header(host => 'localhost', path => '/')]]);
    ok wait_for(sub { grep { $_->{inflight} } map { @{$_->{members}} } @{$h->json->{pools}} }, 20), 'a request';
    is $slow->response->status, 200, 'comes and goes';
    $ctl->run('forget', 'app', $route);
    my $end = time + 20;
    my $status;
    while (time < $end && !defined $status) {
        $status = $? if waitpid($going->{pid}, POSIX::WNOHANG()) == $going->{pid};
        sleep 0.05;
    }
    is $status, 0, 'nobody is left';
    like $going->err, qr/\A\Q$route\E: 1 session left, \d in flight\n\Q$route\E: 0 sessions left, 0 in flight\n\z/,
        'one line at the start, one at the end';
    unlike $going->out . $going->err, qr/[\x00-\x09\x0b-\x1f]/, 'no control characters';

    $h->get('/app/', jar => LBS::Jar->new) for 1 .. 8;
    $ctl->run('enable', 'app', $route);
    # Of whichever member: the one that was slow a moment ago gets few visitors.
    ($route) = map { $_->{route} } grep { $_->{sessions} } map { @{$_->{members}} } @{$h->json->{pools}};
    ok $route, 'a member with sessions';
    $going = $ctl->start('drain', 'app', $route, '--wait');
    ok wait_for(sub { $going->err =~ /\n/ }, 20), 'is waited for';
    is $going->end('INT') >> 8, 1, 'Ctrl-C';
    like $going->err, qr/^lbctl: interrupted; \Q$route\E stays as it is, see: lbctl enable app \Q$route\E$/m,
        'says what it leaves';
    $ctl->run('forget', 'app', $route);
    my (undef, undef, $quiet) = $ctl->run('drain', 'app', $route, '--wait', '--quiet');
    is $quiet, '', '--quiet: none';
  SKIP: {
        skip 'no script(1)', 3 if !-x '/usr/bin/script';
        like on_terminal('xterm', 'drain', 'app', $route, '--wait'), qr/\r\e\[K\Q$route\E: 0 sessions left/,
            'on a terminal a line that changes';
        unlike on_terminal('dumb', 'drain', 'app', $route, '--wait'), qr/\e/, 'but on one that cannot';
        like on_terminal('xterm', 'drain', 'app', $route, '--wait', '2>/dev/null'), qr/\Q$route\E is .*drain/,
            'standard error may be elsewhere';
    }
    $ctl->run('enable', 'app', $route);
};

subtest 'waiting for long' => sub {
    # Looks twice a second for 150 seconds of a clock of its own.
    my $file = $h->write('wait.pl', <<'PERL');
our $now = 1000;
BEGIN { *CORE::GLOBAL::time = sub () { $now } }
use LBCtl::Change qw(show_progress);
for (1 .. 300) { show_progress("look $_"); $now += 0.5 }
show_progress('ready', 1);
PERL
    my $said = qx($^X -Ishare/lbctl $file 2>&1);
    is $said, "look 1\nlook 121\nlook 241\nready\n", 'a line a minute between the first and the last';
};

$h->announce(qr/lbsticky|proxy/);
done_testing;
