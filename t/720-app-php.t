#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# PHP by FastCGI: two php-fpm, each with sessions of its own.
use lib 't/lib';
use LBS::Test;
use LBS::App;

my ($fpm) = grep { -x } sort glob '/usr/sbin/php-fpm*';
needs('php-fpm' => $fpm);

my $h = LBS::Httpd->new(children => 1);
my $root = $h->root;
$h->write('htdocs/count.php', <<'PHP');
<?php session_start(); $_SESSION['n'] = ($_SESSION['n'] ?? 0) + 1;
echo getenv('NAME'), ' ', $_SESSION['n'], ' ', strlen(file_get_contents('php://input')), "\n";
PHP
$h->write('htdocs/stream.php', <<'PHP');
<?php for ($i = 0; $i < 100; $i++) { echo getenv('NAME'), " line $i\n"; flush(); usleep(50000); }
PHP

sub start_fpm ($name) {
    my $port = LBS::Ports::free();
    mkdir "$root/$name", 0777;
    chmod 0777, "$root/$name";
    my $user = $> == 0 ? "user = www-data\ngroup = www-data\n" : '';
    my $conf = $h->write("conf/$name.conf", <<"CONF");
[global]
error_log = $root/logs/$name.log
[www]
listen = 127.0.0.1:$port
$user
pm = static
pm.max_children = 4
env[NAME] = $name
php_value[session.save_path] = $root/$name
php_value[output_buffering] = 0
CONF
    return LBS::App->start(name => $name, port => $port, dir => "$root/logs",
        command => [$fpm, '-n', '-F', '-y', $conf])->ready;
}

my %fpm = map { $_ => start_fpm($_) } qw(php1 php2);
my $members = join "\n", map {
    qq(BalancerMember "fcgi://127.0.0.1:@{[$fpm{$_}->port]}" route=$_ flushpackets=on) } sort keys %fpm;
$h->conf(join "\n", (map { <<"CONF" } ['cookie', 'cookie'], ['sid', 'session=PHPSESSID']), '@STATUS@');
<Proxy "balancer://$_->[0]">
LBSticky $_->[1]
LBStickyCookie first=off
LBStickyMethod round-robin
$members
</Proxy>
ProxyPass "/$_->[0]/" "balancer://$_->[0]$root/htdocs/"
CONF
$h->announce(qr/\[proxy(?:_fcgi)?:error\]/);
$h->start;

for my $pool (qw(cookie sid)) {
    my %used;
    my $kept = kept_sessions(20, 5, sub ($jar, $round) {
        my $r = $h->post("/$pool/count.php", 'x' x 1000, jar => $jar);
        $used{$1}++ if $r->body =~ /^(\w+)/;
        return $r->body =~ /^\w+ $round 1000$/;
    });
    is scalar keys %used, 2, "$pool: both are used";
    row(app => "PHP-FPM ($pool)", scheme => 'fcgi', kept => $kept, of => 20);
}

my ($broke, $odd) = killed_stream($h, '/cookie/stream.php', qr/\w+ line \d+/,
    sub ($line) { $fpm{(split ' ', $line)[0]}->kill });
row(app => 'PHP-FPM, killed', scheme => 'fcgi', errors => $broke, corrupted => $odd);
is $broke, 1, 'the client sees it';
my @after = map { $h->get('/cookie/count.php') } 1 .. 6;
is scalar(grep { $_->status == 200 } @after), 6, 'the other goes on';

done_testing;
