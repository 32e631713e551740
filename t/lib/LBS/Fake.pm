# SPDX-License-Identifier: Apache-2.0
# LBS::Fake - parent of members that speak a protocol byte by byte: one process
# per connection, blocking, so they are for small numbers.
#
#   use parent 'LBS::Fake';
#   my $self = $class->member(name => 'f1');
#   $self->serve_by(sub ($connection) { ... take($connection, 24) ... });
#   $m->addr, $m->port, $m->name      # as LBS::Backend has them
#   $m->lines, $m->note($line), $m->clear, $m->kill
package LBS::Fake;
use v5.36;

use Exporter qw(import);
use File::Temp ();
use IO::Socket::INET;
use POSIX ();
use LBS::Ports;
use parent 'LBS::Started';

our @EXPORT_OK = qw(take give);

sub member ($class, %o) {
    return bless {addr => '127.0.0.1', port => LBS::Ports::free(),
                  log => File::Temp->new, %o}, $class;
}

sub serve_by ($self, $serve) {
    my $listener = IO::Socket::INET->new(LocalAddr => $self->{addr},
        LocalPort => $self->{port}, Listen => 64, ReuseAddr => 1)
        // die "listen: $!\n";
    my $pid = fork // die "fork: $!";
    return $self->started($pid) if $pid;
    setpgrp;    # its connections end with it
    $SIG{$_} = 'DEFAULT' for qw(TERM INT HUP ALRM);
    $SIG{CHLD} = 'IGNORE';
    alarm 600;
    while (my $c = $listener->accept) {
        next if fork;
        eval { $serve->($c) };
        print STDERR "# $self->{name}: $@" if $@ && $@ ne "end\n";
        POSIX::_exit(0);
    }
    POSIX::_exit(1);
}

sub name ($self) { return $self->{name} }
sub port ($self) { return $self->{port} }
sub addr ($self) { return "$self->{addr}:$self->{port}" }

# A line for each complete request, since the start or the last clear().
sub note ($self, $line) {
    open my $out, '>>', $self->{log}->filename or die "log: $!\n";
    syswrite $out, $line;
    return;
}

sub lines ($self) {
    open my $in, '<', $self->{log}->filename or die "log: $!\n";
    chomp(my @lines = <$in>);
    return @lines;
}

sub deliveries ($self) { return scalar(my @all = $self->lines) }
sub clear ($self)      { return truncate $self->{log}->filename, 0 }

# Exactly n bytes; dies quietly when the peer is through.
sub take ($c, $n) {
    my $data = '';
    while (length $data < $n) {
        sysread $c, $data, $n - length $data, length $data or die "end\n";
    }
    return $data;
}

sub give ($c, $data) {
    while (length $data) {
        my $n = syswrite $c, $data or die "end\n";
        substr $data, 0, $n, '';
    }
    return;
}

1;
