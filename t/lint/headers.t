#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Every header compiles alone; those of the pure rooms without httpd in
# reach. Every source also passes the other compiler without a warning.
use v5.36;
use lib 't/lib';
use Test::More;
use LBS::Source qw(files slurp room none_of);

like `clang --version 2>&1`, qr/clang version/, 'clang is there'
    or diag 'run tools/bootstrap check';

my @warn = qw(-Wall -Wextra -Wshadow -Wconversion -Wcast-align
              -Wstrict-prototypes -Werror -std=gnu11 -fsyntax-only -I.);
my @apr = map { split ' ' } `apr-1-config --cppflags`,
    '-isystem ' . `apr-1-config --includedir`;
my @httpd = ('-isystem', split ' ', `apxs -q INCLUDEDIR`);

# The first lines of what the compiler said, nothing when it was content.
sub complaint ($compiler, $file, @flags) {
    my $said = qx($compiler @warn @apr @flags '$file' 2>&1);
    return $? == 0 ? () : join '', grep { defined } (split /^/, $said)[0 .. 5];
}

my @headers = files(qr{^(?:src/.*|mod_lbsticky|t/unit/tap)\.h$});
my (@alone, @guards);
for my $file (@headers) {
    my (undef, $level) = room($file);
    my @flags = ($level // 0) > 4 ? @httpd : ();
    # A main file of one line: gcc warns about a header given as main file.
    push @alone, map { "$file: include what it uses; the compiler says:\n$_" }
        complaint(qq(echo '#include "$file"' | gcc -xc), '-', @flags);
    my $guard = uc($file =~ s{.*/}{}r =~ s/\W/_/gr);
    $guard = "LBS_$guard" if $guard !~ /LBS/;
    push @guards, "$file: want the guard $guard"
        if slurp($file) !~ /^#ifndef $guard\n#define $guard\n/m;
}
none_of('headers compile alone', scalar @headers, @alone);
none_of('headers have a guard named after them', scalar @headers, @guards);

my @sources = files(qr{^(?:mod_lbsticky|src/.*|t/unit/.*|fuzz/.*|bench/.*)\.c$});
# Where httpd is in reach, APR's arrays and rings are: their macros cast a
# char pointer to what it points to, and clang warns at each use.
sub apr_macros ($file) {
    my (undef, $level) = room($file);
    return ($level // 0) > 4 ? ('-Wno-cast-align') : ();
}
my @clang = map { complaint('clang', $_, @httpd, apr_macros($_)) } @sources;
none_of('clang has no warning', scalar @sources, @clang);

done_testing;
