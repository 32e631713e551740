#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# httpd loads modules into one name space: the module shows one symbol, and
# inside it every global carries the prefix and its file's noun.
use v5.36;
use lib 't/lib';
use Test::More;
use LBS::Source qw(files slurp code room none_of);

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
my (@nouns, $seen);
for my $file (files(qr{^src/.*\.c$})) {
    my ($noun) = $file =~ m{/lbs_(\w+)\.c$};
    if (!defined $noun) {
        push @nouns, "$file: want lbs_<noun>.c";
        next;
    }
    # The file's noun (lbs_keys.c: key), or that of a type in its header.
    my $header = $file =~ s/\.c$/.h/r;
    my $names = join '|', $noun =~ s{_.*}{}r =~ s{s$}{s?}r,
        -f $header ? code(slurp($header)) =~ /\blbs_(\w+)_t;/g : ();
    my $text = code(slurp($file));
    while ($text =~ /^(?!static|typedef|#|struct \w+ \{|\s)[\w \t*]*?\b(\w+)\([^;{}]*\)\n\{/mg) {
        $seen++;
        my $name = $1;
        push @nouns, "$file: $name" if $name !~ /^lbs_(?:$names)(?:_|$)/;
    }
}
none_of('exported functions are named after their file', $seen, @nouns);

done_testing;
