#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# State files that are damaged, foreign, truncated, from the future, or cannot
# be read or written: refused whole, said once, and the service goes on.
use lib 't/lib';
use LBS::Test timeout => 240;
use LBS::Governed;
use LBS::State qw(:DEFAULT visit);

my @web = LBS::Backend->many(3);
my $SERVER = "LBStickyAdmin on\n";
my $JUMP = ($ENV{LBS_BUILD} // 'build') . '/t/preload/jump.so';

sub pools () { return (app => 'LBSticky session=sid') }

# What a stopped httpd left, with 30 sessions in it.
my $h = governed(\@web, pools(), server => $SERVER);
my %home = map { $_ => visit($h, $_)->member } 1 .. 30;
$h->stop;
my $FILE = $h->root . '/run/lbsticky.state';
my $good = LBS::Proc::slurp($FILE);
$h->no_unexpected_log;

sub put ($bytes) { return $h->write('run/lbsticky.state', $bytes, 0600) }

# Start with such a file: one line, the file kept aside, everything new.
sub refused ($bytes, $what, $why, $change = undef) {
    unlink "$FILE.refused";
    put($bytes);
    $change->() if $change;
    my @before = $h->error_log(qr/LBS1701/);
    $h->announce(qr/LBS1701/);
    $h->start;
    my @lines = $h->error_log(qr/LBS1701/);
    splice @lines, 0, scalar @before;
    my $r = visit($h, 1);
    is_deeply [scalar @lines, LBS::Proc::slurp("$FILE.refused") eq $bytes,
               $r->status, verdict($r)], [1, 1, 200, 'new unknown'],
        "$what: one line, kept aside, fresh start, service";
    like $lines[0] // '', qr/\Q$FILE\E refused: .*$why/, 'which says why';
    is pool_state($h, 'app')->{sessions}, 1, 'nothing of it was taken';
    is_deeply [map { $_->{reason} } grep { $_->{event} eq 'state-file' }
               @{$h->json->{events}}], [$lines[0] =~ /refused: (.*?); /],
        'the event says the same';
    $h->stop;
    return;
}

subtest 'as it was it is taken' => sub {
    put($good);
    $h->start;
    is_deeply [grep { visit($h, $_)->member ne $home{$_} } keys %home], [],
        'all 30 sessions stay';
    sound($h);
    $h->stop;
};

# Every byte and every length: t/unit/state/restore.c, fuzz/fuzz_snapshot.c.
subtest 'a flipped bit anywhere' => sub {
    my $length = length $good;
    my %at = map { $_ => 1 } 0, 8, 12, 16, 47, 64, 100, $length - 1,
        map { int($length * $_ / 7) } 1 .. 6;
    for my $at (sort { $a <=> $b } keys %at) {
        my $bytes = $good;
        substr($bytes, $at, 1) ^.= chr(1 << $at % 8);
        refused($bytes, "byte $at of $length", qr/it /);
    }
};

subtest 'cut off, or with something at its end' => sub {
    refused(substr($good, 0, $_), "$_ bytes", qr/truncated|not a state file/)
        for 0, 1, 8, 95, 96, int(length($good) / 2), length($good) - 1;
    refused("$good\0", 'a byte more', qr/truncated or has something at its end/);
};

subtest 'not ours' => sub {
    refused("<html>\n" x 100, 'something else', qr/not a state file/);
    my $later = $good;
    substr $later, 8, 4, pack 'V', 99;
    refused($later, 'a later version', qr/later version/);
};

subtest "a file that other users may write" => sub {
    for my $mode (0620, 0602) {
        refused($good, sprintf('mode %04o', $mode),
                qr/others than its owner may write/, sub { chmod $mode, $FILE });
    }
  SKIP: {
        skip 'only root can give a file away', 1 if $> != 0;
        refused($good, 'of another user', qr/belongs to another user/,
                sub { chown 65_534, -1, $FILE });
    }
};

subtest 'from the future' => sub {
    my $jump = LBS::Httpd->new(backends => \@web, conf => governed_text(\@web, pools(),
        server => $SERVER), env => {LD_PRELOAD => $JUMP, LBS_JUMP => ''});
    $jump->{env}{LBS_JUMP} = $jump->write('jump', 3 * 86_400);
    $jump->start;
    visit($jump, $_) for 1 .. 5;
    $jump->stop;
    refused(LBS::Proc::slurp($jump->root . '/run/lbsticky.state'),
            'written in three days', qr/from the future/);
    $jump->no_unexpected_log;
};

subtest 'of another secret' => sub {
    my $conf = sub ($secret) {
        return governed_text(\@web, pools(),
                             server => "${SERVER}LBStickySecret file:$secret");
    };
    my ($one, $two) = map { $h->write("conf/$_", "$_ secret, long enough\n", 0600) }
        qw(one two);
    put($good);
    $h->conf($conf->($one));
    refused($good, 'a secret instead of a random one', qr/another LBStickySecret/);
    my $of_one = LBS::Proc::slurp($FILE);
    $h->conf($conf->($two));
    refused($of_one, 'another file', qr/another LBStickySecret/);
    # A secret that still verifies is one of ours.
    $h->write('conf/two', "two secret, long enough\none secret, long enough\n", 0600);
    put($of_one);
    $h->start;
    is verdict(visit($h, 1)), 'kept', 'a rotated one is known';
    $h->stop;
    $h->conf(governed_text(\@web, pools(), server => $SERVER));
};

subtest 'a file that cannot be read' => sub {
    unlink $FILE, "$FILE.refused";
    mkdir $FILE or die "$FILE: $!";
    $h->announce(qr/LBS1701/);
    $h->start;
    is scalar($h->error_log(qr/LBS1701.*\Q$FILE\E refused: it cannot be read/)), 1,
        'a directory in its place: one line';
    is visit($h, 1)->status, 200, 'service goes on';
    $h->stop;
    ok -f $FILE, 'and the file is written';
    rmdir "$FILE.refused";
};

subtest 'a huge file, or a pipe in its place' => sub {
    my $fifo = sub { POSIX::mkfifo($FILE, 0600) or die "$FILE: $!" };
    my $huge = sub ($head) {
        put($head);
        truncate $FILE, 2 ** 41 or die "$FILE: $!";
    };
    my $claims = $good;
    substr $claims, 16, 8, pack 'Q<', 2 ** 41;
    # Where memory is promised without end, what claims to be ours is read.
    my $promised = LBS::Proc::slurp('/proc/sys/vm/overcommit_memory') == 1
        || $ENV{LBS_PRELOAD};
    for (['of zeros', sub { $huge->('') }, qr/not a state file/],
         ['that begins as one', sub { $huge->($good) }, qr/has something at its end/],
         ['a pipe', $fifo, qr/cannot be read/],
         ($promised ? () : ['that claims to be so long', sub { $huge->($claims) },
                            qr/cannot be read/])) {
        my ($what, $make, $why) = @$_;
        unlink $FILE, "$FILE.refused";
        if (!eval { $make->(); 1 }) {
            note "$what: this file system has no such files: $@";
            next;
        }
        $h->announce(qr/LBS1701/);
        my $before = () = $h->error_log(qr/LBS1701/);
        ok eval { $h->start }, "$what: httpd starts" or diag $@;
        my @lines = $h->error_log(qr/LBS1701/);
        is scalar @lines, $before + 1, 'one line';
        like $lines[-1], qr/\Q$FILE\E refused: .*$why/, 'that says why';
        is visit($h, 1)->status, 200, 'service goes on';
        $h->stop;
    }
    unlink "$FILE.refused";
};

subtest 'a directory that is not there, or not for writing' => sub {
    for my $path ($h->root . '/no/such/dir/state', '/proc/lbsticky.state') {
        my $other = governed(\@web, pools(), start => 0,
            server => "${SERVER}LBStickyPersist \"$path\"");
        my ($status, $said) = $other->configtest;
        is $status, 0, "$path passes -t";
        my $dir = $path =~ s{/[^/]*$}{}r;
        if (-d $dir) {
            unlike $said, qr/LBS3312/, 'without a word';
        } else {
            like $said, qr/LBS3312: LBStickyPersist \Q$path\E: .*make it: install -d -m 700 \Q$dir\E$/m,
                'which says what to make';
        }
        $other->announce(qr/LBS1702|LBS3312/);
        $other->start;
        my @lines = $other->error_log(qr/LBS1702/);
        is scalar @lines, 1, 'a warning at the start';
        like $lines[0], qr/:warn\].*\Q$path\E cannot be written/, 'names it';
        is verdict(visit($other, 1)), 'new unknown', 'service goes on';
        $other->graceful;
        is verdict(visit($other, 1)), 'kept', 'a reload keeps sessions all the same';
        is +($other->json->{events}[0] // {})->{event}, 'state-file',
            'the events tell of it';
        $other->no_unexpected_log;
    }
};

subtest 'the directory appears while it runs' => sub {
    my $other = governed(\@web, pools(), start => 0,
        server => "${SERVER}LBStickyPersist \@ROOT\@/late/state");
    $other->announce(qr/LBS1702|LBS3312/);
    $other->start;
    mkdir $other->root . '/late' or die $!;
    visit($other, 1);
    ok $other->wait_log(qr/LBS1703/, 20), 'written, and httpd\'s parent says so';
    ok -s $other->root . '/late/state', 'there it is';
    is scalar($other->error_log(qr/LBS1702/)), 1, 'the warning came once';
    $other->no_unexpected_log;
};

subtest 'a table too large for memory' => sub {
    my $other = LBS::Httpd->new(backends => \@web, conf => governed_text(\@web,
        pools(), server => "${SERVER}LBStickyTable sessions=4000000000"));
    $other->announce(qr/LBS1000|AH00020/);
    ok !eval { $other->start }, 'no start';
    my @lines = $other->error_log(qr/lbsticky:crit/);
    is scalar @lines, 1, 'one line';
    like $lines[0], qr/LBS1000: no memory for the session table: wanted 53333\d+ bytes.*LBStickyTable/,
        'with the size wanted and the directive';
    $other->no_unexpected_log;
};

# As much address space as httpd takes without a file, and some more.
sub memory_of ($h) {
    return 1024 * (100_000 + (sort { $b <=> $a }
        map { LBS::Proc::slurp("/proc/$_/status") =~ /VmPeak:\s*(\d+)/ } $h->pids)[0]);
}

subtest 'sessions that there is no memory for any more' => sub {
    plan skip_all => 'a sanitizer takes all address space' if $ENV{LBS_PRELOAD};
    my $conf = sub ($sessions) {
        return governed_text(\@web, pools(),
            server => "${SERVER}LBStickyTable sessions=$sessions");
    };
    # Else how much address space is taken depends on which threads have met in
    # malloc so far.
    my $other = LBS::Httpd->new(backends => \@web, children => 1, threads => 4,
        env => {MALLOC_ARENA_MAX => 1}, conf => $conf->(1000));
    my $file = $other->root . '/run/lbsticky.state';
    $other->start;
    my $memory = memory_of($other);
    $other->stop;
    $other->conf($conf->(60_000_000));
    $other->start;
    visit($other, $_) for 1 .. 5;
    $other->stop;
    my $left = LBS::Proc::slurp($file);

    $other->announce(qr/LBS1701/);
    $other->{memory} = $memory;
    $other->conf($conf->(1000));
    ok eval { $other->start }, 'httpd starts' or diag $@;
    is scalar($other->error_log(qr/LBS1701.* no memory for its sessions/)), 1,
        'without them, and says so';
    ok LBS::Proc::slurp("$file.refused") eq $left, 'the file is kept aside';
    is verdict(visit($other, 1)), 'new unknown', 'service';
    is verdict(visit($other, 1)), 'kept', 'and sessions are learned';
    is $other->json->{table}{capacity}, 1000, 'in a table of the size wanted';

    $other->announce(qr/LBS1004/);
    $other->graceful($conf->(60_000_000));
    is verdict(visit($other, 1)), 'kept', 'a reload that wants too much goes on';
    is $other->json->{table}{capacity}, 1000, 'with the table there is';
    is scalar($other->error_log(qr/LBS1004.*has to wait.*no memory/)), 1, 'said so';
    sound($other);
    $other->no_unexpected_log;
};

$h->no_unexpected_log;
done_testing;
