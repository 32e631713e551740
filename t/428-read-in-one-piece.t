#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What a member sends is read in one piece and handed out by lines: however it
# comes, the client gets what it gets from a pool without this module. Where
# another filter sees the connection to the member (mod_dumpio), it sees all.
use lib 't/lib';
use LBS::Test timeout => 120;

use LBS::Fake;
use LBS::Governed;
use LBS::Httpd;

# A member that writes an answer's parts one after the other, and notes on
# which of its connections each request came.
package Piecewise {
    use parent -norequire, 'LBS::Fake';
    use Socket qw(IPPROTO_TCP TCP_NODELAY);

    sub new ($class, $answers) {
        my $self = $class->member(name => 'p1');
        $self->serve_by(sub ($c) {
            setsockopt $c, IPPROTO_TCP, TCP_NODELAY, 1;
            while (1) {
                my $head = '';
                $head .= LBS::Fake::take($c, 1) until $head =~ /\r\n\r\n\z/;
                my ($which) = $head =~ m{^GET \S*/(\w+) };
                $self->note("$$ $which\n");
                for my $part (@{$answers->{$which}}) {
                    LBS::Fake::give($c, $part);
                    select undef, undef, undef, 0.002;
                }
                die "end\n" if $which =~ /^close/;
            }
        });
        return $self;
    }
}

my $WHOLE = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-A: 1\r\n"
    . "X-Folded: one\r\n two\r\nX-Empty:\r\nContent-Length: 5\r\n\r\nhello";
my $LONG = 'abcdefghij' x 5000;
my %answers = (
    whole => [$WHOLE],
    bytes => [split //, $WHOLE],
    lines => [split /(?<=\n)/, $WHOLE],
    ends => [split /(?<=\r)/, $WHOLE],
    bare => [$WHOLE =~ s/\r//gr],
    long => ["HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n$LONG"],
    fields => ["HTTP/1.1 200 OK\r\n" . join('', map { "X-F$_: "
        . 'v' x 90 . "\r\n" } 1 .. 120) . "Content-Length: 3\r\n\r\nend"],
    chunks => ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
               "2\r\nde\r\n0\r", "\n\r\n"],
    hints => ["HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n$WHOLE"],
    empty => ["HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n"],
    surplus => ["$WHOLE HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad"],
    close => ["HTTP/1.1 200 OK\r\n\r\nto the end", ' of it'],
    closehead => ["HTTP/1.1 200 OK\r\nX-A: 1\r\n"],
    closeline => ["HTTP/1.1 200"],
    closeempty => [],
);
my $member = Piecewise->new(\%answers);

sub start ($modules, $server) {
    my $line = 'BalancerMember "http://@B1@" route=r1';
    my $h = governed([$member], children => 1, modules => $modules,
        server => "MinSpareThreads 1\n$server",
        app => "LBSticky route=R\nLBStickyEject off\nLBStickyRetry off\n$line",
        stock => "LBSticky off\n$line");
    $h->announce(qr/\[proxy(?:_http)?:(?:error|warn)\]/);
    return $h;
}

# All that the client sees, but for the date.
sub seen ($r) {
    my @fields = grep { $_->[0] !~ /^(?:Date|X-Decision)$/i } @{$r->headers};
    return join "\n", $r->status, (map { "$_->[0]: $_->[1]" } @fields),
        '', $r->body, $r->incomplete ? 'cut' : 'whole';
}

sub same ($h, @which) {
    for my $which (@which) {
        my ($ours, $stock) = map { seen($h->get("/$_/$which")) } qw(app stock);
        # A connection that ended before an answer is nobody's answer.
        s/\n.*//s for $which =~ /^close(?!$)/ ? ($ours, $stock) : ();
        is $ours, $stock, $which;
    }
}

subtest 'the client gets the same' => sub {
    same(start([], ''), sort keys %answers);
};

subtest 'connections are kept, and what follows an answer is none' => sub {
    my $h = start([], '');
    $member->clear;
    is $h->get('/app/whole')->body, 'hello', "an answer, $_" for 1 .. 3;
    my %on = map { (split)[0] => 1 } $member->lines;
    is keys %on, 1, 'on one connection';
    is $h->get('/app/surplus')->body, 'hello', 'one with something behind it';
    is $h->get('/app/empty')->status, 204, 'the next request has its own';
    %on = map { (split)[0] => 1 } $member->lines;
    is keys %on, 2, 'on another connection';
};

subtest 'another filter sees what the member sends' => sub {
    my $h = start(['dumpio'], "LogLevel dumpio:trace7\nDumpIOInput On\n");
    same($h, qw(whole lines chunks surplus closehead));
    ok scalar($h->error_log(qr/dumpio_in .*Folded: one/)), 'in the log';
};

done_testing;
