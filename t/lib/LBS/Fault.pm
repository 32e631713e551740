# SPDX-License-Identifier: Apache-2.0
# LBS::Fault - many requests that break, each beside the stock balancer.
#
#   my $fault = LBS::Fault->new;
#   my @wrong = $fault->run(@cases);        # lines: id, what is wrong
#   $fault->counts                          # {scheme => how many ran}
#
# One httpd has lanes: each is a governed pool with two members and a pool of
# the stock balancer with one, all played by this process. A lane runs one case
# at a time, so what its members' counters say belongs to that case. All lanes
# run side by side; cases that wait for a time-out wait together.
package LBS::Fault;
use v5.36;

use Time::HiRes qw(time);
use LBS::Fault::Cases;
use LBS::Fault::Client;
use LBS::Fault::Loop;
use LBS::Fault::Member;
use LBS::Fault::Rules;
use LBS::Httpd;
use LBS::Ports;

my %LANES = (http => 24, https => 4, h2c => 6, ajp => 5, fcgi => 5, scgi => 4,
             uwsgi => 4);
my %MODULES = (https => ['ssl'], h2c => ['proxy_http2'], scgi => ['proxy_scgi'],
               uwsgi => ['proxy_uwsgi']);
use constant {MEMBER_WAITS => 2, HANGS => 6};

# More for the pools and the server: pool => text, server => text.
sub new ($class, %o) {
    my $self = bless {loop => LBS::Fault::Loop->new, lanes => [], serial => 0,
                      ran => {}, notes => $o{notes}}, $class;
    my %lanes = %{$o{lanes} // \%LANES};
    $self->{httpd} = LBS::Httpd->new(children => 1, threads => 250,
        modules => ['http2', 'reqtimeout', map { @{$MODULES{$_} // []} } sort keys %lanes]);
    for my $scheme (sort keys %lanes) {
        $self->add_lane($scheme) for 1 .. $lanes{$scheme};
    }
    $self->{httpd}->conf($self->conf(%o));
    $self->{httpd}->announce(qr/\[(?:proxy\w*|http2?|core|ssl|reqtimeout):(?:error|warn)\]/,
        qr/\[lbsticky:/);
    $self->{httpd}->start;
    return $self;
}

sub httpd ($self) { return $self->{httpd} }
sub counts ($self) { return $self->{ran} }

sub add_lane ($self, $scheme) {
    my $lane = {scheme => $scheme, n => sprintf('%02d', scalar @{$self->{lanes}}),
                serial => 'none'};
    my $tls = $scheme ne 'https' ? undef : {
        SSL_cert_file => $self->{httpd}->certificate('cert'),
        SSL_key_file => $self->{httpd}->certificate('key')};
    for my $name (qw(m1 m2 s1)) {
        $lane->{port}{$name} = LBS::Ports::free();
        $lane->{member}{$name} = LBS::Fault::Member->new($self->{loop}, $lane, $name,
            $lane->{port}{$name}, $tls);
    }
    push @{$self->{lanes}}, $lane;
    return;
}

sub conf ($self, %o) {
    my $body = LBS::Fault::Cases::LIMIT;
    my $wait = MEMBER_WAITS;
    my $text = <<"CONF";
MinSpareThreads 1
MaxKeepAliveRequests 0
KeepAliveTimeout 30
Protocols h2c http/1.1
Timeout 4
RequestReadTimeout header=2 body=2
LimitRequestBody $body
LBStickyEject off
LBStickyRetry budget=100
\@STATUS\@
CONF
    $text .= "SSLProxyEngine on\nSSLProxyVerify none\nSSLProxyCheckPeerName off\n"
        . "SSLProxyCheckPeerExpire off\n" if grep { $_->{scheme} eq 'https' } @{$self->{lanes}};
    for my $lane (@{$self->{lanes}}) {
        my ($n, $scheme, $port) = @$lane{qw(n scheme port)};
        my $url = sub ($name) { "$scheme://127.0.0.1:$port->{$name}" };
        $text .= <<"CONF";
<Proxy "balancer://l$n">
LBSticky route=R
@{[$o{pool} // '']}
BalancerMember "@{[$url->('m1')]}" route=m1 timeout=$wait
BalancerMember "@{[$url->('m2')]}" route=m2 timeout=$wait
</Proxy>
ProxyPass "/l$n/" "balancer://l$n/l$n/"
<Proxy "balancer://s$n">
LBSticky off
BalancerMember "@{[$url->('s1')]}" route=m1 timeout=$wait retry=0
</Proxy>
ProxyPass "/s$n/" "balancer://s$n/s$n/"
CONF
    }
    return $text . ($o{server} // '');
}

# --- rounds ----------------------------------------------------------------

sub is_slow ($case) { return $case->{end} eq 'stall' || $case->{kind} eq 'expectcut' }

# Cases in groups that the lanes take at a time; cases that wait stand together.
sub run ($self, @cases) {
    my %waiting;
    for my $case (@cases) {
        push @{$waiting{$case->{scheme}}[is_slow($case) ? 1 : 0]}, $case;
    }
    my @wrong;
    for my $slow (0, 1) {
        while (1) {
            my @taken = grep { $_->{case} = shift @{$waiting{$_->{scheme}}[$slow] // []} }
                @{$self->{lanes}};
            last if !@taken;
            push @wrong, $self->round(@taken);
        }
    }
    return @wrong;
}

sub round ($self, @lanes) {
    my $before = $self->counters;
    $self->begin($_) for @lanes;
    my $loop = $self->{loop};
    $self->warm_up(grep { $_->{case}{conn} eq 'kept' } @lanes);
    for my $lane (@lanes) {
        $lane->{running} = 1;
        for (['ours', 'l'], ['stock', 's']) {
            my ($who, $letter) = @$_;
            $lane->{client}{$who} = $self->client($lane->{case},
                "/$letter$lane->{n}/$lane->{serial}/x");
        }
    }
    $loop->run(sub { !grep { !$_->{client}{ours}{done} } @lanes }, HANGS);
    # What the stock balancer leaves open for long is not waited for.
    $loop->run(sub { !grep { !$_->{client}{stock}{done} } @lanes },
        grep({ is_slow($_->{case}) } @lanes) ? 3 : 1);
    my $after = $self->settled(@lanes);
    my @wrong = map { $self->judge($_, $before, $after) } @lanes;
    for my $lane (@lanes) {
        $lane->{running} = 0;
        $_->{conn}->drop for values %{$lane->{client}};
        $_->drop_all for values %{$lane->{member}};
        $self->{ran}{$lane->{scheme}}++;
    }
    return @wrong;
}

sub begin ($self, $lane) {
    $lane->{serial} = sprintf '%06d', ++$self->{serial};
    $lane->{running} = 0;
    $_->{records} = [] for values %{$lane->{member}};
    return;
}

sub client ($self, $case, $path) {
    return LBS::Fault::Client->new($self->{loop}, $self->{httpd}->port, $case, $path);
}

# A connection to the first member is there, used just now.
sub warm_up ($self, @lanes) {
    my %plain = (method => 'GET', frame => 'none', size => 0, proto => 'h1', last => 1,
                 side => 'none', kind => '-', end => '-', at => '-');
    my @clients = map { my $n = $_->{n};
        map { $self->client({%plain, scheme => 'http'}, "/$_$n/warm/x") } qw(l s) } @lanes;
    $self->{loop}->run(sub { !grep { !$_->{done} } @clients }, HANGS);
    # httpd gives a connection back a moment after its answer is out.
    $self->{loop}->run(sub { 0 }, 0.03) if @clients;
    return;
}

# Counters of all lanes' pools, as the metrics have them.
sub counters ($self) {
    my $text = '';
    my $c = $self->{loop}->connect($self->{httpd}->port);
    my $over = 0;
    $c->{on_end} = sub { $over = 1; $text = $_[0]{in}; $_[0]->drop };
    # HTTP/1.0: the bytes come as they are.
    $c->send("GET /lb-status/metrics HTTP/1.0\r\nHost: localhost\r\n\r\n");
    $self->{loop}->run(sub { $over }, HANGS);
    my (%failures, %inflight);
    while ($text =~ /^lbsticky_member_(failures_total|inflight)\{([^}]*)\} (\d+)/mg) {
        my ($what, $labels, $value) = ($1, $2, $3);
        my ($pool) = $labels =~ /pool="l(\d+)"/ or next;
        my ($member) = $labels =~ /member="(\w+)"/;
        if ($what eq 'inflight') { $inflight{$pool} += $value }
        else { $failures{$pool}{$member} += $value }
    }
    return {failures => \%failures, inflight => \%inflight, there => length $text};
}

# When nothing is in flight, and what httpd did with its members has arrived.
sub settled ($self, @lanes) {
    my $end = time + 6;
    my $after;
    do {
        $self->{loop}->run(sub { 0 }, 0.03);
        $after = $self->counters;
    } while (time < $end && grep { $after->{inflight}{$_->{n}} } @lanes);
    return $after;
}

sub judge ($self, $lane, $before, $after) {
    my $n = $lane->{n};
    my %facts = (inflight => $after->{inflight}{$n},
        failures => {map { $_ => ($after->{failures}{$n}{$_} // 0)
            - ($before->{failures}{$n}{$_} // 0) } qw(m1 m2)});
    for my $who (qw(ours stock)) {
        $facts{$who} = {client => $lane->{client}{$who}->result,
            seen => {map { $_ => $lane->{member}{$_}{records} } qw(m1 m2 s1)}};
    }
    my $id = LBS::Fault::Cases::id($lane->{case});
    my @wrong = LBS::Fault::Rules::judge($lane->{case}, \%facts);
    $self->{notes}->($id, \%facts, @wrong) if $self->{notes};
    return map { "$id  $_" } @wrong;
}

# The facts in a few lines, for a developer who looks into one case.
sub told ($facts) {
    my @lines;
    for my $who (qw(ours stock)) {
        my $r = $facts->{$who}{client};
        push @lines, "$who: status $r->{status} from '$r->{from}' early [@{$r->{early}}] body "
            . length($r->{body}) . " whole $r->{whole} extra $r->{extra}"
            . ($r->{left} ? ' left' : '') . ($r->{hung} ? ' HUNG' : '');
    }
    for my $member (qw(m1 m2 s1)) {
        push @lines, map { "$member: kept $_->{kept} body " . length($_->{body} // '')
            . " complete $_->{complete} ended " . ($_->{ended} // '-') }
            @{$facts->{ours}{seen}{$member}};
    }
    push @lines, "failures m1 $facts->{failures}{m1} m2 $facts->{failures}{m2}"
        . " inflight $facts->{inflight}";
    return @lines;
}

1;
