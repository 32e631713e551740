# SPDX-License-Identifier: Apache-2.0
# LBCtl::Roll - a rolling deploy: one member after the other.
package LBCtl::Roll;
use strict;
use warnings;
use Exporter qw(import);
use LBCtl::Base;
use LBCtl::Change qw(wait_until show_progress is_empty is_open);
use LBCtl::Server;
use LBCtl::Show;
use LBCtl::Status qw(is_able);

our @EXPORT = qw(roll);

sub run {
    my ($member, @command) = @_;
    my $name = label($member);
    s/\{\}/$name/g for @command;
    local $ENV{LBCTL_MEMBER} = $name;
    local $ENV{LBCTL_MEMBER_URL} = $member->{name};
    show_progress(clean($name) . ': ' . clean(join ' ', @command), 1);
    return system { $command[0] } @command;
}

# The checks must have seen the member as it is after the command.
sub wait_for_check {
    my ($pool, $id, $timeout) = @_;
    my ($state) = get_json();
    my $since = $state->{now};
    return if !find_member($state, $pool, $id)->{check}{at};
    wait_until($pool, $id, sub {
        my ($m) = @_;
        return ($m->{check}{ok} && $m->{check}{at} > $since,
                'waiting for its check, ' . clean($m->{check}{last}));
    }, $timeout);
}

sub roll_one {
    my ($pool, $member, $timeout, @command) = @_;
    my $name = clean(label($member));
    my ($state) = get_json();
    fail($FAILED, "$name: no other member could take over; --force if it must be")
        if !$opt{force} && !grep { $_->{id} ne $member->{id} && is_able($_) }
            @{find_pool($state, $pool)->{members}};
    my %who = (pool => $pool, member => $member->{id}, vhost => $opt{vhost});
    local $SIG{INT} = local $SIG{TERM} = sub { fail($FAILED, 'interrupted') };
    post(%who, action => 'drain', deadline => $opt{deadline}, idle => $opt{idle});
    $LBCtl::Base::undo = "; $name is left drained, see: lbctl enable $pool $name";
    wait_until($pool, $member->{id}, \&is_empty, $timeout);
    if (my $status = run($member, @command)) {
        fail($FAILED, "$name: the command "
            . ($status == -1 ? "cannot be started: $!"
               : $status & 127 ? 'died of signal ' . ($status & 127)
               : 'failed with status ' . ($status >> 8)));
    }
    wait_for_check($pool, $member->{id}, $timeout);
    post(%who, action => 'enable');
    $LBCtl::Base::undo = '';
    wait_until($pool, $member->{id}, \&is_open, $timeout);
}

sub roll {
    my ($pool, @command) = @_;
    my $timeout = $opt{timeout} // 600;
    my ($state) = get_json();
    my @members = @{find_pool($state, $pool)->{members}};
    my ($done, $skipped) = (0, 0);
    for my $member (@members) {
        if ($member->{state} =~ /^(?:disabled|stopped|drain)$/) {
            show_progress(clean(label($member)) . ": is $member->{state}, left alone", 1);
            $skipped++;
        } else {
            roll_one($pool, $member, $timeout, @command);
            $done++;
        }
    }
    print "$done of ", scalar @members, " members done",
        $skipped ? ", $skipped left alone" : '', "\n";
    return 0;
}

1;
