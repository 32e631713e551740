#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Completion of lbctl in bash and zsh, each driven through a terminal: keys go
# in, and the shell prints what its line has become.
use lib 't/lib';
use LBS::Test timeout => 240;
use Cwd qw(getcwd);
use IPC::Open2 ();
use LBS::Lbctl;
use LBS::Ports;

my $SCRIPT = '/usr/bin/script';
plan skip_all => "no $SCRIPT, which makes a terminal" if !-x $SCRIPT;

my @web = LBS::Backend->many(2);
my $h = LBS::Httpd->new(backends => \@web, conf => <<"CONF");
LBSticky cookie
<Proxy "balancer://app">
    BalancerMember "http://\@B1\@" route=web1
    BalancerMember "http://\@B2\@" route=other
</Proxy>
<Proxy "balancer://names">
    BalancerMember "http://\@B1\@" "route=my 'one' \$(touch \@ROOT\@/ran)"
    BalancerMember "http://\@B2\@" "route=ctrl\e[31m"
    BalancerMember "http://127.0.0.2:\@FREE1\@"
</Proxy>
\@STATUS\@
ProxyPass "/names/" "balancer://names/"
ProxyPass "/" "balancer://app/"
CONF
$h->start;
my $ctl = LBS::Lbctl->new($h);
my $root = $h->root;
my $top = getcwd;
my %url = map { $_->{route} => $_->{name} } map { @{$_->{members}} } @{$h->json->{pools}};
my $free = '127.0.0.2:' . $h->free_port;

# A shell in a terminal; keys() sends, line() says what its line is after keys,
# and empties it.
package Shell {
    use v5.36;
    use Time::HiRes qw(sleep time);

    sub new ($class, $command, %env) {
        local %ENV = (%ENV, TERM => 'dumb', PATH => "$top/bin:$ENV{PATH}", HISTFILE => '/dev/null',
                      LBCTL_URL => $ctl->url, LBCTL_CURL => '', HOME => $root, COLUMNS => 500,
                      LC_ALL => 'C.UTF-8', %env);
        my $pid = IPC::Open2::open2(my $out, my $in, $SCRIPT, '-qfec', $command, '/dev/null');
        $in->autoflush(1);
        return bless {pid => $pid, out => $out, in => $in, said => '', count => 0}, $class;
    }

    sub keys ($self, $keys) { syswrite $self->{in}, $keys; return }

    # Wait for a text in what the terminal shows.
    sub wait_for ($self, $match, $seconds = 30) {
        my $end = time + $seconds;
        while (time < $end) {
            return $1 // 1 if $self->{said} =~ s/\A.*?$match//s;
            my $look = '';
            vec($look, fileno $self->{out}, 1) = 1;
            next if select($look, undef, undef, 0.2) <= 0;
            sysread $self->{out}, $self->{said}, 65536, length $self->{said} or last;
        }
        Test::More::diag("not shown: $match; but: $self->{said}");
        return;
    }

    # ^T prints the line between marks and empties it, as the shell is told to.
    sub line ($self, $keys) {
        $self->keys("$keys\cT");
        return $self->wait_for(qr/<<<(.*?)>>>/);
    }

    sub end ($self) {
        $self->keys("exit\n");
        close $self->{in};
        return if main::wait_for(sub { waitpid($self->{pid}, POSIX::WNOHANG()) != 0 }, 10);
        kill KILL => $self->{pid};    # whose end hangs up the shell's terminal
        waitpid $self->{pid}, 0;
        return;
    }
}

# On a busy machine the server's second may be over: then there are no names.
sub becomes ($shell, $typed, $line, $what) {
    my $got;
    for (1 .. 10) {
        $got = $shell->line("$typed\t");
        last if !defined $got || $got eq $line;
    }
    return is $got, $line, $what;
}

# The list of what may stand there has that name.
sub offers ($shell, $keys, $name, $what) {
    for (1 .. 10) {
        $shell->keys($keys);
        return pass($what) if $shell->wait_for(qr/\Q$name\E/, 3);
        $shell->line('');
    }
    return fail($what);
}

# What a shell of either kind makes of keys; \t is the key for completion.
sub both ($shell, %want) {
    for (['lbctl dr', 'lbctl drain ', 'a command'],
         ['lbctl drain a', 'lbctl drain app ', 'a pool'],
         ['lbctl drain app w', 'lbctl drain app web1 ', 'a member'],
         ["lbctl -q drain a", 'lbctl -q drain app ', 'behind an option'],
         ['lbctl status --state=dow', 'lbctl status --state=down ', 'a value behind ='],
         ['lbctl drain --idle 5min app w', 'lbctl drain --idle 5min app web1 ', 'behind an option with a value'],
         ['lbctl drain app web1 --dea', 'lbctl drain app web1 --deadline ', 'an option'],
         ['lbctl status --state down,ej', 'lbctl status --state down,ejected ', 'a state'],
         ['lbctl events --member o', 'lbctl events --member other ', 'the value of an option'],
         ['lbctl help eve', 'lbctl help events ', 'the name of a command'],
         ['lbctl explain app co', 'lbctl explain app cookie=', 'a key, whose value is to follow'],
         ['lbctl roll app -', 'lbctl roll app --', 'where several may follow'],
         ["lbctl drain names http://" . substr($free, 0, 12), $want{url}, 'a URL, in spite of its colons'],
         ['lbctl drain names my', $want{spaces}, 'a name with spaces and quotes is quoted'],
         ['lbctl drain "names" \'my', $want{in_quotes}, 'and so it is in quotes'],
         ['lbctl drain nobody w', 'lbctl drain nobody w', 'a pool that is none'],
         ['lbctl drain "$(touch ' . $root . '/ran)" w', 'lbctl drain "$(touch ' . $root . '/ran)" w',
          'a command in the line is not run'],
         ['lbctl drain `touch ' . $root . '/ran` w', 'lbctl drain `touch ' . $root . '/ran` w',
          'nor one in backquotes']) {
        my ($typed, $line, $what) = @$_;
        becomes($shell, $typed, $line, $what);
    }
    ok !-e "$root/ran", 'nothing was run';
    return;
}

my $EVIL = "my 'one' \$(touch $root/ran)";

subtest 'bash' => sub {
    my $shell = Shell->new('bash --norc --noprofile -i');
    $shell->keys(qq(set +o history; bind 'set bell-style none'; bind 'set page-completions off'; )
        . qq(bind 'set enable-bracketed-paste off'; show() { printf '<<''<%s>>''>' "\$READLINE_LINE"; READLINE_LINE=; READLINE_POINT=0; }; )
        . qq(bind -x '"\\C-t": show'; . $top/share/bash-completion/completions/lbctl; echo re''ady\n));
    ok $shell->wait_for(qr/ready/), 'completion is loaded' or return;
    my $escaped = $EVIL =~ s{([^\w/.-])}{\\$1}gr;
    both($shell, url => "lbctl drain names http://$free ",
         spaces => "lbctl drain names $escaped ",
         in_quotes => q{lbctl drain "names" 'my '\''one'\'' $(touch } . "$root/ran)'");
    offers($shell, "lbctl drain names \t\t", $url{"ctrl\e[31m"}, 'a name that cannot be typed has a URL');
    unlike $shell->{said}, qr/\e\[31m/, 'and is not shown';
    $shell->line('');
    # What was completed means the name to bash.
    $shell->keys("args() { printf '<<''<%s>>''>' \"\$3\"; }; complete -F _lbctl args\n");
    $shell->line('');
    becomes($shell, "$top/bin/lbctl drain app w", "$top/bin/lbctl drain app web1 ", 'lbctl with its path');
    becomes($shell, 'true; LBCTL_CURL=-k lbctl drain app w', 'true; LBCTL_CURL=-k lbctl drain app web1 ',
            'behind another command');
    becomes($shell, "lbctl drain app wx\cB", 'lbctl drain app web1 x', 'in the middle of a line');
    $shell->keys("lbctl() { printf '<<''<%s>>''>' \"\$3\"; }\n");
    my $name;
    for (1 .. 10) {
        $shell->keys("lbctl drain names my\t\n");
        $name = $shell->wait_for(qr/<<<(.*?)>>>/);
        last if !defined $name || $name eq $EVIL;
    }
    is $name, $EVIL, 'what was completed is the name';
    $shell->keys("unset -f lbctl\n");
    ok !-e "$root/ran", 'nothing was run';
    $shell->end;
};

subtest 'zsh' => sub {
    my ($zsh) = grep { -x } '/usr/bin/zsh', '/bin/zsh';
    plan skip_all => 'no zsh' if !$zsh;
    is system($zsh, '-n', 'share/zsh/site-functions/_lbctl'), 0, 'the file parses';
    my $shell = Shell->new("$zsh -f -i");
    $shell->keys(qq(fpath=($top/share/zsh/site-functions \$fpath); autoload -U compinit; compinit -u -D; )
        . qq(unsetopt beep prompt_sp zle_bracketed_paste 2>/dev/null; unset zle_bracketed_paste; LISTMAX=9999; )
        . qq(show() { print -rn -- "<<""<\$BUFFER>>"">"; BUFFER= }; zle -N show; bindkey '^T' show; bindkey '^I' complete-word; echo re''ady\n));
    ok $shell->wait_for(qr/ready\r/), 'completion is loaded' or return;
    my $escaped = $EVIL =~ s{([ '\$()])}{\\$1}gr;
    both($shell, url => "lbctl drain names http://$free ",
         spaces => "lbctl drain names $escaped ",
         in_quotes => q{lbctl drain "names" 'my '\''one'\'' $(touch } . "$root/ran)' ");
    offers($shell, "lbctl drain names \t", $url{"ctrl\e[31m"}, 'a name that cannot be typed has a URL');
    $shell->end;
};

subtest 'a server that does not answer' => sub {
    # It accepts and says nothing.
    my $mute = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die "listen: $@";
    my $env = {LBCTL_URL => 'http://127.0.0.1:' . $mute->sockport . '/lb-status'};
    my @breaks = ("lbctl drain a", " \t\n\"'><=;|&(:");
    my $from = time;
    is_deeply [$ctl->run($env, 'complete', 'bash', @breaks)], [0, '', ''], 'has no names, and no error';
    my $short = time - $from;
    my (undef, $out) = $ctl->run($env, 'complete', 'bash', 'lbctl dr', $breaks[1]);
    is $out, "drain \n", 'commands need none';
    # Other questions to it wait for twenty seconds.
    cmp_ok $short, '<', 15, 'it is not waited for';
    is_deeply [$ctl->run({LBCTL_CURL => '--user ann'}, 'complete', 'bash', @breaks)], [0, "app \n", ''],
        'a password that curl would ask for is not asked for';
};

subtest 'what make install puts where' => sub {
    my $dest = "$root/dest";
    local %ENV = %ENV;
    delete @ENV{qw(MAKEFLAGS MAKELEVEL MFLAGS)};
    my $said = qx(make --no-print-directory install DESTDIR=$dest 2>&1);
    is $?, 0, 'make install' or diag $said;
    for my $file (qw(bin/lbctl share/lbctl/LBCtl/Base.pm share/bash-completion/completions/lbctl
                     share/zsh/site-functions/_lbctl share/man/man1/lbctl.1)) {
        ok -f "$dest/usr/local/$file", $file;
    }
    my @parts = map { s{.*/}{}r } glob 'share/lbctl/LBCtl/*';
    is_deeply [map { s{.*/}{}r } glob "$dest/usr/local/share/lbctl/LBCtl/*"], \@parts, 'all parts';
    symlink "$dest/usr/local/bin/lbctl", "$root/link" or die "symlink: $!";
    for my $program ("$dest/usr/local/bin/lbctl", "$root/link") {
        like qx(cd / && $program -u @{[$ctl->url]} status app 2>&1), qr/^  web1 /m, "$program runs";
    }
    qx(cp bin/lbctl $root/alone);
    like qx($root/alone status 2>&1), qr{^lbctl: \S+/share/lbctl is missing: .*make install.*\n\z}, 'a copy of one file says what it lacks';
};

done_testing;
