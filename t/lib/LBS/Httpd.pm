# SPDX-License-Identifier: Apache-2.0
# LBS::Httpd - a real httpd of the test's own: own ServerRoot, own ports, own
# log, gone at the end.
#
#   my $h = LBS::Httpd->new(backends => [$web1, $web2], conf => <<'CONF');
#   LBSticky cookie
#   <Proxy "balancer://app">
#       BalancerMember "http://@B1@" route=web1
#       BalancerMember "http://@B2@" route=web2
#   </Proxy>
#   ProxyPass "/" "balancer://app/"
#   CONF
#   $h->start;
#   is $h->get('/')->status, 200;
#   $h->no_unexpected_log;
#
# In conf are replaced: @PORT@, @PORT2@ ... (free ports this httpd listens on,
# unless conf has a Listen for it itself), @FREE1@ ... (free ports nobody
# listens on), @ROOT@ (the ServerRoot, with htdocs/, logs/ and run/ in it),
# @B1@ ... (address:port of the backends), @CERT@ and @KEY@ (a self-signed
# certificate for localhost), @STATUS@ (the location /lb-status).
#
# new() takes: conf, backends, mpm (event, worker, prefork; default LBS_MPM or
# event), modules (more to load, by httpd's name: 'http2'), without (some not
# to load), children and threads (how many), env (hash), memory (bytes of
# address space that each of its processes may have).
# Log lines of level warn and above must be announced, see
# no_unexpected_log(); a line that was not announced fails the test file.
package LBS::Httpd;
use v5.36;

use Carp qw(croak);
use Cwd qw(getcwd);
use File::Path qw(remove_tree make_path);
use File::Temp ();
use POSIX qw(WNOHANG);
use List::Util qw(min sum0);
use Scalar::Util qw(weaken);
use Test::More ();
use Time::HiRes qw(time sleep);
use LBS::Client;
use LBS::Ports;
use LBS::Proc qw(ages_of alive children_of cpu_of slurp wait_gone);
use LBS::Slow;
use LBS::Version;

my $BIN = $LBS::Version::BIN;
my $MODULES = $ENV{LBS_MODULES_DIR} // '/usr/lib/apache2/modules';
my $PATIENCE = longer($ENV{LBS_PATIENCE} // 20);    # seconds for start, stop, reload
my $AT_ONCE = 24;    # requests that tests have in flight
# Loaded unless the binary has them built in; those that Debian builds in are
# named for other httpds.
my @DEFAULT = qw(authn_core authz_core authz_host unixd log_config logio mime
    dir alias env headers setenvif rewrite remoteip watchdog slotmem_shm proxy
    proxy_http proxy_balancer lbmethod_byrequests proxy_wstunnel proxy_fcgi
    proxy_ajp status);

# What stock httpd logs by itself, now and then, without anything being wrong.
my @NOISE = (
    # event: a child that ends closes its pollset before its last connection
    qr/mpm_event:error.*AH0309[23]: process_(?:lingering_close|socket)/,
    # it has few children here, so that few threads are idle
    qr/mpm_\w+:error.*AH10159: server is within MinSpareThreads/,
    httpd_since('2.4.57') ? () : qr/mpm_event:error.*AH03490: scoreboard is full/,
    # a member that the test spoilt is ejected or down; t/691 has the levels
    qr/lbsticky:warn.*LBS160[03]: /,
    # mod_http2 serves no HTTP/2 there, and goes on
    qr/http2:warn.*AH10034: The mpm module \(prefork/,
);

my %alive;

sub new ($class, %o) {
    my $root = $o{root} // File::Temp::tempdir('lbs-XXXXXX', TMPDIR => 1);
    my $self = bless {
        root => $root, owner => $$, env => {}, announced => [], log_at => 0,
        mpm => $ENV{LBS_MPM} // 'event', children => 2, threads => 16,
        modules => [], without => [], backends => [], ports => {},
        free => {}, %o,
    }, $class;
    # The children of a root's httpd are another user.
    chmod 0755, $root;
    make_path("$root/$_") for qw(htdocs logs run conf san);
    chmod 01777, "$root/san";
    $self->write("htdocs/index.html", "index\n") if !-e "$root/htdocs/index.html";
    $self->port(1);
    $self->conf($o{conf}) if defined $o{conf};
    $alive{$self} = $self;
    weaken $alive{$self};
    return $self;
}

sub root ($self) { return $self->{root} }
sub mpm ($self)  { return $self->{mpm} }
sub pid ($self)  { return $self->{pid} }

# Number of the listening port @PORTn@.
sub port ($self, $n = 1) { return $self->{ports}{$n} //= LBS::Ports::free() }
sub free_port ($self, $n = 1) {
    return $self->{free}{$n} //= LBS::Ports::free();
}

# Write a file below the ServerRoot, readable for httpd's children.
sub write ($self, $path, $text, $mode = 0644) {
    my $full = "$self->{root}/$path";
    make_path($full =~ s{/[^/]*$}{}r);
    open my $f, '>:raw', $full or die "$full: $!";
    print $f $text;
    close $f or die "$full: $!";
    chmod $mode, $full;
    return $full;
}

# --- configuration ---------------------------------------------------------

sub substitute ($self, $text) {
    $text =~ s/\@PORT(\d*)\@/$self->port($1 || 1)/ge;
    $text =~ s/\@FREE(\d*)\@/$self->free_port($1 || 1)/ge;
    $text =~ s/\@ROOT\@/$self->{root}/g;
    $text =~ s{\@B(\d+)\@}{
        ($self->{backends}[$1 - 1] // croak "no backend $1")->addr
    }ge;
    $text =~ s/\@(CERT|KEY)\@/$self->certificate(lc $1)/ge;
    $text =~ s{\@STATUS\@}{<Location "/lb-status">\n    SetHandler lb-status\n</Location>}g;
    return $text;
}

sub certificate ($self, $what) {
    my ($crt, $key) = map { "$self->{root}/conf/$_.pem" } qw(cert key);
    if (!-e $crt) {
        my $said = qx(openssl req -x509 -newkey ec -nodes -days 2 -batch \\
            -pkeyopt ec_paramgen_curve:P-256 -subj /CN=localhost \\
            -keyout $key -out $crt 2>&1);
        die "openssl: $said" if $? != 0;
    }
    return $what eq 'cert' ? $crt : $key;
}

my %static;

sub static_modules () {
    if (!%static) {
        %static = map { $_ => 1 } `$BIN -l` =~ /^\s+(?:mod_)?(\w+)\.c$/mg;
    }
    return \%static;
}

sub load_lines ($self) {
    my %skip = (%{static_modules()}, map { $_ => 1 } @{$self->{without}});
    my @names = grep { !$skip{$_} && !$skip{$_}++ }
        "mpm_$self->{mpm}", @DEFAULT, @{$self->{modules}};
    my @lines = map {
        my $file = "$MODULES/mod_$_.so";
        -e $file ? qq(LoadModule ${_}_module "$file") : die "no $file\n"
    } @names;
    my $own = $ENV{LBS_MODULE} // getcwd . '/build/mod_lbsticky.so';
    push @lines, qq(LoadModule lbsticky_module "$own") if !$skip{lbsticky};
    return join "\n", @lines;
}

sub mpm_lines ($self) {
    my ($children, $threads) = @$self{qw(children threads)};
    my $all = $children * $threads;
    # The prefork MPM bears more than these one by one, a second apart, and
    # meanwhile requests that are to be there at once wait for one another.
    my $first = $all < $AT_ONCE ? $all : $AT_ONCE;
    return "StartServers $first\nServerLimit $all\nMaxRequestWorkers $all\n"
        . "MinSpareServers 4\nMaxSpareServers $all\n"
        if $self->{mpm} eq 'prefork';
    # An earlier one bears no child while the threads of the others suffice.
    my $spare = $threads + ($children > 1 && !httpd_since('2.4.57'));
    return "StartServers $children\nServerLimit $children\n"
        . "ThreadLimit $threads\nThreadsPerChild $threads\n"
        . "MaxRequestWorkers $all\nMinSpareThreads $spare\n"
        . "MaxSpareThreads $all\n";
}

# Set the configuration (and write it, for a following graceful()). Returns
# the text with everything replaced.
sub conf ($self, $text) {
    $text = $self->substitute($text);
    # An MPM without threads does not know these.
    $text =~ s/^\s*M(?:in|ax)SpareThreads .*\n//mg if $self->{mpm} eq 'prefork';
    my $root = $self->{root};
    my $listen = join '', map {
        my $port = $self->{ports}{$_};
        $text =~ /^\s*Listen\s.*\b$port\b/mi ? '' : "Listen 127.0.0.1:$port\n"
    } sort keys %{$self->{ports}};
    my $user = $> == 0 ? "User www-data\nGroup www-data\n" : '';
    my $head = $self->load_lines . "\n" . $self->mpm_lines;
    $self->write('conf/mime.types', "text/html html\ntext/css css\n"
        . "text/plain txt\ntext/javascript js\nimage/png png\n");
    $self->write('conf/httpd.conf', <<"CONF");
$head
ServerRoot "$root"
DefaultRuntimeDir "$root/run"
PidFile "$root/run/httpd.pid"
ErrorLog "$root/logs/error_log"
LogLevel info
LogFormat "%h %m %U%q %>s %B \\"%{LBSTICKY_DECISION}e\\" \\"%{LBSTICKY_MEMBER}e\\"" test
CustomLog "$root/logs/access_log" test
TypesConfig "$root/conf/mime.types"
ServerName localhost
DocumentRoot "$root/htdocs"
<Directory "$root/htdocs">
    Require all granted
</Directory>
$user$listen
$text
CONF
    $self->{has_conf} = 1;
    return $text;
}

sub command ($self, @args) {
    return ($BIN, '-d', $self->{root}, '-f', "$self->{root}/conf/httpd.conf",
            @args);
}

# Environment of httpd: with a sanitizer's library in front of it where an
# instrumented module asks for one. httpd leaks memory, and its threads, at exit.
sub in_env ($self, $code) {
    local %ENV = (%ENV, %{$self->{env}});
    if (my $preload = delete $ENV{LBS_PRELOAD}) {
        my $log = "log_path=$self->{root}/san/log";
        # Its library must be the first. The handlers of signals are httpd's.
        $ENV{LD_PRELOAD} = join ' ', $preload, $ENV{LD_PRELOAD} // ();
        $ENV{ASAN_OPTIONS} = "detect_leaks=0:$log";
        $ENV{UBSAN_OPTIONS} = "print_stacktrace=1:$log";
        $ENV{TSAN_OPTIONS} = "die_after_fork=0 report_signal_unsafe=0 report_thread_leaks=0 atexit_sleep_ms=0 $log";
    }
    return $code->();
}

# `httpd -t`: (exit status, everything it printed). More options may follow.
sub configtest ($self, @options) {
    my $file = "$self->{root}/logs/configtest";
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        $self->in_env(sub {
            open STDOUT, '>', $file;
            open STDERR, '>&', \*STDOUT;
            open STDIN, '<', '/dev/null';
            exec $self->command('-t', @options) or POSIX::_exit(127);
        });
    }
    waitpid $pid, 0;
    my $status = $? >> 8 || $? & 127;
    return ($status, slurp($file));
}

# --- life ------------------------------------------------------------------

# Start and wait until it answers connections. Dies with what it printed.
sub start ($self) {
    croak 'already running' if $self->{pid};
    croak 'no conf' if !$self->{has_conf};
    my $ready = $self->count_ready;
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        $self->in_env(sub {
            # At its end httpd signals its whole process group.
            POSIX::setsid();
            open STDERR, '>>', "$self->{root}/logs/stderr";
            open STDOUT, '>&', \*STDERR;
            open STDIN, '<', '/dev/null';
            # If the test is killed, its httpd must not stay behind.
            my @limit = $self->{memory} ? ('prlimit', "--as=$self->{memory}") : ();
            exec qw(setpriv --pdeathsig TERM --), @limit,
                $self->command('-DFOREGROUND') or POSIX::_exit(127);
        });
    }
    $self->{pid} = $pid;
    $self->until_or_die('start', sub {
        $self->count_ready > $ready && $self->answers
    });
    return $self;
}

sub answers ($self) {
    for my $port (values %{$self->{ports}}) {
        IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port,
                              Timeout => 1) or return 0;
    }
    return 1;
}

sub count_ready ($self) {
    return scalar grep { /resuming normal operations/ } $self->log_lines;
}

sub running ($self) {
    return 0 if !$self->{pid};
    if (waitpid($self->{pid}, WNOHANG) != 0) {
        $self->{exit} = $?;
        delete $self->{pid};
        return 0;
    }
    return 1;
}

sub until_or_die ($self, $what, $done) {
    my $end = time + $PATIENCE;
    while (time < $end) {
        return 1 if $done->();
        last if !$self->running;
        sleep 0.02;
    }
    my $state = $self->{pid} ? "not done after $PATIENCE s"
                             : "httpd ended with $self->{exit}";
    my @tail = $self->log_lines;
    splice @tail, 0, -20;
    $self->kill_all;
    die "httpd $what: $state\n", slurp("$self->{root}/logs/stderr"), @tail;
}

sub signal ($self, $signal, $what) {
    croak "$what: not running" if !$self->running;
    my $ready = $self->count_ready;
    kill $signal => $self->{pid};
    return $self->until_or_die($what, sub { $self->count_ready > $ready });
}

# Reload, optionally with a new configuration, and wait until the new
# generation serves. The old children may still be finishing.
sub graceful ($self, $conf = undef) {
    $self->conf($conf) if defined $conf;
    return $self->signal('USR1', 'graceful');
}

sub restart ($self, $conf = undef) {
    $self->conf($conf) if defined $conf;
    $self->await_births;
    return $self->signal('HUP', 'restart');
}

# End it in order and wait; what does not end in time is killed, and that
# fails the test. True when it was running and ended by itself.
sub stop ($self, %o) {
    return 0 if !$self->running;
    my $pid = $self->{pid};
    my $event = $self->{mpm} eq 'event' && !$o{graceful};
    my $lines = () = $self->log_lines;
    sleep 0.1 if $event;
    $self->await_births if !$o{graceful};
    my %age = ages_of($pid);
    my @all = ($pid, keys %age);
    kill $o{graceful} ? 'WINCH' : 'TERM', $pid;
    my $end = time + $PATIENCE;
    while ($self->running) {
        if (time > $end) {
            $self->kill_all;
            Test::More::ok(0, "httpd $pid stops within $PATIENCE s");
            return 0;
        }
        sleep 0.01;
    }
    wait_gone($end, @all);
    $self->forgive_event($lines) if $event;
    $self->forgive_newborn($lines, map { $_ => 1 } grep { $age{$_} > 2 } keys %age)
        if !$o{graceful};
    return 1;
}

# A child that is told to end frees memory in its signal handler, also while it
# is being born and in the middle of malloc(): it waits for itself then, until
# it is killed (stock httpd 2.4.71, seen in such a child's stack). Children are
# born in batches a second apart; this returns between two of them.
sub await_births ($self) {
    my $end = time + 3;
    while (time < $end) {
        my %age = ages_of($self->{pid});
        my $youngest = min(values %age) // return;
        return if $youngest > 1.2 || ($youngest > 0.05 && $youngest < 0.9);
        sleep 0.02;
    }
    return;
}

# On a busy machine a child may be hit all the same: only the death of a child
# that is not among the %grown ones is forgiven.
sub forgive_newborn ($self, $lines, %grown) {
    my @last = $self->log_lines;
    splice @last, 0, $lines;
    $self->announce(map { qr/\Q$_\E/ }
        grep { /AH0004[56]: child process (\d+) still did not exit/ && !$grown{$1} } @last);
    return;
}

# The event MPM closes its workers' sockets when it is told to stop, also one
# whose connection a worker is just giving back: close_worker_sockets() reads
# freed memory then and the child ends with a signal (stock httpd 2.4.71, seen
# in core dumps). Only a child that dies so while httpd stops is forgiven; the
# pause before makes it rare.
sub forgive_event ($self, $lines) {
    my @last = $self->log_lines;
    splice @last, 0, $lines;
    $self->announce(map { qr/\Q$_\E/ }
        grep { /AH0005[12]: child pid \d+ exit signal Segmentation fault/ } @last);
    return;
}

# SIGKILL for the parent, and for what it leaves behind: a crash.
sub kill_all ($self) {
    my $pid = delete $self->{pid} or return;
    # Stopped, it bears no child that would keep its port.
    kill STOP => $pid;
    my $end = time + 1;
    sleep 0.001 while time < $end && slurp("/proc/$pid/stat") =~ /\) [RSD]/;
    my @all = ($pid, children_of($pid));
    kill KILL => -$pid, @all;
    waitpid $pid, 0;
    wait_gone(time + 5, @all);
    return;
}

# SIGKILL for the parent alone; the children notice by themselves or are
# left, and come as the return value.
sub kill_parent ($self) {
    my @children = $self->children;
    my $pid = delete $self->{pid};
    kill KILL => $pid;
    waitpid $pid, 0;
    return @children;
}

# Pids of the children, the youngest last; parent first with pids(). After a
# graceful restart children of the old generation may be among them.
sub children ($self) { return $self->{pid} ? children_of($self->{pid}) : () }
sub pids ($self)     { return ($self->{pid} // (), $self->children) }

sub cpu ($self) { return sum0 cpu_of($self->pids) }

# Kill one child (the youngest, or the one given), wait until the parent has
# buried it and another one is there, which the prefork MPM bears only when too
# few others are idle. Returns its pid; its death is announced.
sub kill_child ($self, $signal = 'KILL', $pid = undef) {
    # After a reload the last children may be gone before the new ones are there.
    $self->until_or_die('a child', sub { scalar(() = $self->children) });
    my %before = map { $_ => 1 } $self->children;
    $pid //= ($self->children)[-1];
    $self->announce(qr/child pid $pid exit signal/);
    kill $signal => $pid;
    $self->until_or_die("replacement of child $pid", sub {
        my @left = $self->children;
        !alive($pid) && grep { $self->{mpm} eq 'prefork' || !$before{$_} } @left
    });
    return $pid;
}

# --- talking to it ---------------------------------------------------------

# A connection of one's own; port => number, n => n-th port, tls => 1.
sub connect ($self, %o) {
    return LBS::Client->new(%o, port => $o{port} // $self->port($o{n} // 1));
}

# One request on a fresh connection (or on => an LBS::Client). Options are
# those of LBS::Client (headers, host, body, close, timeout ...) and of
# connect(); jar => LBS::Jar sends its cookies and learns the answer's.
sub request ($self, $method, $uri, %o) {
    my $c = $o{on} // $self->connect(%o);
    my $jar = $o{jar};
    my @headers = ref($o{headers} // []) eq 'HASH'
        ? map { [$_, $o{headers}{$_}] } sort keys %{$o{headers}}
        : @{$o{headers} // []};
    my %where = (host => $o{host} // 'localhost', path => $uri,
                 tls => $o{tls} // 0);
    if ($jar && defined(my $cookies = $jar->header(%where))) {
        push @headers, ['Cookie', $cookies];
    }
    my $r = $c->request($method, $uri, %o, headers => \@headers);
    $jar->learn($r, %where) if $jar;
    $c->close if !$o{on};
    return $r;
}

sub get ($self, $uri, %o) { return $self->request('GET', $uri, %o) }

# body: bytes, or a hash for a form.
sub post ($self, $uri, $body = '', %o) {
    my @headers = @{$o{headers} // []};
    if (ref $body) {
        my $escape = sub ($text) {
            $text =~ s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ger
        };
        $body = join '&', map { $escape->($_) . '=' . $escape->($body->{$_}) }
            sort keys %$body;
        push @headers, ['Content-Type', 'application/x-www-form-urlencoded'];
    }
    return $self->request('POST', $uri, %o, body => $body,
                          headers => \@headers);
}

# Bytes over a socket; everything that comes back until the server closes, or
# for `timeout` seconds.
sub raw ($self, $bytes, %o) {
    my $c = $self->connect(%o);
    $c->write($bytes);
    return $c->slurp($o{timeout} // 5);
}

# A page of JSON, decoded; dies when it is none.
sub json ($self, $uri = '/lb-status/json', %o) {
    my $r = $self->get($uri, %o);
    die "GET $uri: ", $r->status, ' ', $r->error // '', "\n", $r->body
        if $r->status != 200;
    return $r->json;
}

# --- logs ------------------------------------------------------------------

sub log_lines ($self) {
    return split /^/, slurp("$self->{root}/logs/error_log");
}

# Lines of the error log, all or those that match.
sub error_log ($self, $match = qr//) {
    return grep { /$match/ } $self->log_lines;
}

sub access_log ($self) { return split /^/, slurp("$self->{root}/logs/access_log") }

# Wait for a line to appear; the number of lines that match, 0 in the end.
sub wait_log ($self, $match, $timeout = $PATIENCE) {
    my $end = time + $timeout;
    while (1) {
        my $found = $self->error_log($match);
        return $found if $found || time > $end;
        sleep 0.05;
    }
}

# Announce lines that are expected from now on.
sub announce ($self, @patterns) {
    push @{$self->{announced}}, @patterns;
    return;
}

# Lines since the last look that nobody announced: level warn and above, and
# the signs of a crash, which httpd logs as notices.
sub unexpected ($self) {
    my @lines = $self->log_lines;
    my @new = splice @lines, $self->{log_at};
    $self->{log_at} += @new;
    return grep {
        my $line = $_;
        ($line =~ /^\[[^]]*\] \[[\w]*:(?:warn|error|crit|alert|emerg)\]/
            || $line =~ /exit signal|seg fault|[Aa]ssert|corrupt|double free/)
        && !grep { $line =~ /$_/ } @NOISE, @{$self->{announced}}
    } @new;
}

# Assert that the log holds nothing unannounced; patterns given here count
# for this and all later looks.
sub no_unexpected_log ($self, @patterns) {
    $self->announce(@patterns);
    my @bad = $self->unexpected;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $ok = Test::More::ok(!@bad, 'no unexpected line in the error log');
    Test::More::diag($_) for @bad;
    return $ok;
}

# The end, also by exception: httpd and its files go; log lines that were not
# announced fail the file. Called from END, where the exit status can still change.
sub finish ($self) {
    return if $self->{finished}++ || $self->{owner} != $$;
    $self->stop;
    my @bad = ($self->unexpected, map { slurp($_) } glob "$self->{root}/san/log*");
    if (@bad) {
        Test::More::diag("$0: unexpected in the log of httpd:");
        Test::More::diag($_) for @bad;
        $LBS::Httpd::failed = 1;
    }
    if ($ENV{LBS_KEEP}) {
        Test::More::diag("kept: $self->{root}");
    }
    else {
        remove_tree($self->{root});
    }
    delete $alive{$self};
    return;
}

our $failed = 0;

sub DESTROY ($self) {
    local ($?, $@, $!);
    $self->finish;
    return;
}

END {
    my $status = $?;
    $_ && $_->finish for values %alive;
    $? = $status || ($failed ? 1 : 0);
}

1;
