# SPDX-License-Identifier: Apache-2.0
# LBCtl::Commands - the list of commands, from which help and completion are
# made.
package LBCtl::Commands;
use strict;
use warnings;
use Exporter qw(import);
use LBCtl::Change;
use LBCtl::Events;
use LBCtl::Httpd;
use LBCtl::Roll;
use LBCtl::Status;

our @EXPORT = qw(@COMMANDS %OPTIONS @GENERAL find_command);

# What each option takes ('' for nothing) and does. A word in capitals is what
# completion offers for it, see LBCtl::Complete.
our %OPTIONS = (
    vhost    => ['VHOST', 'where two virtual hosts have a pool of that name'],
    wait     => ['', 'return when it is so'],
    timeout  => ['D', 'how long to wait; default: without end, roll 10min'],
    deadline => ['D', 'sessions that are left by then move'],
    idle     => ['D', 'sessions idle for longer move at once'],
    key      => ['SOURCE:VALUE', 'the session with that key alone'],
    cookie   => ['V', 'the session with that cookie alone'],
    weight   => ['N', 'its share of new visitors, 0 to 100; default: 1'],
    now      => ['', 'its sessions move with their next request'],
    force    => ['', 'also where no other member could take over'],
    json     => ['', 'as JSON, for scripts'],
    state    => ['STATE,...', 'members in one of these states'],
    pool     => ['POOL', 'of this pool alone'],
    member   => ['MEMBER', 'of this member alone'],
    failing  => ['', 'members that are down, ejected or make errors'],
    max      => ['N', 'exit status 1 when more sessions would move'],
    follow   => ['', 'go on with new ones until interrupted'],
);

# Options of every command.
our @GENERAL = (
    ['-u, --url URL', 'default $LBCTL_URL, else http://localhost/lb-status'],
    ['-q, --quiet', 'no progress'],
    ['-h, --help', 'help, for the command if one is given'],
    ['    --version', ''],
);

# name: of the command     args: least and most arguments     run: its code
# usage: its arguments, options last; completion takes POOL and MEMBER by place
# says: one line for the list     more: what else help tells     example
# options: those of %OPTIONS that it takes     exit: its own meaning of 1
sub change_row {
    my ($name, $says, %more) = @_;
    return {name => $name, args => [2, 2], usage => 'POOL MEMBER', says => $says,
            example => "$name app web1", run => sub { change($name, @_) }, %more,
            options => [@{$more{options} // []}, qw(wait timeout vhost)]};
}

our @COMMANDS = (
    {name => 'status', args => [0, 1], usage => '[POOL]', run => \&status,
     says => 'what is going on; failing members first', example => 'status --failing',
     options => [qw(pool vhost state failing)],
     more => "--state and --failing show some members only, and no pool without one.\n"},
    {name => 'doctor', args => [0, 0], usage => '', run => \&doctor,
     says => 'what is wrong, gravest first', example => 'doctor || mail -s "balancer" ops',
     options => ['json'], exit => 'something is wrong'},
    {name => 'events', args => [0, 0], usage => '', run => \&events,
     says => 'what happened lately, and from now on', example => 'events --follow --pool app',
     options => [qw(follow json pool member vhost)],
     more => "--json prints one object in a line. --follow goes on when the server is started\n"
         . "again, and says so on standard error; Ctrl-C ends it, with exit status 0.\n"},
    {name => 'json', args => [0, 0], usage => '', run => \&json,
     says => 'all of it, as JSON', example => 'json | jq ".pools[].requests"', options => []},
    {name => 'explain', args => [1, 2], usage => 'POOL [cookie=V|ip=A|key=SOURCE:VALUE]',
     run => \&explain, says => 'what would be decided for a visitor, and why',
     example => 'explain app key=session=sessionid:3f9a', options => ['vhost'],
     more => "V is the value of the cookie LBSTICKY_POOL. Without a key: for a new visitor.\n"
         . "Nothing changes by asking.\n"},
    {name => 'advise', args => [0, 0], usage => '', run => \&advise,
     says => "what httpd's configuration lacks, with the lines to write",
     example => 'advise', options => [], exit => 'httpd does not accept its configuration',
     more => "For each balancer:// without LBSticky the lines that hand it to this module, and\n"
         . "what is silently wrong already. It runs `httpd -t -D LBSTICKY_ADVICE` with the\n"
         . "first of apache2ctl, apachectl and httpd, or with \$LBCTL_HTTPD; no server need run.\n"},
    {name => 'preview', args => [0, 0], usage => '', run => \&preview,
     says => 'what a reload would do to known sessions',
     example => 'preview --max 100 && sudo apachectl graceful', options => ['max'],
     exit => 'more would move, or how many is not known',
     more => "How many sessions would stay, wait for the end of a drain, or move, with the\n"
         . "configuration as it is written now. It runs `httpd -t -D LBSTICKY_PREVIEW`, which\n"
         . "reads the state file, so as root as a rule; \$LBCTL_HTTPD as for advise.\n"},
    change_row('drain', 'no new visitors; those it has stay', options => [qw(deadline idle)],
        example => 'drain app web1 --deadline 2h --wait',
        more => "--wait returns when nobody is left: no session and no request, or after the\n"
            . "deadline no request.\n"),
    change_row('enable', 'the opposite of drain, disable and standby',
        example => 'enable app web1 --wait',
        more => "--wait returns when the member is open, so when its check says so, too.\n"),
    change_row('disable', 'nobody at all: its visitors move with their next request'),
    change_row('standby', 'new visitors only when no other member is left'),
    change_row('weight', 'its share of new visitors, 0 to 100', args => [3, 3],
        usage => 'POOL MEMBER NUMBER', example => 'weight app web1 0.5'),
    change_row('reset', 'back to what the configuration says; ejection lifted'),
    change_row('forget', 'forget its sessions, or one of them', options => [qw(key cookie)],
        example => 'forget app web1 --key session=sessionid:3f9a'),
    {name => 'add', args => [2, 2], usage => 'POOL URL', run => \&add,
     says => 'a member that the configuration does not have',
     example => 'add app http://10.0.0.14:8000 --wait',
     options => [qw(weight wait timeout vhost)],
     more => "The pool needs `LBStickyDiscover admin`. --wait returns when the member is open,\n"
         . "so when its check says so, too. It stays through reloads and restarts.\n"},
    change_row('remove', 'an added or found member leaves', options => [qw(deadline now)],
        example => 'remove app http://10.0.0.14:8000 --deadline 1h --wait',
        more => "It gets no new visitors, and goes when nobody is left, or at the deadline (without\n"
            . "one: leave= of LBStickyDiscover). A source that names it does not bring it back,\n"
            . "but lbctl add does. --wait returns when it is gone.\n"),
    {name => 'roll', args => [2, 1000], usage => 'POOL -- COMMAND [{}]', run => \&roll,
     says => 'a deploy, one member after the other',
     example => 'roll app --deadline 5min -- ssh {} sudo systemctl restart site',
     options => [qw(deadline idle timeout force vhost)],
     more => "Drain a member, wait until nobody is left, run COMMAND with its name for {}, wait\n"
         . "for its check, enable it; stop at the first failure.\n"},
    {name => 'help', args => [0, 1], usage => '[COMMAND]', says => 'this, or more of a command',
     run => sub { require LBCtl::Help; LBCtl::Help::help(@_) }, example => 'help drain',
     options => []},
    # Asked by the shells, see share/bash-completion and share/zsh.
    {name => 'complete', args => [1, 1000], usage => 'SHELL WORD...', hidden => 1, options => [],
     run => sub { require LBCtl::Complete; LBCtl::Complete::complete(@_) }},
);

# The command of that name; undef when there is none.
sub find_command {
    my ($name) = @_;
    my ($command) = grep { $_->{name} eq $name } @COMMANDS;
    return $command;
}

1;
