# SPDX-License-Identifier: Apache-2.0
# LBS::Source - the project's own files, for the guards in t/lint.
#
#   files(qr/\.[ch]$/)      paths of this tree that match, sorted
#   slurp($path)            the whole text
#   code($text)             C without comments and without what strings hold;
#                           line numbers stay
#   room($path)             (room, level) of a file of the module
#   %LEVEL                  the levels; includes go downwards only
package LBS::Source;
use v5.36;

use Exporter qw(import);
our @EXPORT_OK = qw(files slurp code room none_of %LEVEL @PURE);

our %LEVEL = (
    base => 0, affinity => 1, evidence => 1, roster => 1, sharing => 1,
    table => 1,
    member => 2, foreign => 3, pick => 3, state => 3, preview => 4, view => 4,
    'httpd/proxy' => 5, 'httpd/resolve' => 5,
    'httpd/config' => 6, 'httpd/advice' => 7, 'httpd/shared' => 7,
    'httpd/pool' => 8, 'httpd/wire' => 8, 'httpd/health' => 9,
    'httpd/store' => 9, 'httpd/decide' => 10, 'httpd/check' => 10,
    'httpd/discover' => 11, 'httpd/request' => 11, 'httpd/status' => 11,
    'httpd/local' => 12,
    'httpd/server' => 13);
our @PURE = grep { !m{^httpd/} } sort keys %LEVEL;

# What git tracks or would track; in an unpacked tarball all that is there.
sub all_files () {
    my @all = -e '.git'
        ? split /\n/, `git ls-files --cached --others --exclude-standard`
        : map { s{^\./}{}r } split /\n/, `find . -type f -not -path './build/*'`;
    return sort grep { -f } @all;
}

my @all;

sub files ($match) {
    @all = all_files() if !@all;
    return grep { /$match/ } @all;
}

sub slurp ($path) {
    open my $f, '<:raw', $path or die "$path: $!\n";
    local $/;
    return <$f>;
}

# Newlines inside what is removed are kept.
sub code ($text) {
    $text =~ s{ (/\*.*?\*/) | (//[^\n]*) | ("(?:[^"\\\n]|\\.)*") | ('(?:[^'\\\n]|\\.)+') }{
        defined $1 ? ' ' . ($1 =~ tr/\n//cdr)
            : defined $2 ? '' : defined $3 ? '""' : "'x'"
    }gesx;
    return $text;
}

sub room ($path) {
    return ('.', 14) if $path =~ /^mod_lbsticky\.[ch]$/;
    my ($room) = $path =~ m{^src/(httpd/[^/]+|[^/]+)/} or return;
    return ($room, $LEVEL{$room});
}

# One assertion for a list of findings; they are shown when there are any.
# `seen` is how much was looked at: nothing at all is a failure of the guard.
sub none_of ($what, $seen, @findings) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $ok = Test::More::ok($seen && !@findings, "$what ($seen looked at)");
    Test::More::diag('found nothing to look at') if !$seen;
    Test::More::diag($_) for @findings;
    return $ok;
}

1;
