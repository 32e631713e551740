#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What 1.0 promised is still there (docs/stability.md): each line of
# interface-1.0 is a kind and a word. Things may be added, none may go.
# `perl -It/lib t/lint/interface.t --list` prints what there is now.
use v5.36;
use lib 't/lib', 'share/lbctl';
use Test::More;
use LBCtl::Commands;
use LBS::Source qw(slurp none_of);

my $status = slurp('docs/status.md');

sub section ($name) { return ($status =~ /^## \Q$name\E\n(.*?)(?=^## |\z)/ms)[0] }

# Words in backquotes in the first column of the tables.
sub first_column ($text) {
    return map { /`([\w.-]+)`/g } map { (split /\|/)[1] } $text =~ /^(\|.*)$/mg;
}

my ($struct) = slurp('mod_lbsticky.h') =~ /^typedef struct lbsticky_answer_t \{(.*?)^\}/ms;
my @fields = $struct =~ /^ +(?:const char \*|int )(\w+);/mg;
my @kinds = (
    directive => [slurp('docs/directives.md') =~ /^### (LBSticky\w+)$/mg],
    variable  => [slurp('docs/directives.md') =~ /`(LBSTICKY_[A-Z_]+)`/g],
    json      => [grep { !/^lbsticky_/ } first_column(section('JSON'))],
    metric    => [section('Metrics') =~ /`(lbsticky_\w+)`/g],
    admin     => [first_column(section('Changes'))],
    field     => \@fields,
    lbctl     => [map { $_->{name} } grep { !$_->{hidden} } @LBCtl::Commands::COMMANDS],
);
my (@now, %now);
while (my ($kind, $words) = splice @kinds, 0, 2) {
    for my $word ($kind eq 'field' ? @$words : sort @$words) {
        push @now, "$kind $word" if !$now{"$kind $word"}++;
    }
}
if (@ARGV && $ARGV[0] eq '--list') {
    say for @now;
    exit;
}
my @promised = split /\n/, slurp('t/lint/interface-1.0');
none_of('what 1.0 promised is there', scalar @promised, grep { !$now{$_} } @promised);
my @first = map { s/^field //r } grep { /^field / } @promised;
is "@fields[0 .. $#first]", "@first", 'fields of mod_lbsticky.h come after those of 1.0';
done_testing;
