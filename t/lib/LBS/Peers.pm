# SPDX-License-Identifier: Apache-2.0
# LBS::Peers - other balancers in front of the same members:
# stock httpd, nginx and HAProxy, each with the stickiness it brings and tuned
# for failures as far as its configuration goes. None of them is the system's
# service: own files, own ports, gone at the end.
#
#   my @peers = LBS::Peers::all(\@web, timeout => 3);
#   $_->start for @peers;  $peers[0]->name;  $peers[0]->port;  $_->stop ...
package LBS::Peers;
use v5.36;

use File::Temp ();
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(sleep time);
use LBS::Httpd;
use LBS::Ports;

sub all ($web, %o) {
    return (lbsticky($web, %o), plain($web, %o), stock($web, %o),
            nginx($web, %o), haproxy($web, %o));
}

# A line for each member: A is its address and port, N its number.
sub members ($web, $format) {
    my $n = 0;
    return join '', map {
        $n++;
        "$format\n" =~ s/\bA\b/$_->addr/er =~ s/N/$n/gr
    } @$web;
}

# --- httpd -----------------------------------------------------------------

sub httpd ($name, $conf, %o) {
    my $h = LBS::Httpd->new(children => 2, threads => 100, conf => $conf,
                            map { $o{$_} ? ($_ => $o{$_}) : () } qw(mpm without));
    $h->announce(qr/./);    # of broken members there is a lot to tell
    return bless {name => $name, httpd => $h, port => $h->port}, __PACKAGE__;
}

# As it comes, but for the status that says "failed" here, and a check like
# HAProxy's.
sub lbsticky ($web, %o) {
    my $list = members($web, 'BalancerMember "http://A" route=webN');
    return httpd('mod_lbsticky', <<"CONF", %o);
ProxyTimeout $o{timeout}
<Proxy "balancer://app">
    LBSticky      cookie
    LBStickyRetry tries=2 status=500
    LBStickyEject status=500
    LBStickyCheck path=/check interval=1s timeout=1s fall=2 rise=1
    $list
</Proxy>
ProxyPass "/" "balancer://app/"
CONF
}

# The one line that is enough: no checks, nothing tuned.
sub plain ($web, %o) {
    my $list = members($web, 'BalancerMember "http://A" route=webN');
    return httpd('LBSticky cookie', <<"CONF", %o);
ProxyTimeout $o{timeout}
<Proxy "balancer://app">
    LBSticky cookie
    $list
</Proxy>
ProxyPass "/" "balancer://app/"
CONF
}

# As its documentation shows it.
sub stock ($web, %o) {
    my $list = members($web, 'BalancerMember "http://A" route=webN');
    return httpd('mod_proxy_balancer', <<"CONF", %o, without => ['lbsticky']);
ProxyTimeout $o{timeout}
Header add Set-Cookie "ROUTEID=.%{BALANCER_WORKER_ROUTE}e; path=/" env=BALANCER_ROUTE_CHANGED
<Proxy "balancer://app">
    $list
    ProxySet stickysession=ROUTEID failonstatus=500
</Proxy>
ProxyPass "/" "balancer://app/"
CONF
}

# --- others ----------------------------------------------------------------

sub other ($name, $text, @command) {
    my $dir = File::Temp::tempdir('lbs-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    chmod 0755, $dir;    # nginx works as another user
    my $port = LBS::Ports::free();
    $text =~ s/\@DIR\@/$dir/g;
    $text =~ s/\@PORT\@/$port/g;
    open my $f, '>', "$dir/conf" or die "$dir/conf: $!";
    print $f $text;
    close $f or die "$dir/conf: $!";
    s/\@DIR\@/$dir/g for @command;
    return bless {name => $name, port => $port, dir => $dir,
                  command => \@command}, __PACKAGE__;
}

# nginx 1.22 has no sticky cookie (that is nginx plus, or 1.29): the next best
# is a hash of the application's own; visitors without one are spread by chance.
sub nginx ($web, %o) {
    my $list = members($web, '        server A max_fails=3 fail_timeout=2s;');
    return other('nginx', <<"CONF", qw(nginx -p @DIR@ -c @DIR@/conf));
worker_processes 2;
daemon off;
pid \@DIR\@/pid;
error_log \@DIR\@/error.log;
events { worker_connections 4096; }
http {
    access_log off;
    client_body_temp_path \@DIR\@/body;
    proxy_temp_path \@DIR\@/proxy;
    fastcgi_temp_path \@DIR\@/fastcgi;
    uwsgi_temp_path \@DIR\@/uwsgi;
    scgi_temp_path \@DIR\@/scgi;
    map \$cookie_sid \$visitor { "" \$request_id; default \$cookie_sid; }
    upstream app {
        zone app 256k;
        hash \$visitor consistent;
$list        keepalive 32;
    }
    server {
        listen 127.0.0.1:\@PORT\@;
        location / {
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_connect_timeout 1s;
            proxy_read_timeout $o{timeout}s;
            proxy_next_upstream error timeout invalid_header http_500;
        }
    }
}
CONF
}

sub haproxy ($web, %o) {
    my $list = members($web, '    server webN A cookie webN');
    return other('haproxy', <<"CONF", qw(haproxy -db -f @DIR@/conf));
global
    maxconn 4096
defaults
    mode http
    timeout client 30s
    timeout connect 1s
    timeout server $o{timeout}s
    timeout check 1s
    retries 3
    option redispatch 1
    retry-on conn-failure empty-response response-timeout junk-response 500
frontend in
    bind 127.0.0.1:\@PORT\@
    default_backend app
backend app
    balance leastconn
    cookie SRV insert indirect nocache
    option httpchk GET /check
    http-request disable-l7-retry if METH_POST
    default-server check inter 1s fall 2 rise 1 observe layer7 error-limit 3 on-error mark-down
$list
CONF
}

# --- life ------------------------------------------------------------------

sub name ($self) { return $self->{name} }
sub port ($self) { return $self->{port} }

# All its processes.
sub pids ($self) {
    return $self->{httpd}->pids if $self->{httpd};
    return ($self->{pid}, LBS::Proc::children_of($self->{pid}));
}

sub start ($self) {
    return $self->{httpd}->start if $self->{httpd};
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open STDOUT, '>>', "$self->{dir}/out";
        open STDERR, '>&', \*STDOUT;
        exec qw(setpriv --pdeathsig TERM --), @{$self->{command}}
            or POSIX::_exit(127);
    }
    @$self{qw(pid owner)} = ($pid, $$);
    my $end = time + 10;
    while (time < $end) {
        return $self if IO::Socket::INET->new(PeerAddr => '127.0.0.1',
            PeerPort => $self->{port}, Timeout => 1);
        last if waitpid($pid, POSIX::WNOHANG()) != 0;
        sleep 0.02;
    }
    die "$self->{name} does not start:\n",
        LBS::Proc::slurp("$self->{dir}/out");
}

sub stop ($self) {
    return $self->{httpd}->stop if $self->{httpd};
    return if !$self->{pid} || $self->{owner} != $$;
    my $pid = delete $self->{pid};
    kill TERM => $pid;
    for my $n (1 .. 200) {
        last if waitpid($pid, POSIX::WNOHANG()) != 0;
        kill KILL => $pid if $n == 150;
        sleep 0.02;
    }
    return;
}

sub DESTROY ($self) {
    local ($?, $@, $!);
    $self->stop;
    return;
}

1;
