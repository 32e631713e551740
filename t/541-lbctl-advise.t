#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# lbctl advise asks the right httpd and prints its advice, nothing else; lbctl
# help tells of each command.
use lib 't/lib';
use LBS::Test;
use LBS::Lbctl;

my $h = LBS::Httpd->new(start => 0);
my $ctl = LBS::Lbctl->new($h);
my $root = $h->root;

my $POOL = <<'CONF';
<Proxy "balancer://app">
    BalancerMember "http://${LBS_MEMBER}" route=a
    BalancerMember "http://10.0.0.2:8080" route=b
    ProxySet stickysession=JSESSIONID
</Proxy>
ProxyPass "/x/" "balancer://ap/"
ProxyPass "/" "balancer://app/"
<Proxy "balancer://empty">
    LBSticky cookie
</Proxy>
CONF
# lbctl starts httpd: a sanitizer's library goes before that, not before lbctl.
my @preload = $ENV{LBS_PRELOAD} ? ('env', 'ASAN_OPTIONS=detect_leaks=0',
    'LD_PRELOAD=' . join ':', split ' ', $ENV{LBS_PRELOAD}) : ();
my $HTTPD = join ' ', @preload, $h->command;
my %known = (LBCTL_HTTPD => $HTTPD, LBS_MEMBER => '10.0.0.1:8080');

subtest 'the advice of httpd' => sub {
    $h->conf($POOL);
    my ($status, $out, $err) = $ctl->run(\%known, 'advise');
    is $status, 0, 'exit status' or diag $err;
    is $err, '', 'nothing else';
    like $out, qr{^balancer://app of .*^\s+LBSticky route=JSESSIONID$}ms, 'the lines to write';
    is scalar(() = $out =~ /LBS3301: /g), 1, 'what is wrong already, once' or diag $out;
    unlike $out, qr/Syntax OK|AH00/, 'without the noise of httpd -t';
};

subtest 'warnings that are no part of the advice' => sub {
    $h->conf(<<'CONF');
<Proxy "balancer://app">
    LBSticky cookie
    BalancerMember "http://10.0.0.1:8080" route=a
    ProxySet stickysession=R
</Proxy>
ProxyPass "/" "balancer://app/"
CONF
    my ($status, $out) = $ctl->run(\%known, 'advise');
    is $status, 0, 'exit status';
    is scalar(() = $out =~ /LBS1103: pool app: stickysession=R is ignored/g), 1, 'are not lost'
        or diag $out;
};

subtest 'what httpd does not accept' => sub {
    $h->conf("LBStickyNonsense on\n");
    my ($status, $out, $err) = $ctl->run(\%known, 'advise');
    is $status, 1, 'exit status';
    is $out, '', 'no advice';
    like $err, qr/\Albctl: .* does not accept the configuration\n.*LBStickyNonsense/s,
        'and what httpd says of it';
};

subtest 'nothing to advise' => sub {
    $h->conf('');
    my ($status, $out) = $ctl->run(\%known, 'advise');
    is $status, 0, 'no balancer';
    like $out, qr{names a balancer://}, 'is told';
    my $without = LBS::Httpd->new(start => 0, without => ['lbsticky'], conf => '');
    my ($failed, undef, $err) = $ctl->run({LBCTL_HTTPD => join ' ', $without->command}, 'advise');
    is $failed, 1, 'no module';
    like $err, qr/does not load mod_lbsticky: .*a2enmod lbsticky/, 'is told, with the command';
    my ($none, undef, $why) = $ctl->run({LBCTL_HTTPD => '/nonexistent/httpd'}, 'advise');
    is $none, 1, 'no httpd';
    like $why, qr{/nonexistent/httpd cannot be started; see LBCTL_HTTPD}, 'is told';
};

# Programs of that name, the first in PATH. Those that are not named take no
# options, as the control script of Fedora, so that no httpd of this machine is
# asked.
my $dirs = 0;

sub programs (%named) {
    my $dir = "found" . ++$dirs;
    for my $name (qw(apache2ctl apachectl httpd apache2)) {
        $h->write("$dir/$name", "#!/bin/sh\n" . ($named{$name} // <<'SH'), 0755);
echo "Passing arguments to httpd using apachectl is no longer supported." >&2
exit 1
SH
    }
    return {PATH => "$root/$dir:/usr/bin:/bin", LBS_MEMBER => '10.0.0.1:8080', LBCTL_HTTPD => undef};
}

subtest 'which httpd is asked' => sub {
    $h->conf($POOL);
    my $real = qq(exec $HTTPD "\$@"\n);
    for (['apache2ctl'], ['apachectl'], ['httpd'], ['apache2'], [qw(apache2ctl httpd)]) {
        my %named = map { $_ => qq(echo "$_" >>$root/asked\n$real) } @$_;
        unlink "$root/asked";
        my ($status, $out, $err) = $ctl->run(programs(%named), 'advise');
        is $status, 0, "@$_: exit status" or diag $err;
        like $out, qr{^balancer://app of }m, "@$_: the advice";
        is LBS::Proc::slurp("$root/asked"), "$_->[0]\n", "@$_: the first one";
    }
    my ($status, $out, $err) = $ctl->run(programs(), 'advise');
    is $status, 1, 'nobody takes the question';
    like $err, qr/no longer supported/, 'is told';
};

subtest "Debian's environment" => sub {
    $h->write('envvars', "unset HOME\nexport LBS_MEMBER=10.0.0.7:8080\n");
    my $env = programs(apache2 => qq(exec $HTTPD "\$@"\n));
    my ($status, $out, $err) = $ctl->run({%$env, LBS_MEMBER => undef,
        APACHE_ENVVARS => "$root/envvars"}, 'advise');
    is $status, 0, 'envvars are read' or diag $err;
    like $out, qr{^balancer://app of }m, 'for apache2 without its control script';
    # The control script's own complaint is none of httpd's.
    $env = programs(apache2ctl => <<"SH");
$HTTPD "\$@" || { echo "Action '\$*' failed."; echo The Apache error log may have more information.; exit 1; }
SH
    $h->conf("LBStickyNonsense on\n");
    ($status, $out, $err) = $ctl->run($env, 'advise');
    is $status, 1, 'a control script that complains';
    unlike "$out$err", qr/Action|error log may have/, 'its own words are left out';
    $h->conf('');
};

subtest 'names that a terminal would obey' => sub {
    $h->conf(qq(<Proxy "balancer://app\e[31m\xc2\x9b">\nBalancerMember "http://10.0.0.1:8080"\n</Proxy>\n));
    my ($status, $out, $err) = $ctl->run(\%known, 'advise');
    unlike "$out$err", qr/\e|\xc2\x9b/, 'are shown without it';
    $h->conf('');
};

subtest 'help' => sub {
    my ($status, $out, $err) = $ctl->run('help');
    is $status, 0, 'exit status';
    is $err, '', 'no complaint';
    is +($ctl->run($_))[1], $out, "$_ is the same" for qw(-h --help);
    my @commands = $out =~ /^  lbctl (\w+)/mg;
    cmp_ok scalar @commands, '>=', 14, 'all commands';
    like $out, qr/^  \d +\Q$_\E/m, "exit status: $_"
        for 'done', 'refused', 'wrong arguments', 'no answer', 'time-out';
    for my $name (@commands) {
        like $out, qr/^      \$ lbctl $name\b/m, "$name: an example in the list";
        my ($one, $text) = $ctl->run('help', $name);
        is $one, 0, "help $name";
        like $text, qr/^lbctl $name\b.*^Example:\n  lbctl $name\b.*^Exit status:\n  0 +done\n/ms,
            "$name: an example and the exit status";
        is +($ctl->run($name, '-h'))[1], $text, "$name -h is the same" if $name ne 'help';
    }
    my ($wrong, undef, $why) = $ctl->run('help', 'explode');
    is $wrong, 2, 'help for what is none';
    like $why, qr/there is no command explode/, 'is told';
    # Every option that a command takes stands in the manual, too.
    my $manual = LBS::Proc::slurp('docs/lbctl.1') =~ s/\\-/-/gr;
    my %seen;
    for my $option (grep { !$seen{$_}++ } map { (($ctl->run('help', $_))[1]) =~ /^ +(?:-\w, )?(--\w+)/mg } @commands) {
        like $manual, qr/\Q$option\E\b/, "$option is in the manual";
    }
    like $manual, qr/^\.(?:B|BI|BR) "?$_\b/m, "$_ is in the manual" for @commands;
};

done_testing;
