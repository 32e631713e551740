# SPDX-License-Identifier: Apache-2.0
# LBS::Jar - cookies as a browser keeps them (RFC 6265, section 5), as far as
# the tests need it: domain, path, Secure, Max-Age, Expires, deletion.
#
#   my $jar = LBS::Jar->new;
#   $jar->learn($response, host => 'www.example.com', path => '/a', tls => 0);
#   my $value = $jar->header(host => ..., path => ..., tls => ...);
package LBS::Jar;
use v5.36;

use Time::Local qw(timegm);

sub new ($class) { return bless {cookies => []}, $class }

my %MONTH;
@MONTH{qw(jan feb mar apr may jun jul aug sep oct nov dec)} = 0 .. 11;

sub parse_date ($text) {
    my ($d, $m, $y, $H, $M, $S) = $text
        =~ /(\d+)[- ](\w{3})[- ](\d+) (\d+):(\d+):(\d+)/ or return;
    return timegm($S, $M, $H, $d, $MONTH{lc $m} // return, $y);
}

sub default_path ($path) {
    $path =~ s/\?.*//s;
    return $path =~ m{^(/.*)/[^/]*$}s ? $1 : '/';
}

# Take in one Set-Cookie line. Returns the cookie, or nothing when a browser
# would have refused it.
sub set ($self, $line, %o) {
    my ($pair, @attrs) = split /;[ \t]*/, $line;
    my ($name, $value) = $pair =~ /^\s*([^=]*?)\s*=\s*(.*?)\s*$/s or return;
    my %a = map { my ($k, $v) = split /=/, $_, 2; (lc $k => $v // '') } @attrs;
    my $host = lc $o{host} =~ s/:\d+$//r;
    my $domain = lc($a{domain} // '') =~ s/^\.//r;

    return if $domain ne '' && !domain_match($host, $domain);
    return if exists $a{secure} && !$o{tls};
    return if $name =~ /^__Host-/
        && (!exists $a{secure} || $domain ne '' || ($a{path} // '') ne '/');
    my %c = (
        name => $name, value => $value,
        domain => $domain eq '' ? $host : $domain,
        host_only => $domain eq '',
        path => ($a{path} // '') =~ m{^/} ? $a{path} : default_path($o{path}),
        secure => exists $a{secure}, httponly => exists $a{httponly},
        samesite => $a{samesite}, partitioned => exists $a{partitioned},
    );
    my $now = $o{now} // time;
    $c{expires} = parse_date($a{expires}) if exists $a{expires};
    $c{expires} = $now + $a{'max-age'}
        if ($a{'max-age'} // '') =~ /^-?\d+$/;

    my $id = join "\0", @c{qw(name domain path)};
    @{$self->{cookies}} = grep {
        join("\0", @$_{qw(name domain path)}) ne $id
    } @{$self->{cookies}};
    push @{$self->{cookies}}, \%c
        if !defined $c{expires} || $c{expires} > $now;
    return \%c;
}

sub learn ($self, $response, %o) {
    $self->set($_, %o) for $response->all('Set-Cookie');
    return;
}

sub domain_match ($host, $domain) {
    return $host eq $domain
        || ($host =~ /\.\Q$domain\E$/ && $host !~ /^[\d.]+$/);
}

sub path_match ($path, $cookie) {
    $path =~ s/\?.*//s;
    return $path eq $cookie || $path =~ m{^\Q$cookie\E/}
        || ($cookie =~ m{/$} && $path =~ /^\Q$cookie\E/);
}

# The cookies a request gets: longest path first, then the oldest.
sub matching ($self, %o) {
    my $host = lc $o{host} =~ s/:\d+$//r;
    my $now = $o{now} // time;
    return sort { length $b->{path} <=> length $a->{path} } grep {
        ($_->{host_only} ? $host eq $_->{domain}
                         : domain_match($host, $_->{domain}))
            && path_match($o{path}, $_->{path})
            && (!$_->{secure} || $o{tls})
            && (!defined $_->{expires} || $_->{expires} > $now)
    } @{$self->{cookies}};
}

# Value of the Cookie field, undef when there is nothing to send.
sub header ($self, %o) {
    my @c = $self->matching(%o) or return;
    return join '; ', map { "$_->{name}=$_->{value}" } @c;
}

# The value of the named cookie wherever it is valid, undef without one.
sub value ($self, $name) {
    my ($c) = grep { $_->{name} eq $name } @{$self->{cookies}};
    return $c && $c->{value};
}

sub names ($self) { return map { $_->{name} } @{$self->{cookies}} }
sub clear ($self) { $self->{cookies} = []; return }

1;
