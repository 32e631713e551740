#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Draining and enabling a member in a browser: with the mouse, with the
# keyboard alone, and without scripts.
use lib 't/lib';
use LBS::Test timeout => 300;
use LBS::Page;

plan skip_all => LBS::Browser->missing if LBS::Browser->missing;

my $p = LBS::Page->new(members => 2, conf => 'LBStickyAdmin on');
my ($b, $h) = ($p->browser, $p->httpd);

sub member ($route, $httpd = $h) {
    my ($m) = grep { $_->{route} eq $route } @{$httpd->json->{pools}[0]{members}};
    return $m;
}
sub row ($route) { return 'tr#member-' . member($route)->{id} }

# A session for each member.
$h->get('/', headers => [['User-Agent', "v$_"]]) for 1 .. 30;

subtest 'with the mouse' => sub {
    $p->open;
    $b->click(row('web1') . ' td.actions a');
    like $b->text('dialog h1'), qr/^drain web1\?$/i, 'a dialog asks';
    my $count = member('web1')->{sessions};
    like $b->text('dialog'), qr/\b$count sessions?\b/, 'and says how many sessions there are';
    like $b->text('dialog'), qr/will move to 1 other member/, 'and where they will go';
    $p->accessible('the dialog');
    $p->screenshot('drain');
    is member('web1')->{state}, 'up', 'nothing happened yet';
    $b->click('dialog [data-close]');
    ok $p->wait_js('return !document.querySelector("dialog")'), 'cancel closes it';
    is member('web1')->{state}, 'up', 'nothing happened';

    $b->click(row('web1') . ' td.actions a');
    $b->type('dialog #field-deadline', '10x');
    $b->click('dialog button.do');
    ok $b->text_becomes('dialog [role=alert]', qr/deadline is 10x, wanted is/), 'a wrong duration is explained';
    is member('web1')->{state}, 'up', 'and changes nothing';
    $b->eval('document.querySelector("dialog #field-deadline").value = ""');
    $b->type('dialog #field-deadline', '10min');
    $b->click('dialog button.do');
    ok $b->text_becomes('#done', qr/^web1 is now drain/), 'it says what it did';
    is member('web1')->{state}, 'drain', 'the member drains';
    ok $b->text_becomes(row('web1'), qr/sessions? left, \d+ min/), 'the list shows it';
    ok scalar($b->all(row('web1') . ' progress')), 'with its progress';
    like $b->text('#events li'), qr/app \/ web1\s+drain/, 'an event tells of it';
    $b->click(row('web1') . ' td.actions a');
    $b->click('dialog button.do');
    ok $b->text_becomes('#done', qr/^web1 is now up/), 'enabled again';
    is member('web1')->{state}, 'up', 'and so it is';
};

subtest 'with the keyboard alone' => sub {
    $p->open;
    ok $p->tab_to(row('web2') . ' td.actions a'), 'Tab gets to the action';
    $p->keys('Enter');
    ok $b->text_becomes('dialog h1', qr/drain web2/i), 'Enter opens the dialog';
    ok $p->wait_js('return document.activeElement.id === "field-deadline"'), 'the focus is in it';
    $p->keys('Escape');
    ok $p->wait_js('return !document.querySelector("dialog")'), 'Escape closes it';
    is member('web2')->{state}, 'up', 'nothing happened';
    ok $p->tab_to(row('web2') . ' td.actions a'), 'Tab gets there again';
    $p->keys('Enter');
    ok $p->wait_js('return document.activeElement.id === "field-deadline"'), 'the focus is in it';
    $p->keys('5', 'm', 'i', 'n');
    ok $p->tab_to('dialog button.do'), 'Tab gets to the button';
    $p->keys('Enter');
    ok $b->text_becomes('#done', qr/^web2 is now drain/), 'done';
    is member('web2')->{state}, 'drain', 'the member drains';
    ok $p->tab_to(row('web2') . ' td.actions a'), 'Tab gets to the other action';
    $p->keys('Enter');
    ok $p->wait_js('return document.activeElement.matches("dialog button.do")'), 'the button has the focus';
    $p->keys('Enter');
    ok $b->text_becomes('#done', qr/^web2 is now up/), 'enabled again';
    is member('web2')->{state}, 'up', 'and so it is';
};

subtest 'with httpd reloaded in the middle' => sub {
    $p->open;
    $b->click(row('web1') . ' td.actions a');
    $b->find('dialog button.do');
    $h->graceful;
    $b->click('dialog button.do');
    ok $b->text_becomes('#done', qr/^web1 is now drain/), 'the form is still good';
    $h->post('/lb-status/admin', {pool => 'app', member => 'web1', action => 'enable'},
             headers => [['LBSticky-Admin', '1']]);
};
# The one refused form is on the console, as every failed request is.
is_deeply [grep { !/status of 400/ } $b->console], [], 'the console is empty';
$b->kill;

subtest 'without scripts' => sub {
    my $plain = LBS::Page->new(members => 2, conf => 'LBStickyAdmin on',
                               browser => {javascript => 0});
    my ($b, $h) = ($plain->browser, $plain->httpd);
    $plain->open;
    ok !$b->eval('return document.getElementById("pause").hidden === false'), 'no button that does nothing';
    my $id = member('web1', $h)->{id};
    $b->click("tr#member-$id td.actions a");
    like $b->text('#question'), qr/drain web1\?/i, 'a page asks';
    $b->type('#field-deadline', '10min');
    $b->click('#confirm button.do');
    ok $b->text_becomes('#done', qr/^web1 is now drain/), 'and says what was done';
    is member('web1', $h)->{state}, 'drain', 'the member drains';
    $plain->open("?pool=app&member=web1&action=weight");
    $b->eval('document.querySelector("#field-weight").value = ""');
    $b->type('#field-weight', '101');
    $b->click('#confirm button.do');
    ok $b->text_becomes('#wrong', qr/weight is 101, wanted is/), 'a wrong value is explained';
    is member('web1', $h)->{weight}, 1, 'and changes nothing';
    $b->click('p a');
    ok $b->text_becomes('h1', qr/./), 'there is a way back';
    $h->no_unexpected_log;
};

subtest 'where LBStickyAdmin is off' => sub {
    my $off = LBS::Page->new(members => 2);
    my $b = $off->browser;
    for my $query ('', '?pool=app&member=web1', '?pool=app&member=web1&action=drain') {
        $off->open($query);
        like $b->text('.hint'), qr/^Buttons .* LBStickyAdmin on .* Require /s, "$query: the line";
        is scalar($b->all('[data-dialog]')), 0, 'no button';
        $off->fits("off $query");
    }
    $off->httpd->no_unexpected_log;
};

# The browser keeps its connections, so old children stay a while.
$h->no_unexpected_log(qr/AH03490: scoreboard is full/);
done_testing;
