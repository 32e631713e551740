#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The status page in a browser: looks right at every size, refreshes in
# place, and outlives a reload of httpd.
use lib 't/lib';
use LBS::Test timeout => 300;
use LBS::Page;

plan skip_all => LBS::Browser->missing if LBS::Browser->missing;

my $p = LBS::Page->new(members => 3, conf => "LBStickyAdmin on\nLBStickyCheck path=/ interval=2s");
my ($b, $h) = ($p->browser, $p->httpd);

sub visit ($n) {
    $h->get('/', headers => [['User-Agent', "v$_"]]) for 1 .. $n;
    return;
}

subtest 'it shows what is there' => sub {
    visit(30);
    $p->open;
    is $b->title, 'Load balancer on localhost', 'title';
    like $b->text('#alerts'), qr/^All is well: 3 members in 1 pool/, 'all is well';
    is scalar($b->all('table.members tbody tr')), 3, 'three members';
    like $b->text('table.members tbody tr:nth-child(2)'), qr/web2.*\bup\b/s, 'one of them';
    is $b->eval('return document.querySelectorAll("[style]").length'), 0, 'no inline style';
    is scalar($b->cookies), 0, 'no cookie';
    is_deeply $b->eval('return performance.getEntriesByType("resource")'
        . '.map((e) => e.name).filter((n) => !n.startsWith(location.origin))'), [],
        'nothing from elsewhere';
    $p->no_console;
};

subtest 'it refreshes in place' => sub {
    $p->open;
    $b->eval(<<'JS');
for (const row of document.querySelectorAll('table.members tr')) { row.kept = true; }
document.querySelector('details.numbers').open = true;
document.querySelector('table.members tbody a').focus();
JS
    my $before = $b->text('tr.new td.number');
    $h->get('/', headers => [['User-Agent', 'another']]);
    ok $p->wait_js("return document.querySelector('tr.new td.number').textContent !== '$before'"),
        'a number changes by itself';
    ok $b->eval(<<'JS'), 'the rows are the same elements';
return [...document.querySelectorAll('table.members tr')].every((row) => row.kept);
JS
    ok $b->eval('return document.querySelector("details.numbers").open'), 'what was open is open';
    is $b->eval('return document.activeElement.textContent'), 'web1', 'the focus stays';
    $p->no_console;
};

sub requests () {
    return $b->eval('return performance.getEntriesByType("resource")'
        . '.filter((e) => e.initiatorType === "fetch").length');
}

subtest 'it pauses' => sub {
    $p->open;
    ok $p->wait_js('return performance.getEntriesByType("resource")'
        . '.some((e) => e.initiatorType === "fetch")'), 'it refreshes';
    $b->click('#pause');
    is $b->text('#fresh'), 'paused', 'paused, and says so';
    sleep 0.5;    # one under way may still come in
    my $count = requests();
    sleep 3;
    is requests(), $count, 'no request while paused';
    $b->click('#pause');
    ok $p->wait_js("return performance.getEntriesByType('resource')"
        . ".filter((e) => e.initiatorType === 'fetch').length > $count"), 'goes on';
    $b->eval(<<'JS');
Object.defineProperty(document, 'hidden', {value: true, configurable: true});
document.dispatchEvent(new Event('visibilitychange'));
JS
    sleep 0.5;
    $count = requests();
    sleep 3;
    is requests(), $count, 'no request while hidden';
    $b->eval(<<'JS');
delete document.hidden;
document.dispatchEvent(new Event('visibilitychange'));
JS
    ok $p->wait_js("return performance.getEntriesByType('resource')"
        . ".filter((e) => e.initiatorType === 'fetch').length > $count"), 'at once when shown';
};

subtest 'it outlives a graceful restart, and says when httpd does not answer' => sub {
    $p->open;
    $h->graceful;
    ok $p->wait_js(<<'JS'), 'the second generation is shown';
return [...document.querySelectorAll('#server .fact')]
    .some((f) => f.textContent === 'Generation2');
JS
    is $b->text('#fresh'), '', 'without a word';
    $h->stop;
    ok $b->text_becomes('#fresh', qr/no answer, this is old/, 10), 'httpd is stopped';
    ok scalar($b->all('#live.late')), 'in colour, too';
    $h->start;
    ok $b->text_becomes('#fresh', qr/^$/, 25), 'and back';
    # Fetches that failed are on the console, and nothing else.
    is_deeply [grep { !/net::ERR_/ } $b->console], [], 'nothing else on the console';
};

# For pictures there is to be something to see: two minutes of visitors.
sub crowd ($seconds) {
    my $end = time + $seconds;
    in_parallel(8, sub ($number) {
        my @jars = map { LBS::Jar->new } 1 .. 12;
        while (time < $end) {
            my $some = int rand @jars;
            $jars[$some] = LBS::Jar->new if rand() < 0.02;
            $h->get(sprintf('/?delay=%.3f', 0.004 + 0.02 * rand() ** 4),
                    jar => $jars[$some], headers => [['User-Agent', "$number $some " . rand]]);
            sleep 0.02 + 0.06 * (1 + sin(time / 9)) * rand;
        }
        return {};
    });
    return;
}

subtest 'every size, light and dark' => sub {
    visit(40);
    crowd(120) if $ENV{LBS_SCREENSHOTS};
    $h->post('/lb-status/admin', {pool => 'app', member => 'web2', action => 'drain',
        deadline => '10min'}, headers => [['LBSticky-Admin', '1']]);
    for my $row ([400, 'light', 'status-narrow'], [768, 'light'], [1000, 'light'],
                 [1200, 'light'], [2560, 'light'],
                 [400, 'dark'], [1280, 'light', 'status-light'],
                 [1280, 'dark', 'status-dark']) {
        my ($width, $scheme, $picture) = @$row;
        $p->size($width, $width == 400 ? 1400 : 900);
        $p->scheme($scheme);
        $p->open;
        $p->fits("$width $scheme");
        $p->screenshot($picture) if $picture;
    }
    $p->size(1280, 900);
    $p->scheme('light');
    for my $query ('?pool=app', '?span=day', '?pool=app&member=web2&action=drain',
                   '?pool=app&member=web2&action=weight',
                   '?pool=app&member=web2&done=drain', '?pool=nobody',
                   '?pool=app&find=nobody', '?pool=app&member=web2') {
        $p->open($query);
        $p->fits($query);
    }
    $p->screenshot('member-light');
    $p->scheme('dark');
    $p->fits('a member, dark');
    $p->screenshot('member-dark');
    is_deeply [grep { !/status of 404|favicon/ } $b->console], [], 'the console is empty';
};

subtest 'when something is wrong' => sub {
    my $act = sub ($member, $action) {
        $h->post('/lb-status/admin', {pool => 'app', member => $member, action => $action},
                 headers => [['LBSticky-Admin', '1']]);
    };
    $act->('web1', 'standby');
    $act->('web2', 'disable');
    $p->{web}[2]->set(status => 500);
    ok wait_for(sub { (grep { $_->{state} eq 'down' } @{$h->json->{pools}[0]{members}}) == 1 }, 20),
        'a member is down';
    $p->scheme('light');
    $p->open;
    like $b->text('table.members tbody tr:first-child'), qr/^web3\b.*\bdown\b.*\b1 turn\b/s,
        'it is the first of the list';
    my ($event) = grep { $b->fetch("/element/$_/text") =~ /web3/ } $b->all('#events li');
    like $b->fetch("/element/$event/text"),
        qr{^[\d: -]+app / web3\s+down\s+HTTP 500, want 200-399$}, 'its event, in one line';
    cmp_ok $b->fetch("/element/$event/rect")->{height}, '<', 40, 'and no higher than that';
    like $b->text('#zone'), qr/^UTC[+-]\d\d:\d\d/, 'of which zone the times are';
    like $b->text('#alerts li.warn'), qr/web3 is down .*HTTP 500, want 200-399/, 'and it is said why';
    $act->('web1', 'disable');
    ok $b->text_becomes('#alerts li:first-child', qr/^Act now app: panic: every check fails \(closed members aside\)/, 20),
        'the last one, too: the worst first';
    like $b->title, qr/^\(\d\) /, 'the title counts';
    $p->fits('trouble, light');
    $p->screenshot('trouble');
    $p->scheme('dark');
    $p->fits('trouble, dark');
    $p->{web}[2]->set(status => undef);
    $act->($_, 'enable') for qw(web1 web2);
    ok $b->text_becomes('#alerts', qr/All is well/, 20), 'and it is over without a reload';
    is_deeply [$b->console], [], 'nothing on the console';
};

# The browser keeps its connections, so old children stay a while.
$h->no_unexpected_log(qr/AH03490: scoreboard is full/, qr/LBS3000: pool app: panic/);
done_testing;
