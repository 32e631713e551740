# SPDX-License-Identifier: Apache-2.0
# LBCtl::Complete - what may stand at the cursor, for bash and zsh.
#
#   lbctl complete bash LINE BREAKS    LINE: up to the cursor, as typed; BREAKS:
#                                      $COMP_WORDBREAKS. Prints what replaces
#                                      the part of the word behind its last
#                                      break, quoted as the line is
#   lbctl complete zsh WORD...         unquoted, lbctl first, the one at the
#                                      cursor last, which may be empty. Prints
#                                      whole words; zsh filters and quotes
#
# One candidate in a line. Names come from the running server if it answers
# within a second. A name that cannot be typed is not offered: a member has its
# URL and its id besides.
package LBCtl::Complete;
use strict;
use warnings;
use LBCtl::Base;
use LBCtl::Commands;
use LBCtl::Server;
use LBCtl::Show;
use LBCtl::Status qw(@STATES);

my $PATIENCE = 1;    # seconds

# What the server has, asked at most once; no pool when there is no answer.
my $state;

sub pools {
    if (!$state) {
        local $LBCtl::Server::patience = $PATIENCE;
        # A password that curl would ask for has no place here.
        local $LBCtl::Server::detached = 1;
        attempt(sub { ($state) = get_json() });
        $state ||= {pools => []};
    }
    return grep { !defined $opt{vhost} || $_->{vhost} eq $opt{vhost} } @{$state->{pools}};
}

sub can_be_typed { my ($name) = @_; return length $name && $name eq clean($name) }

# The name of a member that is shortest to type; its URL for somebody who has
# begun with that.
sub names_of {
    my ($member, $begun) = @_;
    my @names = grep { can_be_typed($_) } @$member{qw(route name id)};
    my @begun = grep { length $begun && index($_, $begun) == 0 } @names;
    return @begun ? $begun[0] : $names[0];
}

my %offer = (
    POOL => sub { map { $_->{name} } pools() },
    VHOST => sub { map { $_->{vhost} } pools() },
    MEMBER => sub {
        my ($begun, $pool) = @_;
        $pool //= $opt{pool};
        return map { names_of($_, $begun) } map { @{$_->{members}} }
            grep { !defined $pool || $_->{name} eq $pool } pools();
    },
    'STATE,...' => sub {
        my ($done) = $_[0] =~ /^(.*,)/;
        return map { ($done // '') . $_ } @STATES;
    },
    D => sub { qw(30s 5min 10min 1h 2h) },
    COMMAND => sub { map { $_->{name} } grep { !$_->{hidden} } @COMMANDS },
);

# What may stand where that word of a usage stands.
sub offered {
    my ($takes, @about) = @_;
    return $offer{$takes} ? $offer{$takes}->(@about) : ();
}

# The options of a command, or the general ones.
sub options_for {
    my ($command) = @_;
    my @general = map { $_->[0] =~ /(--\w+)/ } @GENERAL;
    return ((map { "--$_" } $command ? @{$command->{options}} : ()), @general);
}

# Take the words before the cursor: those that are no options, and the name of
# the option that waits for its value. undef: behind --, where lbctl ends.
sub take {
    my (@words) = @_;
    my @plain;
    while (defined(my $word = shift @words)) {
        return if $word eq '--';
        my ($name, $value) = $word =~ /^(-u|--\w+)(?:=(.*))?\z/s;
        if (!defined $name) {
            if ($word =~ /^-u(.+)/s) { $opt{url} = $1 }
            elsif ($word !~ /^-/) { push @plain, $word }
            next;
        }
        $name = $name eq '-u' ? 'url' : substr $name, 2;
        next if $name ne 'url' && !length($OPTIONS{$name} ? $OPTIONS{$name}[0] : '');
        return ($name, @plain) if !defined $value && !@words;
        $opt{$name} = $value // shift @words;
    }
    return ('', @plain);
}

sub candidates {
    my ($begun, @before) = @_;
    my ($waiting, $name, @args) = take(@before) or return;
    return if $waiting eq 'url';
    $opt{url} =~ s{/+\z}{};
    my $command = defined $name ? find_command($name) : undef;
    my $pool = $command && $command->{usage} =~ /^\[?POOL/ ? $args[0] : undef;
    return offered($OPTIONS{$waiting}[0], $begun, $pool) if length $waiting;
    if ($begun =~ /^(--(\w+)=)(.*)/s) {
        my ($option, $takes, $value) = ($1, $OPTIONS{$2} ? $OPTIONS{$2}[0] : '', $3);
        return map { "$option$_" } offered($takes, $value, $pool);
    }
    return options_for($command) if $begun =~ /^-/;
    return $offer{COMMAND}->() if !defined $name;
    return if !$command;
    my ($takes) = (split ' ', $command->{usage})[scalar @args] // '';
    return $takes =~ /cookie=/ ? qw(cookie= ip= key=) : () if $takes =~ /=/;
    $takes =~ tr/[]//d;
    return $takes eq '--' ? '--' : offered($takes, $begun, $pool);
}

# bash -----------------------------------------------------------------------

# Take a line apart as bash does, without doing what it says: (words, the word
# at the cursor, the quote it stands in, how many of its characters stand
# before the last break).
sub words_of {
    my ($line, $breaks) = @_;
    my $stops = join '', map { quotemeta } grep { !/[\s"']/ } split //, $breaks;
    my ($word, $quote, $broken, @words);
    $quote = '';
    $broken = 0;
    for ($line) {
        pos = 0;
        while (pos() < length) {
            if ($quote eq "'") {
                if (/\G'/gc) { $quote = '' } else { /\G(.)/gcs; $word .= $1 }
            } elsif ($quote eq '"') {
                if (/\G"/gc) { $quote = '' }
                elsif (/\G\\([\\"\$`])/gc) { $word .= $1 }
                else { /\G(.)/gcs; $word .= $1 }
            } elsif (/\G\s+/gc) {
                push @words, $word if defined $word;
                ($word, $broken) = (undef, 0);
            } elsif (/\G(["'])/gc) {
                $quote = $1;
                $word //= '';
            } elsif (/\G\\(.?)/gcs) {
                $word .= $1;
            } else {
                /\G(.)/gcs;
                $word .= $1;
                $broken = length $word if length $stops && $1 =~ /[$stops]/;
            }
        }
    }
    return (\@words, $word // '', $quote, $broken);
}

sub quoted {
    my ($text, $quote) = @_;
    return $text =~ s/'/'\\''/gr if $quote eq "'";
    return $text =~ s/([\\"\$`])/\\$1/gr if $quote eq '"';
    return $text =~ s{([^\w\x80-\xff.,:/@%+=-])}{\\$1}gr;
}

sub bash {
    my ($line, $breaks) = @_;
    my ($words, $begun, $quote, $broken) = words_of($line, $breaks // '');
    shift @$words;
    my ($all, %seen) = (0);
    for my $name (grep { can_be_typed($_) && !$seen{$_}++ && index($_, $begun) == 0 }
                  candidates($begun, @$words)) {
        # bash adds a space; behind cookie= and its like none belongs.
        print quoted(substr($name, $broken), $quote),
            $quote eq '' && $name !~ /=\z/ ? ' ' : '', "\n";
    }
}

sub complete {
    my ($shell, @args) = @_;
    local $SIG{__WARN__} = sub { };
    if ($shell eq 'bash') {
        bash(@args);
    } else {
        my (undef, @words) = @args;
        my $begun = pop(@words) // '';
        my %seen;
        print map { "$_\n" } grep { can_be_typed($_) && !$seen{$_}++ } candidates($begun, @words);
    }
    return 0;
}

1;
