# SPDX-License-Identifier: Apache-2.0
# LBS::Dns - a name server on a loopback port, UDP and TCP, that answers as the
# test wants.
#
#   my $dns = LBS::Dns->new;
#   $dns->zone('app.test' => {a => ['127.0.7.1'], ttl => 1});
#   ... resolver=127.0.0.1:$port ...   with $dns->addr
#   $dns->asked('app.test', 'A')       how often so far
#
# A name has a, aaaa (addresses), srv ([priority, weight, port, target]),
# ttl (1), cname and cname_ttl. Names that are not there do not exist. mode=
#   nxdomain servfail refused empty    says so
#   drop                               never answers
#   late=SECONDS                       answers after so long
#   cut                                is cut short, by TCP, too
#   garbage                            sends bytes that are no records
#   turn                               turns the order with each answer
#   third                              gives a third of the addresses, in turn
# Answers above 512 bytes are cut short by UDP and whole by TCP.
package LBS::Dns;
use v5.36;

use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();
use Socket qw(inet_aton inet_pton AF_INET6);
use Time::HiRes qw(time);
use LBS::Ports;

my %TYPE = (A => 1, CNAME => 5, AAAA => 28, SRV => 33);
my %NAME = reverse %TYPE;
my %CODE = (nxdomain => 3, servfail => 2, refused => 5);

sub new ($class, %o) {
    my $dir = $o{dir} // "/tmp/lbs-dns-$$-" . int(rand 1e9);
    mkdir $dir;
    my $self = bless {dir => $dir, zone => {}, owner => $$,
                      port => LBS::Ports::free()}, $class;
    $self->zone;
    my %at = (LocalAddr => '127.0.0.1', LocalPort => $self->{port}, ReuseAddr => 1);
    my $udp = IO::Socket::INET->new(%at, Proto => 'udp') or die "udp: $!";
    my $tcp = IO::Socket::INET->new(%at, Listen => 16) or die "tcp: $!";
    $self->{pid} = fork // die "fork: $!";
    if ($self->{pid} == 0) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP ALRM);
        eval { $self->serve($udp, $tcp) };
        print STDERR "LBS::Dns: $@" if $@;
        POSIX::_exit(0);
    }
    return $self;
}

sub addr ($self) { return "127.0.0.1:$self->{port}" }
sub port ($self) { return $self->{port} }
sub pid ($self)  { return $self->{pid} }

sub zone ($self, %names) {
    $self->{zone}{$_} = $names{$_} for keys %names;
    open my $f, '>', "$self->{dir}/zone.new" or die $!;
    print $f JSON::PP->new->encode($self->{zone});
    close $f;
    rename "$self->{dir}/zone.new", "$self->{dir}/zone" or die $!;
    return $self;
}

sub asked ($self, $name, $type) {
    open my $f, '<', "$self->{dir}/log" or return 0;
    return scalar grep { $_ eq "$name $type\n" } <$f>;
}

sub stop ($self) {
    return if $self->{owner} != $$ || !$self->{pid};
    kill 'KILL', $self->{pid};
    waitpid $self->{pid}, 0;
    unlink map { "$self->{dir}/$_" } qw(zone zone.new log);
    rmdir $self->{dir};
    $self->{pid} = 0;
    return;
}

sub DESTROY ($self) { local $?; return $self->stop }

# In the process of the server --------------------------------------------

sub wire ($name) {
    return join('', map { pack 'C/a', $_ } split /\./, $name) . "\0";
}

sub record ($name, $type, $ttl, $data) {
    return wire($name) . pack('nnNn/a', $TYPE{$type}, 1, $ttl, $data);
}

sub data_of ($type, $value) {
    return inet_aton($value) if $type eq 'A';
    return inet_pton(AF_INET6, $value) if $type eq 'AAAA';
    return wire($value) if $type eq 'CNAME';
    return pack('nnn', @$value[0 .. 2]) . wire($value->[3]);
}

sub records ($self, $zone, $name, $type) {
    my $is = $zone->{$name} // {};
    my $mode = $is->{mode} // '';
    my @values = @{$is->{lc $type} // []};
    my $turn = $self->{turn}{$name}++;
    if ($is->{cname}) {
        return (record($name, 'CNAME', $is->{cname_ttl} // 1, wire($is->{cname})),
                $self->records($zone, $is->{cname}, $type));
    }
    @values = map { $values[($_ + $turn) % @values] } 0 .. $#values if $mode eq 'turn';
    @values = @values[grep { $_ % 3 == $turn % 3 } 0 .. $#values] if $mode eq 'third';
    return map { record($name, $type, $is->{ttl} // 1, data_of($type, $_)) } @values;
}

# The answer to a question; undef: none. @_: whether by UDP
sub answer ($self, $q, $udp) {
    my ($id, $flags, $n) = unpack 'nnn', $q;
    my ($at, @labels) = (12);
    while (my $len = ord substr $q, $at, 1) {
        push @labels, substr $q, $at + 1, $len;
        $at += 1 + $len;
    }
    my $name = lc join '.', @labels;
    my $type = $NAME{unpack 'n', substr $q, $at + 1, 2} // '?';
    my $question = substr $q, 12, $at + 5 - 12;
    open my $f, '<', "$self->{dir}/zone" or return;
    my $zone = JSON::PP->new->decode(do { local $/; <$f> });
    my $is = $zone->{$name} // {mode => 'nxdomain'};
    my $mode = $is->{mode} // '';
    open my $log, '>>', "$self->{dir}/log";
    print $log "$name $type\n";
    close $log;
    return if $mode eq 'drop';
    return pack('nnnnnn', $id, 0x8180, 1, 5, 0, 0) . $question . "\xff" x 40, 0
        if $mode eq 'garbage';
    my $code = $CODE{$mode} // 0;
    my @r = $code || $mode eq 'empty' ? () : $self->records($zone, $name, $type);
    my $body = $question . join '', @r;
    my $cut = $mode eq 'cut' || ($udp && 12 + length $body > 512);
    ($body, @r) = ($question) if $cut;
    return pack('nnnnnn', $id, 0x8180 | ($cut ? 0x200 : 0) | $code, 1, scalar @r, 0, 0)
        . $body, $is->{late} // 0;
}

sub serve ($self, $udp, $tcp) {
    my $all = IO::Select->new($udp, $tcp);
    my @later;
    while (1) {
        my @ready = $all->can_read(@later ? 0.02 : 0.5);
        POSIX::_exit(0) if getppid != $self->{owner};
        for my $s (@ready) {
            if ($s == $tcp) {
                my $client = $tcp->accept or next;
                $all->add($client);
                next;
            }
            my ($q, $from) = ('');
            if ($s == $udp) {
                $from = $udp->recv($q, 4096) // next;
            }
            elsif (($s->sysread($q, 4096) // 0) < 2) {
                $all->remove($s);
                close $s;
                next;
            }
            my ($bytes, $late) = $self->answer($s == $udp ? $q : substr($q, 2), $s == $udp);
            push @later, [time + $late, $s, $bytes, $from] if defined $bytes;
        }
        for (grep { $_->[0] <= time } @later) {
            my (undef, $s, $bytes, $from) = @$_;
            $from ? $udp->send($bytes, 0, $from) : $s->syswrite(pack 'n/a', $bytes);
        }
        @later = grep { $_->[0] > time } @later;
    }
}

1;
