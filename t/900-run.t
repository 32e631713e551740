#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The main job: demo/run proves the site, says what is wrong when it cannot,
# and leaves nothing running behind.
use lib 't/lib';
use LBS::Test timeout => 400;
use Cwd qw(getcwd);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use POSIX qw(WNOHANG);
use LBS::Ports;

use constant LIMIT => 120;    # seconds, for one run of demo/run

my @members = qw(127.0.0.11 127.0.0.12);
my $top = getcwd;
my $run = tempdir('lbs-run-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $run;
my %base = (PORT => LBS::Ports::free, WEB_PORT => LBS::Ports::free,
            RUN_DIR => $run, ONCE => 1, CONF => '', NO_COLOR => '');
my $started;                  # demo/run, while it runs
END { kill TERM => $started if $started }

sub slurp ($path) {
    open my $file, '<', $path or return '';
    local $/;
    return <$file> // '';
}

sub listener ($address, $port) {
    return IO::Socket::INET->new(LocalAddr => $address, LocalPort => $port,
                                 Listen => 1, ReuseAddr => 1);
}

# Start demo/run with these variables on top of %base.
sub start (%more) {
    unlink "$run/output";    # what the run before said is not to be read
    $started = fork // die "fork: $!";
    return if $started;
    delete $ENV{$_} for grep { /^MAKE|^MFLAGS/ } keys %ENV;
    %ENV = (%ENV, %base, %more);
    open STDIN, '<', '/dev/null';
    open STDOUT, '>', "$run/output";
    open STDERR, '>&', \*STDOUT;
    exec "$top/demo/run" or POSIX::_exit(127);
}

# Its exit status, after at most LIMIT seconds; -1 if it had to be ended.
sub finish () {
    my $ended = wait_for(sub { waitpid($started, WNOHANG) == $started }, LIMIT);
    my $status = $ended ? $? >> 8 : -1;
    kill TERM => $started if !$ended;
    $started = undef;
    return $status;
}

# Run it to its end: exit status and what it printed.
sub outcome (%more) {
    start(%more);
    return (finish(), slurp("$run/output"));
}

sub nothing_left () {
    my @taken = grep { !listener(split /:/) }
        "127.0.0.1:$base{PORT}", map { "$_:$base{WEB_PORT}" } @members;
    is "@taken", '', 'nobody listens on its ports';
    is join(' ', grep { -e } glob "$run/*.pid $run/demo.json"), '', 'no pid file is left';
}

subtest 'the proof holds' => sub {
    my ($status, $text) = outcome();
    is $status, 0, 'exit status 0' or diag $text;
    my @steps = $text =~ m{^(\d)/\d  }mg;
    my ($last) = $text =~ m{^1/(\d)  }m;
    is "@steps", join(' ', 1 .. $last // 0), 'every step was taken';
    like $text, qr/One visitor.*new visitors.*Login.*upload.*killed.*back/s,
        'in the order that the README gives';
    like $text, qr/20 of 20 answers from web[12]/, 'one visitor, one server';
    like $text, qr/web1 [1-9]\d*, web2 [1-9]\d*; each stayed/, 'both are used';
    like $text, qr/^Every step holds/m, 'it says so';
    unlike $text, qr/[\e\r]/, 'no colour and no motion in a file';
    nothing_left;
};

for my $case (['PORT', '127.0.0.1', 'httpd'],
              ['WEB_PORT', '127.0.0.12', 'web2']) {
    my ($variable, $address, $name) = @$case;
    subtest "$variable is taken" => sub {
        my $holder = listener($address, $base{$variable});
        ok $holder, 'somebody holds it';
        my ($status, $text) = outcome();
        is $status, 1, 'exit status 1';
        like $text, qr/$name cannot listen on $address port $base{$variable}/,
            'names the program and the port it cannot listen at';
        my ($better) = $text =~ /make run $variable=(\d+)/;
        ok $better && listener($address, $better),
            'names a port that is free' or diag $text;
        unlike $text, qr{web1   http://}, 'nothing was started';
        close $holder;
        nothing_left;
    };
}

subtest 'a port that is none' => sub {
    for my $value (qw(http 0 65536 80x -1)) {
        my ($status, $text) = outcome(PORT => $value);
        is $status, 1, "PORT=$value: exit status 1";
        like $text, qr/PORT=$value: a port is a number/, 'says why';
    }
};

subtest 'without stickiness the proof fails' => sub {
    my $conf = slurp("$top/demo/httpd.conf.in");
    ok $conf =~ s/^(\s+LBSticky\s+)cookie$/$1none/m, 'LBSticky none';
    open my $file, '>', "$run/none.conf.in" or die "none.conf.in: $!";
    print $file $conf;
    close $file;
    my ($status, $text) = outcome(CONF => "$run/none.conf.in");
    is $status, 1, 'exit status 1';
    like $text, qr/expected: .*\n.*seen: /, 'says what was wanted and seen';
    like $text, qr{see .*web1\.log.*error\.log}, 'names the logs';
    unlike $text, qr/Every step holds/, 'claims no success';
    nothing_left;
};

for my $signal (qw(INT TERM)) {
    subtest "SIG$signal ends it in order" => sub {
        start(ONCE => 0);
        wait_for(sub { slurp("$run/output") =~ /Ctrl-C stops|FAIL/ }, LIMIT);
        my $text = slurp("$run/output");
        like $text, qr{http://127\.0\.0\.1:$base{PORT}/lb-status},
            'it stays up and prints the addresses' or diag $text;
        kill $signal => $started;
        is finish(), 0, 'exit status 0' or diag slurp("$run/output");
        nothing_left;
    };
}

done_testing;
