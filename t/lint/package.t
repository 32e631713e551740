#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The Debian packages hold what `make install` installs, each file once, and
# there is one version, which all that names it agree on.
use v5.36;
use lib 't/lib';
use File::Find qw(find);
use File::Temp qw(tempdir);
use Test::More;
use LBS::Source qw(files slurp none_of);

my ($version) = slurp('mod_lbsticky.h') =~ /^#define LBSTICKY_VERSION "(\S+)"/m;
my %says = (
    Makefile => qr/^VERSION = (\S+)/m,
    CHANGES => qr/^Changes with mod_lbsticky (\S+)/m,
    'debian/changelog' => qr/\A\S+ \(([^-)\s]+)-\S+\)/,
    'packaging/rpm/mod_lbsticky.spec' => qr/^Version:\s+(\S+)/m,
    'packaging/alpine/APKBUILD' => qr/^pkgver=(\S+)/m,
    'docs/lbctl.1' => qr/"mod_lbsticky (\S+)"/,
    'bin/lbctl' => qr/^my \$VERSION = '(\S+)';/m);
none_of("the version is $version everywhere", scalar keys %says,
    map { "$_->[0]: $_->[1]" } grep { $_->[1] ne $version }
    map { [$_, (slurp($_) =~ $says{$_})[0] // 'none'] } sort keys %says);

my $root = tempdir(CLEANUP => 1);
my $build = $ENV{LBS_BUILD} // 'build';
my $said = do {
    local %ENV = %ENV;
    delete @ENV{qw(MAKEFLAGS MAKELEVEL MFLAGS)};
    qx(make -s B='$build' install DESTDIR='$root' PREFIX=/usr \\
        ZSH_DIR=/usr/share/zsh/vendor-completions 2>&1);
};
is $?, 0, 'make install' or diag $said;
my @installed;
find({no_chdir => 1, wanted => sub {
    my $path = s{^\Q$root\E/}{}r;
    my @in = -d $_ ? glob("$_/*") : ();
    push @installed, $path if -f $_ || (-d _ && !@in);
}}, $root);

# A line with a second word names a file of the sources and where it goes.
my (%packed, @twice, @nothing);
for my $list (files(qr{^debian/.*\.install$})) {
    for my $line (split /\n/, slurp($list)) {
        my ($from, $to) = split ' ', $line;
        my @found = glob(defined $to ? $from : "$root/$from");
        push @nothing, "$list: $from" if !@found || !-e $found[0];
        push @twice, map { "$list: $_" } grep { $packed{$_}++ }
            map { s{^\Q$root\E/}{}r } @found;
    }
}
none_of('each line of debian/*.install is there', scalar keys %packed, @nothing);
none_of('no file is packed twice', scalar keys %packed, @twice);
none_of('what make install installs is packed', scalar @installed,
    grep { !$packed{$_} } sort @installed);

my @needed = map { (split)[1] } split /\n/, slurp('debian/libapache2-mod-lbsticky.apache2');
push @needed, map { split } slurp('debian/libapache2-mod-lbsticky.docs'),
    slurp('debian/libapache2-mod-lbsticky.examples');
none_of('documents, examples and configuration that are packed', scalar @needed,
    grep { !grep { -e } glob } @needed);
done_testing;
