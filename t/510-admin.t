#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Changing members: what is done, and that nothing happens where it must not.
use lib 't/lib';
use Digest::SHA qw(sha256_hex);
use JSON::PP ();
use LBS::Test;

my @web = LBS::Backend->many(3);
my $conf = <<'CONF';
LBSticky cookie session=sid
LBStickySlowStart off
<Proxy "balancer://app">
    BalancerMember "http://@B1@" route=web1
    BalancerMember "http://@B2@" route=web2
    BalancerMember "http://@B3@" route=web3 loadfactor=2
</Proxy>
@STATUS@
ProxyPass "/" "balancer://app/"
CONF
my $h = LBS::Httpd->new(backends => \@web, conf => "LBStickyAdmin on\n$conf");
$h->start;

my @SCRIPT = (headers => [['LBSticky-Admin', '1']]);

# All that an administrator can change, and nothing that time does.
sub state_hash ($httpd, @where) {
    my $state = $httpd->json('/lb-status/json', @where);
    my @all = map { my $p = $_; map { [
        $p->{vhost}, $p->{name}, @$_{qw(id state weight sessions override drain eject)}
    ] } @{$p->{members}} } @{$state->{pools}};
    return sha256_hex(JSON::PP->new->canonical->encode([\@all, $state->{events}]));
}

sub member ($route) {
    my ($m) = grep { $_->{route} eq $route } map { @{$_->{members}} } @{$h->json->{pools}};
    return $m;
}

sub act (%field) {
    return $h->post('/lb-status/admin', {pool => 'app', %field}, @SCRIPT);
}

sub nonce ($uri = '/lb-status?pool=app&member=web1&action=drain', %o) {
    my ($nonce) = $h->get($uri, %o)->body =~ /name='nonce' value='(\w+)'/;
    return $nonce;
}

subtest 'every action' => sub {
    my $r = act(member => 'web1', action => 'drain', deadline => '10min', idle => '5min');
    is $r->status, 200, 'drain';
    is $r->json->{state}, 'drain', 'the new state is the answer';
    cmp_ok abs($r->json->{drain}{deadline} - time - 600), '<=', 2, 'the deadline';
    is_deeply $r->json->{override}, ['state'], 'it is an override';
    is member('web1')->{state}, 'drain', 'and so it is';
    is act(member => 'web1', action => 'enable')->json->{state}, 'up', 'enable';
    is_deeply member('web1')->{override}, [], 'no override any more';
    is act(member => member('web2')->{id}, action => 'disable')->json->{state},
        'disabled', 'disable, by id';
    is act(member => $web[1]->url, action => 'enable')->json->{state}, 'up', 'by URL';
    is act(member => 'web2', action => 'standby')->json->{state}, 'standby', 'standby';
    is act(member => 'web2', action => 'reset')->json->{state}, 'up', 'reset';
    is act(member => 'web3', action => 'weight', weight => '0.25')->json->{weight},
        0.25, 'weight';
    is_deeply member('web3')->{override}, ['weight'], 'it is an override';
    is act(member => 'web3', action => 'weight', weight => '0')->json->{effective_weight},
        0, 'weight 0 takes nobody new';
    is act(member => 'web3', action => 'reset')->json->{weight}, 2, 'back to the file';
    my @events = map { $_->{event} } @{$h->json->{events}};
    is scalar(grep { $_ eq 'drain' } @events), 1, 'one event for the drain';
    like((grep { $_->{event} eq 'weight' } @{$h->json->{events}})[0]{reason},
         qr/^to 0\.25, from 127\.0\.0\.1$/, 'which says to what, and where it came from');
    like((grep { $_->{event} eq 'drain' } @{$h->json->{events}})[0]{reason},
         qr/^deadline 10min, idle for 5min, from 127\.0\.0\.1$/, 'so does a drain');
    ok scalar($h->error_log(qr/LBS2101: pool app: member web3: weight, to 0\.25, from 127\.0\.0\.1/)), 'and so does the log';
    my @at = map { $_->{at} } @{$h->json->{events}};
    is_deeply \@at, [sort { $a <=> $b } @at], 'events stand in order of time';
};

subtest 'visitors follow' => sub {
    my $jar = LBS::Jar->new;
    my $home = $h->get('/', jar => $jar)->member;
    act(member => $home, action => 'drain');
    is $h->get('/', jar => $jar)->member, $home, 'a draining member keeps its visitors';
    my @new = map { $h->get('/', headers => [['User-Agent', "n$_"], ['Cookie', "sid=n$_"]])->member } 1 .. 20;
    ok !(grep { $_ eq $home } @new), 'and gets no new ones'
        or diag "@new";
    act(member => $home, action => 'disable');
    isnt $h->get('/', jar => $jar)->member, $home, 'a disabled one keeps nobody';
    act(member => $home, action => 'enable');
    $home = $h->get('/', jar => $jar)->member;
    act(member => $home, action => 'drain', deadline => '0');
    ok wait_for(sub { $h->get('/', jar => $jar)->member ne $home }, 5),
        'a deadline of 0 is now';
    act(member => $home, action => 'enable');
};

subtest 'balancer-manager and mod_proxy know of it' => sub {
    sleep 2;
    my $since = act(member => 'web1', action => 'disable')->json->{since};
    cmp_ok $since, '>=', time - 2, 'since now, says the answer';
    sleep 0.5;
    is member('web1')->{state}, 'disabled', 'it stays after the next tick';
    act(member => 'web1', action => 'enable');
    sleep 0.5;
    is member('web1')->{state}, 'up', 'and so does its end';
};

subtest 'a member that comes back begins slowly' => sub {
    my $slow = LBS::Httpd->new(backends => \@web, conf => <<"CONF");
LBStickyAdmin on
@{[$conf =~ s/LBStickySlowStart off/LBStickySlowStart 60s/r]}
CONF
    $slow->start;
    my $ask = sub (%field) {
        return $slow->post('/lb-status/admin', {pool => 'app', member => 'web1', %field}, @SCRIPT)->json;
    };
    is $ask->(action => 'enable')->{state}, 'up', 'an open member stays open';
    is $ask->(action => 'disable')->{state}, 'disabled', 'disabled';
    my $m = $ask->(action => 'enable');
    is $m->{state}, 'warming', 'enabled';
    cmp_ok $m->{effective_weight}, '<', 0.5, 'with little weight';
    is $m->{weight}, 1, 'of the one it has';
    $slow->no_unexpected_log;
};

subtest 'forgetting sessions' => sub {
    my $sid = 'forget-me';
    my $r = $h->get('/?cookie=sid%3D' . $sid, headers => [['User-Agent', 'f']]);
    my $home = $r->member;
    my $ask = "/lb-status/explain?pool=app&key=session%3Dsid:$sid";
    ok $h->get($ask)->json->{table}{found}, 'a session that is known';
    my ($other) = grep { $_ ne $home } qw(web1 web2 web3);
    is act(member => $other, action => 'forget', key => "session=sid:$sid")->status,
        400, 'is not that of another member';
    is act(member => $home, action => 'forget', key => "nothing:$sid")->status,
        400, 'nor of another source';
    is act(member => $home, action => 'forget', key => "session=sid:$sid")->status,
        200, 'is forgotten';
    ok !$h->get($ask)->json->{table}{found}, 'and unknown then';
    cmp_ok member($home)->{sessions}, '>', 0, 'others are still there';
    is act(member => $home, action => 'forget')->json->{sessions}, 0,
        'all sessions of a member';

    # The module's own cookie names a member also without the table.
    my @jars = map { LBS::Jar->new } 1, 2;
    my @home = map { $h->get('/', jar => $jars[$_], headers => [['User-Agent', "f$_"]])->member } 0, 1;
    my $token = $jars[0]->value('LBSTICKY_app');
    is act(member => $home[0], action => 'forget', cookie => $token)->status, 200, 'a cookie';
    my $e = $h->get("/lb-status/explain?pool=app&cookie=$token")->json;
    is "$e->{decision} $e->{reason}", 'new unknown', 'is of no use any more';
    $h->get('/', jar => $jars[0]);
    isnt $jars[0]->value('LBSTICKY_app'), $token, 'the visitor gets another';
    $e = $h->get('/lb-status/explain?pool=app&cookie=' . $jars[0]->value('LBSTICKY_app'))->json;
    is $e->{decision}, 'kept', 'which counts';
    $token = $jars[1]->value('LBSTICKY_app');
    is $h->get("/lb-status/explain?pool=app&cookie=$token")->json->{decision}, 'kept', 'others stay';
    act(member => $home[1], action => 'forget');
    is $h->get("/lb-status/explain?pool=app&cookie=$token")->json->{decision}, 'new',
        'until their member is forgotten';
    sleep 1.1;    # tokens are dated by the second
    $h->get('/', jar => $jars[1]);
    $token = $jars[1]->value('LBSTICKY_app');
    is $h->get("/lb-status/explain?pool=app&cookie=$token")->json->{decision}, 'kept',
        'and later ones count again';
};

subtest 'forms without scripts, with a nonce' => sub {
    my $nonce = nonce();
    like $nonce, qr/^[0-9a-f]{24}$/, 'a nonce';
    my %field = (pool => 'app', member => 'web1', action => 'drain', deadline => '',
                 idle => '', nonce => $nonce);
    my $r = $h->post('/lb-status/admin', \%field);
    is $r->status, 303, 'back to the page';
    $r = $h->get($r->header('Location'));
    is $r->status, 200, 'which is there';
    like $r->body, qr{id='done'.*<b>web1</b> is now <b>drain</b>}s, 'and says what was done';
    $h->graceful;
    is $h->post('/lb-status/admin', {%field, action => 'enable'})->status, 303,
        'the nonce outlives a graceful restart';
    is member('web1')->{state}, 'up', 'enabled';
    $r = $h->post('/lb-status/admin', {%field, deadline => '10x'});
    is $r->status, 400, 'a bad field of a form';
    like $r->body, qr{id='wrong'>deadline is 10x, wanted is }, 'is explained';
};

subtest 'a refused change changes nothing' => sub {
    my $before = state_hash($h);
    my %good = (pool => 'app', member => 'web1', action => 'drain');
    my $nonce = nonce();
    my @form = ('Content-Type', 'application/x-www-form-urlencoded');
    my $try = sub ($what, $status, $field, @headers) {
        my $body = ref $field ? $field : $field;
        my $r = $h->post('/lb-status/admin', $body, headers => [@headers]);
        is $r->status, $status, $what;
    };
    my $script = ['LBSticky-Admin', '1'];
    $try->('no nonce and no header', 403, \%good);
    $try->('a wrong nonce', 403, {%good, nonce => '0' x 24});
    $try->('an empty nonce', 403, {%good, nonce => ''});
    $try->('a nonce of another time', 403, {%good, nonce => ('f' x 8) . substr $nonce, 8});
    $try->('the header with another value', 403, \%good, ['LBSticky-Admin', '0']);
    $try->('a form from another site', 403, {%good, nonce => $nonce},
           ['Origin', 'http://evil.example']);
    $try->('a form from nowhere', 403, {%good, nonce => $nonce}, ['Origin', 'null']);
    $try->('what the browser calls cross-site', 403, {%good, nonce => $nonce},
           ['Sec-Fetch-Site', 'cross-site']);
    $try->('an unknown pool', 404, {%good, pool => 'nobody'}, $script);
    $try->('an unknown member', 404, {%good, member => 'nobody'}, $script);
    $try->('an unknown virtual host', 404, {%good, vhost => 'nobody'}, $script);
    $try->('an unknown action', 400, {%good, action => 'explode'}, $script);
    $try->('an unknown field', 400, {%good, colour => 'red'}, $script);
    for my $field (qw(pool member action)) {
        my %less = %good;
        delete $less{$field};
        $try->("no $field", 400, \%less, $script);
        $try->("an empty $field", 400, {%good, $field => ''}, $script);
    }
    $try->("weight $_", 400, {%good, action => 'weight', weight => $_}, $script)
        for '', '-1', '100.01', '1.005', '1e1', ' 1', '1x', '18446744073709551616';
    $try->("deadline $_", 400, {%good, deadline => $_}, $script)
        for '-1', '10x', ' 10', '1e9', '18446744073709551616s';
    $try->('a field of another action', 400, {%good, weight => 1}, $script);
    $try->("no one session, by an empty $_", 400, {%good, action => 'forget', $_ => ''}, $script)
        for qw(key cookie);
    $try->('a broken escape', 400, 'pool=app&member=web1&action=drain&idle=%zz', $script, [@form]);
    $try->('a NUL', 400, 'pool=app%00&member=web1&action=drain', $script, [@form]);
    $try->('a field twice', 400, 'pool=app&member=web1&action=drain&action=enable', $script, [@form]);
    $try->('no form', 400, '{"pool":"app"}', $script, ['Content-Type', 'application/json']);
    $try->('nothing at all', 400, '', $script, [@form]);
    $try->('10 000 fields', 413, join('&', map { "field$_=1" } 1 .. 10_000), $script, [@form]);
    $try->('100 fields', 400, join('&', map { "f$_=1" } 1 .. 100), $script, [@form]);
    $try->('1 MB', 413, 'pool=' . 'a' x 1_000_000, $script, [@form]);
    is $h->request('POST', '/lb-status/admin', body => 'pool=' . 'a' x 200_000,
                   chunked => 1, headers => [$script, [@form]])->status,
        413, '200 kB in chunks';
    is $h->get('/lb-status/admin?pool=app&member=web1&action=drain', @SCRIPT)->status,
        405, 'a GET';
    is state_hash($h), $before, 'the state is what it was';
};

subtest 'the same site in other letters is the same site' => sub {
    my $nonce = nonce();
    for my $origin ('HTTP://LOCALHOST', 'http://localhost:' . $h->port, 'https://LocalHost') {
        is $h->post('/lb-status/admin', {pool => 'app', member => 'web1', action => 'enable',
            nonce => $nonce}, headers => [['Origin', $origin]])->status, 303, $origin;
    }
};

subtest 'LBStickyAdmin off' => sub {
    my $closed = LBS::Httpd->new(backends => \@web, conf => $conf);
    $closed->start;
    my $before = state_hash($closed);
    is $closed->post('/lb-status/admin', {pool => 'app', member => 'web1',
        action => 'drain'}, @SCRIPT)->status, 403, 'nobody may';
    unlike $closed->get('/lb-status')->body, qr/action=drain/, 'and nothing is offered';
    is $closed->get('/lb-status?pool=app&member=web1&action=drain')->status, 403, 'nor asked';
    is state_hash($closed), $before, 'the state is what it was';
    $closed->no_unexpected_log;
};

subtest 'through a proxy that has another path for it' => sub {
    my $behind = LBS::Httpd->new(backends => \@web, conf => <<'CONF');
LBSticky cookie
<VirtualHost *:@PORT@>
    LBStickyAdmin on
    <Proxy "balancer://app">
        BalancerMember "http://@B1@" route=web1
        BalancerMember "http://@B2@" route=web2
    </Proxy>
    <Location "/lb-status">
        SetHandler lb-status
    </Location>
    ProxyPass "/" "balancer://app/"
</VirtualHost>
Listen 127.0.0.1:@PORT2@
<VirtualHost *:@PORT2@>
    ProxyPass "/ops/" "http://127.0.0.1:@PORT@/lb-status/"
    ProxyPassReverse "/ops/" "http://127.0.0.1:@PORT@/lb-status/"
</VirtualHost>
CONF
    $behind->start;
    my @front = (port => $behind->port(2), host => 'www.example.com');
    my $page = $behind->get('/ops/?pool=app&member=web1&action=drain', @front)->body;
    my ($to) = $page =~ m{<form method='post' action='([^']+)' class='confirm'>};
    my %field = $page =~ m{<input type='hidden' name='([^']+)' value='([^']*)'>}g;
    is $to, './admin', 'where the form goes';
    my @site = (@front, headers => [['Origin', 'https://www.example.com']]);
    my $r = $behind->post("/ops/$to", {%field, deadline => '10x'}, @site);
    is $r->status, 400, 'a bad field';
    like $r->body, qr{<a href='\./'>Back</a>}, 'and the way back';
    $r = $behind->post("/ops/$to", \%field, @site);
    is $r->status, 303, 'a change';
    my ($back) = $r->header('Location') =~ m{^\./(\?.*)};
    like $behind->get("/ops/$back", @front)->body, qr{<b>web1</b> is now <b>drain</b>},
        'and back to the page';
    $behind->no_unexpected_log;
};

subtest 'one virtual host does not reach another' => sub {
    my $site = <<'CONF';
    <Proxy "balancer://app">
        BalancerMember "http://@B1@" route=web1
    </Proxy>
    @STATUS@
    ProxyPass "/" "balancer://app/"
CONF
    my $two = LBS::Httpd->new(backends => \@web, conf => <<"CONF");
LBSticky cookie
<VirtualHost *:\@PORT@>
    ServerName a.example
    LBStickyAdmin on
$site</VirtualHost>
<VirtualHost *:\@PORT@>
    ServerName b.example
    LBStickyAdmin on
$site</VirtualHost>
Listen 127.0.0.1:\@PORT2@
<VirtualHost *:\@PORT2@>
    ServerName admin.example
    LBStickyAdmin on
    \@STATUS\@
</VirtualHost>
CONF
    $two->start;
    my @a = (host => 'a.example');
    my ($va) = grep { /^a\.example/ } map { $_->{vhost} } @{$two->json('/lb-status/json', @a)->{pools}};
    my ($vb) = grep { /^b\.example/ } map { $_->{vhost} } @{$two->json('/lb-status/json', @a)->{pools}};
    ok $va && $vb, 'both pools are shown';
    my $try = sub ($what, $status, $vhost, @o) {
        my $r = $two->post('/lb-status/admin', {pool => 'app', member => 'web1',
            action => 'drain', defined $vhost ? (vhost => $vhost) : ()}, @SCRIPT, @o);
        is $r->status, $status, $what;
        return $r;
    };
    my $before = state_hash($two, @a);
    my $r = $try->('which of the two', 400, undef, @a);
    like $r->body, qr/\Q$va\E/, 'the answer names one';
    like $r->body, qr/\Q$vb\E/, 'and the other';
    $try->('the other one', 403, $vb, @a);
    is state_hash($two, @a), $before, 'the state is what it was';
    my ($nonce) = $two->get("/lb-status?pool=app&vhost=$va&member=web1&action=drain", @a)->body
        =~ /name='nonce' value='(\w+)'/;
    is $two->post('/lb-status/admin', {pool => 'app', vhost => $vb, member => 'web1',
        action => 'drain', nonce => $nonce}, host => 'b.example')->status, 403,
        'a nonce of one is of no use in the other';
    $try->('its own', 200, $va, @a);
    my @there = (port => $two->port(2), host => 'admin.example');
    $try->('a host for administration reaches both', 200, $_, @there) for $va, $vb;
    $two->no_unexpected_log;
};

subtest 'a pool of the main server belongs to all hosts that inherit it' => sub {
    my $host = sub ($name, $more) { <<"CONF" };
<VirtualHost *:\@PORT\@>
    ServerName $name
    $more
    \@STATUS\@
    ProxyPass "/" "balancer://app/"
</VirtualHost>
CONF
    my $shared = LBS::Httpd->new(backends => \@web, conf => <<"CONF");
LBSticky cookie
LBStickyAdmin on
<Proxy "balancer://app">
    BalancerMember "http://\@B1\@" route=web1
</Proxy>
@{[$host->('a.example', 'LBSticky ip'), $host->('b.example', 'LBSticky header=X'),
   $host->('c.example', 'LBStickyAdmin off')]}
CONF
    $shared->start;
    is scalar(@{$shared->json('/lb-status/json', host => 'a.example')->{pools}}), 1, 'it is shown once';
    my %want = ('a.example' => 200, 'b.example' => 200, 'c.example' => 403);
    is $shared->post('/lb-status/admin', {pool => 'app', member => 'web1', action => 'enable'},
                     @SCRIPT, host => $_)->status, $want{$_}, "changed from $_" for sort keys %want;
    $shared->no_unexpected_log;
};

$h->no_unexpected_log;
done_testing;
