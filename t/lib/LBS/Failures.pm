# SPDX-License-Identifier: Apache-2.0
# LBS::Failures - what a test file printed, cut down to what failed.
#
#   my @short = in_short(@lines);   # "subtest: test: got: 1; expected: 2"
#   my @long = at_length(@lines);   # the failing lines with what belongs to them
#
# The lines are standard output and standard error of one file, merged.
package LBS::Failures;
use v5.36;

use Exporter qw(import);

our @EXPORT_OK = qw(in_short at_length);

use constant {
    SHORT_MAX => 320,    # characters of a line
    LONG_MAX => 60,      # lines of a file
};

# What Test::More says of each failure in other words, and its sums.
my $STATED = qr/^\s*(?:# +Failed .*test.*|# +at \S+ line \d+\.|# Looks like .*|# Tests were run .*|#?)$/;

# Each failing test: {path => [names of subtests, its own], said => [lines]}.
# A subtest that fails for a test in it is not one of them.
sub failing (@lines) {
    my (@found, @open, %in);
    my $now;
    for (@lines) {
        my ($blanks, $text) = /^(\s*)(.*?)\s*$/;
        my $level = length($blanks) / 4;
        if ($text =~ /^# Subtest: (.*)/) {
            $#open = $level - 1 if @open > $level;
            $open[$level] = $1;
            $now = undef;
        }
        elsif ($text =~ /^(not )?ok\b\s*\d*(?:\s*-)?\s*(.*)/) {
            my ($bad, $name) = ($1, $2);
            my @path = map { $_ // '' } @open[0 .. $level - 1], $name;
            # The sum of a subtest stands one level above its tests.
            my $known = delete $in{join "\0", @path};
            $now = undef;
            next if !$bad || $known || $name =~ /# TODO\b/;
            $in{join "\0", @path[0 .. $_]} = 1 for 0 .. $level - 1;
            push @found, $now = {path => \@path, said => []};
        }
        elsif ($now && /^\s*#/) {
            $now->{path}[-1] ||= "line $1" if $text =~ /\bline (\d+)\.$/;
            push @{$now->{said}}, $text if !/$STATED/;
        }
    }
    return @found;
}

sub in_short (@lines) {
    my @short = map {
        my @said = map { s/^#\s*//r =~ s/\s+/ /gr } @{$_->{said}};
        substr join('; ', join(': ', @{$_->{path}}), @said), 0, SHORT_MAX
    } failing(@lines);
    return @short;
}

# Without what passed.
sub at_length (@lines) {
    my @long = grep { !/$STATED|^\s*(?:ok\b|1\.\.\d+|# Subtest: )/ } @lines;
    splice @long, LONG_MAX, @long - LONG_MAX,
        '... ' . (@long - LONG_MAX) . ' more lines' if @long > LONG_MAX;
    return @long;
}

1;
