# SPDX-License-Identifier: Apache-2.0
# LBCtl::Show - how names, times and numbers look in a terminal.
package LBCtl::Show;
use strict;
use warnings;
use Exporter qw(import);
use POSIX ();

our @EXPORT = qw(paint state_painted clean raw width pad span ms count stamp);

my $tty = -t STDOUT && ($ENV{TERM} // 'dumb') ne 'dumb' && !defined $ENV{NO_COLOR};
my %colour = (up => 32, warming => 32, drain => 33, full => 33, down => 31, ejected => 31);

sub paint { my ($text, $colour) = @_; return $tty && $colour ? "\e[${colour}m$text\e[0m" : $text }

# A state in its colour, padded to a width.
sub state_painted {
    my ($state, $width) = @_;
    return paint(pad($state, $width // 0), $colour{$state});
}

# Names come from a configuration file, reasons from members; a terminal obeys
# what it is shown. What is no UTF-8, the control characters (C1 too, of two
# bytes), and what turns the direction of a line become "?".
sub clean {
    my ($text) = @_;
    $text =~ s{
        ( (?: [\x20-\x7e] | [\xc2-\xdf][\x80-\xbf] | \xe0[\xa0-\xbf][\x80-\xbf]
            | [\xe1-\xec\xee\xef][\x80-\xbf]{2} | \xed[\x80-\x9f][\x80-\xbf]
            | \xf0[\x90-\xbf][\x80-\xbf]{2} | [\xf1-\xf3][\x80-\xbf]{3}
            | \xf4[\x80-\x8f][\x80-\xbf]{2} )+ ) | [\x00-\xff]
    }{ $1 // '?' }gsex;
    $text =~ s/\xc2[\x80-\x9f]|\xe2\x80[\x8e\x8f\xa8-\xae]|\xe2\x81[\xa6-\xa9]/?/g;
    return $text;
}

# JSON as it came; what a terminal would obey, which JSON may hold in strings
# only, is written as an escape of JSON.
sub raw {
    my ($json) = @_;
    $json =~ s/\x7f/\\u007f/g;
    $json =~ s/\xc2([\x80-\x9f])/sprintf '\\u%04x', ord $1/ge;
    return $json;
}

# Characters of a clean text.
sub width { my ($text) = @_; return length($text =~ s/[\x80-\xbf]//gr) }

# Filled up with spaces; to the left of it for a negative width.
sub pad {
    my ($text, $width) = @_;
    my $lacks = abs($width) - width($text);
    my $fill = $lacks > 0 ? ' ' x $lacks : '';
    return $width < 0 ? "$fill$text" : "$text$fill";
}

sub span {
    my ($s) = @_;
    return "$s s" if $s < 60;
    my ($large, $unit, $small, $rest) = $s < 3600 ? (60, 'min', 1, 's')
        : $s < 86400 ? (3600, 'h', 60, 'min') : (86400, 'd', 3600, 'h');
    my $more = $s >= 600 && $s < 3600 ? 0 : int($s % $large / $small);
    return int($s / $large) . " $unit" . ($more ? " $more $rest" : '');
}

sub ms {
    my ($ms) = @_;
    return $ms <= 0 ? '-' : $ms >= 1000 ? sprintf('%.1fs', $ms / 1000)
        : $ms < 10 ? sprintf('%.1fms', $ms) : sprintf('%.0fms', $ms);
}

# A time of this machine, with its zone.
sub stamp { my ($s) = @_; return POSIX::strftime('%Y-%m-%d %H:%M:%S %z', localtime $s) }

# "1 session", "2 sessions"
sub count { my ($count, $word) = @_; return "$count $word" . ($count == 1 ? '' : 's') }

1;
