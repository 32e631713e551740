#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What is sent to lb-status by who means harm, or by a program that is broken:
# markup and line ends in every parameter of every document, forms that must
# be refused at no cost, forms that are large and right.
use lib 't/lib';
use Digest::SHA qw(sha256_hex);
use JSON::PP ();
use LBS::Test;
use LBS::State;

my @web = LBS::Backend->many(3);
my $path = '/' . 'p' x 300;
my $h = LBS::Httpd->new(backends => \@web, children => 1,
    modules => ['auth_basic', 'authn_file', 'authz_user'], conf => <<"CONF");
LBSticky cookie session=sid
LBStickyAdmin on
LBStickySlowStart off
<Proxy "balancer://app">
    BalancerMember "http://\@B1\@" route=web1
    BalancerMember "http://\@B2\@" route=web2
    BalancerMember "http://\@B3\@$path" route=web3
</Proxy>
<Location "/lb-status">
    SetHandler lb-status
    AuthType Basic
    AuthName "operators"
    AuthBasicProvider file
    AuthUserFile "\@ROOT\@/conf/users"
    <LimitExcept GET HEAD>
        Require user ann
    </LimitExcept>
</Location>
ProxyPass "/" "balancer://app/"
CONF
$h->write('conf/users', join '', map { "$_:{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=\n" }
    qw(ann bob));
$h->start;

my @FORM = ('Content-Type', 'application/x-www-form-urlencoded');
my @SCRIPT = ('LBSticky-Admin', '1');
my %AUTH = (ann => ['Authorization', 'Basic YW5uOnRlc3Q='],
            bob => ['Authorization', 'Basic Ym9iOnRlc3Q=']);

sub escape ($text) {
    return $text =~ s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ger;
}

# All that an administrator can change.
sub state_hash () {
    my $state = $h->json;
    return sha256_hex(JSON::PP->new->canonical->encode([$state->{events}, map {
        [map { [@$_{qw(id state weight sessions override drain eject)}] }
         @{$_->{members}}]
    } @{$state->{pools}}]));
}

sub admin_form ($body, @more) {
    return $h->request('POST', '/lb-status/admin', body => $body,
                       headers => [[@FORM], $AUTH{ann}, @more]);
}

my @NASTY = ('"><script>alert(1)</script>', "'><img src=x onerror=alert(1)>",
             "x\r\nX-Evil: 1\r\n\r\n<script>alert(1)</script>",
             '</script><script>alert(1)</script>', "\xff\xfe<u>", '&lt;b&#62;',
             '<' x 2000, '%s%n%d' x 50, '../../etc/passwd');

# No answer has markup of a parameter in it, or a header of it; what is JSON
# can be read, and what is not says so.
sub harmless ($r, $what) {
    my $type = $r->header('Content-Type') // '';
    my @wrong;
    push @wrong, 'no answer' if !$r->status;
    push @wrong, 'status ' . $r->status if $r->status >= 500;
    push @wrong, 'a header' if defined $r->header('X-Evil');
    push @wrong, 'sniffed' if ($r->header('X-Content-Type-Options') // '') ne 'nosniff';
    if ($type =~ m{^application/json}) {
        push @wrong, 'no JSON' if !eval { $r->json };
    }
    else {
        push @wrong, "markup in $type" if $r->body =~ m{alert\(1\)</script>|<img|<u>|<<};
    }
    return map { "$what: $_" } @wrong;
}

subtest 'markup and line ends in every parameter' => sub {
    my @sids = map { "sid$_" } 1 .. 5;
    $h->get('/', headers => [['Cookie', "sid=$_"]]) for @sids;
    my $before = state_hash();
    my %of = (
        '' => ['', qw(pool vhost member action done find state sort order page
                      span events unknown)],
        '/explain' => ['pool=app&', qw(pool vhost cookie ip key unknown)],
    );
    my ($asked, $pages, @wrong) = (0, 0);
    for my $document (sort keys %of) {
        my ($with, @names) = @{$of{$document}};
        for my $name (@names) {
            for my $value (@NASTY) {
                my $query = ($name eq 'pool' ? '' : $with) . "$name=" . escape($value);
                push @wrong, harmless($h->get("/lb-status$document?$query"),
                                      "$document?$name");
                $asked++;
            }
        }
        push @wrong, harmless($h->get("/lb-status$document?$with" . escape($_) . '=1'),
                              "$document, a name") for @NASTY;
    }
    my %good = (pool => 'app', member => 'web1', action => 'drain');
    my ($nonce) = $h->get('/lb-status?pool=app&member=web1&action=drain')->body
        =~ /name='nonce' value='(\w+)'/;
    for my $name (qw(pool vhost member action nonce weight deadline idle key cookie unknown)) {
        for my $value (@NASTY) {
            my %field = (%good, nonce => $nonce, $name => $value);
            $field{action} = 'forget' if $name =~ /^(?:key|cookie)$/;
            $field{action} = 'weight' if $name eq 'weight';
            # With a nonce the answer is a page; a script gets JSON.
            for my $as ('page', $name eq 'nonce' ? () : 'script') {
                delete $field{nonce} if $as eq 'script';
                my $body = join '&', map { "$_=" . escape($field{$_}) } sort keys %field;
                my $r = admin_form($body, $as eq 'script' ? [@SCRIPT] : ());
                push @wrong, harmless($r, "admin $name");
                $pages += ($r->header('Content-Type') // '') =~ /html/;
                push @wrong, "admin $name, $as: " . $r->status if $r->status < 400;
                $asked++;
            }
        }
    }
    is join("\n", @wrong), '', "$asked questions, no harm";
    cmp_ok $pages, '>=', 50, "$pages refusals were pages";
    is state_hash(), $before, 'and nothing is changed';
    is scalar(grep { /\e|^<|^X-Evil/ } $h->error_log), 0, 'nor the log forged';
};

subtest 'access to the page alone allows no change' => sub {
    my $before = state_hash();
    my %form = (pool => 'app', member => 'web1', action => 'drain');
    my $post = sub (@headers) {
        $h->post('/lb-status/admin', \%form, headers => [[@SCRIPT], @headers])->status
    };
    is $h->get('/lb-status')->status, 200, 'the page is for all';
    is $post->(), 401, 'a change not';
    is $post->($AUTH{bob}), 401, 'not for everybody who has a password';
    is state_hash(), $before, 'nothing is changed';
    is $post->($AUTH{ann}), 200, 'for one it is';
    isnt state_hash(), $before, 'then it is';
    is $h->post('/lb-status/admin', {%form, action => 'enable'},
                headers => [[@SCRIPT], $AUTH{ann}])->status, 200, 'and back';
};

subtest 'a large form that is right' => sub {
    my $long = $web[2]->url . $path;
    my $bytes = sub ($text) { $text =~ s/(.)/sprintf '%%%02x', ord $1/gesr };
    my $vhost = $h->json->{pools}[0]{vhost};
    my $body = join '&', map { "$_->[0]=" . $bytes->($_->[1]) } [pool => 'app'],
        [vhost => $vhost], [member => $long], [action => 'drain'],
        [deadline => '10min'], [idle => '5min'];
    cmp_ok length $body, '>', 1024, length($body) . ' bytes of form';
    for my $chunked (0, 1) {
        my $r = $h->request('POST', '/lb-status/admin', body => $body,
            chunked => $chunked, headers => [[@FORM], [@SCRIPT], $AUTH{ann}]);
        is $r->status, 200, $chunked ? 'in chunks' : 'with a length';
        is $r->json->{state}, 'drain', 'done';
        admin_form('pool=app&member=web3&action=enable', [@SCRIPT]);
    }
    # In pieces, as it comes over a slow line.
    my $c = $h->connect;
    $c->write("POST /lb-status/admin HTTP/1.1\r\nHost: localhost\r\n"
        . join('', map { "$_->[0]: $_->[1]\r\n" } [@FORM], [@SCRIPT], $AUTH{ann})
        . 'Content-Length: ' . length($body) . "\r\n\r\n");
    for my $part ($body =~ /(.{1,300})/gs) {
        $c->write($part);
        sleep 0.02;
    }
    my $r = $c->response('POST');
    is $r->status . ' ' . ($r->json->{state} // ''), '200 drain', 'in pieces';
    is member_state($h, 'app', 'web3')->{state}, 'drain', 'and so it is';
    admin_form('pool=app&member=web3&action=enable', [@SCRIPT]);
};

# Resident memory of all children, in kB.
sub memory () {
    my $sum = 0;
    $sum += $_ for map { LBS::Proc::slurp("/proc/$_/status") =~ /^VmRSS:\s+(\d+)/m }
        $h->children;
    return $sum;
}

subtest 'forms that are refused cost nothing that stays' => sub {
    my $before = state_hash();
    my @bad = (
        [413, 'pool=' . 'a' x 1_000_000],
        [413, join '&', map { "field$_=1" } 1 .. 10_000],
        [413, '&' x 1_000_000], [413, '%' x 300_000],
        [400, join '&', map { "f$_=1" } 1 .. 1000], [400, '&' x 60_000],
        [400, 'pool=' . '%zz' x 1000], [400, 'pool=app&pool=app'],
        [400, '=' x 1000], [400, '%00=1'],
    );
    my $all = sub ($times, $slowest = 0) {
        for (1 .. $times) {
            for my $bad (@bad) {
                my $r = admin_form($bad->[1], [@SCRIPT]);
                return "$bad->[0]: " . $r->status if $r->status != $bad->[0];
                $slowest = $r->elapsed if $r->elapsed > $slowest;
            }
        }
        return $slowest < 1 ? '' : "slow: $slowest s";
    };
    is $all->(8), '', 'each is refused, and in time';
    my $warm = memory();
    is $all->(16), '', 'again and again';
  SKIP: {
        skip 'a sanitizer keeps what was freed', 1 if $ENV{LBS_PRELOAD};
        cmp_ok memory() - $warm, '<', 8192, 'without memory that grows';
    }
    is state_hash(), $before, 'and nothing is changed';
};

$h->no_unexpected_log(qr/AH0161[78]|AH01631|AH01797|AH00566/);
done_testing;
