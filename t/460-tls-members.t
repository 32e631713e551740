# SPDX-License-Identifier: Apache-2.0
# Members reached by TLS: a handshake is part of opening the connection. Where
# it fails nothing was sent, and that it succeeds is no answer yet.
use lib 't/lib';
use LBS::Test;
use LBS::Governed;
use IO::Socket::SSL ();
use LBS::Ports;

# A TLS server that reads one request per connection and then closes it
# ('close') or says nothing more ('hang'); or one that has no TLS ('plain').
package Silent {
    sub new ($class, $what, $cert, $key) {
        my $port = LBS::Ports::free();
        my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
            LocalPort => $port, Listen => 64, ReuseAddr => 1) // die "$!";
        my $pid = fork // die "fork: $!";
        if ($pid == 0) {
            $SIG{$_} = 'DEFAULT' for qw(TERM INT);
            alarm 120;
            serve($listener, $what, $cert, $key);
            POSIX::_exit(0);
        }
        return bless {port => $port, pid => $pid, name => $what}, $class;
    }

    sub serve ($listener, $what, $cert, $key) {
        my @kept;
        while (my $sock = $listener->accept) {
            if ($what eq 'plain') {
                sysread $sock, my $hello, 65536;
                syswrite $sock, "HTTP/1.0 400 Bad Request\r\n\r\n";
                next;
            }
            my $tls = IO::Socket::SSL->start_SSL($sock, SSL_server => 1,
                SSL_cert_file => $cert, SSL_key_file => $key) or next;
            sysread $tls, my $head, 65536;
            push @kept, $tls if $what eq 'hang';
            close $tls if $what eq 'close';
        }
    }

    sub addr ($self) { return "127.0.0.1:$self->{port}" }

    sub DESTROY ($self) {
        local $?;
        kill TERM => $self->{pid};
        waitpid $self->{pid}, 0;
    }
}

my $web = LBS::Backend->new(name => 'web');
my $h = LBS::Httpd->new(modules => ['ssl'], children => 1, threads => 32);
my @tls = map { Silent->new($_, map { $h->certificate($_) } qw(cert key)) }
    qw(plain close hang);
$h->{backends} = [$web, @tls];

# Every pool has the good member as r1 and a bad one as r2, where R leads.
sub pool ($name, $bad, $lines = '') {
    return <<"POOL";
<Proxy "balancer://$name">
    LBSticky route=R
    LBStickyEject off
    $lines
    BalancerMember "https://127.0.0.1:\@PORT2\@" route=r1
    BalancerMember "https://$bad" route=r2
</Proxy>
ProxyPass "/$name/" "balancer://$name/"
POOL
}

$h->conf(<<'HEAD' . pool(plain => '@B2@') . pool(close => '@B3@')
MinSpareThreads 1
MaxSpareThreads 32
SSLProxyEngine on
SSLProxyCheckPeerName off
ProxyTimeout 10
LBStickyForward host=off
Header always set X-Decision "%{LBSTICKY_DECISION}e|%{LBSTICKY_REASON}e|%{LBSTICKY_MEMBER}e|%{LBSTICKY_SOURCE}e|%{LBSTICKY_TRIES}e"
HEAD
    . pool(hang => '@B4@', 'LBStickyEject stall=300ms failures=100'
                           . "\nLBStickyRetry tries=2 budget=100")
    . <<'TAIL');
<VirtualHost 127.0.0.1:@PORT2@>
    SSLEngine on
    SSLCertificateFile "@CERT@"
    SSLCertificateKeyFile "@KEY@"
    LBSticky off
    ProxyPass "/" "http://@B1@/"
</VirtualHost>
TAIL
$h->start;
$h->announce(qr/\[(?:proxy|proxy_http|ssl):(?:error|warn|info)\]/);

sub ask ($pool, $method, %o) {
    my @at = cookie_of(R => $o{R} // 'x.r2');
    my $c = LBS::Client->new(port => $h->port, timeout => 8);
    return $c->request($method, "/$pool/x", %o,
                       headers => @at);
}

subtest 'a member that speaks no TLS: as one that cannot be reached' => sub {
    for my $method (qw(GET POST PATCH)) {
        my $r = ask(plain => $method, $method eq 'GET' ? ()
                                                      : (body => 'abc' x 5000));
        is $r->status, 200, "$method is answered";
        is $r->json->{body_length}, $method eq 'GET' ? 0 : 15_000, 'whole';
        is verdict($r), 'moved down', 'elsewhere';
    }
    $web->clear;
    my $r = ask(plain => 'POST', body => 'x' x 200_000);
    is $r->status, 200, 'a body longer than body= too';
    is $r->json->{body_length}, 200_000, 'whole';
    is $web->deliveries, 1, 'and once';
};

subtest 'closed instead of an answer: lost, and sent again if it may' => sub {
    is ask(close => 'GET')->status, 200, 'GET is answered';
    $web->clear;
    is ask(close => 'POST', body => 'a')->status, 502, 'POST is not';
    is $web->deliveries, 0, 'and was sent to nobody else';
};

subtest 'silent after the handshake: that is a stall' => sub {
    my @r = in_parallel(7, sub ($i) {
        if ($i) {
            my $r = ask(hang => "GET");
            return {status => $r->status, elapsed => $r->elapsed};
        }
        # The other one has to answer meanwhile.
        my $until = time + 1.5;
        my $r;
        do {
            $r = ask(hang => 'GET', R => 'x.r1');
            sleep 0.05;
        } while ($r->status == 200 && time < $until);
        return {status => $r->status, elapsed => 0};
    });
    is_deeply [map { $_->{status} } @r], [(200) x @r], 'all are answered';
    my ($longest) = sort { $b <=> $a } map { $_->{elapsed} } @r;
    cmp_ok $longest, '<', 5, 'long before the time-out';
};

done_testing;
