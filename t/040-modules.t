#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Modules this one stands on: what is missing is named with the line to add,
# and it does not matter where in the list ours is loaded.
use lib 't/lib';
use LBS::Test timeout => 240;
use Cwd qw(getcwd);

my $DIR = $ENV{LBS_MODULES_DIR} // '/usr/lib/apache2/modules';
my $OURS = $ENV{LBS_MODULE} // getcwd . '/build/mod_lbsticky.so';
my %built_in = %{LBS::Httpd::static_modules()};

# Those that this test loads itself, in an order that stock httpd takes:
# mod_proxy_balancer.so and others cannot be loaded before mod_proxy.so.
my @STOCK = qw(proxy slotmem_shm proxy_balancer lbmethod_byrequests proxy_http);
my @NOT = (@STOCK, qw(lbsticky proxy_wstunnel proxy_fcgi proxy_ajp remoteip));

my @web = LBS::Backend->many(2);

sub load ($name) {
    my $file = $name eq 'lbsticky' ? $OURS : "$DIR/mod_$name.so";
    return qq(LoadModule ${name}_module "$file"\n);
}

my $POOL = <<'CONF';
LBSticky cookie
<Proxy "balancer://app">
    BalancerMember "http://@B1@" route=web1
    BalancerMember "http://@B2@" route=web2
</Proxy>
ProxyPass "/" "balancer://app/"
CONF

sub httpd_with ($names, $conf = $POOL) {
    return LBS::Httpd->new(without => \@NOT, backends => \@web,
        conf => join('', map { load($_) } @$names) . $conf);
}

# On Debian the command that loads them is named, too.
subtest 'a2enmod' => sub {
    plan skip_all => 'no a2enmod here' if !-e '/usr/sbin/a2enmod';
    my ($status, $said) = httpd_with(['lbsticky'])->configtest;
    like $said, qr/^LBS1301: on Debian, all of them: a2enmod proxy slotmem_shm proxy_balancer lbmethod_byrequests watchdog proxy_http$/m,
        'one command for all that is missing';
    is scalar(() = $said =~ /LBS1301/g), 1, 'once';
};

# The modules whose LoadModule lines `httpd -t` asks for, in order.
sub asked_for ($names, $conf = $POOL) {
    my ($status, $said) = httpd_with($names, $conf)->configtest;
    my @asked;
    for ($said =~ /^(.*add this line: .*)$/mg) {
        /^LBS1300: LBSticky needs (mod_\w+)(?: for [\w:\/]+ members)?; add this line: LoadModule (\w+)_module modules\/\1\.so$/
            or fail("a line of another form: $_");
        push @asked, $2;
    }
    ok($status != 0, 'httpd -t fails') or diag $said if @asked;
    ok($status == 0, 'httpd -t is content') or diag $said if !@asked;
    return \@asked;
}

subtest 'one is missing' => sub {
    for my $missing (grep { $_ ne 'proxy' } @STOCK) {
        my @there = grep { $_ ne $missing } @STOCK;
        is_deeply asked_for(['lbsticky', @there]), [$missing],
            "without $missing, ours first";
        is_deeply asked_for([@there, 'lbsticky']), [$missing],
            "without $missing, ours last";
    }
};

subtest 'all are missing, and the lines that are printed help' => sub {
    my $asked = asked_for(['lbsticky']);
    is_deeply $asked, [grep { !$built_in{$_} } qw(proxy slotmem_shm
        proxy_balancer lbmethod_byrequests watchdog proxy_http)],
        'each is asked for';
    is_deeply asked_for([@$asked, 'lbsticky']), [], 'added before ours';
    is_deeply asked_for(['lbsticky', @$asked]), [], 'added behind ours';
};

subtest 'what members speak' => sub {
    my %needs = (
        'http://h' => [], 'https://h' => ['ssl'], 'h2://h' => [qw(proxy_http2 ssl)],
        'h2c://h' => ['proxy_http2'], 'ajp://h' => ['proxy_ajp'],
        'fcgi://h' => ['proxy_fcgi'], 'scgi://h:4000' => ['proxy_scgi'],
        'uwsgi://h:3031' => ['proxy_uwsgi'], 'ws://h' => [],
        'wss://h' => ['ssl'], 'HTTPS://h' => ['ssl'],
        'unix:/run/a.sock|fcgi://localhost/' => ['proxy_fcgi'],
    );
    for my $url (sort keys %needs) {
        my $in = qq(<Proxy "balancer://app">\nBalancerMember "$url"\n</Proxy>\n);
        my $out = qq(BalancerMember "balancer://app" "$url" route=a\n);
        is_deeply asked_for([@STOCK, 'lbsticky'], "LBSticky ip\n$_"),
            $needs{$url}, "$url" for $in, $out;
    }
    my @no_http = grep { $_ ne 'proxy_http' } @STOCK;
    my $ws = qq(LBSticky ip\nBalancerMember "balancer://app" "ws://h"\n);
    is_deeply asked_for([@no_http, 'lbsticky'], $ws), ['proxy_http'],
        'ws:// without a module that forwards it';
    is_deeply asked_for([@no_http, 'proxy_wstunnel', 'lbsticky'], $ws), [],
        'mod_proxy_wstunnel does as well';
};

subtest 'a configuration without LBSticky needs no module' => sub {
    is_deeply asked_for(['lbsticky'], ''), [], 'loaded only';
    is_deeply asked_for(['lbsticky'], "LBSticky off\nLBStickyTimeout 1h\n"
        =~ s/1h/idle=1h/r), [], 'off';
    my ($status, $said) = httpd_with(['lbsticky'],
        "<VirtualHost *:80>\n$POOL</VirtualHost>\n")->configtest;
    like $said, qr/LBS1300/, 'in a virtual host it counts';
    unlike $said, qr/Invalid command/, 'before unknown directives are met';
};

subtest 'any load order' => sub {
    my @orders = map {
        my @order = @STOCK;
        splice @order, $_, 0, 'lbsticky';
        [@order];
    } 0 .. @STOCK;
    push @orders,
        [qw(slotmem_shm proxy lbsticky proxy_http lbmethod_byrequests proxy_balancer)],
        [qw(proxy proxy_http lbmethod_byrequests lbsticky proxy_balancer slotmem_shm)];
    for my $order (@orders) {
        my $h = httpd_with($order);
        $h->start;
        my $jar = LBS::Jar->new;
        my %seen;
        $seen{$h->get('/', jar => $jar)->member}++ for 1 .. 6;
        is scalar(keys %seen), 1, "sticky: @$order";
        ok wait_for(sub { grep { /"kept" "web\d"/ } $h->access_log }),
            'and decided by this module';
        $h->graceful;
        is $h->get('/', jar => $jar)->member, (keys %seen)[0],
            'also after a reload';
        $h->stop;
        $h->no_unexpected_log;
    }
};

done_testing;
