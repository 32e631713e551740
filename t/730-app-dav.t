#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# WebDAV: two mod_dav members that share a directory, and litmus in front.
use lib 't/lib';
use LBS::Test timeout => 200;
use LBS::App;
use LBS::State;
use Digest::SHA qw(sha256_hex);
use File::Temp ();

my $litmus = in_path('litmus');
needs(litmus => $litmus, mod_dav_fs => -e '/usr/lib/apache2/modules/mod_dav_fs.so');

my $shared = File::Temp::tempdir('lbs-XXXXXX', TMPDIR => 1, CLEANUP => 1);
mkdir "$shared/$_" for qw(dav locks);
chmod 0777, $shared, map { "$shared/$_" } qw(dav locks);

sub member () {
    my $h = LBS::Httpd->new(modules => [qw(dav dav_fs)], children => 1, conf => <<"CONF");
DavLockDB "$shared/locks/db"
Alias "/dav" "$shared/dav"
<Directory "$shared/dav">
    Dav On
    Require all granted
</Directory>
CONF
    # What litmus does wrong on purpose.
    $h->announce(qr/\[(?:dav\w*|core|authz\w*):(?:error|warn)\]/);
    return $h->start;
}

my @dav = (member(), member());
my $members = join "\n", map {
    'BalancerMember "http://127.0.0.1:' . $dav[$_]->port . "\" route=d$_" } 0, 1;
my $h = LBS::Httpd->new(conf => <<"CONF");
<Proxy "balancer://dav">
LBSticky none
LBStickyMethod round-robin
$members
</Proxy>
ProxyPass "/" "balancer://dav/"
<Location "/lb-status">
SetHandler lb-status
ProxyPass "!"
</Location>
CONF
$h->announce(qr/\[proxy(?:_http)?:(?:error|warn)\]/);
$h->start;

# (suites and what they say, number of tests that failed)
sub suites ($port) {
    my $said = qx(cd '$shared' && '$litmus' -k http://127.0.0.1:$port/dav/ 2>&1);
    my ($passed, $failed) = (0, 0);
    while ($said =~ /summary for .*?: of \d+ tests run: (\d+) passed, (\d+) failed/g) {
        $passed += $1;
        $failed += $2;
    }
    return ($passed, $failed, $said);
}

my ($direct) = suites($dav[0]->port);
my ($passed, $failed, $said) = suites($h->port);
cmp_ok $direct, '>', 50, "a member alone passes $direct tests of litmus";
is $passed, $direct, 'both behind the pool pass as many' or diag($said);
row(app => 'mod_dav, litmus', scheme => 'http', kept => $passed, of => $direct);

# Uploads while a member is killed: each is stored whole, or the client is told.
my ($errors, $corrupted) = (0, 0);
my @done = in_parallel(4, sub ($i) {
    my @wrong;
    for my $n (1 .. 25) {
        my $body = "$i $n " x 20_000;
        $dav[0]->kill_all if $i == 0 && $n == 10;
        my $r = $h->request('PUT', "/dav/file-$i-$n", body => $body, chunked => $n % 2);
        push @wrong, 'error' if $r->status !~ /^20[14]$/;
        my $got = $h->get("/dav/file-$i-$n");
        push @wrong, 'corrupted' if $r->status =~ /^20[14]$/
            && sha256_hex($got->body) ne sha256_hex($body);
    }
    return \@wrong;
});
for (map { ref eq 'ARRAY' ? @$_ : 'died' } @done) { /error/ ? $errors++ : $corrupted++ }
row(app => 'mod_dav, member killed', scheme => 'http', errors => $errors, corrupted => $corrupted);
quiet($h);

done_testing;
