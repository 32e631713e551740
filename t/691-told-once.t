# SPDX-License-Identifier: Apache-2.0
# A member that goes down or is ejected is a warning, its return a notice, each
# once: what Debian's LogLevel warn shows is enough to know what happened.
use lib 't/lib';
use LBS::Test;
use LBS::Governed;

my @web = LBS::Backend->many(2);

sub lines_of ($h, $number) {
    return $h->error_log(qr/LBS$number/);
}

subtest 'a check that fails and passes again' => sub {
    my $h = governed(\@web,
        app => "LBSticky cookie\nLBStickyCheck path=/ interval=100ms rise=1 fall=1");
    $web[0]->set(status => 500);
    ok $h->wait_log(qr/LBS1603/), 'down';
    sleep 1;    # several more checks fail
    $web[0]->set;
    ok $h->wait_log(qr/LBS1602/), 'up';
    my @down = lines_of($h, 1603);
    is @down, 1, 'down is told once';
    like $down[0], qr/lbsticky:warn.*pool app: member r1 is down: HTTP 500, want 200-399/,
        'as a warning that says why';
    my @up = lines_of($h, 1602);
    is @up, 1, 'up is told once';
    like $up[0], qr/lbsticky:notice.*pool app: member r1 is up/, 'as a notice';
};

subtest 'an ejection' => sub {
    my $h = governed(\@web, app => "LBSticky none\nLBStickyMethod round-robin\n"
        . "LBStickyEject failures=2 hold=1s-1s status=500");
    $web[0]->set(status => 500);
    $h->get('/app/') for 1 .. 12;
    ok $h->wait_log(qr/LBS1600/), 'ejected';
    $web[0]->set;
    for (1 .. 100) {
        $h->get('/app/');
        last if lines_of($h, 1601);
        sleep 0.1;
    }
    my @out = lines_of($h, 1600);
    like $out[0], qr/lbsticky:warn.*pool app: member r1 ejected: /, 'as a warning that says why';
    my @back = lines_of($h, 1601);
    like $back[0] // '', qr/lbsticky:notice.*pool app: member r1 answers again/, 'its return as a notice';
};

done_testing;
