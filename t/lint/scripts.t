#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Scripts parse: Perl, shell, Python. Tests assert and say when they end.
use v5.36;
use lib 't/lib';
use Test::More;
use LBS::Source qw(files slurp none_of @PURE);

my %check = (perl => 'perl -It/lib -Ishare/lbctl -c', sh => 'sh -n', bash => 'bash -n',
             python3 => q(/usr/bin/python3 -c 'import ast,sys; ast.parse(open(sys.argv[1]).read())'));
my (@bad, %seen);
for my $file (files(qr{^(?!fuzz/corpus/|docs/)})) {
    my ($first) = slurp($file) =~ /\A(#![^\n]*)/;
    my ($kind) = ($first // '') =~ m{[/ ](perl|bash|sh|python3)\b};
    $kind //= $file =~ /\.pm$/ ? 'perl' : $file =~ /\.py$/ ? 'python3' : next;
    $seen{$kind}++;
    my $said = qx($check{$kind} '$file' 2>&1);
    push @bad, "$file: $said" if $? != 0;
    push @bad, "$file: has #! but is not executable"
        if defined $first && !-x $file && $file !~ /\.t$/;
}
none_of('scripts parse', $seen{$_}, grep { defined } $_ eq 'perl' ? @bad : ())
    for sort keys %seen;

my @tests = files(qr{^t/(?:lint/|browser/)?[\w-]+\.t$});
none_of('tests end with done_testing or a plan', scalar @tests,
        grep { slurp($_) !~ /done_testing|plan / } @tests);

# A number names one test, and its first digit the topic (CONTRIBUTING).
my %numbered;
for my $test (files(qr{^t/[\w-]+\.t$})) {
    push @{$numbered{$test =~ m{^t/(\d{3})-} ? $1 : 'without three digits'}}, $test;
}
none_of('each t/NNN-topic.t has a number of its own', scalar keys %numbered,
        map { "$_: @{$numbered{$_}}; give all but one the next free number of their topic" }
        grep { /without/ || @{$numbered{$_}} > 1 } sort keys %numbered);

# What a test or tool takes from the environment stands in CONTRIBUTING, or in
# its own head.
my (@untold, $asked);
my $guide = slurp('CONTRIBUTING');
for my $file (files(qr{^(?:t|tools|bench)/})) {
    my $text = slurp($file);
    my ($head) = $text =~ /\A((?:#[^\n]*\n)*)/;
    for my $name ($text =~ /\$ENV\{'?((?:LBS|BENCH|CHAOS|SOAK)_[A-Z_]+)/g) {
        $asked++;
        push @untold, "$file: $name; write it into CONTRIBUTING or the head of the file"
            if "$guide$head" !~ /\b$name\b/;
    }
}
none_of('variables of the environment are told of', $asked, @untold);

# A pure room can be tested without httpd, so it is: what a header offers to
# others is used by a unit test.
my $rooms = join '|', @PURE;
my @pure = grep { -f s/\.h$/.c/r }
    files(qr{^src/(?:$rooms)/[^/]+(?<!_int)\.h$});
my %used;
for my $test (files(qr{^t/unit/[^/]+/.*\.[ch]$})) {
    $used{$_} = 1 for slurp($test) =~ /#include "(src[^"]+)"/g;
}
none_of('every header of a pure room has a unit test', scalar @pure,
        map { "$_: write t/unit/ROOM/NAME.c that includes it" } grep { !$used{$_} } @pure);

done_testing;
