#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# docs/guide.md, followed to the letter: one server, two, https, checks, drain,
# roll, kill, reboot, update; two machines without a third, another secret. The
# commands and configurations are taken from the page.
use lib 't/lib';
use LBS::Test timeout => 240;
use File::Path qw(make_path);
use IO::Socket::INET;
use POSIX qw(WNOHANG);
use LBS::Guide;
use LBS::Ports;
use LBS::Proc qw(slurp);

my %port = map { $_ => LBS::Ports::free() } qw(80 443 8000);
my @WEB = map { ["web$_", "127.0.0.1$_:$port{8000}"] } 1, 2;
my $g = LBS::Guide->new(ports => \%port,
    hosts => {map { ("10.0.0.1$_:8000" => $WEB[$_ - 1][1]) } 1, 2});
my $h = $g->httpd;
my %SITE = (host => 'www.example.com');
my %HTTPS = (%SITE, n => 2, tls => 1);
# What stock modules say of a certificate made on the spot, and of a server
# that is gone.
my @STOCK = (qr/ssl:warn.*AH01(?:882|873|906|909):/, qr/AH00957: http|AH01114: HTTP/,
    qr/AH01102: error reading status|AH00898: Error reading/,
    qr/AH03490: scoreboard is full/);    # few processes, many reloads
$h->announce(@STOCK, qr/LBS160[0-9]/);

# The commands of a block do what they should.
sub follow ($g, $name, %o) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($status, $said) = $g->run($name, %o);
    is $status, $o{status} // 0, "the commands of \"$name\"" or diag $said;
    return $said;
}

# --- the servers behind: gunicorn, started again when it ends ------------------

my %keeper;
END { kill TERM => values %keeper if %keeper; }

sub answers ($addr) {
    return IO::Socket::INET->new(PeerAddr => $addr, Timeout => 1);
}

sub serve ($name, $addr) {
    my ($root, $out) = ($g->root, $g->root . "/logs/$name.log");
    my $command = $g->text('gunicorn') =~ s/(?<=--bind )\S+/$addr/r
        =~ s/--workers 4/--workers 1 --threads 4 --pid $root\/$name.pid/r =~ s/\n//r;
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        POSIX::setsid();
        chdir "$root/srv/site";
        %ENV = (%ENV, SITE_NAME => $name, PYTHONDONTWRITEBYTECODE => 1);
        open STDOUT, '>>', $out;
        open STDERR, '>&', \*STDOUT;
        my @as = $> == 0 ? qw(--reuid www-data --regid www-data --clear-groups) : ();
        unlink "$root/$name.pid";
        exec 'setpriv', '--pdeathsig', 'TERM', '--', 'sh', '-c', <<"SH";
trap 'kill \$child; exit 0' TERM
while :; do setpriv --pdeathsig TERM -- $command & child=\$!; wait \$child; done
SH
    }
    $keeper{$name} = $pid;
    ok wait_for(sub { answers($addr) }, 30), "$name listens" or diag slurp($out);
    return;
}

# It and what it keeps are gone.
sub murder ($name) {
    kill KILL => -$keeper{$name};
    waitpid delete $keeper{$name}, 0;
    unlink $g->root . "/$name.pid";
    return;
}

# --- visitors --------------------------------------------------------------------

my $visitors = 0;

sub visitor () {
    return {jar => LBS::Jar->new, headers => [['User-Agent', 'visitor ' . $visitors++]]};
}

sub visit ($h, $who, $uri, %to) {
    return $h->get($uri, %$who, %to);
}

# Log in as Django wants it, with its token; the server that did it.
sub login ($h, $who, %to) {
    my $page = visit($h, $who, '/login/', %to);
    my ($token) = $page->body =~ /name="csrfmiddlewaretoken" value="(\w+)"/;
    my $r = $h->post('/login/', {username => 'demo', password => 'demo',
        csrfmiddlewaretoken => $token // '', next => '/'}, %$who, %to,
        headers => [@{$who->{headers}}, ['Referer', ($to{tls} ? 'https' : 'http')
            . '://www.example.com/login/']]);
    is $r->status, 302, 'a visitor logs in' or diag $page->status . $page->body;
    return $r->header('X-Served-By');
}

# The server and the user that a visitor finds.
sub whoami ($h, $who, %to) {
    my $r = visit($h, $who, '/whoami', %to);
    my $said = $r->status == 200 ? $r->json : {};
    return join ' ', $r->status, $said->{server} // '?', $said->{user} || 'nobody';
}

# Somebody logged in at that server.
sub somebody_at ($h, $name, %to) {
    for (1 .. 100) {
        my $who = visitor();
        next if (visit($h, $who, '/login/', %to)->header('X-Served-By') // '') ne $name;
        is login($h, $who, %to), $name, "at $name";
        return $who;
    }
    die "nobody new gets to $name\n";
}

# --------------------------------------------------------------------------------

my $mysite = 'etc/apache2/sites-available/mysite.conf';

subtest 'one server' => sub {
    follow($g, 'secret-key');
    $g->site('settings.py');
    $g->database;
    serve(@{$WEB[0]});
    my $said = follow($g, 'install');
    like slurp($g->root . '/etc/apache2/mods-available/lbsticky.conf'),
        qr{^LBStickyPersist \S+/lbsticky/state$}m, 'the state file survives a reboot';
    my @dir = stat $g->root . '/dest/var/lib/apache2/lbsticky';
    is sprintf('%o', ($dir[2] // 0) & 07777), '700', 'its directory is there, for root';
    my $text = $g->text('mysite.conf');
    ok $text =~ s/^.*route=web2\n//m, 'without the line of web2';
    $g->put($mysite, $text);
    $said = follow($g, 'load');
    like $said, qr/Syntax OK/, 'the configuration is right';
    unlike $said, qr/LBS\d+/, 'and nothing is silently wrong';
    $h->start;
    $said = follow($g, 'look');
    like $said, qr/^set-cookie: LBSTICKY_app=/mi, 'one cookie';
    like $said, qr/^  web1 .*^all is well$/ms, 'and all is well';
};

my $first = visitor();

subtest 'two servers' => sub {
    is login($h, $first, %SITE), 'web1', 'at the only server';
    serve(@{$WEB[1]});
    $g->put($mysite, $g->text('mysite.conf'));
    follow($g, 'load');
    is whoami($h, $first, %SITE), '200 web1 demo', 'a reload leaves the visitor where they are';
    somebody_at($h, 'web2', %SITE);
    $h->write('srv/site/public/static/of-the-front.css', "css\n");
    $h->write('srv/site/media/a.txt', "upload\n");
    is $h->get('/static/of-the-front.css', %SITE)->body, "css\n", 'static files are served here';
    is $h->get('/media/a.txt', %SITE)->body, "upload\n", 'uploads, too';
};

my %at;

subtest 'https' => sub {
    $g->site('settings.py', 'settings-https.py');
    for (@WEB) {
        $ENV{SITE_HOST} = $_->[0];
        system($g->root . '/bin/systemctl', 'restart', 'mysite');
    }
    delete $ENV{SITE_HOST};
    follow($g, 'enable-ssl');
    $g->put($mysite, $g->text('mysite.conf with https'));
    follow($g, 'reload');
    like follow($g, 'look-https'), qr/^set-cookie: LBSTICKY_app=.*Secure/mi, 'the cookie is Secure';
    ok wait_for(sub { answers($_->[1]) }, 30), "$_->[0] is there" for @WEB;
    my $r = $h->get('/login/?a=b', %SITE);
    is $r->status . ' ' . $r->header('Location'), '301 https://www.example.com/login/?a=b',
        'http goes to https';
    $h->write('srv/site/public/.well-known/acme-challenge/x', 'token');
    is $h->get('/.well-known/acme-challenge/x', %SITE)->body, 'token', 'but for challenges';
    $at{$_} = somebody_at($h, $_, %HTTPS) for qw(web1 web2);
    is whoami($h, $at{$_}, %HTTPS), "200 $_ demo", "visitors of $_ stay" for qw(web1 web2);
    my ($pool) = @{$h->json('/lb-status/json', host => 'localhost')->{pools}};
    ok wait_for(sub { ($pool) = @{$h->json('/lb-status/json', host => 'localhost')->{pools}};
        2 == grep { $_->{check}{last} eq 'HTTP 200' } @{$pool->{members}} }, 15),
        'the checks get 200, not the redirect to https'
        or diag explain $pool->{members};
};

subtest 'drain, enable, roll' => sub {
    my $file = $g->root . '/etc/apache2/mods-available/lbsticky.conf';
    my $text = slurp($file);
    $text =~ s/^#LBStickyAdmin off$/$g->text('lbsticky.conf') =~ s{\n}{}r/me or fail 'no such line';
    $g->put('etc/apache2/mods-available/lbsticky.conf', $text);
    follow($g, 'reload');
    my $now = sub ($t) { $t =~ s/--deadline 2h/--deadline 1s/r };
    follow($g, 'drain', edit => $now);
    is whoami($h, $at{web1}, %HTTPS), '200 web2 demo', 'a visitor who was there is moved, and logged in';
    is login($h, visitor(), %HTTPS), 'web2', 'nobody new goes there' for 1 .. 3;
    follow($g, 'enable');
    $at{web1} = somebody_at($h, 'web1', %HTTPS);
    my @old = map { slurp($g->root . "/$_->[0].pid") } @WEB;
    my $said = follow($g, 'roll');
    like $said, qr/^2 of 2 members done/m, 'both were done';
    my @new = map { slurp($g->root . "/$_->[0].pid") } @WEB;
    isnt $new[$_], $old[$_], "web@{[$_ + 1]} was restarted" for 0, 1;
    like whoami($h, $at{$_}, %HTTPS), qr/^200 web\d demo$/, 'nobody was logged out'
        for qw(web1 web2);
};

subtest 'a server is killed' => sub {
    $at{web1} = somebody_at($h, 'web1', %HTTPS);
    murder('web1');
    is whoami($h, $at{web1}, %HTTPS), '200 web2 demo', 'its visitors see the next page from the other';
    my $said = '';
    my $status;
    ok wait_for(sub { ($status, $said) = $g->run('doctor'); $said =~ /web1/ }, 20),
        'lbctl doctor names it' or diag $said;
    is $status, 1, 'and exits with 1';
    serve(@{$WEB[0]});
    ok wait_for(sub { (undef, $said) = $g->run('doctor'); $said =~ /all is well/ }, 30),
        'until it is back' or diag $said;
};

subtest 'a reboot, and an update' => sub {
    my %here = map { $_ => somebody_at($h, $_, %HTTPS) } qw(web1 web2);
    follow($g, 'drain', edit => sub ($t) { $t =~ s/ --wait//r });
    my $new = sub () {
        my ($pool) = @{$h->json('/lb-status/json', host => 'localhost')->{pools}};
        return join ' ', map { "$_ $pool->{decisions}{new}{$_}" } sort keys %{$pool->{decisions}{new}};
    };
    my $before = $new->();
    $h->stop;
    system('rm', '-rf', $h->root . '/run');
    mkdir $h->root . '/run';
    $h->start;
    is whoami($h, $here{$_}, %HTTPS), "200 $_ demo", "visitors of $_ still are there"
        for qw(web1 web2);
    my ($pool) = @{$h->json('/lb-status/json', host => 'localhost')->{pools}};
    is $pool->{members}[0]{state}, 'drain', 'and web1 still drains';
    is $new->(), $before, 'nobody is new';
    my $file = $g->root . '/dest/usr/lib/apache2/modules/mod_lbsticky.so';
    my $inode = (stat $file)[1];
    follow($g, 'update');
    isnt((stat $file)[1], $inode, 'the file of the module is another one');
    is whoami($h, $here{$_}, %HTTPS), "200 $_ demo", "visitors of $_ still are there"
        for qw(web1 web2);
    $h->stop;
    $h->no_unexpected_log;
};

subtest 'two machines without a third, and another secret' => sub {
    murder($_->[0]) for @WEB;
    my @p = map { {map { $_ => LBS::Ports::free() } 80, 443} } 1, 2;
    my @m = map {
        my $n = $_;
        my $m = LBS::Guide->new(ports => $p[$n - 1],
            env => {SITE_NAME => "web$n", PYTHONDONTWRITEBYTECODE => 1},
            hosts => {map { my $web = $_; map { ("10.0.0.1$web:$_" => "127.0.0.1:$p[$web - 1]{$_}") }
                80, 443 } 1, 2},
            more => [['MDCertificateAgreement accepted', join "\n",
                'MDCertificateAuthority http://127.0.0.1:' . LBS::Ports::free() . '/',
                "MDPortMap http:$p[$n - 1]{80} https:$p[$n - 1]{443}"]]);
        $m
    } 1, 2;
    for my $n (1, 2) {
        my $m = $m[$n - 1];
        $m->httpd->announce(@STOCK, qr/\[md:/, qr/LBS160[0-9]/, qr/AH01085|AH02604/);
        if ($n == 1) {
            follow($m, 'secret-key');
            $m->site('settings.py', 'settings-https.py');
            $m->database;
            follow($m, 'pair-secret');
        } else {
            # "then copy": the secrets; and one database is for both.
            my ($a, $b) = map { $_->root } @m;
            make_path("$b/etc/mysite");
            system('cp', '-a', "$a/etc/mysite/.", "$b/etc/mysite/");
            system('cp', '-a', "$a/etc/apache2/lbsticky.secret", "$b/etc/apache2/");
            $m->site('settings.py', 'settings-https.py');
            system("rm -rf $b/srv/site/data && ln -s $a/srv/site/data $b/srv/site/data");
        }
        follow($m, 'pair-install');
        my $said = follow($m, 'pair-site', edit => sub ($t) {
            # mod_md has no certificate yet, so there is one of this test.
            $t =~ s{^(sudoedit .*)$}{$1\nsed -i 's|SSLEngine    on|SSLEngine on\\nSSLCertificateFile @{[$m->httpd->certificate('cert')]}\\nSSLCertificateKeyFile @{[$m->httpd->certificate('key')]}|' @{[$m->root]}/$mysite}mr });
        unlike $said, qr/LBS\d+/, 'nothing is silently wrong' or diag $said;
        $m->httpd->start;
    }
    my @h = map { $_->httpd } @m;
    my %who = map { $_ => somebody_at($h[0], $_, %HTTPS) } qw(web1 web2);
    my $stays = sub ($when) {
        local $Test::Builder::Level = $Test::Builder::Level + 1;
        for my $h (0, 1) {
            is whoami($h[$h], $who{$_}, %HTTPS), "200 $_ demo",
                "$when: visitors of $_ stay, by machine " . ($h + 1) for sort keys %who;
        }
    };
    $stays->('both run');
    for my $step (qw(add swap drop)) {
        my $file = '/etc/apache2/lbsticky.secret';
        # The two hours that the guide waits are those of the old cookies.
        %who = map { $_ => somebody_at($h[0], $_, %HTTPS) } qw(web1 web2) if $step eq 'drop';
        follow($m[0], "rotate-$step");
        my $now = slurp($m[0]->root . $file);
        for my $m (@m) {
            $m->put($file, $now);
            chmod 0600, $m->root . $file;
            my ($status, $said) = $m->run('reload');
            is $status, 0, 'and a reload' or diag $said;
        }
        is scalar(() = $now =~ /\n/g), $step eq 'drop' ? 1 : 2, "$step: so many secrets";
        $stays->($step);
    }
    my @forged = map { map { $_->{decisions}{new}{forged} + $_->{decisions}{new}{unknown} }
        @{$_->json('/lb-status/json', host => 'localhost')->{pools}} } @h;
    is "@{[grep { $_ } @forged]}", '', 'no cookie was strange to anybody';
    $h[0]->kill_all;
    is whoami($h[1], $who{$_}, %HTTPS), '200 web2 demo',
        "machine 1 is lost: visitors of $_ go on" for sort keys %who;
    $_->stop for $h[1];
    $_->no_unexpected_log for @h;
};

is join(', ', LBS::Guide::unused()), '', 'every marked block of the guide was followed';

done_testing;
