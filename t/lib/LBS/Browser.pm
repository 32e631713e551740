# SPDX-License-Identifier: Apache-2.0
# LBS::Browser - Chromium without a screen, driven by WebDriver.
#
#   my $b = LBS::Browser->new;
#   $b->go("http://localhost:$port/login");
#   $b->type('#user', 'anna');
#   $b->click('button[type=submit]');
#   is $b->text('h1'), 'Welcome';
#
# Each instance has a profile, so cookies, of its own. Waiting is bounded;
# what cannot be found in time dies with the selector.
package LBS::Browser;
use v5.36;

use File::Temp ();
use HTTP::Tiny;
use JSON::PP ();
use MIME::Base64 qw(decode_base64);
use POSIX qw(WNOHANG);
use Time::HiRes qw(time sleep);
use LBS::Ports;
use parent 'LBS::Started';

use constant ELEMENT => 'element-6066-11e4-a52e-4f735466cecf';
my $json = JSON::PP->new->utf8->allow_nonref;

# Nothing to test with: a reason to skip, undef when there is a browser.
sub missing ($class) {
    for my $program (qw(chromedriver chromium)) {
        return "$program is not installed"
            if !grep { -x "$_/$program" } split /:/, $ENV{PATH};
    }
    return;
}

# args: more arguments for Chromium; javascript => 0 switches it off;
# wait: seconds to look for an element (5).
sub new ($class, %o) {
    my $self = bless {port => LBS::Ports::free(),
                      wait => $o{wait} // 5, http => HTTP::Tiny->new(timeout => 30),
                      dir => File::Temp->newdir('lbs-browser-XXXXXX', TMPDIR => 1)},
        $class;
    $self->start_driver;
    my @args = ('--headless=new', '--disable-gpu', '--disable-dev-shm-usage',
                '--no-first-run', '--disable-background-networking',
                '--ignore-certificate-errors', "--user-data-dir=$self->{dir}",
                '--window-size=1200,900', ($> == 0 ? '--no-sandbox' : ()),
                @{$o{args} // []});
    my %prefs = defined $o{javascript} && !$o{javascript}
        ? (prefs => {'profile.managed_default_content_settings.javascript' => 2})
        : ();
    my $session = $self->ask(POST => '/session', {capabilities => {
        alwaysMatch => {'goog:chromeOptions' => {args => \@args, %prefs},
                        'goog:loggingPrefs' => {browser => 'ALL'}}}});
    $self->{session} = "/session/$session->{sessionId}";
    return $self;
}

sub start_driver ($self) {
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        POSIX::setsid();    # the browser's processes end with the group
        open STDOUT, '>', "$self->{dir}/driver.log";
        open STDERR, '>&', \*STDOUT;
        open STDIN, '<', '/dev/null';
        exec qw(setpriv --pdeathsig TERM -- chromedriver),
            "--port=$self->{port}" or POSIX::_exit(127);
    }
    $self->started($pid);
    for (1 .. 200) {
        return if eval { $self->ask(GET => '/status')->{ready} };
        sleep 0.05;
    }
    die "chromedriver does not get ready\n";
}

sub ask ($self, $method, $path, $body = undef) {
    my $r = $self->{http}->request($method,
        "http://127.0.0.1:$self->{port}$path", $body
            ? {content => $json->encode($body),
               headers => {'Content-Type' => 'application/json'}} : {});
    my $value = eval { $json->decode($r->{content})->{value} };
    die "$method $path: ", ref $value && $value->{message} || $r->{content},
        "\n" if !$r->{success};
    return $value;
}

sub post ($self, $path, $body = {}) {
    return $self->ask(POST => "$self->{session}$path", $body);
}
sub fetch ($self, $path) { return $self->ask(GET => "$self->{session}$path") }

sub go ($self, $url) { $self->post('/url', {url => $url}); return $self }
sub reload ($self)   { return $self->post('/refresh') }
sub url ($self)      { return $self->fetch('/url') }
sub title ($self)    { return $self->fetch('/title') }
sub source ($self)   { return $self->fetch('/source') }

# The value of a piece of JavaScript: $b->eval('return document.title').
sub eval ($self, $code, @args) {
    return $self->post('/execute/sync', {script => $code, args => \@args});
}

# All elements that match now; find() waits for the first.
sub all ($self, $selector) {
    return map { $_->{+ELEMENT} } @{$self->post('/elements',
        {using => 'css selector', value => $selector})};
}

sub find ($self, $selector) {
    my $end = time + $self->{wait};
    while (1) {
        my ($first) = $self->all($selector);
        return $first if $first;
        die "no element $selector on ", $self->url, "\n" if time > $end;
        sleep 0.05;
    }
}

sub click ($self, $selector) {
    my $e = $self->find($selector);
    return $self->post("/element/$e/click");
}

sub type ($self, $selector, $text) {
    my $e = $self->find($selector);
    return $self->post("/element/$e/value", {text => $text});
}

sub text ($self, $selector) {
    my $e = $self->find($selector);
    return $self->fetch("/element/$e/text");
}

# True as soon as the element's text matches; false when the time is over.
sub text_becomes ($self, $selector, $match, $timeout = $self->{wait}) {
    my $end = time + $timeout;
    while (1) {
        my $text = eval { $self->text($selector) };
        return 1 if defined $text && $text =~ $match;
        return 0 if time > $end;
        sleep 0.05;
    }
}

# Cookies of the page: [{name, value, path, secure, httpOnly, sameSite ...}].
sub cookies ($self) { return @{$self->fetch('/cookie')} }

sub cookie ($self, $name) {
    my ($found) = grep { $_->{name} eq $name } $self->cookies;
    return $found;
}

# What pages wrote to the console, with failed loads and CSP violations; not
# what Chromium says about pages of its own.
sub console ($self) {
    return map { "$_->{level}: $_->{message}" }
        grep { $_->{message} !~ m{^chrome://} }
        @{$self->post('/se/log', {type => 'browser'})};
}

sub screenshot ($self, $file) {
    open my $f, '>:raw', $file or die "$file: $!\n";
    print $f decode_base64($self->fetch('/screenshot'));
    return close $f;
}

sub kill ($self) {
    my $pid = $self->ended // return;
    eval { $self->ask(DELETE => $self->{session}) } if $self->{session};
    kill TERM => -$pid;
    for (1 .. 100) {
        last if waitpid($pid, WNOHANG) != 0;
        sleep 0.02;
    }
    kill KILL => -$pid;
    return;
}

1;
