# SPDX-License-Identifier: Apache-2.0
# LBCtl::Help - `lbctl help`: all commands, or one.
package LBCtl::Help;
use strict;
use warnings;
use LBCtl::Base;
use LBCtl::Commands;

my $ENVIRONMENT = <<'TEXT';
MEMBER is a route, a URL or an id. Durations: 500ms, 30s, 10min, 2h, 1d.

$LBCTL_URL is the status page. $LBCTL_CURL holds more options for curl, such as
"--user ann:secret" or "-k"; a password may also stand in ~/.netrc. $LBCTL_HTTPD
is the httpd that advise and preview ask, with its options.
TEXT

my @EXIT = ([0, 'done'], [1, 'refused or failed'], [2, 'wrong arguments'],
            [3, 'no answer from the server'], [4, 'time-out']);

sub table { return join '', map { sprintf("  %-22s %s", @$_) =~ s/\s+\z//r . "\n" } @_ }

# [what to write, what it does] of a command's options.
sub options_of {
    my ($command) = @_;
    return map {
        my ($takes, $does) = @{$OPTIONS{$_}};
        [($_ eq 'follow' ? '-f, ' : '    ') . "--$_" . (length $takes ? " $takes" : ''), $does]
    } @{$command->{options}};
}

# "lbctl drain POOL MEMBER [OPTION ...]"
sub synopsis {
    my ($command) = @_;
    my ($place, $rest) = split / (?=-- )/, $command->{usage}, 2;
    return join ' ', "lbctl $command->{name}", grep { length } $place // '',
        @{$command->{options}} ? '[OPTION ...]' : '', $rest // '';
}

sub help_for_one {
    my ($command) = @_;
    my @exit = map { [@$_] } @EXIT;
    $exit[1][1] = "$command->{exit}, or it failed" if $command->{exit};
    @exit = @exit[0 .. 2] if $command->{name} =~ /^(?:advise|preview|help)\z/;
    pop @exit if !grep { $_ eq 'timeout' } @{$command->{options}};
    return synopsis($command) . "\n\n" . ucfirst($command->{says}) . ".\n"
        . ($command->{more} // '')
        . "\nExample:\n  lbctl $command->{example}\n"
        . "\nOptions:\n" . table(options_of($command), @GENERAL)
        . "\nExit status:\n" . table(@exit);
}

sub help_for_all {
    my $text = "lbctl - look at mod_lbsticky and change it\n\n"
        . "lbctl [-u URL] COMMAND [ARGUMENT ...] [OPTION ...]\n";
    for my $command (grep { !$_->{hidden} } @COMMANDS) {
        $text .= "\n  lbctl " . join(' ', grep { length } @$command{qw(name usage)})
            . "\n      $command->{says}\n      \$ lbctl $command->{example}\n";
    }
    return "$text\nOptions of all commands; `lbctl help COMMAND` has those of one:\n"
        . table(@GENERAL) . "\n$ENVIRONMENT\nExit status:\n" . table(@EXIT)
        . "  doctor: 1 also when something is wrong\n";
}

sub help {
    my ($name) = @_;
    my $command = defined $name ? find_command($name) : undef;
    fail($WRONG, "there is no command $name, see lbctl help") if defined $name && !$command;
    print $command && !$command->{hidden} ? help_for_one($command) : help_for_all();
    return 0;
}

1;
