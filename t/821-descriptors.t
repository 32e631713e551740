#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What the module has open is nobody else's: a program that httpd runs (CGI,
# a piped log) has no connection to a member and no file of the module, and no
# child of httpd can write the state file.
# Not under tsan: programs for logs are shells, which crash with its library.
use lib 't/lib';
use LBS::Test timeout => 120;

my @web = LBS::Backend->many(3);

sub conf ($more) {
    my $members = join "\n", map { qq(    BalancerMember "http://\@B$_\@") } 1 .. 3;
    return <<"CONF";
LBSticky cookie ip
LBStickyStore shmcb
LBStickyCheck path=/ interval=100ms timeout=5s
LBStickyPersist state/file
LBStickySecret "file:\@ROOT\@/conf/secret"
<Proxy "balancer://app">
$members
</Proxy>
ScriptAlias "/cgi/" "\@ROOT\@/cgi/"
<Directory "\@ROOT\@/cgi">
    Require all granted
</Directory>
CustomLog "|\@ROOT\@/cgi/log" "%U"
ProxyPass "/cgi/" "!"
ProxyPass "/" "balancer://app/"
$more
CONF
}

# Descriptors of this process, but for those that a program has to have; the
# directory that it reads is one itself.
my $LIST = <<'SH';
for fd in /proc/$$/fd/*; do
    case ${fd##*/} in 0|1|2|255) continue;; esac
    case $(readlink $fd) in /dev/null|pipe:*) continue;; esac
    echo "fd ${fd##*/} $(readlink $fd)"
done
SH

sub httpd ($mpm) {
    my $h = LBS::Httpd->new(backends => \@web, mpm => $mpm,
        modules => ['socache_shmcb', $mpm eq 'prefork' ? 'cgi' : 'cgid']);
    $h->write('conf/secret', "one secret for all of them\n", 0600);
    $h->write('cgi/fds', "#!/bin/bash\nprintf 'Content-Type: text/plain\\n\\n'\n$LIST"
        . "echo end\n", 0755);
    $h->write('cgi/log', "#!/bin/bash\nexec 2>/dev/null\n{\n$LIST} >>"
        . $h->root . "/logs/piped\necho started >>" . $h->root
        . "/logs/piped\nexec cat >/dev/null\n", 0755);
    $h->write("run/state/.keep", '');
    $h->conf(conf($mpm eq 'prefork' ? '' : qq(ScriptSock "\@ROOT\@/run/cgid")));
    return $h->start;
}

for my $mpm ($ENV{LBS_MPM} // ('event', under_tsan ? () : 'prefork')) {
    subtest $mpm => sub {
        $_->set(delay => 0.05) for @web;    # so that checks are under way
        my $h = httpd($mpm);
        my %seen;
        for (1 .. 40) {
            $h->get('/x');
            my $text = $h->get('/cgi/fds')->body;
            $seen{'no answer'}++ if $text !~ /^end$/m;
            $seen{$_}++ for $text =~ /^fd \d+ (\S+)/mg;
        }
        is_deeply \%seen, {}, 'a CGI program has nothing of the module';
        for (1 .. 3) {
            $h->get('/x');
            $h->graceful;
        }
        my $piped = LBS::Proc::slurp($h->root . '/logs/piped');
        like $piped, qr/^started$/m, 'programs for logs were started';
        my @odd = $piped =~ /^fd \d+ (\S+)/mg;
        @odd = grep { !m{logs/} } @odd;
        is_deeply \@odd, [], 'and have nothing of it either';
        my @files = map { my $pid = $_;
            grep { m{state/} } map { readlink($_) // () } glob "/proc/$pid/fd/*"
        } $h->children;
        is_deeply \@files, [], 'no child has the state file open';
        $h->stop;
        # httpd's own word about a log's program that ends at a reload
        $h->no_unexpected_log(qr/long lost child came home/);
    };
}
done_testing;
