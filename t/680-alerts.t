# SPDX-License-Identifier: Apache-2.0
# One list of what is wrong: the page, JSON, the metric and `lbctl doctor` say
# the same, with a code for scripts, gravest first.
use lib 't/lib';
use LBS::Test;
use LBS::Governed;
use JSON::PP ();

my $JUMP = ($ENV{LBS_BUILD} // 'build') . '/t/preload/jump.so';
my @web = LBS::Backend->many(3);

sub alerts ($h) { return @{$h->json->{alerts}} }
sub codes ($h) { return map { $_->{code} } alerts($h) }

sub doctor ($h, @options) {
    local $ENV{LBCTL_URL} = 'http://127.0.0.1:' . $h->port . '/lb-status';
    my $out = `bin/lbctl doctor @options 2>&1`;
    return ($? >> 8, $out);
}

# Wait until the code is there; then all four say so.
sub all_agree ($h, $code, $severity, $text) {
    ok wait_for(sub { grep { $_ eq $code } codes($h) }, 20), "$code: in JSON"
        or diag explain [alerts($h)];
    my ($alert) = grep { $_->{code} eq $code } alerts($h);
    is $alert->{severity}, $severity, "$code: severity";
    like $alert->{text}, $text, "$code: what it says";
    my ($status, $out) = doctor($h);
    is $status, 1, "$code: doctor exits with 1";
    like $out, $text, "$code: doctor says it";
    my ($n) = $h->get('/lb-status/metrics')->body
        =~ /^lbsticky_alerts\{severity="$severity"\} (\d+)$/m;
    cmp_ok $n, '>=', 1, "$code: the metric counts it";
    my $page = $h->get('/lb-status')->body =~ s/&#39;/'/gr =~ s/&quot;/"/gr;
    like $page, $text, "$code: the page shows it";
    return;
}

subtest 'all is well' => sub {
    my $h = governed(\@web, app => 'LBSticky cookie');
    is_deeply [alerts($h)], [], 'JSON';
    is_deeply [doctor($h)], [0, "all is well\n"], 'doctor';
    is_deeply [doctor($h, '--json')], [0, "[]\n"], 'doctor --json';
    my $metrics = $h->get('/lb-status/metrics')->body;
    like $metrics, qr/^lbsticky_alerts\{severity="$_"\} 0$/m, "no $_"
        for qw(act attention note);
    like $h->get('/lb-status')->body, qr/All is well/, 'the page';
    $h->no_unexpected_log;
};

subtest 'one member answers more 5xx than the others' => sub {
    my $h = governed(\@web, app => "LBSticky none\nLBStickyMethod round-robin\n"
        . "LBStickyEject status=off");
    $web[0]->set(status => 500);
    $h->get('/app/') for 1 .. 60;
    all_agree($h, 'member-errors', 'attention',
              qr/r1 answers 5xx more often than the others/);
    my ($alert) = grep { $_->{code} eq 'member-errors' } alerts($h);
    is "$alert->{pool} $alert->{member}", 'app r1', 'about whom';
    $web[0]->set;
};

subtest 'no member answers' => sub {
    my $h = governed(\@web, app => 'LBSticky cookie');
    $h->announce(qr/proxy|lbsticky/);
    $_->refuse for @web;
    $h->get('/app/') for 1 .. 10;
    all_agree($h, 'no-member', 'act', qr/no member can serve/);
    is +(alerts($h))[0]{severity}, 'act', 'the gravest comes first';
    $_->accept for @web;
};

subtest 'secrets that differ' => sub {
    my @h = map {
        governed(\@web, app => 'LBSticky cookie', server => 'ServerName www.example.test')
    } 1, 2;
    # Each made a secret of its own.
    for (1 .. 5) {
        my $jar = LBS::Jar->new;
        $h[0]->get('/app/', jar => $jar);
        is verdict($h[1]->get('/app/', jar => $jar)), 'new forged', 'not our cookie';
    }
    all_agree($h[1], 'secrets-differ', 'attention', qr/signed with another secret.*LBStickySecret/);
    is_deeply [codes($h[0])], [], 'the other one has seen nothing of it';
    $_->no_unexpected_log for @h;
};

subtest 'clocks that are apart' => sub {
    my $ahead = governed(\@web, app => 'LBSticky cookie', start => 0,
        server => "ServerName www.example.test\nLBStickySecret file:\@ROOT\@/secret");
    my $h = governed(\@web, app => 'LBSticky cookie', start => 0,
        server => "ServerName www.example.test\nLBStickySecret file:\@ROOT\@/secret");
    $_->write('secret', 'one secret for both of them') for $ahead, $h;
    chmod 0600, map { $_->root . '/secret' } $ahead, $h;
    $ahead->{env}{LD_PRELOAD} = join ' ', grep { length } $JUMP, $ENV{LBS_PRELOAD} // '';
    $ahead->{env}{LBS_JUMP} = $ahead->root . '/jump';
    $ahead->write('jump', 600);
    $_->start for $ahead, $h;
    my $jar = LBS::Jar->new;
    $ahead->get('/app/', jar => $jar);
    is verdict($h->get('/app/', jar => $jar)), 'kept', 'the session goes on';
    all_agree($h, 'clocks-apart', 'attention', qr/ahead of this server's clock by (?:10 min|9 min 59 s)/);
    $_->no_unexpected_log for $ahead, $h;
};

subtest 'a state file that a reboot empties' => sub {
    plan skip_all => 'no tmpfs at /dev/shm' if `stat -f -c %T /dev/shm` !~ /tmpfs/;
    my $file = "/dev/shm/lbsticky-test-$$.state";
    my $h = governed(\@web, app => 'LBSticky cookie', server => "LBStickyPersist $file");
    all_agree($h, 'state-volatile', 'note', qr/a reboot empties: secret, sessions and drains/);
    $h->stop;
    unlink glob "$file*";
};

subtest 'what httpd -t found' => sub {
    my $h = governed(\@web, app => 'LBSticky cookie', mount => 0, more => <<'CONF');
ProxyPass "/a/" "balancer://app/"
ProxyPass "/a/b/" "!"
CONF
    $h->announce(qr/LBS3306/);
    all_agree($h, 'configuration', 'attention', qr/ProxyPass "\/a\/b\/" "!" is never used/);
    my $unused = governed(\@web, app => 'LBSticky cookie', mount => 0);
    all_agree($unused, 'configuration', 'note', qr/no ProxyPass or RewriteRule sends requests/);
    $_->no_unexpected_log for $h, $unused;
};

done_testing;
