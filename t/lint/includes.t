#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Includes go downwards, by the path from the root; the pure rooms know
# nothing of httpd, locks, clocks, sockets and logs.
use v5.36;
use lib 't/lib';
use Test::More;
use LBS::Source qw(files slurp code room none_of %LEVEL);

my @files = files(qr{^(?:src/.*|mod_lbsticky)\.[ch]$});
my (%ways, @up, @relative, @unknown, @impure);
my $seen = 0;

sub line_of ($text, $at) {
    return 1 + substr($text, 0, $at) =~ tr/\n//;
}

for my $file (@files) {
    my ($room, $level) = room($file);
    push @unknown, "$file: room '$room' has no level; give it one in t/lib/LBS/Source.pm and docs/design.md, section 2" if !defined $level;
    my $text = slurp($file);
    while ($text =~ /^#\s*include\s+"([^"]+)"/mg) {
        my $target = $1;
        # What other modules are promised: whoever keeps the promise sees it.
        next if $target eq 'mod_lbsticky.h' && ($level // 0) > 4;
        my $line = line_of($text, $-[0]);
        my ($to, $to_level) = room($target);
        $seen++;
        push @relative, "$file:$line: $target; write the path from the root, as src/table/lbs_table.h"
            if !-f $target || $target =~ m{\.\./};
        push @up, "$file:$line: $room may not include $target; move what is needed down, or hand it in as an argument or a function (docs/design.md, section 2)"
            if defined $to_level && $to ne $room && $to_level >= $level;
        push @up, "$file:$line: $target is private to its room; declare what is needed in a header of that room without _int"
            if defined $to && $to ne $room && $target =~ /_int\.h$/;
        $ways{$room}{$to} = 1 if defined $to && $to ne $room;
    }
}
none_of('every room has a level', scalar @files, @unknown);
none_of('includes are paths from the root', $seen, @relative);
none_of('includes go downwards', $seen, @up);

# What a pure room must not name, with the reason.
my @forbidden = (
    [qr/\bap_\w+|\bAP_\w+|\bAPLOG\w+/,        'httpd'],
    [qr/\bproxy_\w+_rec\b|\brequest_rec\b/,   'httpd'],
    [qr/\bapr_(?:shm|mmap|file|dir|proc|socket|sockaddr|pollset?)_\w+/, 'the system'],
    [qr/\bapr_(?:thread|global|proc)_mutex\w*|\bpthread_\w+/, 'locks'],
    [qr/\bapr_time_now\b|\b(?:clock_gettime|gettimeofday|time|usleep|sleep)\s*\(/, 'clocks'],
    [qr/\b(?:s?rand|random|drand48|apr_generate_random_bytes|getrandom)\s*\(/, 'randomness'],
    [qr/\b(?:printf|fprintf|puts|syslog|perror)\s*\(/, 'output'],
    [qr/\b(?:getenv|getpid|open|fopen|read|write|socket|connect)\s*\(/, 'the system'],
    [qr/\bvolatile\b/, 'volatile'],
    [qr/^#\s*include\s+<(?!apr|stdatomic\.h|std\w+\.h|strings?\.h|math\.h|limits\.h|assert\.h|inttypes\.h|ctype\.h)[^>]+>/m, 'that header'],
);
my @pure = grep { my (undef, $level) = room($_); $level <= 4 } @files;
for my $file (@pure) {
    my $text = code(slurp($file));
    for (@forbidden) {
        my ($pattern, $what) = @$_;
        while ($text =~ /$pattern/g) {
            # A failed assertion is the one thing that prints and aborts.
            next if $what eq 'output' && $file eq 'src/base/lbs_assert.h';
            # JSON is written with jansson, which this header alone names.
            next if $what eq 'that header' && $file eq 'src/view/lbs_json.h'
                && $& =~ /<jansson\.h>/;
            push @impure, sprintf '%s:%d: %s (%s): take it as an argument', $file,
                line_of($text, $-[0]), substr($text, $-[0], $+[0] - $-[0]),
                $what;
        }
    }
}
none_of('the pure rooms stay pure', scalar @pure, @impure);

# A cycle between rooms could only hide inside one level.
my @cycles = grep {
    my ($a, $b) = @$_;
    $ways{$a}{$b} && $ways{$b}{$a}
} map { my $a = $_; map { [$a, $_] } keys %ways } keys %ways;
none_of('no cycle', scalar keys %ways, map { "@$_" } @cycles);

# Inside a room, too, no file needs another one that needs it. X.c, X.h and
# X_int.h are one file; these are one structure in two files each.
my @one = (
    ['src/pick/lbs_plan', 'src/pick/lbs_plan_build', 'a view carries its builder'],
    ['src/state/lbs_registry', 'src/state/lbs_block', 'the block is what the registry opens'],
);
my %name = map { ($_->[1] => $_->[0]) } @one;

sub file_of ($path) {
    my $stem = $path =~ s{(?:_int)?\.[ch]$}{}r;
    return $name{$stem} // $stem;
}

my %needs;
for my $file (@files) {
    my ($room) = room($file);
    my $text = slurp($file);
    while ($text =~ /^#\s*include\s+"(src\/[^"]+)"/mg) {
        my $target = $1;
        my ($from, $to) = map { file_of($_) } $file, $target;
        $needs{$from}{$to} = 1 if $from ne $to && (room($target))[0] eq $room;
    }
}

# Take away the files that need nobody who is left, and again: what stays is in
# a circle, or needs one.
my %left = %needs;
while (my @free = grep { my $f = $_; !grep { $left{$_} } keys %{$left{$f}} } keys %left) {
    delete @left{@free};
}
# The shortest way back to a file.
sub circle_of ($start) {
    my @ways = [$start];
    my %seen;
    while (my $way = shift @ways) {
        for my $next (sort keys %{$needs{$way->[-1]} // {}}) {
            return (@$way, $start) if $next eq $start;
            push @ways, [@$way, $next] if !$seen{$next}++;
        }
    }
    return;
}
my ($circle) = sort { @$a <=> @$b } grep { @$_ } map { [circle_of($_)] } sort keys %left;
none_of('no circle of files in a room', scalar keys %needs,
        $circle ? join(' needs ', @$circle)
            . '; put what both need into a third file, or hand one in as a function' : ());
none_of('what is allowed to be a circle is one', scalar @one, grep {
    my ($a, $b) = @$_;
    !-f "$b.c"
} @one);

# proxy_worker is touched in one file, and made in another, so that the rest
# can be tested without.
my @worker = grep { !/lbs_worker_found\.c$/ && code(slurp($_)) =~ /->s->(?:status|lbfactor|lbset|route)\b/ }
    files(qr{^src/.*\.[ch]$});
none_of('proxy_worker_shared is read in one file only', scalar @files,
        @worker > 1 ? @worker : ());

done_testing;
