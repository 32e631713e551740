# SPDX-License-Identifier: Apache-2.0
# LBS::Started - parent of what a test starts and nobody else must end: it ends
# with its last reference, by an exception, and with the test.
#
#   use parent 'LBS::Started';
#   $self->started($pid);    # from now on it has to be ended
#   sub kill ($self) {       # unless killing its process group is enough
#       my $pid = $self->ended // return;
#       ...
#   }
package LBS::Started;
use v5.36;

use Scalar::Util qw(weaken);

my %alive;

sub started ($self, $pid) {
    @$self{qw(pid owner)} = ($pid, $$);
    $alive{$self} = $self;
    weaken $alive{$self};
    return $self;
}

# The process to be ended, once; undef in a child that has inherited the object.
sub ended ($self) {
    return if !$self->{pid} || $self->{owner} != $$;
    delete $alive{$self};
    return delete $self->{pid};
}

# With all that it has started, at once.
sub kill ($self) {
    my $pid = $self->ended // return;
    kill KILL => -$pid, $pid;
    waitpid $pid, 0;
    return;
}

sub DESTROY ($self) {
    local ($?, $@, $!);
    $self->kill;
    return;
}

END {
    local $?;
    $_ && $_->kill for values %alive;
}

1;
