#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# git over HTTP: two members run git http-backend for one repository, and
# pushes come in chunks, of more bytes than anybody keeps.
use lib 't/lib';
use LBS::Test timeout => 200;
use LBS::App;
use LBS::State;
use File::Temp ();

my $git = in_path('git');
my ($backend) = grep { -x } '/usr/lib/git-core/git-http-backend', '/usr/libexec/git-core/git-http-backend';
needs(git => $git, 'git http-backend' => $backend);

my $dir = File::Temp::tempdir('lbs-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $dir;
local %ENV = (%ENV, HOME => $dir, GIT_CONFIG_NOSYSTEM => 1, GIT_TERMINAL_PROMPT => 0,
    GIT_AUTHOR_NAME => 'T', GIT_AUTHOR_EMAIL => 't@localhost', GIT_COMMITTER_NAME => 'T',
    GIT_COMMITTER_EMAIL => 't@localhost', GIT_CONFIG_COUNT => 1,
    GIT_CONFIG_KEY_0 => 'safe.directory', GIT_CONFIG_VALUE_0 => '*');

# (exit status, what it printed)
sub run (@command) {
    my $pid = open my $out, '-|' // die "fork: $!";
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        exec @command or POSIX::_exit(127);
    }
    local $/;
    my $said = <$out>;
    close $out;
    return ($? >> 8, $said);
}

sub must (@command) {
    my ($status, $said) = run(@command);
    die "@command: $status\n$said" if $status != 0;
    return $said;
}

must($git, qw(init -q --bare -b main), "$dir/site.git");
must($git, '-C', "$dir/site.git", qw(config http.receivepack true));
must(qw(chown -R www-data), "$dir/site.git") if $> == 0;

sub member () {
    my $h = LBS::Httpd->new(modules => ['cgid'], children => 1, conf => <<"CONF");
SetEnv GIT_PROJECT_ROOT "$dir"
SetEnv GIT_HTTP_EXPORT_ALL 1
SetEnv GIT_CONFIG_COUNT 1
SetEnv GIT_CONFIG_KEY_0 safe.directory
SetEnv GIT_CONFIG_VALUE_0 *
SetEnv REMOTE_USER t
ScriptAlias "/git/" "$backend/"
<Directory "/usr">
    Require all granted
</Directory>
CONF
    $h->announce(qr/cgid:error|AH01215|AH0121/);
    return $h->start;
}

my @web = (member(), member());
my $members = join "\n", map {
    'BalancerMember "http://127.0.0.1:' . $web[$_]->port . "\" route=g$_" } 0, 1;
my $h = LBS::Httpd->new(conf => <<"CONF");
<Proxy "balancer://git">
LBSticky none
LBStickyMethod round-robin
$members
</Proxy>
ProxyPass "/git/" "balancer://git/git/"
\@STATUS\@
CONF
$h->announce(qr/\[proxy(?:_http)?:(?:error|warn)\]/);
$h->start;
my $url = 'http://127.0.0.1:' . $h->port . '/git/site.git';

# A commit of so many bytes that do not shrink, on a branch of its own.
my $work = "$dir/work";
must($git, qw(init -q -b main), $work);
sub commit ($branch, $bytes) {
    must($git, '-C', $work, qw(checkout -q -B), $branch);
    must(qw(dd status=none iflag=fullblock if=/dev/urandom bs=1000), "of=$work/$branch",
         'count=' . $bytes / 1000);
    must($git, '-C', $work, qw(add .));
    must($git, '-C', $work, qw(commit -q -m), $branch);
    return must($git, '-C', $work, qw(rev-parse HEAD));
}

sub push_it ($branch) { return run($git, '-C', $work, qw(push -q), $url, $branch) }

sub there ($branch) {
    my ($status, $said) = run($git, '-C', "$dir/site.git", 'rev-parse', $branch);
    return $status == 0 ? $said : '';
}

my %pushed = map { my $b = "size$_"; $b => [commit($b, $_), push_it($b)] }
    16_000, 2_000_000, 20_000_000;
for my $branch (sort keys %pushed) {
    my ($commit, $status, $said) = @{$pushed{$branch}};
    is $status, 0, "$branch is pushed" or diag($said);
    is there($branch), $commit, 'and there';
}
my ($status, $said) = run($git, qw(clone -q -b size20000000), $url, "$dir/clone");
is $status, 0, 'it is cloned' or diag($said);
is -s "$dir/clone/size20000000", -s "$work/size20000000", 'whole';
my $kept = grep { there($_) eq $pushed{$_}[0] } keys %pushed;
row(app => 'git, push and clone', scheme => 'http', kept => $kept, of => scalar keys %pushed);

# The children of the member that a push has come to, as soon as one is seen
# there three times in a row; its number.
sub kill_busy () {
    my ($end, @seen) = (time + 10);
    while (time < $end) {
        my @members = @{pool_state($h, 'git')->{members}};
        for my $i (0, 1) {
            $seen[$i] = $members[$i]{inflight} ? ($seen[$i] // 0) + 1 : 0;
            next if $seen[$i] < 3;
            kill KILL => $web[$i]->children;
            return $i;
        }
        sleep 0.01;
    }
    return;
}

# It is there whole, or git says so.
my ($errors, $corrupted, $hit) = (0, 0, 0);
for my $n (1 .. ($ENV{APPS} ? 3 : 1)) {
    my $branch = "killed$n";
    my $commit = commit($branch, 20_000_000);
    my $pusher = fork // die "fork: $!";
    POSIX::_exit((push_it($branch))[0]) if !$pusher;
    my $i = kill_busy();
    $hit++ if defined $i;
    waitpid $pusher, 0;
    my $failed = $? != 0;
    $errors++ if $failed;
    $corrupted++ if !$failed && there($branch) ne $commit;
    next if !defined $i;
    ok wait_for(sub { grep { $_->running && $_->answers } $web[$i] }, 10), 'the member is back';
}
cmp_ok $hit, '>', 0, 'members are killed while a push is there';
$_->announce(qr/exit signal Killed/) for @web;
$corrupted++ if (run($git, '-C', "$dir/site.git", qw(fsck --connectivity-only)))[0] != 0;
row(app => 'git, member killed', scheme => 'http', errors => $errors, corrupted => $corrupted);
quiet($h);

done_testing;
