# SPDX-License-Identifier: Apache-2.0
# LBCtl::Change - changes of members, and waiting until they have come true.
package LBCtl::Change;
use strict;
use warnings;
use Exporter qw(import);
use LBCtl::Base;
use LBCtl::Server;
use LBCtl::Show;

our @EXPORT = qw(add change seconds);
our @EXPORT_OK = qw(wait_until show_progress is_empty is_open);

my $INTERVAL = 0.5;    # seconds between two looks while waiting

# On a terminal one line that changes. Elsewhere, in a log for instance, a line
# at the start and at the end, and one each minute in between.
my $terminal = -t STDERR && ($ENV{TERM} // 'dumb') ne 'dumb';
my $MINUTE = 60;
my ($shown, $shown_at) = ('', 0);

sub show_progress {
    my ($text, $last) = @_;
    return if $opt{quiet};
    if ($terminal) {
        # Not wrapped: only the last line of a wrapped text would be erased.
        print STDERR "\e[?7l\r\e[K$text\e[?7h", $last ? "\n" : '';
    } elsif ($text ne $shown && ($last || time - $shown_at >= $MINUTE)) {
        print STDERR "$text\n";
        ($shown, $shown_at) = ($text, time);
    }
    ($shown, $shown_at) = ('', 0) if $last;
}

sub seconds {
    my ($text) = @_;
    my %unit = (ms => 0.001, s => 1, '' => 1, min => 60, h => 3600, d => 86400);
    return $text =~ /^(\d+)(ms|s|min|h|d|)\z/ ? $1 * $unit{$2}
        : fail($WRONG, "--timeout $text: wanted is a number with ms, s, min, h or d");
}

# Look until ready says so; it gets the member, the server's time and the
# pool, and gives (done, what to show).
sub wait_until {
    my ($pool, $id, $ready, $timeout) = @_;
    my $end = defined $timeout ? time + $timeout : undef;
    while (1) {
        my ($state) = get_json();
        my $member = find_member($state, $pool, $id);
        my ($done, $text) = $ready->($member, $state->{now},
                                     find_pool($state, $pool));
        show_progress(clean(label($member)) . ": $text", $done);
        return $member if $done;
        if (defined $end && time >= $end) {
            print STDERR "\n" if $terminal && !$opt{quiet};
            fail($LATE, clean(label($member)) . " is not ready in time: $text");
        }
        select undef, undef, undef, $INTERVAL;
    }
}

# Look until the member is not there any more.
sub wait_gone {
    my ($pool, $id) = @_;
    my $end = defined $opt{timeout} ? time + $opt{timeout} : undef;
    my $name = $id;
    while (1) {
        my ($state) = get_json();
        my ($m) = grep { $_->{id} eq $id } @{find_pool($state, $pool)->{members}};
        $name = clean(label($m)) if $m;
        my $gone = !$m || $m->{state} eq 'removed';
        my $text = $gone ? 'gone' : count($m->{sessions}, 'session') . ' left, '
            . "$m->{inflight} in flight" . ($m->{leaving}{deadline} > $state->{now}
                ? ', ' . span($m->{leaving}{deadline} - $state->{now}) . ' to the deadline' : '');
        show_progress("$name: $text", $gone);
        return 0 if $gone;
        fail($FAILED, "$name does not leave any more, it is $m->{state}")
            if !$m->{leaving}{since};
        if (defined $end && time >= $end) {
            print STDERR "\n" if $terminal && !$opt{quiet};
            fail($LATE, "$name is not gone in time: $text");
        }
        select undef, undef, undef, $INTERVAL;
    }
}

# Sessions that only the backend knows: none left says nothing about them, but
# the last answer does.
sub uncounted {
    my ($pool, $m, $now) = @_;
    my ($source) = grep { /^route=/ } @{$pool->{sources}} or return '';
    my $used = $m->{drain}{used_at} // 0;
    return ' (those of ' . clean($source) . ' are not counted'
        . ($used ? ', the last answer was ' . span($now - $used) . ' ago' : '') . ')';
}

sub is_empty {
    my ($m, $now, $pool) = @_;
    my $d = $m->{drain};
    fail($FAILED, clean(label($m)) . " does not drain any more, it is $m->{state}")
        if $m->{state} ne 'drain' && $m->{state} ne 'disabled' && $m->{state} ne 'stopped';
    my $left = $m->{state} eq 'drain' ? $d->{sessions_left} : 0;
    return (!$left && !$m->{inflight}, count($left, 'session') . ' left'
        . uncounted($pool, $m, $now) . ", $m->{inflight} in flight"
        . ($d->{deadline} > $now ? ', ' . span($d->{deadline} - $now) . ' to the deadline' : ''));
}

sub is_open {
    my ($m) = @_;
    my $open = $m->{state} =~ /^(?:up|warming|full|standby|spare)\z/ ? 1 : 0;
    return ($open, $m->{state} . ($m->{check}{ok} ? '' : ', ' . clean($m->{check}{last})));
}

sub is_what { my ($m) = @_; return (1, $m->{state}) }

# Changing -------------------------------------------------------------------

my %ready = ((map { $_ => \&is_what } qw(reset standby weight forget)),
             drain => \&is_empty, disable => \&is_empty, enable => \&is_open);

sub change {
    my ($action, $pool, $who, @rest) = @_;
    my %field = (action => $action, pool => $pool, member => $who, vhost => $opt{vhost});
    @field{qw(deadline idle)} = @opt{qw(deadline idle)} if $action eq 'drain';
    @field{qw(key cookie)} = @opt{qw(key cookie)} if $action eq 'forget';
    $field{weight} = $rest[0] if $action eq 'weight';
    fail($WRONG, '--now is a --deadline itself, see lbctl --help')
        if $opt{now} && defined $opt{deadline};
    $field{deadline} = $opt{now} ? 0 : $opt{deadline} if $action eq 'remove';
    my $m = post(%field);
    print $action eq 'remove' && !defined $m->{state} ? clean($who) . " is removed\n"
        : !defined $m->{state}
        ? "$action is done; how " . clean($who) . " is now could not be told\n"
        : sprintf "%s is %s, weight %s, %s, %s in flight\n", clean(label($m)),
            state_painted($m->{state}), $m->{weight} + 0,
            count($m->{sessions}, 'session'), $m->{inflight};
    return 0 if !$opt{wait};
    return wait_gone($pool, $m->{id}) if $action eq 'remove';
    local $SIG{INT} = sub {
        print STDERR "\n" if $terminal && !$opt{quiet};
        fail($FAILED, 'interrupted; ' . label($m)
            . " stays as it is, see: lbctl enable $pool $who");
    } if $ready{$action} == \&is_empty;
    wait_until($pool, $m->{id}, $ready{$action}, $opt{timeout});
    return 0;
}

sub add {
    my ($pool, $url) = @_;
    my $m = post(action => 'add', pool => $pool, url => $url, vhost => $opt{vhost},
                 weight => $opt{weight});
    print clean(label($m)) . ' is ' . state_painted($m->{state}) . ', weight '
        . ($m->{weight} + 0) . "\n";
    wait_until($pool, $m->{id}, \&is_open, $opt{timeout}) if $opt{wait};
    return 0;
}

1;
