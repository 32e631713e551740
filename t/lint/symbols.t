#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# httpd loads modules into one name space: the module shows one symbol, and
# inside it every global carries the prefix and its file's noun, and is there
# because another file calls it.
use v5.36;
use lib 't/lib';
use Test::More;
use LBS::Source qw(files slurp code room none_of);

like `nm --version 2>&1`, qr/GNU nm/, 'nm is there'
    or diag 'run tools/bootstrap check';

my ($module, $archive) = map { ($ENV{LBS_BUILD} // 'build') . "/$_" }
    qw(mod_lbsticky.so liblbs_pure.a);
my @shown = map { (split)[-1] } `nm -D --defined-only $module`;
is "@shown", 'lbsticky_module', 'the module shows one symbol';

my @globals = map { (split)[-1] } grep { / [A-Z] / }
    `nm --defined-only --extern-only $archive`;
none_of('globals of the pure rooms are lbs_*', scalar @globals,
        grep { !/^lbs_/ } @globals);

# A definition at the left margin that is not static; kept simple by the
# format, which puts the opening brace of a function on a line of its own.
# What a room keeps to itself (_int.h) only needs the prefix.
my (@nouns, $seen, %home);
my %private = map { $_ => 1 } map { code(slurp($_)) =~ /\b(lbs_\w+)\(/g }
    files(qr{^src/.*_int\.h$});
for my $file (files(qr{^src/.*\.c$})) {
    my ($noun) = $file =~ m{/lbs_(\w+)\.c$};
    if (!defined $noun) {
        push @nouns, "$file: want lbs_<noun>.c";
        next;
    }
    # The file's noun (lbs_keys.c: key), or that of a type of its room.
    my ($room) = $file =~ m{^(.*/)};
    my $names = join '|', $noun =~ s{_.*}{}r =~ s{s$}{s?}r,
        map { code(slurp($_)) =~ /\blbs_(\w+)_t;/g } files(qr{^$room.*\.h$});
    my $text = code(slurp($file));
    while ($text =~ /^(?!static|typedef|#|struct \w+ \{|\s)[\w \t*]*?\b(\w+)\([^;{}]*\)\n\{/mg) {
        $seen++;
        my $name = $1;
        $home{$name} = $file;
        next if $private{$name};
        push @nouns, "$file: $name; name it lbs_${noun}_<verb>, make it static, or declare it in a header _int.h" if $name !~ /^lbs_(?:$names)(?:_|$)/;
    }
}
none_of('exported functions are named after their file or a type', $seen, @nouns);

# Called from another file: in its code, or in an inline function of a header,
# where a name stands further in than in a declaration.
my %callers;
for my $file (files(qr{^(?:mod_lbsticky\.c|src/.*\.[ch])$})) {
    for my $line (split /\n/, code(slurp($file))) {
        next if $file =~ /h$/ && $line !~ /^\s/;
        $callers{$_}{$file} = 1 for $line =~ /\b(lbs_\w+)\b/g;
    }
}
# What is there for tests, tools and fuzz targets; the headers say so.
my %called = map { $_ => 1 } qw(lbs_snapshot_seal lbs_validate_table);
for my $name (keys %home) {
    my @others = grep { $_ ne $home{$name} } keys $callers{$name}->%*;
    $called{$name} = 1 if @others;
}
none_of('exported functions are called from another file', scalar keys %home,
        map { "$home{$_}: $_; make it static, or take it out" } grep { !$called{$_} } sort keys %home);

done_testing;
