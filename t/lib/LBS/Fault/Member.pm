# SPDX-License-Identifier: Apache-2.0
# LBS::Fault::Member - a member of a lane: reads requests, notes what it got,
# and answers as the lane's case says.
#
#   my $m = LBS::Fault::Member->new($loop, $lane, 'm1', $port, $tls);
#   $m->{records}      # of the case's requests: kept, body, complete, ended
#   $m->drop_all;      # ends its connections, as between two cases
#
# The first member (m1, and s1 in front of which the stock balancer stands) is
# the one that breaks; m2 is well.
package LBS::Fault::Member;
use v5.36;

use LBS::Fault::Cases;
use LBS::Fault::Wire;

sub new ($class, $loop, $lane, $name, $port, $tls) {
    my $self = bless {loop => $loop, lane => $lane, name => $name,
                      records => [], conns => {}}, $class;
    $self->{listener} = $loop->listen($port, sub ($conn) { $self->take($conn) }, $tls);
    return $self;
}

sub case ($self) { return $self->{lane}{case} }

# Whether this member breaks in this way.
sub breaks ($self, @kinds) {
    my $case = $self->case // return 0;
    return 0 if $self->{name} eq 'm2' || $case->{side} ne 'member';
    return scalar grep { $_ eq $case->{kind} } @kinds;
}

sub take ($self, $conn) {
    $self->{conns}{$conn} = $conn;
    my $wire = LBS::Fault::Wire->new($self->{lane}{scheme}, $conn);
    $conn->{on_data} = sub ($c) { $self->look($c, $wire) };
    $conn->{on_end} = sub ($c, $how) {
        $c->{record}{ended} = $how if $c->{record};
        # Who broke off hears no more; the other side may still be read.
        $c->finish('close') if !$c->{stalls};
        delete $self->{conns}{$c};
    };
    if ($self->{lane}{running} && $self->breaks('accept')) {
        push @{$self->{records}}, {kept => 0, body => '', complete => 0, unread => 1};
        $self->break($conn, $self->case->{end} eq 'rst' ? 'rst' : 'close');
    }
    return;
}

sub drop_all ($self) {
    $_->drop for values %{$self->{conns}};
    $self->{conns} = {};
    return;
}

sub look ($self, $conn, $wire) {
    return if $conn->{broke};
    my $seen = $wire->look // return;
    my $record = $conn->{record};
    if (!$record) {
        my $ours = $self->{lane}{running} && ($seen->{head} eq 'h2'
            || $seen->{head} =~ m{/$self->{lane}{serial}/});
        $record = $conn->{record} = {kept => $conn->{requests} ? 1 : 0};
        $conn->{requests}++;
        push @{$self->{records}}, $record if $ours;
        $record->{ours} = $ours;
        @$record{qw(body complete)} = @$seen{qw(body complete)};
        $self->at_head($conn, $wire, $record) if $ours;
        return if $conn->{broke};
    }
    @$record{qw(body complete reset)} = @$seen{qw(body complete reset)};
    $conn->send($wire->continue)
        if is_waiting($seen, $record, $self->case) && !$conn->{continued}++;
    return if !$seen->{complete} || $conn->{stalls};
    $self->answer($conn, $wire, $record);
    return if $conn->{broke} || $conn->{stalls};
    delete @$conn{qw(record continued)};
    $wire->turn($seen);
    $self->look($conn, $wire) if length $conn->{in};
    return;
}

# Whether the other side waits for a 100.
sub is_waiting ($seen, $record, $case) {
    return 0 if $seen->{complete} || !$record->{ours};
    return $seen->{head} =~ /^Expect:/mi
        || ($seen->{head} eq 'h2' && $case->{kind} =~ /^expect/);
}

# What breaks with the head, before the rest is there.
sub at_head ($self, $conn, $wire, $record) {
    my $end = $self->case->{end};
    if ($self->breaks('read') || ($self->breaks('stale') && $record->{kept})) {
        return $self->break($conn, $end eq 'rst' ? 'rst' : 'close');
    }
    if ($self->breaks('refused')) {
        $conn->send(LBS::Fault::Wire::frame(LBS::Fault::Wire::RST, 0,
            $wire->{stream}, pack 'N', 7));
        $conn->{stalls} = 1;
    }
    elsif ($self->breaks('goaway')) {
        $conn->send(LBS::Fault::Wire::frame(LBS::Fault::Wire::GOAWAY, 0, 0,
            pack 'NN', 0, 0));
        return $self->break($conn, 'close');
    }
    elsif ($self->breaks('early')) {
        my ($bytes) = $wire->answer(status => $self->case->{at}, from => 'm1',
            form => 'cl', last => 1, method => $self->case->{method},
            body => LBS::Fault::Cases::answer_body('m1', $self->case->{asize}));
        $conn->send($bytes);
        $record->{early} = 1;
        # Closed, with what was sent unread; or half closed and read on, as
        # servers do whose clients shall see it.
        return $self->break($conn, 'close') if $end eq 'rst';
        $conn->finish('fin');
        $conn->{stalls} = 1;
    }
    return;
}

sub break ($self, $conn, $how) {
    $conn->{broke} = 1;
    return $conn->finish($how);
}

sub answer ($self, $conn, $wire, $record) {
    my $case = $self->case;
    # What is no request of the case is answered well.
    $case = {side => 'none', kind => '-', form => 'cl', asize => 2, method => 'GET'}
        if !$record->{ours};
    my $from = $self->{name} eq 's1' ? 'm1' : $self->{name};
    my ($bytes) = $wire->answer(status => 200, from => $from,
        form => $case->{form}, method => $case->{method}, last => 0,
        body => LBS::Fault::Cases::answer_body($from, $case->{asize}));
    if ($case->{side} eq 'client' && $case->{kind} eq 'gone') {
        $conn->{stalls} = 1;
        $self->{loop}->after(0.4, sub {
            $conn->send($bytes);
            $self->break($conn, 'close') if $wire->ends_with_connection($case->{form});
        });
        return;
    }
    return $self->misbehave($conn, $wire, $case, $bytes)
        if $record->{ours} && $self->breaks(qw(cut garbage interim late rststream));
    $conn->send($bytes);
    $self->break($conn, 'close') if $wire->ends_with_connection($case->{form});
    return;
}

sub misbehave ($self, $conn, $wire, $case, $bytes) {
    my ($kind, $at, $end) = @$case{qw(kind at end)};
    if ($kind eq 'cut' || $kind eq 'rststream') {
        $conn->send(substr $bytes, 0, $at);
        $conn->send(LBS::Fault::Wire::frame(LBS::Fault::Wire::RST, 0,
            $wire->{stream}, pack 'N', 2)) if $kind eq 'rststream';
    }
    elsif ($kind eq 'garbage') {
        $conn->send($LBS::Fault::Cases::GARBAGE{$at});
    }
    else {
        $conn->send("HTTP/1.1 $at Test\r\n\r\n");
        if ($kind eq 'interim') {
            $conn->send($bytes);
            $self->break($conn, 'close') if $wire->ends_with_connection($case->{form});
            return;
        }
    }
    $conn->{stalls} = 1;
    return if $end eq 'stall';
    # What was sent before is there before the end is.
    $self->{loop}->after(0.02, sub { $self->break($conn, $end eq 'rst' ? 'rst' : 'close') });
    return;
}

1;
