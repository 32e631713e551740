# SPDX-License-Identifier: Apache-2.0
# LBS::Guide - a machine on which docs/guide.md is followed to the letter.
#
#   my $g = LBS::Guide->new(ports => {80 => $p, 443 => $q},
#                           hosts => {'10.0.0.11:8000' => "127.0.0.11:$n"});
#   $g->run('install');                 # the commands of that block
#   $g->put('/etc/apache2/x.conf', $g->text('mysite.conf'));
#   $g->httpd->start;
#
# In the guide a block of commands or of configuration has a mark in front of
# it, `<!-- run: NAME -->` or `<!-- file: NAME -->`, which no reader sees. The
# text is taken as it stands, with this machine's directories, addresses and
# ports in place of the guide's. What would change the system (sudo, apt,
# a2enmod, systemctl ...) is done by small programs of this file in the PATH of
# the commands; what they do is done below root.
package LBS::Guide;
use v5.36;

use Cwd qw(getcwd);
use File::Path qw(make_path);
use LBS::Httpd;
use LBS::Proc qw(slurp);
use LBS::Source ();

my $DOC = 'docs/guide.md';

# [kind, name, text] of each marked block, in the order of the page.
sub blocks () {
    my @found;
    my $page = LBS::Source::slurp($DOC);
    # The block ends where the text of its list item goes on, less indented.
    while ($page =~ /^ *<!-- (run|file): (.+) -->\n\n(?=( +)\S)((?:\3.*\n|\n)+)/mg) {
        my ($kind, $name, $indent, $text) = ($1, $2, $3, $4);
        $text =~ s/^\Q$indent\E//mg;
        push @found, [$kind, $name, $text =~ s/\n+\z/\n/r];
    }
    return @found;
}

my (%block, %used);

sub text_of ($name) {
    %block = map { $_->[1] => $_->[2] } blocks() if !%block;
    $used{$name} = 1;
    return $block{$name} // die "$DOC has no block $name\n";
}

# Names of blocks that nobody asked for.
sub unused () { return grep { !$used{$_} } map { $_->[1] } blocks() }

sub new ($class, %o) {
    my @debian = qw(authn_core authz_core authz_host unixd log_config logio mime
        dir alias env status);
    my %keep = map { $_ => 1 } @debian, qw(watchdog setenvif);
    my $h = LBS::Httpd->new(without => [grep { !$keep{$_} } qw(headers rewrite
        remoteip slotmem_shm proxy proxy_http proxy_balancer
        lbmethod_byrequests proxy_wstunnel proxy_fcgi proxy_ajp lbsticky)],
        ports => {1 => $o{ports}{80}, 2 => $o{ports}{443}}, env => $o{env} // {});
    my $self = bless {h => $h, hosts => $o{hosts}, more => $o{more} // []}, $class;
    my $root = $h->root;
    make_path(map { "$root/$_" } qw(bin etc/apache2/mods-available srv dest
        etc/apache2/mods-enabled etc/apache2/sites-available
        etc/apache2/sites-enabled));
    $self->programs;
    $h->conf(<<"CONF");
IncludeOptional "$root/etc/apache2/mods-enabled/*.load"
IncludeOptional "$root/etc/apache2/mods-enabled/*.conf"
# Visitors come one after the other here, to servers of unequal speed.
<IfModule lbsticky_module>
    LBStickyMethod round-robin
</IfModule>
IncludeOptional "$root/etc/apache2/sites-enabled/*.conf"
CONF
    return $self;
}

sub httpd ($self) { return $self->{h} }
sub root ($self)  { return $self->{h}->root }

# What stands in the guide, and what it is here: longer ones first.
sub places ($self) {
    my ($h, $root) = ($self->{h}, $self->root);
    my ($crt, $key) = map { $h->certificate($_) } qw(cert key);
    return (
        @{$self->{more}},
        ['/etc/letsencrypt/live/www.example.com/fullchain.pem', $crt],
        ['/etc/letsencrypt/live/www.example.com/privkey.pem', $key],
        (map { [$_, "$root$_"] } qw(/etc/apache2 /etc/mysite /srv/site)),
        ['/var/lib/apache2', "$root/dest/var/lib/apache2"],
        ['/var/log/apache2', "$root/logs"],
        ['/usr/lib/apache2/modules/mod_lbsticky.so',
         "$root/dest/usr/lib/apache2/modules/mod_lbsticky.so"],
        (map { [$_, $self->{hosts}{$_}] } sort keys %{$self->{hosts}}),
        ['*:80>', '127.0.0.1:' . $h->port(1) . '>'],
        ['*:443>', '127.0.0.1:' . $h->port(2) . '>'],
        ['tools/bootstrap build', 'tools/bootstrap --list build'],
    );
}

sub localize ($self, $text) {
    my %here = map { $_->[0] => $_->[1] } $self->places;
    my $any = join '|', map { quotemeta } map { $_->[0] } $self->places;
    return $text =~ s/($any)/$here{$1}/gr;
}

# A block of that name as it is here.
sub text ($self, $name) { return $self->localize(text_of($name)) }

sub put ($self, $path, $text) {
    return $self->{h}->write($path =~ s{^/}{}r, $text);
}

# Run a block: (exit status, what it printed). `edit` may change its text.
sub run ($self, $name, %o) {
    my $text = $self->text($name);
    $text = $o{edit}->($text) if $o{edit};
    my $file = $self->put("logs/$name.sh", "set -e\n$text");
    my $h = $self->{h};
    local %ENV = (%ENV, PATH => $self->root . "/bin:$ENV{PATH}",
        MAKEFLAGS => '-- DESTDIR=' . $self->root . '/dest', NO_COLOR => 1,
        LBCTL_URL => '', LBCTL_CURL => '', %{$o{env} // {}});
    delete @ENV{qw(LBCTL_URL LBCTL_CURL MAKELEVEL MFLAGS)};
    my $said = qx(sh $file 2>&1);
    my $status = $?;
    $self->settle;
    return ($status >> 8 || $status & 127, $said);
}

# Files that were copied from the checkout speak of Debian's places.
sub settle ($self) {
    for my $file (glob $self->root . '/etc/apache2/mods-available/*') {
        my $text = slurp($file);
        my $here = $self->localize($text);
        $self->put($file =~ s/^\Q@{[$self->root]}\E//r, $here)
            if $here ne $text && !$self->{settled}{$file}++;
    }
    return;
}

# --- the programs that commands find -------------------------------------------

sub program ($self, $name, $text) {
    return $self->{h}->write("bin/$name", "#!/bin/sh\n$text", 0755);
}

sub programs ($self) {
    my ($h, $root, $top) = ($self->{h}, $self->root, getcwd);
    my ($http, $https) = map { $h->port($_) } 1, 2;
    my $modules = $ENV{LBS_MODULES_DIR} // '/usr/lib/apache2/modules';
    my $static = join ' ', map { s/^(?:mod_)?//r } keys %{LBS::Httpd::static_modules()};
    $self->program(sudo => qq(exec "\$\@"\n));
    $self->program(apt => "exit 0\n");
    $self->program(git => qq([ "\$1" = pull ] && exit 0\nexec /usr/bin/git "\$\@"\n));
    # Where no root is, nobody else's files can be made.
    $self->program($_ => "exit 0\n") for $> == 0 ? () : qw(chgrp);
    $self->program(curl => <<"SH");
exec /usr/bin/curl -k --noproxy '*' \\
    --connect-to www.example.com:80:127.0.0.1:$http \\
    --connect-to www.example.com:443:127.0.0.1:$https \\
    --connect-to localhost:80:127.0.0.1:$http "\$\@"
SH
    $self->program(lbctl => qq(exec "$root/dest/usr/local/bin/lbctl" "\$\@"\n));
    $self->program(ssh => qq(SITE_HOST=\$1; shift; export SITE_HOST; exec "\$\@"\n));
    $self->program(apache2ctl => qq([ "\$1" = configtest ] || exit 1\nexec )
        . join(' ', map { "'$_'" } $h->command('-t')) . "\n");
    $self->program(a2ensite => <<"SH");
cd "$root/etc/apache2" && [ -f "sites-available/\$1.conf" ] || exit 1
ln -sf "../sites-available/\$1.conf" "sites-enabled/\$1.conf"
SH
    $self->program(a2enmod => <<"SH");
cd "$root/etc/apache2" || exit 1
for name; do
    case " $static " in *" \$name "*) continue ;; esac
    [ -e "mods-enabled/\$name.load" ] && continue
    case \$name in
    lbsticky) "\$0" \$(sed -n 's/^# Depends: //p' mods-available/lbsticky.load) ;;
    proxy_balancer) "\$0" proxy slotmem_shm ;;
    proxy_*) "\$0" proxy ;;
    ssl) "\$0" socache_shmcb ;;
    esac || exit 1
    [ -e "mods-available/\$name.load" ] || {
        [ -e "$modules/mod_\$name.so" ] || { echo "no module \$name"; exit 1; }
        echo "LoadModule \${name}_module $modules/mod_\$name.so" \\
            >"mods-available/\$name.load"
    }
    for file in mods-available/\$name.*; do
        ln -sf "../\$file" "mods-enabled/\${file#*/}"
    done
done
SH
    # Reload httpd and wait for it; restart the site of a server.
    $self->program(systemctl => <<"SH");
case "\$1 \$2" in
"reload apache2")
    ready() { grep -c 'resuming normal' "$root/logs/error_log"; }
    [ -e "$root/run/httpd.pid" ] || exit 0
    before=\$(ready)
    kill -USR1 "\$(cat "$root/run/httpd.pid")" || exit 1
    for i in \$(seq 200); do
        [ "\$(ready)" -gt "\$before" ] && exit 0
        sleep 0.1
    done
    exit 1 ;;
"restart mysite")
    old=\$(cat "$root/\$SITE_HOST.pid") && kill "\$old" || exit 1
    for i in \$(seq 200); do
        [ "\$(cat "$root/\$SITE_HOST.pid" 2>/dev/null)" != "\$old" ] \\
            && [ -s "$root/\$SITE_HOST.pid" ] && exit 0
        sleep 0.1
    done
    exit 1 ;;
esac
exit 1
SH
    # What an editor is for: the addresses and directories of this place.
    my $sed = join '', map {
        my ($from, $to) = @$_;
        $from =~ s/([\\.*\[\]^\$|&])/\\$1/g;
        $to =~ s/([\\|&])/\\$1/g;
        $to =~ s/\n/\\n/g;
        "s|$from|$to|g\n"
    } $self->places;
    $h->write('bin/places.sed', $sed);
    $self->program(sudoedit => qq(exec sed -i -f "$root/bin/places.sed" "\$1"\n));
    return;
}

# --- the site -------------------------------------------------------------------

# The demo's site as a project `mysite`, with the settings and the page of the
# guide; @settings names blocks.
sub site ($self, @settings) {
    my $root = $self->root;
    system('cp', '-r', 'demo/site', "$root/srv/site") if !-e "$root/srv/site/manage.py";
    make_path("$root/srv/site/mysite", "$root/srv/site/data");
    $self->put('srv/site/mysite/__init__.py', '');
    $self->put('srv/site/mysite/settings.py', join "\n", <<"PY", map { $self->text($_) } @settings);
import os
os.environ.setdefault("SITE_SECRET_KEY", "replaced below")
os.environ.setdefault("SITE_DB", "$root/srv/site/data/db.sqlite3")
from config.settings import *
ROOT_URLCONF = "mysite.urls"
SESSION_ENGINE = "django.contrib.sessions.backends.db"
PY
    $self->put('srv/site/mysite/urls.py', <<"PY" . $self->text('healthz.py') . <<'PY');
from django.db import connection
from django.http import HttpResponse
from django.urls import path
from config.urls import urlpatterns
PY
urlpatterns = [path("healthz", healthz)] + urlpatterns
PY
    $self->put('srv/site/mysite/wsgi.py', <<'PY');
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.settings"
from django.core.wsgi import get_wsgi_application
application = get_wsgi_application()
PY
    system('chown', '-R', 'www-data', "$root/srv/site/data") if $> == 0;
    return;
}

# The tables, and a user demo with the password demo; by the user that serves.
sub database ($self) {
    my $root = $self->root;
    my @as = $> == 0 ? qw(setpriv --reuid www-data --regid www-data --clear-groups) : ();
    local %ENV = (%ENV, DJANGO_SETTINGS_MODULE => 'mysite.settings');
    my $said = qx(@as /usr/bin/python3 -B $root/srv/site/manage.py setup_site 2>&1);
    die "setup_site: $said" if $? != 0;
    return;
}

1;
