# SPDX-License-Identifier: Apache-2.0
# LBCtl::Httpd - questions to httpd itself, which answers `httpd -t -D NAME`.
package LBCtl::Httpd;
use strict;
use warnings;
use Exporter qw(import);
use POSIX ();
use LBCtl::Base;
use LBCtl::Show;

our @EXPORT = qw(advise preview);
our @EXPORT_OK = qw(ask_httpd print_text refuse_unless_loaded);

# Where httpd is when the PATH of a user has no sbin.
my @PLACES = qw(/usr/local/sbin /usr/sbin /sbin /usr/local/apache2/bin);

# The command of each httpd there is, the likeliest first. The control scripts
# know its environment; Debian's apache2 alone does not start without it.
sub candidates {
    my @given = split ' ', $ENV{LBCTL_HTTPD} // '';
    return \@given if @given;
    my @dirs = ((grep { m{^/} } split /:/, $ENV{PATH} // ''), @PLACES);
    my $envvars = $ENV{APACHE_ENVVARS} // ($ENV{APACHE_CONFDIR} // '/etc/apache2') . '/envvars';
    my @found;
    for my $name (qw(apache2ctl apachectl httpd apache2)) {
        my ($path) = grep { -f $_ && -x _ } map { "$_/$name" } @dirs or next;
        push @found, $name eq 'apache2' && -r $envvars
            ? ['sh', '-c', '. "$0" && exec "$@"', $envvars, $path] : [$path];
    }
    return @found;
}

# Exit status, standard output, standard error.
sub capture {
    my (@command) = @_;
    pipe my $out, my $to_out or fail($FAILED, "no pipe: $!");
    pipe my $err, my $to_err or fail($FAILED, "no pipe: $!");
    my $pid = fork;
    defined $pid or fail($FAILED, "cannot fork: $!");
    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>&', $to_out;
        open STDERR, '>&', $to_err;
        no warnings 'exec';
        exec {$command[0]} @command or POSIX::_exit(127);
    }
    close $to_out;
    close $to_err;
    my @text = ('', '');
    my %open = (fileno $out => [$out, 0], fileno $err => [$err, 1]);
    while (%open) {
        my $look = '';
        vec($look, $_, 1) = 1 for keys %open;
        next if select($look, undef, undef, undef) < 0;
        for my $fd (grep { vec($look, $_, 1) } keys %open) {
            my ($from, $i) = @{$open{$fd}};
            delete $open{$fd}
                if !sysread $from, $text[$i], 65536, length $text[$i];
        }
    }
    waitpid $pid, 0;
    return ($? >> 8 || $? & 127, @text);
}

# httpd's exit status, what it printed and what it complained of, and what it is
# called. Some distributions' control scripts take no options of httpd; then
# the next one is asked.
sub ask_httpd {
    my (@options) = @_;
    my @candidates = candidates()
        or fail($FAILED, 'no apache2ctl, apachectl or httpd is found; say which: '
            . 'LBCTL_HTTPD=COMMAND');
    my @answer;
    for my $command (@candidates) {
        my ($status, $out, $err) = capture(@$command, @options);
        my $name = $ENV{LBCTL_HTTPD} ? join ' ', @$command : $command->[-1];
        fail($FAILED, "$name cannot be started; see LBCTL_HTTPD")
            if $status == 127 && $out eq '' && $err eq '';
        # What the control script says for itself.
        $out =~ s/^Action '.*' failed\.\n|^The Apache error log may have more information\.\n//mg;
        @answer = ($status, $out, $err, $name);
        last if $status == 0 || "$out$err" !~ /no longer supported|^Usage:/mi;
    }
    return @answer;
}

# Lines of another program.
sub print_text { my ($text) = @_; print map { clean($_) . "\n" } split /\n/, $text }

# End when httpd does not accept its configuration.
sub refuse_unless_read {
    my ($status, $out, $err, $name) = @_;
    return if $status == 0;
    my $hint = "$out$err" =~ /permission denied/i && $> != 0 ? ', or may not read it: try it with sudo' : '';
    fail($FAILED, "$name does not accept the configuration$hint",
        join '', map { '    ' . clean($_) . "\n" } grep { !/^AH00558:/ } split /\n/, "$err$out");
}

# End when the module is not loaded: nobody is there to answer.
sub refuse_unless_loaded {
    my ($status, $out, $err, $name) = ask_httpd('-M');
    return if "$out$err" =~ /^ *lbsticky_module/m;
    fail($FAILED, "$name does not load mod_lbsticky: write LoadModule lbsticky_module"
        . ' .../mod_lbsticky.so, on Debian: sudo a2enmod lbsticky');
}

# The advice goes to standard output. Warnings of httpd -t that are part of it
# are not repeated; those of other modules are not its subject.
sub advise {
    my ($status, $out, $err, $name) = ask_httpd('-t', '-D', 'LBSTICKY_ADVICE');
    refuse_unless_read($status, $out, $err, $name);
    refuse_unless_loaded() if $out eq '';
    print_text($out);
    my %told = map { $_ => 1 } $out =~ /(LBS\d+: .*)/g;
    my @more = grep { !$told{$_}++ } $err =~ /(LBS\d+: .*)/g;
    print_text(join "\n", 'httpd -t warns, too', map { "    $_" } @more) if @more;
    print "no ProxyPass or <Proxy> of this configuration names a balancer://\n"
        if $out eq '' && !@more;
    return 0;
}

# The last line has the number; without one it says why.
sub preview {
    my $max = $opt{max};
    fail($WRONG, "--max $max: wanted is a number of sessions, as in --max 100")
        if defined $max && $max !~ /\A[0-9]{1,15}\z/;
    my ($status, $out, $err, $name) = ask_httpd('-t', '-D', 'LBSTICKY_PREVIEW');
    refuse_unless_read($status, $out, $err, $name);
    refuse_unless_loaded() if $out eq '';
    my ($unknown) = $out =~ /^(It is not known how many sessions would move: .*)/m;
    fail($FAILED, lcfirst $unknown) if defined $unknown;
    my ($moving) = $out =~ /^([0-9]+) sessions would move\.$/m
        or fail($FAILED, "$name has another version of mod_lbsticky, which tells no preview");
    print_text($out);
    return 0 if !defined $max || $moving <= $max;
    fail($FAILED, "$moving sessions would move, more than --max $max");
}

1;
