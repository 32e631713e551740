#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The documents of lb-status are directly below its location and nowhere else,
# so that access control for one of them holds for every URL that reaches it.
use lib 't/lib';
use LBS::Test;

my $web = LBS::Backend->new;
my $ADMIN = <<'CONF';
<Location "/lb-status/admin">
    Require ip 203.0.113.1
</Location>
CONF

sub httpd ($places) {
    my $h = LBS::Httpd->new(backends => [$web], modules => [qw(vhost_alias)],
                            conf => <<"CONF");
LBSticky cookie
LBStickyAdmin on
AllowEncodedSlashes NoDecode
<Proxy "balancer://app">
    BalancerMember "http://\@B1\@" route=web
</Proxy>
$places
ProxyPass "/" "balancer://app/"
CONF
    $h->write('htdocs/ops/index.html', "index\n");
    $h->write('htdocs/files/index.html', "index\n");
    $h->write('htdocs/files/.htaccess', "SetHandler lb-status\n");
    $h->start;
    return $h;
}

my %FORM = (pool => 'app', member => 'web', action => 'disable');

# What a POST that would disable the member gets. 404 where no document is,
# 403 from Require; the member answers what is not of lb-status at all.
sub admin_at ($h, $uri) {
    my $r = $h->post($uri, {%FORM}, headers => [['LBSticky-Admin', 1]]);
    return $r->member ? 'proxied' : $r->status;
}

sub is_untouched ($h, $where) {
    my ($at) = grep { $h->get($_)->status == 200 } @_[2 .. $#_], '/lb-status/json';
    return is $h->json($at)->{pools}[0]{members}[0]{state}, 'up',
        "$where: nothing was changed";
}

subtest 'spellings of a document that is closed' => sub {
    my $h = httpd("\@STATUS\@\n$ADMIN");
    is admin_at($h, '/lb-status/admin'), 403, 'as it is documented';
    for my $uri (qw(/lb-status/x/admin /lb-status/x/y/admin
        /lb-status/json/admin /lb-status/admin/admin /lb-status/;a/admin
        /lb-status/a;b=c/admin /lb-status/admin/ /lb-status/admin/x
        /lb-status/admin/json /lb-status/%2e%2e%2fx/admin
        /lb-status/x%2fadmin /lb-status/index.html/admin
        /lb-status/admin;x /lb-status/ADMIN /lb-status/admin%20
        /lb-status/admin. /lb-status/admin%00x /lb-status/style.css/admin
        /lb-status/%c0%ae/admin /lb-status/x//admin)) {
        # Below the closed document Require answers first.
        like admin_at($h, $uri), $uri =~ m{/admin/} ? qr/^403$/ : qr/^40[04]$/,
            $uri;
    }
    for my $uri (qw(/lb-status/%61dmin /lb-status//admin //lb-status/admin
        /lb-status/./admin /lb-status/x/../admin /x/../lb-status/admin
        /lb-status/%2e/admin /%6cb-status/admin /lb-status///admin)) {
        is admin_at($h, $uri), 403, "$uri is the same document";
    }
    like admin_at($h, $_), qr/^(?:proxied|40[04])$/, "$_ is none"
        for qw(/lb-status;a/admin /lb-status%2fadmin /x/lb-status/admin
               /LB-STATUS/admin /lb-statusx/admin);
    is_untouched($h, 'all of them');
    for my $uri (qw(/lb-status/x/json /lb-status/json/ /lb-status/x/
        /lb-status/x /lb-status/json/json /lb-status/x/style.css)) {
        is $h->get($uri)->status, 404, "$uri: no document for readers either";
    }
    for my $uri (qw(/lb-status /lb-status/ /lb-status/json /lb-status/metrics
                    /lb-status/style.css)) {
        is $h->get($uri)->status, 200, "$uri is there";
    }
    $h->no_unexpected_log(qr/AH01630|AH00026|AH10244|invalid URI/);
};

subtest 'slashes are not merged' => sub {
    my $h = httpd(<<"CONF");
MergeSlashes Off
\@STATUS\@
<LocationMatch "^/lb-status/admin\$">
    Require all denied
</LocationMatch>
CONF
    is admin_at($h, '/lb-status/admin'), 403, 'as it is documented';
    is admin_at($h, $_), 404, $_
        for qw(/lb-status//admin /lb-status///admin /lb-status/x//admin);
    isnt admin_at($h, '//lb-status/admin'), 200, 'two at the beginning';
    is_untouched($h, 'all of them');
    $h->no_unexpected_log(qr/AH01630/);
};

# Other ways of saying where lb-status is: [what, configuration, the place,
# URLs that are no documents].
my @PLACES = (
    ['a pattern', qq(<LocationMatch "^/lbs(/.*)?\$">\nSetHandler lb-status\n</LocationMatch>),
     '/lbs', '/lbs/x/admin', '/lbs/json/admin', '/lbs/admin/'],
    ['a wildcard', qq(<Location "/*/ops">\nSetHandler lb-status\n</Location>\n<Location "/*/ops/*">\nSetHandler lb-status\n</Location>),
     '/a/ops'],
    ['a slash at the end', qq(<Location "/ops/">\nSetHandler lb-status\n</Location>),
     '/ops/', '/ops/x/admin', '/ops/admin/'],
    ['a place in a place', qq(<Location "/a">\nSetHandler lb-status\n</Location>\n)
     . qq(<Location "/a/b">\nSetHandler none\n</Location>\n)
     . qq(<Location "/a/b/c">\nSetHandler lb-status\n</Location>),
     '/a/b/c', '/a/x/admin', '/a/b/c/d/admin', '/a/b/admin'],
    ['the whole site', qq(<Location "/">\nSetHandler lb-status\n</Location>),
     '/', '/x/admin', '/admin/', '/json/admin'],
    ['an expression', qq(<Location "/ops">\n<If "true">\nSetHandler lb-status\n</If>\n</Location>),
     undef, '/ops/x/admin', '/ops/x/y/admin'],
    ['in a directory', qq(<Directory "\@ROOT\@/htdocs/ops">\nSetHandler lb-status\n</Directory>\nProxyPass "/ops" "!"),
     '/ops/', '/ops/x/admin', '/ops/x/y/admin'],
    ['in .htaccess', qq(<Directory "\@ROOT\@/htdocs">\nAllowOverride All\n</Directory>\nProxyPass "/files" "!"),
     '/files/', '/files/x/admin', '/files/x/y/admin'],
);
for (@PLACES) {
    my ($what, $conf, $place, @none) = @$_;
    subtest $what => sub {
        my $h = httpd($conf);
        isnt admin_at($h, $_), 200, $_ for @none;
        if (defined $place) {
            my $base = $place =~ s{/$}{}r;
            my $r = $h->get($place);
            is $r->status, 200, "$place has the page";
            like $r->body, qr/^<!DOCTYPE html>/i, 'which is HTML';
            my $state = $h->json("$base/json");
            is $state->{pools}[0]{members}[0]{state}, 'up', 'nothing was changed';
            is admin_at($h, "$base/admin"), 200, "$base/admin is the document";
        }
        $h->no_unexpected_log(qr/AH01630|AH00037/);
    };
}

subtest 'one document alone' => sub {
    my $h = httpd(<<'CONF');
<LocationMatch "^/ops/(json|metrics|admin)$">
    SetHandler lb-status
</LocationMatch>
<Location "/only/json">
    SetHandler lb-status
</Location>
<Location "/admin">
    SetHandler lb-status
</Location>
CONF
    like $h->get($_)->header('Content-Type'), qr/json/, $_
        for qw(/ops/json /only/json);
    is $h->get('/ops')->member, $web->name, 'its page is not there';
    is admin_at($h, '/admin'), 405, 'a location named admin has the page';
    is $h->get('/admin')->status, 200, 'to look at';
    is admin_at($h, '/ops/admin'), 200, 'a pattern that names admin has it';
    $h->no_unexpected_log;
};

# A rewriting, an alias, an internal redirect lead to the document, and to the
# same access control.
subtest 'other ways to a document that is closed' => sub {
    my $h = httpd(<<"CONF");
\@STATUS\@
$ADMIN
RewriteEngine on
RewriteRule "^/rewritten\$" "/lb-status/admin" [PT]
RewriteRule "^/deep/(.*)\$" "/lb-status/\$1/admin" [PT]
Alias "/aliased" "\@ROOT\@/htdocs"
CONF
    isnt admin_at($h, $_), 200, $_ for qw(/rewritten /deep/x /deep/x/y
        /aliased/lb-status/admin);
    is_untouched($h, 'by none');
    $h->no_unexpected_log(qr/AH01630/);
};

done_testing;
