#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Form: clang-format, the licence line, line ends, and what has no place in
# the tree.
use v5.36;
use lib 't/lib';
use Test::More;
use LBS::Source qw(files slurp code none_of);

my $formatter = `clang-format --version 2>&1`;
like $formatter, qr/version \d+/, 'clang-format is there'
    or diag 'run tools/bootstrap check';

my @c = files(qr{^(?:mod_lbsticky|src/.*|t/unit/.*|fuzz/.*|bench/.*)\.[ch]$});
# Each version of clang-format breaks some lines elsewhere.
SKIP: {
    my ($major) = $formatter =~ /version (\d+)/;
    skip 'the C is formatted with clang-format 14, here is '
        . ($major // 'none'), 1 if ($major // 0) != 14;
    my @wrong = map { /^(\S+?:\d+):/ ? "$1: not as clang-format wants it" : () }
        qx(clang-format --dry-run @c 2>&1);
    none_of('C is formatted', scalar @c, @wrong);
}

# Everything that is a program or a source; data, pages and text are not.
my @code = files(qr{\.(?:[ch]|t|pm|pl|py|js|css|sh)$|^(?:tools|bin|\.ci)/[^.]+$|^Makefile$|^demo/[a-z][^./]*$});
none_of('the licence line is there', scalar @code, grep {
    slurp($_) !~ /\A(?:[^\n]*\n){0,2}[^\n]*SPDX-License-Identifier: Apache-2\.0/
} grep { -s } @code);

my @text = grep { -T } files(qr{^(?!fuzz/corpus/|LICENSE)});
my (@space, @paths, @todo, @mixed);
for my $file (@text) {
    my $n = 0;
    for (split /^/, slurp($file)) {
        $n++;
        push @space, "$file:$n" if /[ \t]+$/ || /\r$/;
        # A tree that names a machine's directories works on that one only.
        push @paths, "$file:$n: $_" if m{(?<![\w.])/(?:home|work|root|Users)/\w};
        push @todo, "$file:$n: $_" if /\b(?:TODO|FIXME|XXX)\b(?!.*#\d)/
            && $file !~ m{^t/};
    }
}
none_of('no blanks at the end of a line', scalar @text, @space);
none_of('no path of one machine', scalar @text, @paths);
none_of('no open end without an issue number', scalar @text, @todo);

for my $file (@c) {
    my $text = code(slurp($file));
    push @mixed, "$file: a tab" if $text =~ /\t/;
    push @mixed, "$file: names built with ##" if $text =~ /##/;
    push @mixed, "$file: alloca or a VLA" if $text =~ /\balloca\b/;
    push @mixed, "$file: a // comment" if slurp($file) =~ m{^\s*//}m;
}
none_of('C without tabs, ## and //', scalar @c, @mixed);

done_testing;
