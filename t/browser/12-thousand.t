#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A pool of 1000 members: filter, order, pages.
use lib 't/lib';
use LBS::Test timeout => 300;
use LBS::Page;

plan skip_all => LBS::Browser->missing if LBS::Browser->missing;

# Nobody asks the members that nobody answers for: they are on standby.
my $p = LBS::Page->new(members => 2, more => 998, far => 'status=+H',
                       conf => 'LBStickyAdmin on');
my ($b, $h) = ($p->browser, $p->httpd);

sub rows () { return $b->eval('return document.querySelectorAll("table.members tbody tr").length') }
sub first_row () { return $b->eval('return document.querySelector("table.members tbody tr th a").textContent') }

$p->open;
is rows(), 50, 'the first page of the list';
like $b->text('.pages'), qr/1.000 members, page 1 of 20/, 'of twenty';
$p->fits('1000 members');

$b->click('.pages a:last-child');
ok $b->text_becomes('.pages', qr/page 20 of 20/), 'the last page';
is first_row(), 'far0949', 'begins where it should';
like $b->url, qr/page=20/, 'and has a URL';

$p->open;
my $took = time;
$b->type('.filter input[type=search]', 'FAR012');
ok $p->wait_js('return document.querySelectorAll("table.members tbody tr").length === 10'),
    'ten members fit';
cmp_ok time - $took, '<', 8, 'while one types';
is first_row(), 'far0120', 'the first of them';
is $b->eval('return document.activeElement.name'), 'find', 'the focus is still there';
is $b->eval('return document.activeElement.value'), 'FAR012', 'with what was typed';
like $b->url, qr/find=FAR012/, 'the URL names it';
$b->reload;
is rows(), 10, 'so it can be loaded again';
$b->eval('document.querySelector(".filter input[type=search]").value = ""');
$b->type('.filter input[type=search]', ' nobody');
ok $b->text_becomes('.list', qr/No member fits/), 'nobody';

$h->post('/lb-status/admin', {pool => 'app', member => 'far0500', action => 'disable'},
         headers => [['LBSticky-Admin', '1']]);
$p->open;
ok $b->text_becomes('.states', qr/1\s+disabled/), 'how many are in which state';
$b->click('.states li:last-child a');
ok $p->wait_js('return document.querySelectorAll("table.members tbody tr").length === 1'), 'one of 1000';
is first_row(), 'far0500', 'found by its state';

$p->open;
$b->click('table.members thead th:first-child a');
ok $p->wait_js('return document.querySelector("table.members tbody tr th a").textContent === "far0001"'),
    'by name';
$b->click('table.members thead th:first-child a');
ok $p->wait_js('return document.querySelector("table.members tbody tr th a").textContent === "web2"'),
    'backwards';
is $b->eval('return document.querySelector("[aria-sort=descending]").textContent'), 'Member', 'and says so';
$b->eval('history.back()');
ok $p->wait_js('return document.querySelector("table.members tbody tr th a").textContent === "far0001"'),
    'back goes back';

# Nobody looks for the one that fails.
$p->{web}[1]->refuse;
my $id = sub { (grep { $_->{route} eq 'web2' } @{$h->json->{pools}[0]{members}})[0] };
ok wait_for(sub {
    $h->get('/', headers => [['User-Agent', rand]]);
    return $id->()->{state} eq 'down';
}, 20), 'a member of 1000 refuses connections';
$p->open;
is first_row(), 'web2', 'and is the first of the list';
is $id->()->{turns}, 1, 'it turned once';
like $b->text('table.members tbody tr:first-child'), qr/1 turn/, 'which is shown';
cmp_ok length $b->source, '<', 250_000, 'the page stays small';
my $plain = LBS::Browser->new(javascript => 0);
$plain->go('http://localhost:' . $h->port . '/lb-status');
like $plain->text('table.members tbody tr:first-child'), qr/^web2\b.*\bdown\b/s, 'also without scripts';
is scalar($plain->all('table.members tbody tr')), 50, 'one page of them';

$p->no_console;
$h->no_unexpected_log(qr/LBS1603|AH00957|AH01114|LBS1600/);
done_testing;
