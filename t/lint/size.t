#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Files up to 600 lines, functions up to 60, folders up to 34 files.
use v5.36;
use lib 't/lib';
use Test::More;
use LBS::Source qw(files slurp none_of);

use constant {FILE_MAX => 600, FUNCTION_MAX => 60, FOLDER_MAX => 34};

my @files = files(qr{\.(?:[ch]|t|pm|py|js|css)$|^(?:tools|bin|demo)/|^Makefile$});
my (@long, @lengths, @too_long);
for my $file (@files) {
    my $lines = () = slurp($file) =~ /\n/g;
    push @long, "$file: $lines lines" if $lines > FILE_MAX;
}
none_of('files have at most ' . FILE_MAX . ' lines', scalar @files, @long);

like `ctags --version 2>&1`, qr/Universal Ctags/, 'ctags is there'
    or diag 'run tools/bootstrap check';

my @c = files(qr{^(?:mod_lbsticky|src/.*|t/unit/.*|fuzz/.*|bench/.*)\.[ch]$});
for (`ctags -x --_xformat='%F\t%N\t%n\t%e' --kinds-C=f --languages=C @c`) {
    chomp;
    my ($file, $name, $from, $to) = split /\t/;
    my $length = $to - $from + 1;
    push @lengths, $length if $file =~ m{^src/};
    # main() of a test is a list of assertions.
    push @too_long, "$file:$from: $name has $length lines"
        if $length > FUNCTION_MAX && $file !~ m{^t/unit/};
}
none_of('functions have at most ' . FUNCTION_MAX . ' lines',
        scalar @lengths, @too_long);
my %in;
$in{s{/[^/]+$}{}r}++ for files(qr{^src/.*\.[ch]$});
none_of('folders have at most ' . FOLDER_MAX . ' files', scalar keys %in,
        map { "$_: $in{$_}" } grep { $in{$_} > FOLDER_MAX } sort keys %in);
@lengths = sort { $a <=> $b } @lengths;
note 'median ', $lengths[@lengths / 2] // 0;

done_testing;
