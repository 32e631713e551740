#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# LBStickyDiscover dns: all addresses of a name are members; whatever a name
# server says wrong, or does not say, changes nothing.
use lib 't/lib';
use LBS::Test timeout => 300;
use LBS::Dns;
use LBS::Ports;
use LBS::State qw(pool_state member_state events visit);

my $port = LBS::Ports::free();
my @web = map { LBS::Backend->new(name => "web$_", addr => "127.0.7.$_", ports => [$port]) } 1 .. 4;
my $dns = LBS::Dns->new;

sub conf ($source = "dns:app.test:$port", $more = '', $members = 'BalancerMember "http://127.0.7.1:' . $port . '"') { return <<"CONF" }
LBSticky session=sid
LBStickySlowStart off
<Proxy "balancer://app">
    $members
    LBStickyDiscover $source interval=1s hold=1s leave=2s allow=127.0.7.0/24 \\
        resolver=${\ $dns->addr} $more
</Proxy>
ProxyPass "/app/" "balancer://app/"
<Location "/lb-status">
    SetHandler lb-status
    Require local
</Location>
CONF

sub named (@n) { return [map { "127.0.7.$_" } @n] }
sub source ($h) { return pool_state($h, 'app')->{discover}[0] }

sub there ($h) {
    return join ' ', sort map { $_->{name} =~ m{//127\.0\.7\.(\d+)} ? $1 : $_->{name} }
        @{pool_state($h, 'app')->{members}};
}

sub wait_there ($h, $want, $what) {
    my $is;
    wait_for(sub { ($is = there($h)) eq $want }, 30);
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is $is, $want, $what;
}

sub places ($h, @n) {
    return map {
        my $r = visit($h, $_);
        $r->status == 200 ? $r->member : 'status ' . $r->status
    } @n;
}

# What no answer is, and what is said of it.
my @bad = ([{mode => 'nxdomain'} => qr/NXDOMAIN/], [{mode => 'servfail'} => qr/SERVFAIL/],
           [{mode => 'refused'} => qr/REFUSED/], [{mode => 'empty'} => qr/no address/],
           [{mode => 'garbage'} => qr/garbled/], [{mode => 'cut'} => qr/cut short/],
           [{mode => 'drop'} => qr/in time/]);

each_mpm {
    my ($mpm) = @_;
    my $name = "http://app.test:$port";
    $dns->zone('app.test' => {a => named(1, 2), ttl => 1});
    my $h = LBS::Httpd->new(backends => \@web,
        conf => conf('dns', '', "BalancerMember \"$name\""));
    $h->start;
    is there($h), '1 2', 'all addresses of a name are there from the start';
    is_deeply [map { $_->{found} } @{pool_state($h, 'app')->{members}}], [('dns') x 2],
        'found; the name is no member';
    my @all = 1 .. 12;
    my @before = places($h, @all);
    is scalar(grep { /^web[12]$/ } @before), @before, 'and serve';

    $dns->zone('app.test' => {a => named(1, 2, 3), ttl => 1});
    wait_there($h, '1 2 3', 'another address comes');
    is_deeply [places($h, @all)], \@before, 'nobody moves for it';
    $h->graceful;
    is_deeply [places($h, @all)], \@before, 'a reload moves nobody';

    $h->announce(qr/LBS3604: /);
    my @turns = $mpm eq 'event' ? @bad : $bad[6];
    for (@turns) {
        my ($mode, $said) = @$_;
        $dns->zone('app.test' => $mode);
        ok wait_for(sub { source($h)->{state} eq 'stale'
                              && source($h)->{reason} =~ $said }, 30),
            "told of: $mode->{mode}" or diag source($h)->{reason};
    }
    my @ms;
    for my $n (@all) {
        my $before = Time::HiRes::time();
        is visit($h, $n)->member, $before[$n - 1], 'kept' or last;
        push @ms, 1000 * (Time::HiRes::time() - $before);
    }
    cmp_ok((sort { $a <=> $b } @ms)[$#ms / 2], '<', 500, 'no request waits');
    is there($h), '1 2 3', 'nobody is lost';
    is scalar(events($h, 'source-stale')), 1, 'one event';
    is scalar($h->error_log(qr/LBS3604: /)), 1, 'one warning';

    $dns->zone('app.test' => {a => named(2, 4), ttl => 1});
    wait_there($h, '2 4', 'new ones come, old ones leave and go');
    is source($h)->{state}, 'ok', 'the source is well';
    is scalar(events($h, 'source-ok')), 1, 'an event of that';
    my @after = places($h, @all);
    is_deeply [map { $before[$_] eq 'web2' ? $after[$_] : 'moved' } 0 .. $#after],
        [map { $_ eq 'web2' ? $_ : 'moved' } @before], 'whose sessions alone move';
    is scalar(grep { /^web[24]$/ } @after), @after, 'to those that are there';

    $dns->zone('app.test' => {mode => 'drop'});
    $h->stop(graceful => 1);
    $h->no_unexpected_log;
};

subtest 'what a good name server may say' => sub {
    my $h = LBS::Httpd->new(backends => \@web, conf => conf() =~ s/hold=1s/hold=9s/r);
    $dns->zone('app.test' => {a => named(1, 2, 3), ttl => 0, mode => 'turn'});
    $h->start;
    wait_there($h, '1 2 3', 'members, one of them configured');
    my $asked = $dns->asked('app.test', 'A');
    my $begun = time;
    $dns->zone('app.test' => {a => named(1, 2, 3), ttl => 0, mode => 'third'});
    ok wait_for(sub { $dns->asked('app.test', 'A') >= $asked + 5 }, 30), 'asked again';
    cmp_ok $dns->asked('app.test', 'A') - $asked, '<=', time - $begun + 2,
        'once a second where there is no TTL';
    is there($h), '1 2 3', 'a third of the addresses in each answer: all stay';
    is scalar(events($h, 'leaving')), 0, 'no event';
    $dns->zone('app.test' => {a => named(1, 2, 3), aaaa => ['::1']});
    $asked = $dns->asked('app.test', 'AAAA');
    wait_for(sub { $dns->asked('app.test', 'A') >= 3 }, 20);
    is $dns->asked('app.test', 'AAAA'), $asked, 'version 6 is not asked for then';
    $h->stop;
    $h->no_unexpected_log;
};

subtest 'many, and addresses that may not be' => sub {
    my $h = LBS::Httpd->new(backends => \@web, conf => conf("dns:app.test:$port", 'max=2'));
    $h->announce(qr/LBS3606: /);
    $dns->zone('app.test' => {ttl => 1, a => [
        map { @$_ } named(2, 3), ['169.254.169.254', '224.0.0.1', '0.0.0.0', '10.9.9.9'],
        [map { "192.0.2.$_" } 1 .. 200]]});
    $h->start;
    wait_there($h, '1 2 3', 'of 206 addresses, by TCP, those that may be');
    ok wait_for(sub { source($h)->{ignored} == 204 }, 20), 'the others are counted';
    is scalar(events($h, 'refused-address')), 1, 'one event';
    $h->stop;
    $h->no_unexpected_log;
};

subtest 'join' => sub {
    my $h = LBS::Httpd->new(backends => \@web, conf => conf("dns:app.test:$port", 'join=6s'));
    $dns->zone('app.test' => {a => named(2)});
    $h->start;
    wait_there($h, '1 2', 'at a start members are open');
    $dns->zone('app.test' => {a => named(2, 3)});
    wait_there($h, '1 2 3', 'a newcomer');
    my $state = sub { (grep { $_->{name} =~ /7\.3:/ } @{pool_state($h, 'app')->{members}})[0]{state} };
    is $state->(), 'joining', 'is not open yet';
    my @met = places($h, 500 .. 520);
    ok !(grep { $_ eq 'web3' } @met) || $state->() ne 'joining', 'to new visitors';
    ok wait_for(sub { $state->() eq 'up' }, 30), 'and is, later';
    ok((grep { $_ eq 'web3' } places($h, 600 .. 700)), 'when it gets some');
    $h->stop;
    $h->no_unexpected_log;
};

subtest 'aliases' => sub {
    my $h = LBS::Httpd->new(backends => \@web,
        conf => conf("dns:alias.test:$port", 'interval=1min') =~ s/interval=1s //r);
    $dns->zone('alias.test' => {cname => 'real.test', cname_ttl => 1},
               'real.test' => {a => named(2), ttl => 600});
    $h->start;
    wait_there($h, '1 2', 'an alias is followed');
    ok wait_for(sub { $dns->asked('alias.test', 'A') >= 3 }, 20),
        'asked again as the shorter TTL says';
    $dns->zone('real.test' => {aaaa => ['::1'], ttl => 1});
    $h->announce(qr/LBS3606: .*\[::1\]/);
    ok wait_for(sub { source($h)->{ignored} == 1 }, 20),
        'version 6 is asked for where there is no 4';
    $h->stop;
    $h->no_unexpected_log;
};

SKIP: {
    my ($dnsmasq) = grep { -x } '/usr/sbin/dnsmasq';
    skip 'no dnsmasq here', 1 if !$dnsmasq;
    subtest 'dnsmasq' => sub {
        my $at = LBS::Ports::free();
        my $pid = fork // die;
        if (!$pid) {
            open STDERR, '>', '/dev/null';
            exec $dnsmasq, '-k', '-C/dev/null', '--no-resolv', '--no-hosts', "--port=$at",
                '--listen-address=127.0.0.1', '--bind-interfaces', '--pid-file',
                '--user=', '--address=/none.test/', map { "--host-record=app.test,127.0.7.$_,1" } 2, 3;
        }
        my $h = LBS::Httpd->new(backends => \@web,
            conf => conf() =~ s/resolver=\S+/resolver=127.0.0.1:$at/r);
        $h->announce(qr/LBS3604: /); # it is perhaps not up yet
        $h->start;
        wait_there($h, '1 2 3', 'an ordinary name server');
        $h->stop;
        $h->no_unexpected_log;
        kill KILL => $pid;
        waitpid $pid, 0;
    };
}

# What -t says.
for (["dns" => qr/no BalancerMember/], ['dns:' => qr/wanted dns, or dns:NAME:PORT/],
     ['dns:app' => qr/wanted dns/], ['dns:app:0' => qr/wanted dns/],
     ['dns:a b:80' => qr/wanted dns|wanted off/], ['dns:app:80 family=5' => qr/family/],
     ['dns:app:80 resolver=ns.test' => qr/addresses of name servers/]) {
    my ($source, $said) = @$_;
    my $h = LBS::Httpd->new(backends => \@web, conf => conf() =~ s/dns:app\S+ .*\n.*/$source/r);
    my ($status, $text) = $h->configtest;
    ok $status != 0 && $text =~ $said, "refused: $source" or diag $text;
}
{
    my $so = ($ENV{LBS_BUILD} // 'build') . '/t/no-cares.so';
    local $ENV{LBS_MODULE} = $so =~ m{^/} ? $so : "$ENV{PWD}/$so";
    my $h = LBS::Httpd->new(backends => \@web, conf => conf());
    my ($status, $text) = $h->configtest;
    ok $status != 0 && $text =~ /built without c-ares/, 'refused in a build without c-ares'
        or diag $text;
}

done_testing;
