# SPDX-License-Identifier: Apache-2.0
# LBCtl::Events - what happened lately, and what happens from now on.
package LBCtl::Events;
use strict;
use warnings;
use Exporter qw(import);
use POSIX ();
use LBCtl::Base;
use LBCtl::Json;
use LBCtl::Server;
use LBCtl::Show;

our @EXPORT = qw(events);

my $PAUSE = 1;    # seconds between two looks

# The events of an answer, the newest last, each with its JSON. lb-status
# writes one in a line.
sub events_of {
    my ($body) = @_;
    my ($part) = $body =~ /^"events":\[(.*)\]\}\s*\z/ms;
    return map { my $event = parse_json($_); $event ? {%$event, json => $_} : () }
        grep { length } split /,?\n/, $part // '';
}

# An event has no number, but the server keeps the last 256 only: of two that
# are equal in all, time included, one is new when there were fewer before.
sub unseen {
    my ($seen, @events) = @_;
    my (%count, @new);
    for my $event (@events) {
        push @new, $event if ++$count{$event->{json}} > ($seen->{$event->{json}} // 0);
    }
    %$seen = %count;
    return @new;
}

# Of --pool, --vhost and --member. A member may be named by its id or URL, too,
# while events tell the route.
sub is_asked_for {
    my ($event, $state) = @_;
    return 0 if defined $opt{pool} && $event->{pool} ne $opt{pool};
    return 0 if defined $opt{vhost} && ($event->{vhost} // '') ne $opt{vhost};
    my $who = $opt{member} // return 1;
    return 0 if !length $event->{member};
    return 1 if $event->{member} eq $who || ($event->{id} // '') eq $who;
    return scalar grep { is_named($_, $who) && $_->{id} eq ($event->{id} // '') }
        map { @{$_->{members}} } @{$state->{pools}};
}

# A name that neither a pool or member nor an event has is a typing error. What
# was removed is known by its events.
sub check_names {
    my ($state, @events) = @_;
    my @pools = grep { !defined $opt{pool} || $_->{name} eq $opt{pool} } @{$state->{pools}};
    return if grep { is_asked_for($_, $state) } @events;
    find_pools($state, $opt{pool});
    fail($FAILED, 'there is no member ' . $opt{member}
        . (defined $opt{pool} ? " in the pool $opt{pool}" : ''))
        if defined $opt{member}
            && !grep { is_named($_, $opt{member}) } map { @{$_->{members}} } @pools;
}

# "app", with its virtual host where another one has a pool of that name.
sub pool_of {
    my ($event, $state) = @_;
    my $same = grep { $_->{name} eq $event->{pool} } @{$state->{pools}};
    return clean($event->{pool})
        . ($same > 1 && length($event->{vhost} // '') ? ' of ' . clean($event->{vhost}) : '');
}

sub print_events {
    my ($state, @events) = @_;
    for my $event (grep { is_asked_for($_, $state) } @events) {
        my $line = $opt{json} ? raw($event->{json})
            : join '  ', stamp($event->{at}), pad($event->{event}, 10),
                join(': ', join(' ', grep { length } pool_of($event, $state),
                     clean($event->{member})) || (), clean($event->{reason}) || ());
        print $line =~ s/\s+\z//r, "\n" or POSIX::_exit(0);
    }
}

sub say_aside { print STDERR 'lbctl: ', clean($_[0]), "\n" if !$opt{quiet} }

# Sleep. A pipe whose reader has gone is "readable": nobody wants more.
sub pause {
    my $pipe = -p STDOUT;
    my $look = '';
    vec($look, fileno(STDOUT), 1) = 1 if $pipe;
    my $ready = select $look, undef, undef, $PAUSE;
    POSIX::_exit(0) if $pipe && $ready > 0 && vec($look, fileno(STDOUT), 1);
}

# What tells that nothing has happened, without reading a thousand members.
sub tail_of {
    my ($body) = @_;
    return ($body =~ /\A[^\n]*?"started":(\d+)/ ? $1 : '')
        . ($body =~ /^("events":\[.*)\z/ms ? $1 : $body);
}

# Ask for ever; a server that is away is waited for, one that was started again
# has no event of before.
sub follow {
    my ($state, $seen, $tail) = @_;
    my $trouble = '';
    while (1) {
        pause();
        my ($next, $body);
        my $failed = attempt(sub {
            ($next, $body) = get_json(sub { tail_of($_[0]) eq $tail });
        });
        say_aside($failed . '; waiting for it') if length $failed && !length $trouble;
        my $back = length $trouble && !length $failed;
        $trouble = $failed;
        next if length $failed;
        $next //= $state;
        $tail = tail_of($body);
        if ($next->{started} != $state->{started}) {
            say_aside('the server was started again at ' . stamp($next->{started}));
            %$seen = ();
        } elsif ($back) {
            say_aside('the server answers again');
        }
        $state = $next;
        my @all = events_of($body);
        my $before = keys %$seen;
        my @new = unseen($seen, @all);
        say_aside('more happened at once than the server keeps; some events are lost')
            if $before && @all && @new == @all;
        print_events($state, @new);
    }
}

sub events {
    my ($state, $body) = get_json();
    my @all = events_of($body);
    check_names($state, @all);
    my %seen;
    unseen(\%seen, @all);
    # Ctrl-C, or a reader that ends, is how it is meant to end; curl goes, too.
    local $SIG{INT} = local $SIG{TERM} = local $SIG{PIPE} = sub {
        kill TERM => $LBCtl::Server::curl if $LBCtl::Server::curl;
        POSIX::_exit(0);
    } if $opt{follow};
    print_events($state, @all);
    print "nothing has happened since the start at ", stamp($state->{started}), "\n"
        if !@all && -t STDOUT && !$opt{json};
    follow($state, \%seen, tail_of($body)) if $opt{follow};
    return 0;
}

1;
