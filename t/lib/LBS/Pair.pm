# SPDX-License-Identifier: Apache-2.0
# LBS::Pair - httpds that are balancer and web server at once.
#
#   my ($m1, $m2) = LBS::Pair::make(2, more => 'LBStickyMethod round-robin');
#   $_->start for $m1, $m2;
#
# All have one pool, "app", of all of them: members m1, m2 ... on ports of
# 127.0.0.1, one secret, ServerName pair, and `ProxyPass "/" "balancer://app/"`.
# Each answers what is decided for itself with a WSGI program (below /wsgi)
# that describes the request it got, as JSON, and with what is in htdocs/.
# Every answer but error pages says in X-Machine who wrote it and in X-Decision-mN what was
# decided on the way.
#
# make() takes: local (words of LBStickyLocal, default self), pool (lines
# inside <Proxy>), more (further lines; a code reference is called with the
# number and gives them), secret (a code reference: number => text), modules,
# members (a code reference: number => numbers of the members, parameters of
# BalancerMember may follow in the same string), mount (lines
# in the place of ProxyPass).
package LBS::Pair;
use v5.36;

use LBS::Httpd;

my $APP = <<'PY';
import hashlib, json
from urllib.parse import parse_qs

def application(env, start_response):
    asked = {k: v[0] for k, v in parse_qs(env.get("QUERY_STRING", "")).items()}
    body = env["wsgi.input"].read()
    said = {
        "backend": env["MACHINE"], "method": env["REQUEST_METHOD"],
        "script": env["SCRIPT_NAME"], "path": env["PATH_INFO"],
        "uri": env["REQUEST_URI"], "scheme": env["wsgi.url_scheme"],
        "address": env["REMOTE_ADDR"], "user": env.get("REMOTE_USER"),
        "body_length": len(body),
        "body_sha256": hashlib.sha256(body).hexdigest(),
        "headers": {k: v for k, v in sorted(env.items())
                    if k.startswith("HTTP_")},
    }
    if "sleep" in asked:
        import time
        time.sleep(float(asked["sleep"]))
    headers = [("Content-Type", "application/json"),
               ("X-Backend", env["MACHINE"])]
    if "cookie" in asked:
        headers.append(("Set-Cookie", asked["cookie"]))
    start_response(asked.get("status", "200") + " Said", headers)
    if asked.get("empty"):
        return []
    return [json.dumps(said).encode()]
PY

sub conf_of ($n, $ports, %o) {
    my @members = $o{members} ? $o{members}->($n) : 1 .. @$ports;
    my $members = join "\n", map {
        my ($m, $rest) = split ' ', "$_ ", 2;
        qq(    BalancerMember "http://127.0.0.1:$ports->[$m - 1]" route=m$m $rest)
    } @members;
    my $more = ref $o{more} ? $o{more}->($n) : $o{more} // '';
    my $local = $o{local} // 'self';
    my $mount = $o{mount} // qq(ProxyPass "/" "balancer://app/");
    my $pool = $o{pool} // "LBSticky cookie\nLBStickyCookie first=off";
    return <<"CONF";
LBStickySecret "file:\@ROOT\@/conf/secret"
LBStickyLocal $local
<VirtualHost *:\@PORT\@>
    ServerName pair
    SetEnv MACHINE m$n
    Header setifempty X-Machine m$n
    Header always set X-Decision-m$n "%{LBSTICKY_DECISION}e %{LBSTICKY_REASON}e %{LBSTICKY_MEMBER}e %{LBSTICKY_TRIES}e"
    WSGIApplicationGroup %{GLOBAL}
    WSGIScriptAlias "/wsgi" "\@ROOT\@/wsgi/app.py"
    <Directory "\@ROOT\@/wsgi">
        Require all granted
    </Directory>
    \@STATUS\@
    <Proxy "balancer://app">
        $pool
$members
    </Proxy>
    $more
    $mount
</VirtualHost>
CONF
}

sub make ($count, %o) {
    my @h = map {
        LBS::Httpd->new(modules => ['wsgi', @{$o{modules} // []}])
    } 1 .. $count;
    my @ports = map { $_->port } @h;
    for my $n (1 .. $count) {
        my $h = $h[$n - 1];
        my $secret = $o{secret} ? $o{secret}->($n) : 'one secret for all of them';
        $h->write('conf/secret', "$secret\n", 0600);
        $h->write('wsgi/app.py', $APP);
        $h->write('htdocs/who.txt', "m$n\n");
        $h->{pair} = [$n, \@ports, \%o];
        $h->conf(conf_of($n, \@ports, %o));
    }
    return @h;
}

# The same with other options, for graceful().
sub again ($h, %o) {
    my ($n, $ports, $before) = @{$h->{pair}};
    return conf_of($n, $ports, %$before, %o);
}

# What a server decided for an answer: "kept m2", "new first m1", undef.
sub decided ($r, $n) {
    my $said = $r->header("X-Decision-m$n") // return;
    my ($decision, $reason, $member, $tries) = split / /, $said;
    return join ' ', grep { $_ ne '' && $_ ne '(null)' }
        $decision, $reason, $member;
}

1;
