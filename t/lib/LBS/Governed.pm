# SPDX-License-Identifier: Apache-2.0
# LBS::Governed - an httpd with governed pools, and what it decided.
#
#   my @web = LBS::Backend->many(3);
#   my $h = governed(\@web, app => 'LBSticky cookie', other => <<'POOL');
#   LBSticky     ip
#   BalancerMember "http://@B1@" route=a status=+H
#   POOL
#   my $r = $h->get('/app/');
#   is verdict($r), 'new first', 'a visitor without a cookie';
#
# Pools are name => text inside <Proxy "balancer://name">, mounted at /name/.
# A text that has no BalancerMember gets all backends, routes r1, r2 ...
# Every pool has `LBStickyCookie first=off` unless its text has a
# LBStickyCookie of its own: tests all come from one address. There is a
# /lb-status besides.
#
# governed() starts at once; start => 0 does not. What else it takes goes to
# LBS::Httpd, but: server => text for the main server, more => text behind the
# pools, mount => 0 leaves the ProxyPass lines to it, header => 0 keeps the
# verdict out of the answers.
package LBS::Governed;
use v5.36;

use Exporter qw(import);
use Time::HiRes qw(time sleep);
use LBS::Httpd;

our @EXPORT = qw(governed governed_text verdict decided member_of source_of
                 attempts_of tries_of token_in cookie_of three_wait);

my @FIELDS = qw(DECISION REASON MEMBER SOURCE TRIES);
my $FORMAT = join '|', map { "%{LBSTICKY_$_}e" } @FIELDS;
# With an ErrorDocument the first request knows, not the page.
my $LOGGED = join '|', map { "%<{LBSTICKY_$_}e" } @FIELDS;
my %KNOWN = map { $_ => 1 } qw(server mount header start modules without mpm
    children threads env more);

# The configuration alone, for a graceful restart with other pools.
sub governed_text ($backends, %o) {
    my $text = "MaxKeepAliveRequests 0\n";
    $text .= qq(Header always set X-Decision "$FORMAT"\n) if $o{header} // 1;
    $text .= qq(LogFormat "%U|$LOGGED" decisions\n)
        . qq(CustomLog "\@ROOT\@/logs/decisions" decisions\n);
    $text .= ($o{server} // '') . "\n";
    for my $name (sort grep { !$KNOWN{$_} } keys %o) {
        my $lines = $o{$name};
        $lines = "LBStickyCookie first=off\n$lines"
            if $lines !~ /LBStickyCookie/;
        $lines .= join '', map { qq(\nBalancerMember "http://\@B$_\@" route=r$_) }
            1 .. @$backends if $lines !~ /BalancerMember/;
        $text .= qq(<Proxy "balancer://$name">\n$lines\n</Proxy>\n);
        $text .= qq(ProxyPass "/$name/" "balancer://$name/"\n)
            if $o{mount} // 1;
    }
    return $text . "\@STATUS\@\n" . ($o{more} // '') . "\n";
}

sub governed ($backends, %o) {
    my %httpd = map { exists $o{$_} ? ($_ => $o{$_}) : () }
        qw(modules without mpm children threads env);
    my $h = LBS::Httpd->new(%httpd, backends => $backends,
                            conf => governed_text($backends, %o));
    $h->start if $o{start} // 1;
    return $h;
}

sub fields ($line) {
    my %f;
    @f{@FIELDS} = map { $_ eq '-' || $_ eq '(null)' ? '' : $_ }
        split /\|/, $line // '', -1;
    return \%f;
}

# "decision reason" of an answer, as the module put it into the environment.
sub verdict ($r) {
    my $f = fields(scalar $r->header('X-Decision'));
    return join ' ', grep { $_ ne '' } @$f{qw(DECISION REASON)};
}

sub member_of ($r) { return fields(scalar $r->header('X-Decision'))->{MEMBER} }
sub source_of ($r) { return fields(scalar $r->header('X-Decision'))->{SOURCE} }
sub attempts_of ($r) { return fields(scalar $r->header('X-Decision'))->{TRIES} }

# The log's lines, the last `n` of them, as hashes; a line is written after
# the client has its answer, so this waits for as many as there should be.
sub decided ($h, $n, $path = '') {
    my @lines;
    for (1 .. 250) {
        @lines = grep { /^\Q$path\E/ && /\n\z/ } split /^/,
            LBS::Proc::slurp($h->root . '/logs/decisions');
        last if @lines >= $n;
        Time::HiRes::sleep(0.02);
    }
    return map {
        chomp;
        my ($uri, $rest) = split /\|/, $_, 2;
        +{%{fields($rest)}, uri => $uri}
    } @lines;
}

# The last answer's line: the attempts it took.
sub tries_of ($h, $uri) {
    my @all = decided($h, 1, $uri);
    return @all ? $all[-1]{TRIES} : undef;
}

# The token of our cookie in an answer, undef if it sets none.
sub token_in ($r, $name) {
    my @lines = $r->set_cookies($name);
    return if !@lines;
    return $lines[-1] =~ /^\Q$name\E=([^;]*)/ ? $1 : undef;
}

# headers => cookie_of(name => value, ...)
sub cookie_of (@pairs) {
    my @crumbs;
    while (my ($name, $value) = splice @pairs, 0, 2) {
        push @crumbs, "$name=$value";
    }
    return [['Cookie', join '; ', @crumbs]];
}

# What becomes of three visitors of r1 of the pool app (LBSticky route=R),
# while r2 is asked for two seconds: [status, member, seconds] of each.
sub three_wait ($h) {
    my $start = time;
    my @got = LBS::Test::in_parallel(4, sub ($i) {
        my $r;
        do {
            $r = $h->get('/app/', headers => cookie_of(R => $i < 3 ? 'x.r1' : 'x.r2'));
            sleep 0.05;
        } while ($i == 3 && time < $start + 2);
        return [$r->status, $r->member, $r->elapsed];
    });
    return @got[0 .. 2];
}

1;
