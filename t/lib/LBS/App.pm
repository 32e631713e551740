# SPDX-License-Identifier: Apache-2.0
# LBS::App - real applications behind a pool.
#
#   my $app = LBS::App->start(name => 'php1', port => $port,
#       command => [...], env => {...}, dir => $dir);
#   BalancerMember "http://127.0.0.1:@{[$app->port]}"
#   $app->kill;                       # with all that it has started
#   row(app => 'php', scheme => 'fcgi', kept => 20, of => 20, errors => 3,
#       corrupted => 0);
#
# Each application has a test file, which ends with a row for the table that
# tools/apps prints (`make apps`), where APPS is set and more is done. Where an
# application is not installed, needs() skips the file by its name.
#
# node_modules() is the directory of the packages of t/apps/package-lock.json,
# below build/. The first test that asks installs them. undef: that failed.
package LBS::App;
use v5.36;

use Cwd qw(abs_path);
use Exporter qw(import);
use Fcntl qw(LOCK_EX);
use File::Copy qw(copy);
use File::Path qw(make_path);
use IO::Socket::INET;
use POSIX ();
use Test::More ();
use Time::HiRes qw(time sleep);
use LBS::Jar;
use LBS::Ports;
use LBS::Proc qw(children_of slurp wait_gone);
use parent 'LBS::Started';

our @EXPORT = qw(row needs in_path node_modules node kept_sessions
                 killed_stream);

sub start ($class, %o) {
    my $self = bless {port => $o{port} // LBS::Ports::free(),
                      name => $o{name}, patience => $o{patience} // 20}, $class;
    my $log = $self->{log} = "$o{dir}/$o{name}.log";
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        POSIX::setsid();
        %ENV = (%ENV, PORT => $self->{port}, NAME => $o{name}, %{$o{env} // {}});
        chdir $o{dir};
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', $log;
        open STDERR, '>&', \*STDOUT;
        # If the test is killed, its applications must not stay behind.
        exec qw(setpriv --pdeathsig KILL --),
            map { s/\@PORT\@/$self->{port}/gr } @{$o{command}} or POSIX::_exit(127);
    }
    return $self->started($pid);
}

sub port ($self) { return $self->{port} }
sub name ($self) { return $self->{name} }

# Wait until it accepts connections; dies with what it printed.
sub ready ($self) {
    my $end = time + $self->{patience};
    while (time < $end) {
        return $self if IO::Socket::INET->new(PeerAddr => '127.0.0.1',
            PeerPort => $self->{port}, Timeout => 1);
        last if waitpid($self->{pid}, POSIX::WNOHANG) != 0;
        sleep 0.05;
    }
    die "$self->{name} does not start:\n", slurp($self->{log});
}

# Its whole session of processes, at once.
sub kill ($self) {
    my $pid = $self->ended // return;
    my @all = ($pid, children_of($pid));
    kill KILL => -$pid, @all;
    waitpid $pid, 0;
    wait_gone(time + 5, @all);
    return;
}

# --- what there is ---------------------------------------------------------

sub in_path (@names) {
    for my $name (@names) {
        for my $dir (split(/:/, $ENV{PATH}), '/usr/sbin', '/sbin') {
            return "$dir/$name" if -x "$dir/$name" && !-d _;
        }
    }
    return;
}

# Skips the file, naming what is missing: needs('php-fpm' => $path, ...).
sub needs (%there) {
    my @missing = grep { !$there{$_} } sort keys %there;
    Test::More::plan(skip_all => "not installed: @missing") if @missing;
    return;
}

sub node_modules () {
    my $node = in_path('node') // return;
    my $npm = in_path('npm') // return;
    my $dir = ($ENV{LBS_BUILD} // 'build') . '/apps';
    make_path($dir);
    open my $lock, '>', "$dir/.lock" or die "$dir: $!";
    flock $lock, LOCK_EX;
    my $done = "$dir/node_modules/.package-lock.json";
    my $wanted = 't/apps/package-lock.json';
    if (!-e $done || -M $done > -M $wanted) {
        copy("t/apps/$_", "$dir/$_") for qw(package.json package-lock.json);
        system "cd '$dir' && npm ci --ignore-scripts --no-audit --no-fund "
            . '--fetch-retries=1 >npm.log 2>&1';
    }
    return -e $done ? abs_path("$dir/node_modules") : undef;
}

# A program of t/apps, which finds its modules in build/.
sub node ($program, @args) {
    my $modules = node_modules();
    my $dir = $modules =~ s{/node_modules$}{}r;
    copy("t/apps/$program", "$dir/$program") or die "$program: $!";
    return (in_path('node'), "$dir/$program", @args);
}

# --- visitors --------------------------------------------------------------

# How many of n visitors have their session in each of some rounds: `ask` gets
# a jar and the round, and says whether the session was there.
sub kept_sessions ($n, $rounds, $ask) {
    my @jars = map { LBS::Jar->new } 1 .. $n;
    my %lost;
    for my $round (1 .. $rounds) {
        for my $i (0 .. $n - 1) {
            $lost{$i} = 1 if !$ask->($jars[$i], $round);
        }
    }
    return $n - keys %lost;
}

# An answer of lines that comes over seconds, whose application is killed in
# the middle: (1 if the client saw it break, 1 if it got anything but lines).
# `kill` ends the application whose name is in the first line.
sub killed_stream ($h, $uri, $line, $kill, %o) {
    my $c = $h->connect(timeout => 8);
    $c->send_request('GET', $uri, %o);
    my $end = time + 5;
    1 while $c->{buf} !~ /$line\r?\n.*$line\r?\n/s && $c->fill($end);
    my ($first) = $c->{buf} =~ /($line)/ or die "$uri: no lines\n";
    $kill->($first);
    my $r = $c->response('GET');
    my @lines = split /\r?\n/, $r->body, -1;
    pop @lines;    # behind the last line's end, or broken off
    my @odd = grep { !/^(?:$line)?$/ } @lines;
    Test::More::diag("not a line of the answer: $_") for @odd;
    return ($r->incomplete && ($r->error // '') ne 'timeout' ? 1 : 0, @odd ? 1 : 0);
}

# --- the table -------------------------------------------------------------

# kept, of: sessions; errors: of a kill, which clients saw as errors; corrupted:
# broken answers that clients took for whole ones.
sub row (%o) {
    my $line = join "\t", 'APP', map { $o{$_} // '-' }
        qw(app scheme kept of errors corrupted);
    Test::More::note($line);
    if (my $file = $ENV{APPS_TABLE}) {
        open my $f, '>>', $file or die "$file: $!";
        print $f "$line\n";
    }
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    Test::More::is("$o{kept} of $o{of}", "$o{of} of $o{of}", "$o{app}: sessions kept")
        if defined $o{kept};
    Test::More::is($o{corrupted}, 0, "$o{app}: nothing is taken for an answer that is none")
        if defined $o{corrupted};
    return;
}

1;
