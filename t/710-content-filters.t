#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Filters that read or write bodies stand between a visitor and a member that
# breaks: what the next member gets is what came out of them, whole, or nothing
# is sent again; what the visitor gets has seen them once.
use lib 't/lib';
use LBS::Test timeout => 200;

use Digest::SHA qw(sha256_hex);
use LBS::Governed;
use LBS::State;

my $MODULES = $ENV{LBS_MODULES_DIR} // '/usr/lib/apache2/modules';
my @TOLD = (qr/\[(?:proxy\w*|ext_filter|deflate|security2|:error)\S*:(?:error|warn)\]/,
            qr/ModSecurity|:notice\]/, qr/\[:(?:error|warn)\]/);
my $TEXT = join ' ', map { "a$_" } 1 .. 40_000;

sub at ($n) { return ['Cookie', "R=x.r$n"] }

# name => [module, lines, what is sent is gzip]
my %INPUT = (
    plain => ['proxy', ''],
    security => ['security2', "SecRuleEngine On\nSecRequestBodyAccess On"],
    sed => ['sed', "SetInputFilter Sed\nInputSed \"s/a/bb/g\""],
    inflate => ['deflate', 'SetInputFilter DEFLATE', 1],
    keep => ['request', "KeptBodySize 1000000\nSetInputFilter KEEP_BODY"],
    tr => ['ext_filter', 'SetInputFilter upper'],
    buffer => ['buffer', 'SetInputFilter BUFFER'],
    case => ['case_filter_in', 'SetInputFilter CaseFilterIn'],
    two => ['sed', "SetInputFilter DEFLATE;Sed\nInputSed \"s/a/bb/g\"", 1],
);
my %OUTPUT = (
    plain => ['proxy', ''],
    substitute => ['substitute', "SetOutputFilter SUBSTITUTE\nSubstitute \"s/x/yz/\"\n"
        . 'SubstituteMaxLineLength 1m'],
    sed => ['sed', "SetOutputFilter Sed\nOutputSed \"s/x/yz/g\""],
    tr => ['ext_filter', 'SetOutputFilter upper'],
    deflate => ['deflate', 'SetOutputFilter DEFLATE'],
    brotli => ['brotli', 'SetOutputFilter BROTLI_COMPRESS'],
    case => ['case_filter', 'SetOutputFilter CaseFilter'],
    security => ['security2', "SecRuleEngine On\nSecResponseBodyAccess On\n"
        . 'SecResponseBodyMimeType text/plain application/json'],
    buffer => ['buffer', 'SetOutputFilter BUFFER'],
);

# Those whose module is installed.
sub present ($of) { return grep { -e "$MODULES/mod_$of->{$_}[0].so" } sort keys %$of }

# A pool behind each of the filters, and beside it the stock balancer's.
sub start ($web, $of, $lines) {
    my $text = '';
    my %modules = map { $of->{$_}[0] => 1, $of->{$_}[1] =~ /DEFLATE/ ? (deflate => 1) : () }
        present($of);
    my $front = $modules{ext_filter}
        ? "ExtFilterDefine upper mode=input cmd=\"/usr/bin/tr a-z A-Z\"\n" : '';
    $front =~ s/input/output/ if $of == \%OUTPUT;
    for my $name (present($of)) {
        $text .= <<"CONF" for ["$name", "LBSticky route=R\n$lines"], ["stock-$name", 'LBSticky off'];
<Proxy "balancer://$_->[0]">
$_->[1]
@{[$_->[0] =~ /^stock/ ? '' : 'BalancerMember "http://@B1@" route=r1']}
BalancerMember "http://\@B2@" route=r2
</Proxy>
<Location "/$_->[0]/">
ProxyPass "balancer://$_->[0]/"
$of->{$name}[1]
</Location>
CONF
    }
    my $h = LBS::Httpd->new(backends => $web, children => 1,
        modules => ['filter', $modules{security2} ? 'unique_id' : (), sort keys %modules],
        conf => "MinSpareThreads 1\nLBStickyEject off\n$front$text\@STATUS\@\n");
    $h->announce(@TOLD);
    return $h->start;
}

sub gzip ($text) {
    require IO::Compress::Gzip;
    IO::Compress::Gzip::gzip(\$text => \my $packed);
    return $packed;
}

# How much a compressor writes at a time depends on when it gets it.
sub plain ($r) {
    my $coding = $r->header('Content-Encoding') // '';
    return $r->body if $coding eq '';
    return length $r->body ? 'some' : 'nothing' if $coding ne 'gzip';
    require IO::Uncompress::Gunzip;
    my $packed = $r->body;
    IO::Uncompress::Gunzip::gunzip(\$packed => \my $text) or return 'broken';
    return $text;
}

subtest 'a request through input filters' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web, \%INPUT, 'LBStickyRetry budget=100 body=1m');
    my $url = '/?at=' . $web[0]->name;
    # How the first member breaks; whether it has a connection that is kept.
    my @breaks = (
        [refuses => sub { $web[0]->refuse }, 0, ''],
        ['resets when it has read' => sub { }, 0, '&reset=before'],
        ['closes when it has read' => sub { }, 0, '&close=before'],
        ['resets kept connections' => sub { $web[0]->set(reuse => 'reset') }, 1, ''],
        ['closes kept connections' => sub { $web[0]->set(reuse => 'close') }, 1, ''],
    );
    for my $name (present(\%INPUT)) {
        my (@wrong, $sent, $again, %right);
        for my $break (@breaks) {
            my ($what, $how, $kept, $query) = @$break;
            for my $size (10, 2000, 40_000, 200_000) {
                for my $chunked (0, $size < 100_000 ? 1 : ()) {
                    my $body = substr $TEXT, 0, $size;
                    my @headers = (['Content-Type', 'text/plain']);
                    if ($INPUT{$name}[2]) {
                        $body = gzip($body);
                        push @headers, ['Content-Encoding', 'gzip'];
                    }
                    my @how = (body => $body, chunked => $chunked);
                    $web[0]->set;
                    my $right = $right{$size} //= $h->request('PUT', "/stock-$name/",
                        @how, headers => [@headers])->json->{body_sha256};
                    $h->get("/$name/", headers => [at(1)]) if $kept;
                    $how->();
                    for my $method ('PUT', $size == 2000 ? 'POST' : ()) {
                        $_->clear for @web;
                        my $r = $h->request($method, "/$name$url$query", @how,
                            headers => [at(1), @headers]);
                        my @got = map { $_->requests } @web;
                        $sent++;
                        $again++ if $r->status == 200;
                        push @wrong, "$method $size" . ($chunked ? ' chunked' : '')
                            . ", it $what: $_->{backend} got $_->{body_length} bytes, not those"
                            for grep { $_->{body_sha256} ne $right } @got;
                        push @wrong, "$method $size, it $what: $method is repeated"
                            if $method eq 'POST' && @got > 1;
                        push @wrong, "$method $size, it $what: " . $r->status
                            if $r->status != 200 && $what eq 'refuses';
                    }
                    $web[0]->accept if $what eq 'refuses';
                }
            }
        }
        is scalar @wrong, 0, "$name: $sent requests, $again answered";
        diag("$name: $_") for @wrong > 20 ? @wrong[0 .. 19] : @wrong;
    }
    quiet($h);
};

subtest 'an answer through output filters, another one thrown away' => sub {
    my @web = LBS::Backend->many(2);
    my $h = start(\@web, \%OUTPUT, 'LBStickyRetry status=503 budget=100');
    for my $name (present(\%OUTPUT)) {
        my @wrong;
        for my $size (0, 10, 3000, 70_000) {
            for my $chunked (0, 1) {
                my $query = "?size=$size&header=Content-Type:text/plain"
                    . ($chunked ? '&chunked=1' : '');
                my @how = (headers => [at(1), ['Accept-Encoding', 'gzip, br']]);
                my $right = $h->get("/stock-$name/$query", @how);
                # The member's own query comes later and wins.
                $web[0]->set(status => 503);
                my $r = $h->get("/$name/$query", @how);
                my $case = "$size bytes" . ($chunked ? ' chunked' : '');
                push @wrong, "$case: status " . $r->status if $r->status != 200;
                push @wrong, "$case: from " . ($r->member // 'nobody')
                    if ($r->member // '') ne $web[1]->name;
                my @body = map { plain($_) } $r, $right;
                push @wrong, "$case: " . length($body[0]) . ' bytes, not '
                    . length $body[1] if $body[0] ne $body[1];
                push @wrong, "$case: not whole" if $r->incomplete;
                # mod_deflate leaves a small body alone when it has come
                # together with the head, which is a matter of chance.
                my @fields = map { $_->header('Content-Encoding') // '' } $r, $right;
                push @wrong, "$case: [$fields[0]], not [$fields[1]]"
                    if $size > 1000 && $fields[0] ne $fields[1];
                $web[0]->set;
            }
        }
        is scalar @wrong, 0, "$name: one answer";
        diag("$name: $_") for @wrong;
    }
    quiet($h);
};

done_testing;
