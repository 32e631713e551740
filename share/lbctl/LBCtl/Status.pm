# SPDX-License-Identifier: Apache-2.0
# LBCtl::Status - what the pools and their members do, and what is wrong.
package LBCtl::Status;
use strict;
use warnings;
use Exporter qw(import);
use LBCtl::Base;
use LBCtl::Json;
use LBCtl::Server;
use LBCtl::Show;

our @EXPORT = qw(status doctor explain json);
our @EXPORT_OK = qw(is_able @STATES);

our @STATES = qw(stopped disabled drain down ejected full warming standby spare up);

# What stands behind a state.
sub note {
    my ($m, $now) = @_;
    my @notes;
    if ($m->{state} eq 'drain') {
        push @notes, count($m->{drain}{sessions_left}, 'session') . ' left';
        push @notes, span($m->{drain}{deadline} - $now) . ' to go'
            if $m->{drain}{deadline} > $now;
    }
    push @notes, 'again in ' . span($m->{eject}{until} - $now)
        if $m->{state} eq 'ejected' && $m->{eject}{until} > $now;
    push @notes, clean($m->{check}{last}) if !$m->{check}{ok};
    push @notes, "limit $m->{limit}" if $m->{limit};
    return join ', ', @notes;
}

sub print_members {
    my ($now, @members) = @_;
    my @rows = ([qw(MEMBER STATE WEIGHT SESSIONS INFLIGHT REQUESTS FAILURES P50 P99), '']);
    push @rows, map {
        [clean(label($_)), $_->{state}, $_->{effective_weight} == $_->{weight}
            ? $_->{weight} + 0 : ($_->{effective_weight} + 0) . '/' . ($_->{weight} + 0),
         @$_{qw(sessions inflight requests failures)},
         ms($_->{latency_ms}{p50}), ms($_->{latency_ms}{p99}), note($_, $now)]
    } @members;
    my @width = map { my $i = $_; (sort { $b <=> $a } map { width($_->[$i]) } @rows)[0] } 0 .. 8;
    for my $row (@rows) {
        my $line = '  ' . pad($row->[0], $width[0]) . '  ' . state_painted($row->[1], $width[1])
            . join('', map { '  ' . pad($row->[$_], -$width[$_]) } 2 .. 8) . "  $row->[9]";
        print $line =~ s/\s+\z//r, "\n";
    }
}

sub sum { my ($hash) = @_; my $sum = 0; $sum += $_ for values %$hash; return $sum }

sub print_pool {
    my ($pool, $now, @members) = @_;
    my $d = $pool->{decisions};
    print paint(clean($pool->{name}), 1), ' of ', clean($pool->{vhost}), ', ',
        @{$pool->{sources}} ? 'sticky by ' . clean(join ', ', @{$pool->{sources}})
        : 'not sticky', ", $pool->{method}\n";
    printf "  %s: %s kept, %s new, %s moved, %s refused%s; %s in flight, "
        . "%s waiting, %s\n", count($pool->{requests}, 'request'), $d->{kept},
        sum($d->{new}), sum($d->{moved}), sum($d->{refused}),
        $d->{none} ? ", $d->{none} without a key" : '',
        @$pool{qw(inflight queued)}, count($pool->{sessions}, 'session');
    my $all = @{$pool->{members}};
    print '  ', scalar @members, ' of ', count($all, 'member'), ":\n" if @members < $all;
    print_members($now, @members);
}

# Whether a visitor without a session may get there.
sub is_able {
    my ($m) = @_;
    return $m->{effective_weight} > 0 || ($m->{state} eq 'warming' && $m->{weight} > 0);
}

# "2 disabled, 1 down": the members that nobody new gets to.
sub closed {
    my ($pool) = @_;
    my %in;
    $in{$_->{weight} > 0 ? $_->{state} : 'of weight 0'}++
        for grep { !is_able($_) } @{$pool->{members}};
    return join ', ', map { "$in{$_} $_" } sort keys %in;
}

# What is wrong, one sentence each, as the server lists it: with all pools or
# with these.
sub complaints {
    my ($state, @pools) = @_;
    my %shown = map { ("$_->{name} $_->{vhost}" => 1) } @pools;
    return map { (length $_->{pool} ? clean($_->{pool}) . ': ' : '') . clean($_->{text}) }
        grep { !@pools || !length $_->{pool} || $shown{"$_->{pool} $_->{vhost}"} }
        @{$state->{alerts}};
}

# How urgent a member is, from 1; 0 for one that is well, or that an operator
# has closed. $alarmed: an alert is about it.
sub urgency {
    my ($m, $alarmed) = @_;
    return 0 if $m->{state} =~ /^(?:stopped|disabled)\z/;
    return $m->{state} eq 'down' ? 4 : $m->{state} eq 'ejected' ? 3 : !$m->{check}{ok} ? 2
        : $alarmed ? 1 : 0;
}

# The members that are asked for, those that fail first.
sub chosen {
    my ($state, $pool) = @_;
    my %alarmed = map { $_->{member} => 1 }
        grep { $_->{pool} eq $pool->{name} && $_->{vhost} eq $pool->{vhost}
            && $_->{severity} ne 'note' && length $_->{member} } @{$state->{alerts}};
    my %wanted = map { $_ => 1 } split /,/, $opt{state} // '';
    my @members = @{$pool->{members}};
    my @urgency = map { urgency($_, $alarmed{label($_)}) } @members;
    return map { $members[$_] } sort { $urgency[$b] <=> $urgency[$a] || $a <=> $b }
        grep { (!$opt{failing} || $urgency[$_])
            && (!%wanted || $wanted{$members[$_]{state}}) } 0 .. $#members;
}

sub check_states {
    my ($state) = @_;
    my %known = map { $_ => 1 } @STATES,
        map { $_->{state} } map { @{$_->{members}} } @{$state->{pools}};
    my @asked = split /,/, $opt{state} // 'up';
    for (@asked ? grep { !$known{$_} } @asked : $opt{state}) {
        fail($WRONG, "there is no state $_: wanted is " . join ', ', sort keys %known);
    }
}

# What no member is that was asked for.
sub nobody {
    my @what = (defined $opt{state} ? join(' or ', split /,/, $opt{state}) : (),
                $opt{failing} ? 'failing' : ());
    return 'no member is ' . join ' and ', @what;
}

sub status {
    my ($only) = @_;
    fail($WRONG, "two pools, $only and --pool $opt{pool}: status takes one")
        if defined $only && defined $opt{pool} && $only ne $opt{pool};
    $only //= $opt{pool};
    my ($state) = get_json();
    my $table = $state->{table};
    my @pools = find_pools($state, $only);
    check_states($state);
    printf "%s: running for %s, generation %s, %s of %s sessions\n",
        clean($state->{server}), span($state->{now} - $state->{started}),
        $state->{generation}, $table->{entries}, $table->{capacity};
    my $some = defined $only || defined $opt{vhost};
    print paint($_, 31), "\n" for complaints($state, $some ? @pools : ());
    print "no balancer has LBSticky: lbctl advise prints the lines to write\n" if !@pools;
    my $filtered = $opt{failing} || defined $opt{state};
    my $seen = 0;
    for my $pool (@pools) {
        my @members = chosen($state, $pool);
        next if $filtered && !@members;
        print "\n";
        print_pool($pool, $state->{now}, @members);
        $seen++;
    }
    print nobody(), "\n" if $filtered && !$seen;
    return 0;
}

sub doctor {
    my ($state, $body) = get_json();
    my @wrong = complaints($state);
    if ($opt{json}) {
        print raw($body =~ /^"alerts":(\[.*\]),\n"events":/ms ? $1 : '[]'), "\n";
        return @wrong ? $FAILED : 0;
    }
    print paint($_, 31), "\n" for @wrong;
    return $FAILED if @wrong;
    print join("\n", 'all is well', map { clean($_->{name}) . ': no new visitors for '
        . closed($_) } grep { length closed($_) } @{$state->{pools}}), "\n";
    return 0;
}

sub json { print raw((get_json())[1]); return 0 }

sub explain {
    my ($pool, @keys) = @_;
    for (grep { !/^(?:cookie|ip|key)=/ } @keys) {
        fail($WRONG, "$_: wanted is cookie=V, ip=A or key=SOURCE:VALUE");
    }
    my @data = map { ('--data-urlencode', $_) } @keys;
    push @data, '--data-urlencode', "vhost=$opt{vhost}" if defined $opt{vhost};
    my ($status, $body) = fetch('/explain', '-G', '--data-urlencode', "pool=$pool", @data);
    fail($FAILED, explain_status($status, $body)) if $status != 200 || !parse_json($body);
    print raw($body);
    return 0;
}

1;
