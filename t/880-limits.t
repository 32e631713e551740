#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# More pools and members than there is room for: refused by `httpd -t`, and a
# reload that finds the places of former ones taken goes on.
use lib 't/lib';
use LBS::Test timeout => 240;
use LBS::Governed;
use LBS::State qw(:DEFAULT visit);

my @web = LBS::Backend->many(1);

# So many pools of so many members each, of names that begin with `name`; and
# one that every configuration has.
sub conf ($pools, $members, $name) {
    my $text = "ProxyPass \"/stays/\" \"balancer://stays/\"\n"
        . "<Proxy \"balancer://stays\">\nLBSticky session=sid\n"
        . "BalancerMember \"http://\@B1\@\" route=stays\n</Proxy>\n";
    for my $p (1 .. $pools) {
        $text .= "ProxyPass \"/$name$p/\" \"balancer://$name$p/\"\n"
            . "<Proxy \"balancer://$name$p\">\nLBSticky session=sid\n"
            . join('', map { sprintf "BalancerMember \"http://\@B1\@/$name$p-%04d\" route=r%d\n", $_, $_ }
                   1 .. $members)
            . "</Proxy>\n";
    }
    return "LogLevel warn lbsticky:info\n$text\@STATUS\@\n";
}

sub httpd ($conf) {
    return LBS::Httpd->new(backends => \@web, children => 1, threads => 8,
                           conf => $conf);
}

# Of members that are renamed in a pool that stays.
sub renamed ($pools, $members, $name) {
    my $text = conf($pools, $members, 'p');
    $text =~ s/route=r/route=$name/g;
    $text =~ s{/p(\d+-\d+)"}{/$name$1"}g;
    return $text;
}

sub serves ($h, $path, $what) {
    my $r = $h->get($path, headers => [['Cookie', 'sid=x1']]);
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is $r->status, 200, $what;
}

subtest 'a configuration over a limit is refused by -t' => sub {
    for (['pools', conf(515, 1, 'p'), qr/LBS1804: there are 516 pools .* at most 512.*LBSticky off/],
         ['members', conf(2, 4096, 'p'), qr/LBS1805: .* have 8193 members.* at most 8191/]) {
        my ($what, $conf, $why) = @$_;
        my ($status, $said) = httpd($conf)->configtest;
        isnt $status, 0, "too many $what";
        like $said, $why, 'with both numbers and what to write';
    }
    my ($status, $said) = httpd(conf(511, 1, 'p'))->configtest;
    is $status, 0, '512 pools are fine' or diag $said;
};

subtest 'pools that are renamed again and again' => sub {
    my $h = httpd(conf(300, 1, 'a'));
    $h->start;
    serves($h, '/a300/', 'at the start');
    for my $name (qw(b c d e)) {
        $h->graceful(conf(300, 1, $name));
        serves($h, "/${name}300/", "all 300 have other names ($name)");
        like $h->json->{pools}[300]{name}, qr/^\Q$name\E/, 'and are governed';
    }
    is scalar(grep { $_->{sessions} } @{$h->json->{pools}}), 1, 'nobody has others\' sessions';
    $h->stop;
    $h->no_unexpected_log;
};

subtest 'members that are renamed again and again' => sub {
    my $h = httpd(renamed(21, 100, 'a'));
    $h->start;
    serves($h, '/stays/', 'a session that stays');
    serves($h, "/p$_/", "pool $_") for 1, 21;
    for my $name (qw(b c d e)) {
        $h->graceful(renamed(21, 100, $name));
        my $state = $h->json;
        is_deeply [map { scalar @{$_->{members}} } @{$state->{pools}}], [1, (100) x 21],
            "$name: every pool has all its members";
        is $state->{pools}[0]{sessions}, 1, 'a session of another pool stays';
        serves($h, "/p$_/", "$name: pool $_") for 1, 21;
        is_deeply [map { $_->{sessions} } @{$h->json->{pools}}[1, 2, 21]], [1, 0, 1],
            'and only sessions of its own';
    }
    $h->stop;
    $h->no_unexpected_log;
};

subtest 'more than there are places, all renamed at once' => sub {
    my $h = httpd(renamed(42, 100, 'a'));
    $h->start;
    serves($h, '/p1/', 'at the start');
    $h->announce(qr/LBS1101|LBS1105/);
    $h->graceful(renamed(42, 100, 'b'));
    serves($h, "/p$_/", "pool $_") for 1, 20, 42;
    my @lines = $h->error_log(qr/LBS1101: pool p\d+: there is no place for \d+ of its members/);
    cmp_ok scalar @lines, '>', 0, 'those without a place are named';
    cmp_ok scalar @lines, '<', 10, 'in a line per pool';
    ok scalar(grep { ($_->{reason} // '') =~ /no place for/ } @{$h->json->{events}}),
        'and an event tells of it';
    $h->graceful(renamed(42, 100, 'b'));
    is_deeply [grep { $_ != 1 && $_ != 100 } map { scalar @{$_->{members}} } @{$h->json->{pools}}],
        [], 'the next reload finds places for all';
    $h->stop;
    $h->no_unexpected_log;
};

done_testing;
