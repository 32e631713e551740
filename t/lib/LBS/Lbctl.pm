# SPDX-License-Identifier: Apache-2.0
# LBS::Lbctl - bin/lbctl, asked about an httpd of the test's.
#
#   my $ctl = LBS::Lbctl->new($h, env => {...});
#   my ($status, $out, $err) = $ctl->run('status');
#   $ctl->run({LBCTL_URL => undef}, 'status');    # another environment
#   my $going = $ctl->start('events', '--follow');
#   $going->out; $going->err; $going->end('INT')  # wait status
package LBS::Lbctl;
use v5.36;

use Cwd qw(getcwd);
use POSIX ();
use Time::HiRes qw(sleep time);
use LBS::Proc qw(slurp);

my $BIN = getcwd . '/bin/lbctl';
my $count = 0;

sub new ($class, $h, %o) {
    my $url = 'http://127.0.0.1:' . $h->port . '/lb-status';
    return bless {h => $h, url => $url, env => $o{env} // {}}, $class;
}

sub url ($self) { return $self->{url} }

sub start ($self, @args) {
    my %env = (LBCTL_URL => $self->{url}, LBCTL_CURL => '', NO_COLOR => undef,
               TERM => 'xterm', TZ => 'UTC', %{$self->{env}});
    %env = (%env, %{shift @args}) if ref $args[0];
    my $file = $self->{h}->root . '/lbctl.' . ++$count;
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$file.out";
        open STDERR, '>', "$file.err";
        defined $env{$_} ? ($ENV{$_} = $env{$_}) : delete $ENV{$_} for keys %env;
        $SIG{PIPE} = 'DEFAULT';
        exec $BIN, @args or POSIX::_exit(126);
    }
    return bless {pid => $pid, file => $file}, 'LBS::Lbctl::Going';
}

sub run ($self, @args) {
    my $going = $self->start(@args);
    waitpid $going->{pid}, 0;
    return ($? >> 8 || $? & 127, $going->out, $going->err);
}

package LBS::Lbctl::Going;
use v5.36;
use Time::HiRes qw(sleep time);

sub out ($self) { return LBS::Proc::slurp("$self->{file}.out") }
sub err ($self) { return LBS::Proc::slurp("$self->{file}.err") }

# Send a signal and wait, at most 20 s; the wait status, -1 when it is not over.
sub end ($self, $signal) {
    kill $signal => $self->{pid};
    my $end = time + 20;
    while (time < $end) {
        return $? if waitpid($self->{pid}, POSIX::WNOHANG()) == $self->{pid};
        sleep 0.02;
    }
    kill KILL => $self->{pid};
    waitpid $self->{pid}, 0;
    return -1;
}

1;
