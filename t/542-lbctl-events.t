#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# lbctl events: what happened, and what happens from now on, each event once.
use lib 't/lib';
use LBS::Test timeout => 180;
use Encode ();
use JSON::PP ();
use LBS::Lbctl;

my @web = LBS::Backend->many(2);
my $EVIL = "evil\e[2J\xc2\x9b31m \$(id)\"'";
my $conf = <<"CONF";
LBSticky cookie
LBStickyAdmin on
LBStickyPersist off
<Proxy "balancer://app">
    BalancerMember "http://\@B1\@" route=web1
    BalancerMember "http://\@B2\@" route=web2
</Proxy>
<Proxy "balancer://other">
    BalancerMember "http://\@B1\@" route=o1
    BalancerMember "http://\@B2\@" "route=@{[$EVIL =~ s/"/\\"/r]}"
</Proxy>
\@STATUS\@
ProxyPass "/other/" "balancer://other/"
ProxyPass "/" "balancer://app/"
CONF
my $h = LBS::Httpd->new(backends => \@web, conf => $conf);
$h->start;
my $ctl = LBS::Lbctl->new($h);

sub member ($pool, $route) {
    my ($p) = grep { $_->{name} eq $pool } @{$h->json->{pools}};
    my ($m) = grep { $_->{route} eq $route } @{$p->{members}};
    return $m;
}

sub change ($pool, $member, $action) {
    is +($ctl->run($action, $pool, $member))[0], 0, "$action $pool $member"
        or diag(($ctl->run($action, $pool, $member))[2]);
    return;
}

subtest 'what happened' => sub {
    change('app', 'web1', 'drain');
    change('app', 'web1', 'enable');
    change('other', 'o1', 'disable');
    my ($status, $out, $err) = $ctl->run('events');
    is $status, 0, 'exit status' or diag $err;
    my $time = qr/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000/;
    is scalar(() = $out =~ /\n/g), scalar @{$h->json->{events}}, 'a line for each event';
    like $out, qr/^$time  drain       app web1.*^$time  enable      app web1.*^$time  disable     other o1/ms,
        'in order, with time, pool and member';
    like +($ctl->run({TZ => 'EST5'}, 'events'))[1], qr/ -0500  drain /, 'times are local and say so';
    is +($ctl->run('status', '--follow'))[0], 2, 'only events follow';
};

subtest 'of a pool, of a member' => sub {
    my ($status, $out) = $ctl->run('events', '--pool', 'other');
    like $out, qr/ disable +other o1/, '--pool';
    unlike $out, qr/ app /, 'no other';
    my $m = member('app', 'web1');
    for my $who ('web1', $m->{id}, $m->{name}) {
        ($status, $out) = $ctl->run('events', '--member', $who, '--pool', 'app');
        is $status, 0, "--member $who";
        is scalar(() = $out =~ /^.* app web1/mg), scalar(() = $out =~ /\n/g), 'all are its';
        like $out, qr/ drain .* enable /s, 'both';
    }
    ($status, $out) = $ctl->run('events', '--member', 'web2');
    is $status, 0, 'a member without events';
    unlike $out, qr/web1|o1/, 'has none';
    my ($no, undef, $err) = $ctl->run('events', '--pool', 'ap');
    is $no, 1, 'no such pool';
    like $err, qr/^lbctl: there is no pool ap; there are app, other$/, 'is told, with those that are';
    ($no, undef, $err) = $ctl->run('events', '--member', 'web9', '--pool', 'app');
    is $no, 1, 'no such member';
    like $err, qr/^lbctl: there is no member web9 in the pool app$/, 'is told';
};

subtest '--json' => sub {
    my ($status, $out) = $ctl->run('events', '--json');
    is $status, 0, 'exit status';
    my @told = map { JSON::PP::decode_json($_) } split /\n/, $out;
    is_deeply \@told, $h->json->{events}, 'an object in a line, as the server has them';
};

sub lines ($going, $match) { return scalar grep { /$match/ } split /\n/, $going->out }

subtest '--follow' => sub {
    my $text = $ctl->start('events', '--follow', '--pool', 'app');
    my $json = $ctl->start('events', '-f', '--json');
    ok wait_for(sub { lines($text, qr/ enable /) && lines($json, qr/"disable"/) }, 20),
        'those there are come first';
    change('app', 'web2', 'drain');
    ok wait_for(sub { lines($text, qr/ drain +app web2/) && lines($json, qr/"drain".*|"web2"/) }, 20), 'a new one';
    # Two of the same within one second, most likely.
    for (1 .. 2) { change('app', 'web2', $_) for qw(standby enable) }
    change('other', 'o1', 'enable');
    ok wait_for(sub { lines($text, qr/ enable +app web2/) == 2 && lines($json, qr/"event":"enable"/) == 4 }, 20),
        'equal ones each';
    $h->graceful;
    change('app', 'web1', 'standby');
    ok wait_for(sub { lines($text, qr/ standby +app web1/) }, 20), 'behind a reload';

    my $started = $h->json->{started};
    $h->stop;
    ok wait_for(sub { $text->err =~ /waiting for it/ && $json->err =~ /waiting for it/ }, 30), 'the server is away';
    # A start within the same second as the first would be told by nothing.
    ok wait_for(sub { time > $started + 1 }), 'a second later';
    $h->start;
    ok wait_for(sub { $text->err =~ /started again at \d/ }, 30), 'that it was started again is told';
    is scalar(() = $text->err =~ /waiting for it/g), 1, 'the trouble once' or diag $text->err;
    change('app', 'web2', 'disable');
    ok wait_for(sub { lines($text, qr/ disable +app web2/) && lines($json, qr/"disable".*|"web2"/) }, 20),
        'and what happens then';
    for ([drain => 2], [standby => 3], [disable => 1]) {
        my ($event, $n) = @$_;
        is lines($text, qr/ $event +app /), $n, "$event: no event twice" or diag $text->out;
    }
    is lines($text, qr/ other /), 0, 'of that pool alone';
    my @bad = grep { !eval { JSON::PP::decode_json($_) } } split /\n/, $json->out;
    is_deeply \@bad, [], 'each line is JSON';
    is $text->end('INT'), 0, 'SIGINT is its end, with exit status 0';
    is $json->end('TERM'), 0, 'and so is SIGTERM';
    unlike $text->err, qr/\n.*\n.*\n/, 'and nothing more is said' or diag $text->err;
};

subtest 'a reader that ends' => sub {
    my $env = "LBCTL_URL='@{[$ctl->url]}'";
    for my $ignored ('', 'trap "" PIPE; ') {
        # head ends with the first line, although no event follows.
        my $said = `bash -c '$ignored$env timeout 20 bin/lbctl events --follow | head -n 1; echo "\${PIPESTATUS[0]}"' 2>&1`;
        like $said, qr/\A\d{4}-.*\n0\n\z/, $ignored ? 'SIGPIPE is ignored' : 'SIGPIPE';
    }
};

subtest 'no server to begin with' => sub {
    my ($status, undef, $err) = $ctl->run({LBCTL_URL => 'http://127.0.0.1:' . $h->free_port . '/lb-status'},
        'events', '--follow');
    is $status, 3, 'is no reason to wait';
    like $err, qr/nobody accepts connections/, 'and is told';
};

subtest 'names that a terminal would obey' => sub {
    change('other', $EVIL, 'drain');
    for (['events'], ['events', '--json'], ['status'], ['json'], ['explain', 'other'],
         ['events', '--member', $EVIL]) {
        my ($status, $out, $err) = $ctl->run(@$_);
        is $status, 0, "@$_ " =~ s/[^ -~]//gr or diag $err;
        unlike $out, qr/\e|\xc2[\x80-\x9f]|\x7f/, 'are shown without it';
        like $out, qr/evil/, 'but shown';
    }
    my (undef, $out) = $ctl->run('events', '--json');
    my ($last) = (split /\n/, $out)[-1];
    is JSON::PP::decode_json($last)->{member}, Encode::decode('UTF-8', $EVIL), 'JSON has them whole';
};

done_testing;
