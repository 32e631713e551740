# SPDX-License-Identifier: Apache-2.0
# LBS::Page - what the browser tests of the status page have in common.
#
#   my $p = LBS::Page->new(members => 3, conf => 'LBStickyAdmin on');
#   $p->open('?pool=app');          # at /lb-status
#   $p->fits;                       # no scrolling sideways, no violations
#   $p->screenshot('light');        # to docs/img, with LBS_SCREENSHOTS=1
package LBS::Page;
use v5.36;

use File::Copy qw(copy);
use File::Path qw(make_path);
use Test::More ();
use Time::HiRes qw(sleep time);
use JSON::PP ();
use LBS::Backend;
use LBS::Browser;
use LBS::Httpd;

# members: backends that answer; more: members behind which there is nothing,
# with `far` in their lines.
sub new ($class, %o) {
    my @web = LBS::Backend->many($o{members} // 2);
    my $list = join '', (map { qq(    BalancerMember "http://\@B$_\@" route=web$_\n) } 1 .. @web),
        map { sprintf qq(    BalancerMember "http://127.0.0.1:%d" route=far%04d %s\n),
              40_000 + $_, $_, $o{far} // '' }
        1 .. ($o{more} // 0);
    my $h = LBS::Httpd->new(backends => \@web, conf => <<"CONF");
LBSticky cookie session=sid
LBStickySlowStart off
@{[$o{conf} // '']}
<Proxy "balancer://app">
@{[$o{pool} // '']}
$list</Proxy>
\@STATUS\@
ProxyPass "/" "balancer://app/"
CONF
    $h->start;
    return bless {h => $h, web => \@web,
                  b => LBS::Browser->new(%{$o{browser} // {}})}, $class;
}

sub browser ($self) { return $self->{b} }
sub httpd ($self)   { return $self->{h} }

sub open ($self, $query = '') {
    $self->{b}->go('http://localhost:' . $self->{h}->port . "/lb-status$query");
    return $self->{b};
}

sub cdp ($self, $cmd, %params) {
    return $self->{b}->post('/goog/cdp/execute', {cmd => $cmd, params => \%params});
}

sub size ($self, $width, $height) {
    $self->cdp('Emulation.setDeviceMetricsOverride', width => $width, height => $height,
               deviceScaleFactor => 1, mobile => JSON::PP::false());
    return;
}

sub scheme ($self, $light_or_dark) {
    $self->cdp('Emulation.setEmulatedMedia', features =>
        [{name => 'prefers-color-scheme', value => $light_or_dark}]);
    return;
}

# Keys as a person presses them, to whatever has the focus.
sub keys ($self, @keys) {
    my %code = (Tab => "\x{e004}", Enter => "\x{e007}", Escape => "\x{e00c}");
    $self->{b}->post('/actions', {actions => [{type => 'key', id => 'keyboard',
        actions => [map { my $k = $code{$_} // $_;
            ({type => 'keyDown', value => $k}, {type => 'keyUp', value => $k}) } @keys]}]});
    return;
}

# Press Tab until an element that fits has the focus; false when there is none.
sub tab_to ($self, $selector) {
    for (1 .. 60) {
        return 1 if $self->{b}->eval(
            'return document.activeElement.matches(arguments[0])', $selector);
        $self->keys('Tab');
    }
    return 0;
}

sub wait_js ($self, $code, $timeout = 8) {
    my $end = time + $timeout;
    while (time < $end) {
        return 1 if $self->{b}->eval($code);
        sleep 0.05;
    }
    return 0;
}

# axe-core from the npm registry, as package-lock.json names it; undef: there
# is none, and a reason.
my ($axe, $why);

sub axe () {
    return $axe if $axe || $why;
    my $dir = ($ENV{LBS_BUILD} // 'build') . '/browser';
    my $file = "$dir/node_modules/axe-core/axe.min.js";
    make_path($dir);
    copy("t/browser/$_", "$dir/$_") for qw(package.json package-lock.json);
    my $said = -e $file ? '' : qx(cd '$dir' && npm ci --no-audit --no-fund --fetch-retries=1 2>&1);
    $axe = LBS::Proc::slurp($file);
    ($why) = "axe-core cannot be installed: $said" =~ /(.*)/ if !length $axe;
    return $axe;
}

# axe-core is the one thing that is not of Debian: where its registry is out of
# reach, the checks that it would have made are told as skipped.
sub skipped ($what) {
    SKIP: { Test::More::skip($what, 1) }
    return 1;
}

# No accessibility violations. Scripts that WebDriver brings in are not
# subject to the page's policy.
sub accessible ($self, $what) {
    my $source = axe();
    return skipped("$what: $why") if $why;
    $self->{b}->eval($source . ';return 1');
    my $found = $self->{b}->post('/execute/async', {args => [], script => <<'JS'});
const done = arguments[0];
axe.run(document, {resultTypes: ['violations']}).then(
    (r) => done(r.violations.map((v) => `${v.id}: ${v.help}: `
        + v.nodes.map((n) => n.html.slice(0, 200)).join(' | '))),
    (e) => done([String(e)]));
JS
    return Test::More::is(join("\n", @$found), '', "$what: no accessibility violation");
}

sub fits ($self, $what) {
    my $over = $self->{b}->eval(
        'return document.documentElement.scrollWidth - document.documentElement.clientWidth');
    Test::More::cmp_ok($over, '<=', 0, "$what: nothing hangs over");
    return $self->accessible($what);
}

# Small files: these pages have few colours.
sub screenshot ($self, $name) {
    return if !$ENV{LBS_SCREENSHOTS};
    my $file = "docs/img/$name.png";
    make_path('docs/img');
    $self->{b}->screenshot($file);
    system 'pngquant', '--force', '--ext', '.png', '64', $file
        if grep { -x "$_/pngquant" } split /:/, $ENV{PATH};
    return;
}

sub no_console ($self, $what = 'the console') {
    return Test::More::is(join("\n", $self->{b}->console), '', "$what is empty");
}

1;
