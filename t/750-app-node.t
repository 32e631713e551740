#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Socket.IO, the Model Context Protocol and gRPC: the servers and the clients
# of their own packages, two members each, one of them killed.
use lib 't/lib';
use LBS::Test timeout => 200;
use IPC::Open2 qw(open2);
use LBS::App;
use LBS::State;

needs('npm packages of t/apps' => node_modules());

sub pool ($scheme, $more, $lines, @apps) {
    return join "\n", '<Proxy "balancer://app">', $lines, (map {
        qq(BalancerMember "$scheme://127.0.0.1:@{[$_->port]}" route=@{[$_->name]} $more)
    } @apps), '</Proxy>';
}

sub front (@lines) {
    my $h = LBS::Httpd->new(modules => [qw(http2 proxy_http2)], children => 1, threads => 120,
        conf => join "\n", 'MinSpareThreads 1', @lines, '@STATUS@');
    $h->announce(qr/\[(?:proxy\w*|http2):(?:error|warn)\]/);
    return $h->start;
}

sub servers ($h, $program, $prefix) {
    node('grpc.js');
    my @apps = map { LBS::App->start(name => "$prefix$_", dir => $h->root . '/logs',
        command => [node($program)]) } 1, 2;
    $_->ready for @apps;
    return @apps;
}

# The client's two words, and what happens in between.
sub converse ($between, @command) {
    my $pid = open2(my $out, my $in, @command);
    my $first = <$out> // die "@command says nothing\n";
    my @first = @{JSON::PP->new->decode($first)};
    $between->(@first);
    print $in "go\n";
    close $in;
    my $second = <$out> // die "@command says no more\n";
    waitpid $pid, 0;
    return ([@first], JSON::PP->new->decode($second));
}

sub stayed (@visitors) { return scalar grep { @{$_->{names}} == 1 && !$_->{error} } @visitors }

# The last polls and streams of clients that are gone end with the server.
sub quiet_at_last ($h, $app) {
    $app->kill;
    return quiet($h);
}

# A root to begin with, for the programs' logs.
my $logs = LBS::Httpd->new;

subtest 'Socket.IO' => sub {
    my @io = servers($logs, 'socketio-server.js', 'io');
    my $h = front(pool('http', 'upgrade=websocket', "LBSticky cookie\nLBStickyCookie first=off", @io),
        'ProxyPass "/socket.io/" "balancer://app/socket.io/"');
    my $victims = 0;
    my ($before, $after) = converse(sub (@seen) {
        $victims = grep { $_->{names}[0] eq 'io1' } @seen;
        $io[0]->kill;
    }, node('socketio-client.js'), 'http://127.0.0.1:' . $h->port, '/socket.io/');
    is stayed(grep { !$_->{polls} } @$before), 10, 'each websocket has one server';
    is scalar(grep { $_->{upgraded} } @$before), 10, 'after its upgrade';
    cmp_ok $victims, '>', 0, "$victims are at the one that is killed";
    is scalar(grep { $_->{error} } @$after), 0, 'all come back';
    is join(' ', sort map { "@{$_->{names}}" } @$after), join(' ', ('io2') x @$after), 'to the other one';
    row(app => 'Socket.IO', scheme => 'http', kept => stayed(@$before), of => scalar @$before,
        errors => scalar(grep { $_->{dropped} } @$after), corrupted => scalar grep { $_->{odd} } @$after);
    quiet_at_last($h, $io[1]);
};

subtest 'Model Context Protocol' => sub {
    my @mcp = servers($logs, 'mcp-server.js', 'mcp');
    my $h = front(pool('http', '', "LBSticky header=Mcp-Session-Id\nLBStickyMethod round-robin", @mcp),
        'ProxyPass "/mcp" "balancer://app/mcp"');
    my $victims = 0;
    my ($before, $after) = converse(sub (@seen) {
        $victims = grep { ($_->{names}[0] // '') eq 'mcp1' } @seen;
        $mcp[0]->kill;
    }, node('mcp-client.js'), 'http://127.0.0.1:' . $h->port . '/mcp');
    is_deeply [map { $_->{error} // () } @$before], [], 'no call fails';
    cmp_ok $victims, '>', 2, "$victims are at the one that is killed";
    my $errors = grep { $_->{errors} } @$after;
    is $errors, $victims, 'they are told that their session is gone, nobody else';
    row(app => 'MCP', scheme => 'http', kept => stayed(@$before), of => scalar @$before,
        errors => $errors, corrupted => scalar grep { $_->{odd} } @$after);
    quiet_at_last($h, $mcp[1]);
};

subtest 'gRPC' => sub {
    my @grpc = servers($logs, 'grpc-server.js', 'grpc');
    my $h = front('Protocols h2c http/1.1',
        pool('h2c', '', "LBSticky header=X-User\nLBStickyMethod round-robin", @grpc),
        'ProxyPass "/" "balancer://app/"');
    my $victims = 0;
    my ($before, $after) = converse(sub (@seen) {
        $victims = grep { ($_->{names}[0] // '') eq 'grpc1' } @seen;
        $grpc[0]->kill;
    }, node('grpc-client.js'), '127.0.0.1:' . $h->port);
    is_deeply [map { $_->{error} // () } @$before], [], 'no call fails';
    is scalar(grep { $_->{code} == 0 && $_->{read} == 20 } @$before), 12, 'streams are whole';
    cmp_ok $victims, '>', 0, "$victims read from the one that is killed";
    # 14 unavailable, 13 internal, 2 unknown: it broke. 0 and 8, a length that
    # is none, say something else.
    my $errors = grep { $_->{code} =~ /^(?:2|13|14)$/ } @$after;
    my $corrupted = grep { $_->{odd} || $_->{code} !~ /^(?:0|2|13|14)$/
        || ($_->{code} == 0 && $_->{read} != 150) } @$after;
    is $errors, $victims, 'their streams break, nobody else\'s' or diag(explain($after));
    row(app => 'gRPC, killed', scheme => 'h2c', errors => $errors, corrupted => $corrupted);
    row(app => 'gRPC', scheme => 'h2c', kept => stayed(@$before), of => scalar @$before);
    quiet($h);
};

done_testing;
