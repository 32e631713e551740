#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Cookie headers as clients, proxies and attackers write them: what is ours,
# what is not, and how long it takes to find out.
use lib 't/lib';
use LBS::Test;
use LBS::Governed;

my @web = LBS::Backend->many(3, name => 'web');
my $h = governed(\@web,
    app  => 'LBSticky session=LB',
    own  => "LBSticky cookie\nLBStickyCookie first=off name=LB",
    keys => 'LBSticky query=sid path=pid header=X-Key',
    both => 'LBSticky session=LB cookie route=LB',
    modules => ['http2'], server => <<'CONF');
LBStickyMethod round-robin
LimitRequestFieldSize 140000
LimitRequestFields 300
LimitRequestLine 70000
Protocols h2c http/1.1
CONF

sub cookies (@values) { return headers => [map { ['Cookie', $_] } @values] }

# Bind an id, or learn the module's own token: both are what LB= may hold.
sub bind_id ($id) {
    my $r = $h->get('/app/?cookie=LB%3D' . $id);
    die 'not bound' if verdict($h->get('/app/', cookies("LB=$id"))) ne 'kept';
    return $r->member;
}

my $member = bind_id('abc');
my $first = $h->get('/own/');
my $token = token_in($first, 'LB');

# The best of five, with a short answer: what is measured is the module, not
# the machine or the backend.
sub is_quick ($code, $what) {
    my $best;
    for (1 .. 5) {
        my $begun = time;
        my $r = $code->();
        my $took = time - $begun;
        $best = $took if !defined $best || $took < $best;
        local $Test::Builder::Level = $Test::Builder::Level + 1;
        return ok 0, "$what: " . ($r->error // $r->status)
            if $r->status != 200;
        last if $best < 0.05;
    }
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return cmp_ok $best, '<', 0.05, "$what: answered at once";
}

subtest 'delimiters only' => sub {
    my @nothing = (';', ',', '; ;', '=', '==', ' ', '"', '""', ';=', '=;',
        ', ,', ',;,;', '$', "\t", ';"', '";', '=";', 'LB', 'LB;', ';LB',
        'a=b; ', 'a=b;', 'LB=', 'LB=;', 'LB="";');
    my @long = map { [$_, $_ x (65536 / length)] } ';', ',', '=', '"', '; ',
        ', ', '";', '=,', 'LB', 'LB;', 'LB=;', ', a', '="', '\\"', ' ';
    my $entries = $h->json->{table}{entries};
    my @status = map { $h->get('/app/?size=9', cookies($_))->status }
        @nothing, map { $_->[1] } @long;
    is_deeply [grep { $_ != 200 } @status], [], 'all are answered';
    is $h->json->{table}{entries}, $entries, 'and nothing is kept of them';
    for my $pool (qw(app own both)) {
        for (@nothing) {
            my $r = $h->get("/$pool/", cookies($_));
            is verdict($r), 'new first', "$pool: '$_'";
        }
        for (@long) {
            my ($what, $text) = @$_;
            is_quick(sub { $h->get("/$pool/?size=9", cookies($text)) },
                     "$pool: 64 KB of '$what'");
        }
        is_quick(sub { $h->get("/$pool/?size=9", cookies('LB=a;' x 13107)) },
                 "$pool: 13 000 unknown ones of our name");
        is_quick(sub { $h->get("/$pool/?size=9", cookies(('a=b; LB=c') x 250)) },
                 "$pool: 250 fields");
    }
};

subtest 'the last header of a request' => sub {
    for my $end ('a=b; ', 'a=b;', 'LB=', 'LB', "LB=abc", 'LB="abc"', 'LB="') {
        my $answer = $h->raw("GET /app/ HTTP/1.1\r\nHost: x\r\n"
            . "Connection: close\r\nCookie: $end\r\n\r\n");
        like $answer, qr{^HTTP/1\.1 200 }, "'$end'";
    }
};

subtest 'names match whole and with their case' => sub {
    for my $name (qw(XLB LB2 L lb Lb LB.x x.LB LB- -LB LBLB B), '"LB"', ' X LB') {
        is verdict($h->get('/app/', cookies("$name=abc"))), 'new first',
            "session: $name";
        my $r = $h->get('/own/', cookies("$name=$token"));
        is verdict($r), 'new first', "cookie: $name";
        my ($seen) = grep { $_->[0] eq 'Cookie' } @{$r->json->{headers}};
        is $seen->[1], "$name=$token" =~ s/^ //r, 'and it is not stripped';
    }
};

# What stands in LB, as the application would read it: 'kept' is the session
# abc, 'new unknown' another one, 'new first' none.
my @spellings = (
    ['kept', 'LB=abc', ' LB=abc ', 'LB =abc', 'LB= abc', 'LB="abc"',
     'LB="abc"; x=y', 'x=y;LB=abc', 'x=y ;LB=abc;', ';LB=abc', ';;;LB=abc;;;',
     'a="x; LB=abc', 'a="x; y"; LB=abc', 'a="x, y"; LB=abc', 'a=b, LB=abc',
     'LB=abc, a=b', 'LB=""; LB=abc', 'LB=zz; LB=abc', 'LB=zz, LB=abc',
     'LB; LB=abc', '=x; LB=abc', '$Version=1; LB=abc; $Path="/"',
     "a=\xff\x80; LB=abc", "a=\tb;\tLB=abc\t", 'a=b=c==; LB=abc',
     'a="b\\"; LB=abc', ', LB=abc', 'LB="x"; LB="abc"', 'x="; LB=abc; y="'],
    ['new unknown', 'LB=abc,def', 'LB==abc', 'LB="abc', 'LB=abc"',
     "LB='abc'", 'LB=ABC', 'LB=ab', 'LB=abcd', 'LB=a bc', 'LB=%61bc',
     "LB=abc\x80", 'LB=""abc""', 'LB=abc%00'],
    ['new first', 'a=b; c=LB=abc', 'a="LB=abc"', 'a="x, LB=abc"',
     'a=b,LB=abc', 'a LB=abc', 'LB', 'LB=', 'LB=""', 'LB= ', 'a=b&LB=abc'],
);

subtest 'quotes, blanks and commas' => sub {
    for (@spellings) {
        my ($want, @list) = @$_;
        for my $text (@list) {
            my $r = $h->get('/app/', cookies($text));
            is verdict($r), $want, "[$text] is $want";
            is $r->member, $member, 'and stays' if $want eq 'kept';
        }
    }
    # Nothing that was learned on the way is abc's.
    is verdict($h->get('/app/', cookies('LB=abc'))), 'kept', 'still bound';

    for my $text (@{$spellings[0]}[1 .. $#{$spellings[0]}]) {
        (my $own = $text) =~ s/abc/$token/;
        my $r = $h->get('/own/', cookies($own));
        is verdict($r), 'kept', "[$text] as our own";
        unlike join(' ', map { "@$_" } @{$r->json->{headers}}), qr/$token/,
            'stripped';
    }
};

subtest 'several Cookie fields' => sub {
    # httpd joins the fields with commas; where ours was stands a semicolon.
    my @others = ('a=b', 'c="d; e"', 'f=g,h');
    my @left = ('a=b, c="d; e", f=g,h', 'a=b; c="d; e", f=g,h',
                'a=b, c="d; e"; f=g,h', 'a=b, c="d; e", f=g,h');
    for my $at (0 .. 3) {
        for my $ours (['app', 'LB=abc'], ['own', "LB=$token"]) {
            my ($pool, $crumb) = @$ours;
            my @fields = @others;
            splice @fields, $at, 0, $crumb;
            my $r = $h->get("/$pool/", cookies(@fields));
            is verdict($r), 'kept', "$pool: field $at";
            my $seen = join '; ', map { $_->[1] }
                grep { lc $_->[0] eq 'cookie' } @{$r->json->{headers}};
            is $seen, $pool eq 'own' ? $left[$at] : join(', ', @fields),
                'what the member gets';
        }
    }
};

# One request by HTTP/2: what the client's own program shows of the answer.
sub h2 ($uri, @fields) {
    my @command = ('nghttp', '-v', '-t', '10',
        (map { ('-H', $_) } @fields),
        'http://127.0.0.1:' . $h->port . $uri);
    open my $p, '-|', @command or die "nghttp: $!";
    local $/;
    my $text = <$p>;
    close $p;
    my %r = (status => ($text =~ /:status: (\d+)/)[0] // 0,
             decision => join(' ', $text =~ /x-decision: (\w+)\|(\w*)/),
             member => ($text =~ /x-backend: (\S+)/)[0] // '',
             cookies => [$text =~ /recv \([^)]*\) set-cookie: (\S+)/g]);
    ($r{body}) = $text =~ /^(\{"at".*\})$/m;
    $r{decision} =~ s/ $//;
    return \%r;
}

subtest 'crumbs of HTTP/2' => sub {
    my $new = h2('/own/');
    is $new->{status}, 200, 'an answer';
    is scalar(@{$new->{cookies}}), 1, 'with a cookie';
    for my $at (0 .. 2) {
        my @crumbs = ('cookie: a=b', 'cookie: c=d');
        splice @crumbs, $at, 0, "cookie: LB=$token";
        my $r = h2('/own/', @crumbs);
        is $r->{decision}, 'kept', "ours is crumb $at";
        is $r->{member}, $first->member, 'the same member';
        is @{$r->{cookies}}, 0, 'no new cookie';
        my $seen = JSON::PP::decode_json($r->{body})->{headers};
        is join('; ', map { $_->[1] } grep { lc $_->[0] eq 'cookie' } @$seen),
            'a=b; c=d', 'the others arrive';
        @crumbs = ('cookie: a=b', 'cookie: c=d');
        splice @crumbs, $at, 0, 'cookie: LB=abc';
        $r = h2('/app/', @crumbs);
        is "$r->{decision} $r->{member}", "kept $member", 'the application\'s';
    }
    my $r = h2('/own/', 'cookie: a="x', "cookie: LB=$token", 'cookie: b=y"');
    is $r->{decision}, 'kept', 'stray quotes in the neighbours';
    $r = h2('/own/', 'cookie: LB=', "cookie: LB=$token", 'cookie: LB');
    is $r->{decision}, 'kept', 'the first usable of three';
};

# Each of these is a key of its own, whole: what differs behind the odd byte
# differs, what is equal is equal.
subtest 'NUL and high bytes in keys' => sub {
    my @odd = ('%00', "\x80", "\xff", "\xc3\xa4", '%', '%0', '%zz', "\xa0");
    my $ask = sub ($kind, $value) {
        return $kind eq 'query' ? $h->get("/keys/?sid=$value")
            : $kind eq 'path' ? $h->get("/keys/a;pid=$value")
            : $kind eq 'header' ? $h->get('/keys/', headers => [['X-Key', $value]])
            : $h->get('/app/', cookies("LB=$value"));
    };
    for my $kind (qw(query path header cookie)) {
        for my $odd (@odd) {
            # httpd itself refuses what is no URL.
            next if $kind eq 'path' && $odd =~ /^%/;
            my $name = $odd =~ s/([^!-~])/sprintf '\\x%02x', ord $1/ger;
            my @r = map { $ask->($kind, "k$kind$odd$_") } 1, 2, 1;
            is "@{[map { verdict($_) } @r]}",
                'new unknown new unknown kept', "$kind with $name";
            is $r[2]->member, $r[0]->member, 'kept where it was';
        }
    }
    my $r = $h->get('/keys/a;pid=x%00y');
    like $r->status, qr/^(?:400|404)$/, 'a NUL in the path is refused';
    for my $bytes ("Cookie: LB=a\0b", "X-Key: a\0b") {
        like $h->raw("GET /app/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            . "$bytes\r\n\r\n"), qr{^HTTP/1\.1 400 }, 'a NUL in a header too';
    }
};

subtest 'keys of one byte' => sub {
    for my $id (qw(x 0 =), "\xe9") {
        my $m = $h->get('/app/', cookies("LB=$id"))->member;
        is join(' ', map { verdict($_) . ' ' . $_->member }
                $h->get('/app/', cookies("LB=$id"))), "kept $m", 'cookie';
        next if $id eq '=';
        $m = $h->get("/keys/?sid=$id")->member;
        is join(' ', map { verdict($_) . ' ' . $_->member }
                $h->get("/keys/?a=b&sid=$id&c")), "kept $m", 'query';
    }
};

subtest '500 Set-Cookie and Set-Cookie2 lines' => sub {
    my @lines = map { "c$_=v$_; Path=/" } 1 .. 500;
    $lines[249] = 'LB=among500; Path=/';
    my @more = map { "Set-Cookie2:d$_=v$_; Version=1" } 1 .. 500;
    for my $pool (qw(app own both)) {
        $_->set(cookie => \@lines, header => \@more) for @web;
        my $r = $h->get("/$pool/");
        is $r->status, 200, "$pool: answered";
        my @own = grep { /^(?:LB|LBSTICKY_both)=/ && !/among500/ } $r->set_cookies;
        is @own, $pool eq 'app' ? 0 : 1, 'ours once';
        is_deeply [grep { my $l = $_; !grep { $l eq $_ } @own } $r->set_cookies],
            \@lines, 'all of the application\'s in their order';
        is $r->all('Set-Cookie2'), 500, 'those of RFC 2965 too';
        is_quick(sub { $h->get("/$pool/") }, 'again');
        $_->set for @web;
        next if $pool ne 'app';
        my $kept = $h->get('/app/', cookies('LB=among500'));
        is verdict($kept), 'kept', 'the one in the middle was learned';
    }
};

$h->no_unexpected_log(qr/LBS3500/);
done_testing;
