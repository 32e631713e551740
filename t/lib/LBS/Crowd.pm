# SPDX-License-Identifier: Apache-2.0
# LBS::Crowd - many visitors, each with a session, who notice when they move.
#
#   my $h = LBS::Httpd->new(backends => \@web, conf => crowd_conf([1, 2, 3]));
#   $h->start;
#   my $crowd = LBS::Crowd->new($h, cookie => 1000, session => 1000, ip => 1000);
#   is $crowd->arrive->{failed}, 0;          # each has a member from now on
#   my $walk = $crowd->walk(2);              # two processes visit, round and round
#   ...
#   my $seen = $walk->stop;                  # what they saw
#   is $crowd->visit->{moved}, 0;            # each once more
#
# A crowd has visitors of three kinds, each with a pool of its own: `cookie`
# shows the module's cookie, `session` an application's cookie that was
# learned, `ip` nothing but an address, by mod_remoteip.
#
# What was seen is a hash: visits, moved (answered by another member than
# before, who is the home from then on), failed (any status but 200), broken
# (no answer: the connection was lost on the way), hung (no answer in time),
# retried (a kept connection turned out to be closed, a fresh one was used, as
# browsers do), slowest (seconds), and notes, a few lines for diag().
package LBS::Crowd;
use v5.36;

use Exporter qw(import);
use IO::Select;
use JSON::PP ();
use POSIX ();
use Time::HiRes qw(time sleep);
use LBS::Client;

our @EXPORT = qw(crowd_conf);
my @KINDS = qw(cookie session ip);
my %SOURCE = (cookie => 'cookie', session => 'session=sid', ip => 'ip');
my $HANG = 20;    # seconds without an answer

# A configuration with the three pools. members: numbers of backends, in the
# order wanted; member number n has route rn. Options: member => sub ($n) says
# what to add to a BalancerMember line, pool => text for each pool, server =>
# text for the main server.
sub crowd_conf ($members, %o) {
    my $text = "RemoteIPHeader X-Forwarded-For\n"
        . "RemoteIPInternalProxy 127.0.0.0/8\nLBStickyAdmin on\n"
        . "<Location \"/lb-status\">\n    SetHandler lb-status\n</Location>\n"
        . ($o{server} // '') . "\n";
    for my $kind (@KINDS) {
        $text .= qq(<Proxy "balancer://$kind">\n)
            . "LBSticky $SOURCE{$kind}\nLBStickyCookie first=off\n"
            . ($o{pool} // '') . "\n";
        $text .= qq(BalancerMember "http://\@B$_\@" route=r$_ )
            . ($o{member} ? $o{member}->($_) : '') . "\n" for @$members;
        $text .= qq(</Proxy>\nProxyPass "/$kind/" "balancer://$kind/"\n);
    }
    return $text;
}

sub new ($class, $httpd, %count) {
    my @all;
    for my $kind (@KINDS) {
        push @all, map { {kind => $kind, n => $_} } 1 .. $count{$kind} // 0;
    }
    return bless {httpd => $httpd, all => \@all}, $class;
}

sub size ($self) { return scalar @{$self->{all}} }

# {member => how many live there}, of one kind or of all.
sub homes ($self, $kind = undef) {
    my %homes;
    for my $v (@{$self->{all}}) {
        $homes{$v->{home} // ''}++ if !$kind || $v->{kind} eq $kind;
    }
    return \%homes;
}

# Everybody once, by one process. The first time gives them their members.
sub visit ($self) {
    my $seen = fresh();
    my $on = LBS::Crowd::Line->new($self->{httpd}->port);
    visit_one($on, $_, $seen) for @{$self->{all}};
    return $seen;
}

sub arrive ($self) { return $self->visit }

sub fresh () {
    return {visits => 0, moved => 0, failed => 0, broken => 0, hung => 0,
            retried => 0, slowest => 0, notes => []};
}

sub note ($seen, $text) {
    push @{$seen->{notes}}, $text if @{$seen->{notes}} < 10;
    return;
}

sub headers_of ($v) {
    return [['Cookie', "LBSTICKY_cookie=$v->{token}"]]
        if $v->{kind} eq 'cookie' && $v->{token};
    return [['Cookie', "sid=s$v->{n}"]]
        if $v->{kind} eq 'session' && $v->{home};
    return [['X-Forwarded-For', join '.', 10, 1, $v->{n} >> 8, $v->{n} & 255]]
        if $v->{kind} eq 'ip';
    return [];
}

sub visit_one ($line, $v, $seen, $query = undef) {
    my $uri = "/$v->{kind}/?size=2" . ($query ? "&$query" : '');
    $uri .= "&cookie=sid%3Ds$v->{n}" if $v->{kind} eq 'session' && !$v->{home};
    my $r = $line->ask($uri, headers_of($v), $seen);
    my $who = "$v->{kind} $v->{n}";

    $seen->{visits}++;
    if (!$r || !$r->status) {
        my $why = $r ? $r->error // '?' : 'no connection';
        $seen->{$why eq 'timeout' ? 'hung' : 'broken'}++;
        note($seen, "$who: $why");
        return;
    }
    $seen->{slowest} = $r->elapsed if $r->elapsed > $seen->{slowest};
    if ($r->status != 200) {
        $seen->{failed}++;
        note($seen, "$who: status " . $r->status);
        return;
    }
    if ($v->{home} && $v->{home} ne $r->member) {
        $seen->{moved}++;
        note($seen, "$who: from $v->{home} to " . $r->member);
    }
    $v->{home} = $r->member;
    for ($r->set_cookies('LBSTICKY_cookie')) {
        $v->{token} = $1 if /^LBSTICKY_cookie=([^;]+)/;
    }
    return;
}

# Let processes visit everybody round and round, each its share, until
# stop(), which returns the sum of what they saw. What they learned (a new
# home, a newer token) stays with them. At most `limit` seconds. pause: between
# two visits of a process, in seconds. query: for the backend, `delay=0.1`.
sub walk ($self, $processes, %o) {
    my @workers;
    for my $i (0 .. $processes - 1) {
        pipe my $r, my $w or die "pipe: $!";
        pipe my $until, my $stop or die "pipe: $!";
        my $pid = fork // die "fork: $!";
        if ($pid == 0) {
            close $_ for $r, $stop, map { $_->{stop} } @workers;
            my @share = map { $self->{all}[$_] }
                grep { $_ % $processes == $i } 0 .. $#{$self->{all}};
            my $seen = eval {
                walk_on($self->{httpd}->port, \@share, IO::Select->new($until), %o)
            } // {died => "$@"};
            print $w JSON::PP->new->encode($seen);
            close $w;
            POSIX::_exit(0);
        }
        close $_ for $w, $until;
        push @workers, {pid => $pid, from => $r, stop => $stop};
    }
    return bless {workers => \@workers, owner => $$}, 'LBS::Crowd::Walk';
}

# Not by a signal: that would end a select() in the middle of a request.
sub walk_on ($port, $share, $until, %o) {
    local $SIG{ALRM} = 'DEFAULT';
    my $end = time + ($o{limit} // 120);
    my $line = LBS::Crowd::Line->new($port);
    my $seen = fresh();
    while (@$share) {
        for my $v (@$share) {
            return $seen if time > $end || $until->can_read(0);
            visit_one($line, $v, $seen, $o{query});
            sleep $o{pause} if $o{pause};
        }
    }
    return $seen;
}

# Sum up what several saw.
sub sum (@seen) {
    my $sum = fresh();
    for my $seen (@seen) {
        die "a visitor died: $seen->{died}" if $seen->{died};
        $sum->{$_} += $seen->{$_} for qw(visits moved failed broken hung retried);
        $sum->{slowest} = $seen->{slowest} if $seen->{slowest} > $sum->{slowest};
        push @{$sum->{notes}}, @{$seen->{notes}};
    }
    return $sum;
}

package LBS::Crowd::Walk;
use v5.36;

sub stop ($self) {
    # Closing it would not do: walkers forked later hold it open, too.
    syswrite $_->{stop}, '.' for @{$self->{workers}};
    my @seen;
    for my $w (splice @{$self->{workers}}) {
        my $from = $w->{from};
        local $/;
        my $text = <$from>;
        waitpid $w->{pid}, 0;
        push @seen, JSON::PP->new->decode($text || '{"died":"no result"}');
    }
    return LBS::Crowd::sum(@seen);
}

sub DESTROY ($self) {
    local ($?, $@, $!);
    return if $self->{owner} != $$;
    kill KILL => map { $_->{pid} } @{$self->{workers}};
    waitpid $_->{pid}, 0 for splice @{$self->{workers}};
    return;
}

# A connection that is kept as long as the server keeps it.
package LBS::Crowd::Line;
use v5.36;

sub new ($class, $port) { return bless {port => $port}, $class }

sub open ($self) {
    return eval { LBS::Client->new(port => $self->{port}, timeout => $HANG) };
}

# Undef: no connection. A request that meets a connection the server has just
# closed was not processed, and goes out again on a fresh one.
sub ask ($self, $uri, $headers, $seen) {
    my $kept = $self->{client};
    my $client = $kept // $self->open // return;
    my $r = $client->request('GET', $uri, headers => $headers);
    if ($kept && !$r->status && ($r->error // '') ne 'timeout') {
        $seen->{retried}++;
        $client = $self->open // return;
        $r = $client->request('GET', $uri, headers => $headers);
    }
    my $keep = $r->status && !$r->incomplete
        && lc($r->header('Connection') // '') ne 'close';
    $self->{client} = $keep ? $client : undef;
    return $r;
}

1;
