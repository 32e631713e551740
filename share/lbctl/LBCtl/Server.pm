# SPDX-License-Identifier: Apache-2.0
# LBCtl::Server - questions to lb-status and its answers, through curl.
package LBCtl::Server;
use strict;
use warnings;
use Exporter qw(import);
use POSIX ();
use LBCtl::Base;
use LBCtl::Json;

our @EXPORT = qw(fetch get_json post explain_status complete_vhost find_pool
                 find_pools find_member is_named label);

# What curl's own exit statuses mean to somebody who only gave a URL.
my %curl_says = (
    1  => 'curl does not know this kind of URL',
    2  => 'curl does not take the options in LBCTL_CURL',
    3  => 'this is no URL',
    5  => 'the proxy was not found',
    6  => 'this host is not known',
    7  => 'nobody accepts connections there: is httpd running?',
    28 => 'no answer in time',
    35 => 'no TLS connection: is it https there?',
    52 => 'the server closed the connection without an answer',
    56 => 'the connection was lost',
    60 => 'the certificate is not trusted; LBCTL_CURL=-k if that is right',
);

sub without_password { my ($url) = @_; $url =~ s{^([^/]*//)[^/@]*@}{$1}; return $url }
sub shown_url { return without_password($opt{url}) }

our $curl;             # pid of the curl that runs
our $patience = 20;    # seconds for one answer
our $detached = 0;     # no terminal for curl: it must not ask

sub fetch {
    my ($path, @args) = @_;
    my @more = split ' ', $ENV{LBCTL_CURL} // '';
    local $curl = open my $answer, '-|';
    defined $curl or fail($FAILED, "cannot fork: $!");
    if ($curl == 0) {
        POSIX::setsid() if $detached;
        open STDERR, '>', '/dev/null';
        exec 'curl', '-sS', '--max-time', $patience, '--netrc-optional',
            '-w', '\n%{http_code} %{redirect_url}', @more, @args, '--',
            "$opt{url}$path"
            or POSIX::_exit(127);
    }
    local $/;
    my $body = <$answer>;
    close $answer;
    my $status = $? >> 8;
    fail($FAILED, 'curl is not installed') if $status == 127;
    my $url = shown_url();
    fail($NO_ANSWER, "$url: "
        . ($curl_says{$status} // "curl ended with status $status"))
        if $status != 0;
    $body =~ s/\n(\d+) (.*)\z// or fail($NO_ANSWER, "$url: no answer");
    my ($code, $elsewhere) = ($1, $2);
    # The same document at another place; a site's login page is none.
    fail($FAILED, "$url sends us on ($code): use " . without_password($elsewhere))
        if $elsewhere =~ s{^([^?]*)\Q$path\E(?:\?.*)?\z}{$1};
    return ($code, $body);
}

# The server speaks of its form's fields; here they are options.
sub in_our_words {
    my ($text) = @_;
    $text =~ s{: say vhost, (?:one of|such as) (.*)}
        {', say which: ' . join ' or ', map { "--vhost $_" } split /, | (?:and|or) /, $1}es;
    $text =~ s{may not be changed from here\K}
        {: ask the lb-status of that virtual host (-u URL), it needs LBStickyAdmin on};
    return $text;
}

# For a server whose configuration has no status page.
my $LINES = <<'TEXT';
Write into httpd's configuration, into the site's <VirtualHost> or outside of
all of them (as conf/lbsticky.conf has it):

    <Location "/lb-status">
        SetHandler lb-status
        Require    local
    </Location>

and reload it: sudo apache2ctl configtest && sudo systemctl reload apache2
If it has these lines: is the module loaded (sudo a2enmod lbsticky), does another
host or port have them (lbctl -u http://HOST:PORT/lb-status status)?
TEXT

# One sentence for an answer that is not what was asked for, and the lines to
# write, where no other place was asked than the usual one.
sub explain_status {
    my ($status, $body) = @_;
    my $json = parse_json($body);
    return 'refused: ' . in_our_words($json->{error}) . " ($status)"
        if $json && defined $json->{error};
    my $url = shown_url();
    return $url eq $opt{url}
        ? "$url wants a password (401): put it into ~/.netrc or LBCTL_CURL"
        : "$url does not accept this user and password (401)"
        if $status == 401;
    return "$url does not let us in (403): Require in its <Location> says who may "
        . 'look; or ask at that machine itself'
        if $status == 403;
    return "$url: no pool has LBSticky in force; write LBSticky cookie into the "
        . '<VirtualHost> or <Proxy> section of the pool, and reload httpd (on Debian the site has to be '
        . 'enabled, too: sudo a2ensite)'
        if $body =~ /\ANo pool has LBSticky in force/;
    my $what = $status == 404 ? "there is no lb-status at $url (404)"
        : "$url answers, but not as lb-status ($status)";
    return $url =~ m{^(?:\w+://)?[^/]*/lb-status\z} ? ($what, $LINES)
        : $url =~ m{^(?:\w+://)?[^/]*\z} ? "$what: is it $url/lb-status?"
        : "$what: is the URL right?";
}

# The state, and the text that it was. Where $same says of a text that it tells
# nothing new, it is not read, and the state is undef.
sub get_json {
    my ($same) = @_;
    my ($status, $body) = fetch('/json');
    return (undef, $body) if $status == 200 && $same && $same->($body);
    my $state = $status == 200 ? parse_json($body) : undef;
    fail($FAILED, explain_status($status, $body)) if !$state || ref $state->{pools} ne 'ARRAY';
    return ($state, $body);
}

sub post {
    my (%field) = @_;
    my @data = map { ('--data-urlencode', "$_=$field{$_}") }
        grep { defined $field{$_} } sort keys %field;
    my ($status, $body) = fetch('/admin', '-H', 'LBSticky-Admin: 1', @data);
    my $member = $status == 200 ? parse_json($body) : undef;
    fail($FAILED, explain_status($status, $body)) if !$member || !defined $member->{id};
    return $member;
}

# A virtual host is named with its port. Without it --vhost means the only one
# of that name.
sub complete_vhost {
    return if !defined $opt{vhost} || $opt{vhost} =~ /:\d+\z/;
    my ($state) = get_json();
    my %there = map { $_->{vhost} => 1 }
        grep { $_->{vhost} =~ /^\Q$opt{vhost}\E:\d+\z/ } @{$state->{pools}};
    my @there = sort keys %there;
    fail($WRONG, "$opt{vhost} has several ports, say which: "
        . join ' or ', map { "--vhost $_" } @there) if @there > 1;
    $opt{vhost} = $there[0] // $opt{vhost};
}

# The pools of that name, or all, in the virtual host that is asked for; there
# is one at least.
sub find_pools {
    my ($state, $name) = @_;
    my @pools = grep { (!defined $name || $_->{name} eq $name)
        && (!defined $opt{vhost} || $_->{vhost} eq $opt{vhost}) } @{$state->{pools}};
    return @pools if @pools || !defined $name && !defined $opt{vhost};
    fail($FAILED, 'there is no pool' . (defined $name ? " $name" : '')
        . (defined $opt{vhost} ? " in $opt{vhost}" : '') . those_there($state));
}

# "; there are app, shop": what to write, for a name that is none.
sub those_there {
    my ($state) = @_;
    my %there = map { $_->{name} . (defined $opt{vhost} ? " --vhost $_->{vhost}" : '') => 1 }
        @{$state->{pools}};
    my @there = sort keys %there or return '';
    splice @there, 5, @there, '...' if @there > 6;
    return (@there == 1 ? '; there is ' : '; there are ') . join ', ', @there;
}

sub find_pool {
    my ($state, $name) = @_;
    my @pools = find_pools($state, $name);
    fail($WRONG, "several virtual hosts have a pool $name, say which: "
        . join(' or ', map { "--vhost $_->{vhost}" } @pools)) if @pools > 1;
    return $pools[0];
}

sub label {
    my ($member) = @_;
    return length $member->{route} ? $member->{route} : $member->{name};
}

# By its id, its URL or its route.
sub is_named {
    my ($member, $who) = @_;
    return $member->{id} eq $who || $member->{name} eq $who
        || (length $who && $member->{route} eq $who);
}

sub find_member {
    my ($state, $pool, $who) = @_;
    my ($member) = grep { is_named($_, $who) } @{find_pool($state, $pool)->{members}};
    fail($FAILED, "the pool $pool has no member $who") if !$member;
    return $member;
}

1;
