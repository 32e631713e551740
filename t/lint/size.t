#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Files up to 600 lines, functions up to 60, folders up to 34 files, and 20
# fields in what goes with every request.
use v5.36;
use lib 't/lib';
use Test::More;
use LBS::Source qw(files slurp none_of);

use constant {FILE_MAX => 600, FUNCTION_MAX => 60, FOLDER_MAX => 34,
              FIELDS_MAX => 20};

my @files = files(qr{\.(?:[ch]|t|pm|py|js|css)$|^(?:tools|bin|demo)/|^Makefile$});
my (@long, @lengths, @too_long);
for my $file (@files) {
    my $lines = () = slurp($file) =~ /\n/g;
    push @long, "$file: $lines lines; its second idea goes into a file of its own" if $lines > FILE_MAX;
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
    push @too_long, "$file:$from: $name has $length lines; give one step of it a name and a function"
        if $length > FUNCTION_MAX && $file !~ m{^t/unit/};
}
none_of('functions have at most ' . FUNCTION_MAX . ' lines',
        scalar @lengths, @too_long);
my %in;
$in{s{/[^/]+$}{}r}++ for files(qr{^src/.*\.[ch]$});
none_of('folders have at most ' . FOLDER_MAX . ' files', scalar keys %in,
        map { "$_: $in{$_}; a folder is one idea: the second one gets a folder, a level in t/lib/LBS/Source.pm and a line in docs/design.md, section 2" } grep { $in{$_} > FOLDER_MAX } sort keys %in);

# State of different lives is in structs of its own.
my ($fields) = slurp('src/httpd/request/lbs_request.h')
    =~ /^typedef struct lbs_request_t \{\n(.*?)^\} lbs_request_t;/ms;
my $count = () = ($fields // '') =~ s{/\*.*?\*/}{}gsr =~ /[;,]/g;
none_of('lbs_request_t has at most ' . FIELDS_MAX . ' fields', $count,
        $count > FIELDS_MAX ? "$count fields; those of one life go into a struct of their own, as lbs_attempt_t" : ());
@lengths = sort { $a <=> $b } @lengths;
note 'median ', $lengths[@lengths / 2] // 0;

done_testing;
