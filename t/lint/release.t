#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What `make release` publishes: a tarball of what git has, the same bytes each
# time; an SBOM of what the module is linked with; checksums and, with a key, a
# signature that gpg accepts.
use v5.36;
use lib 't/lib';
use Cwd qw(getcwd);
use Digest::SHA;
use File::Copy qw(copy);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use JSON::PP ();
use Test::More;
use LBS::Source qw(files slurp none_of);

plan skip_all => 'no checkout of git' if system('git rev-parse --git-dir >/dev/null 2>&1');

my ($version) = slurp('Makefile') =~ /^VERSION = (\S+)/m;
my $build = $ENV{LBS_BUILD} // 'build';
my $name = "mod_lbsticky-$version";
my $work = tempdir('lbs-XXXXXX', TMPDIR => 1, CLEANUP => 1);

sub run ($command) {
    my $said = qx(($command) 2>&1);
    return ok($? == 0, $command =~ s{\Q$work\E/?}{}gr =~ s/\n.*//sr) || !diag $said;
}

# The commit of this tree and what is not committed yet, in a clone: a release
# is made from one commit.
my $tree = "$work/tree";
run("git clone -q --no-tags . $tree && git ls-files -z --cached --others --exclude-standard "
    . "--deduplicate | xargs -0 tar -c --ignore-failed-read 2>/dev/null | tar -x -C $tree && "
    . "cd $tree && git add -A && git -c user.name=t -c user.email=t\@t commit -q "
    . '--allow-empty -m tree');

my @tarballs = map { "$work/$_.tar.gz" } 1, 2;
run("cd $tree && umask 077 && tools/tarball $version $tarballs[0]");
run("cd $tree && umask 022 && touch README && git -c gc.auto=0 config tar.umask 0007 && "
    . "tools/tarball $version $tarballs[1]");
is sha(@tarballs[0, 0]), sha(@tarballs[1, 1]), 'the same bytes, whatever the umask and the time';

sub sha ($path, @) { return Digest::SHA->new(256)->addfile($path, 'b')->hexdigest }

my @packed = grep { !m{/$} } split /\n/, qx(tar -tzf $tarballs[0]);
my @outside = grep { !m{^\Q$name\E/} } @packed;
none_of("all is in $name/", scalar @packed, @outside);
my %packed = map { s{^\Q$name\E/}{}r => 1 } @packed;
none_of('each source file is packed', scalar keys %packed,
    grep { !$packed{$_} } files(qr{.}));
none_of('no product of a build is', scalar keys %packed,
    grep { m{^(?:build|run)/|\.(?:o|so|deb|gz|orig|rej)$} && !m{^fuzz/corpus/} }
    sort keys %packed);

# The module as it is built, and a key that is thrown away.
make_path("$tree/build");
copy("$build/mod_lbsticky.so", "$tree/build/") or die "copy: $!\n";
copy($tarballs[0], "$tree/build/$name.tar.gz") or die "copy: $!\n";
# The agent's socket has a short path.
local $ENV{GNUPGHOME} = tempdir('gpg-XXXXXX', TMPDIR => 1, CLEANUP => 1);
run("gpg --batch --quiet --pinentry-mode loopback --passphrase '' "
    . '--quick-generate-key release@example.org ed25519 sign 1d');
local $ENV{SIGN_KEY} = 'release@example.org';
my $sbom = "$tree/build/$name.spdx.json";
my @sums = map {
    run("cd $tree && tools/release $version");
    sha($sbom);
} 1, 2;
is $sums[0], $sums[1], 'the SBOM has the same bytes each time';
run("cd $tree/build && gpg --quiet --verify $name.sha256.asc $name.sha256");
run("cd $tree/build && sha256sum --quiet -c $name.sha256");
is scalar(() = slurp("$tree/build/$name.sha256") =~ /^\S{64}  \Q$name\E\.\S+$/mg), 2,
    'the tarball and the SBOM have checksums';
run("cd $tree/build && echo >>$name.sha256 && ! gpg --quiet --verify $name.sha256.asc "
    . "$name.sha256");

my $spdx = JSON::PP::decode_json(slurp($sbom));
my %called = map { $_->{SPDXID} => $_->{packageFileName} } @{$spdx->{packages}};
my @linked = sort map { $called{$_->{relatedSpdxElement}} }
    grep { $_->{relationshipType} eq 'DYNAMIC_LINK' } @{$spdx->{relationships}};
my @needed = sort map { /^\s+NEEDED\s+(\S+)$/ ? $1 : () } qx(objdump -p '$build/mod_lbsticky.so');
is_deeply \@linked, \@needed, "it lists what is linked: @needed";
my ($own) = grep { $_->{packageFileName} eq 'mod_lbsticky.so' } @{$spdx->{packages}};
is $own->{checksums}[0]{checksumValue}, sha("$build/mod_lbsticky.so"), 'of this very module';
none_of('each library has a version and a checksum', scalar keys %called,
    map { $_->{packageFileName} } grep { !$_->{checksums} || $_->{versionInfo} eq 'NOASSERTION' }
    -e '/var/lib/dpkg/status' ? @{$spdx->{packages}} : $own);

system('gpgconf', '--kill', 'all');
done_testing;
