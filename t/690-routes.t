#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# LBSticky route=: routes that hold dots, and sessions whose route names a
# member that is gone.
use lib 't/lib';
use LBS::Governed;
use LBS::State;
use LBS::Test;

my @web = LBS::Backend->many(5);
my @ROUTES = ('b1.example.org', 'example.org', 'org', 'node.b1.example.org', 'b1');
my $three = join "\n", map { qq(BalancerMember "http://\@B$_\@" route=r$_) } 1 .. 3;
my $h = governed(\@web, server => "LBStickyAdmin on\nLBStickySlowStart off",
    dots => join("\n", 'LBSticky route=R', map { qq(BalancerMember "http://\@B$_\@" route=$ROUTES[$_ - 1]) } 1 .. 5),
    map { my $n = $_; ("gone$n" => "LBSticky route=R\nLBStickyMethod round-robin\n$three") } 1 .. 4);

sub shown ($pool, $value) { return $h->get("/$pool/", headers => cookie_of(R => $value)) }

subtest 'the longest text behind a dot that names a member' => sub {
    my %want = ('abc.b1.example.org' => 1, 'a.b.c.b1.example.org' => 1, 'abc.example.org' => 2,
                'abc.xyz.org' => 3, 'abc.node.b1.example.org' => 4, 'abc.b1' => 5, '.b1.example.org' => 1,
                'b1.example.org' => 2, '"abc.b1.example.org"' => 1, 'abc.b1.example.org.b1' => 5,
                '......b1.example.org' => 1, ('x.' x 3000) . 'b1.example.org' => 1);
    for my $value (sort keys %want) {
        my $name = length $value > 60 ? '6000 bytes of dots' : $value;
        my @r = (shown('dots', $value), $h->get("/dots/a;R=$value"));
        pop @r if $value =~ /"/;
        is join(' ', map { verdict($_) . ' ' . $_->member } @r), join(' ', ("kept web$want{$value}") x @r), $name;
        next if length $value > 60;
        my $e = $h->json('/lb-status/explain?pool=dots&key=' . ("route=R:$value" =~ s/([^\w.:])/sprintf '%%%02x', ord $1/ger));
        is $e->{member}, $ROUTES[$want{$value} - 1], "$name: as explained" if $value !~ /"/;
    }
    is verdict(shown('dots', $_)), 'new unknown', "$_: nobody's" for 'abc.example', 'abc.b1.example.orga';
    is verdict(shown('dots', $_)), 'new first', "$_: no route" for 'b1', 'abc.b1.';
};

# While r1 is away its sessions are moved, each to one member; then they are
# back where their route says.
sub gone ($pool, $leave, $return, @verdicts) {
    my @ids = ((map { "0123456789abcdef$_" } 1 .. 4), map { "s$_" } 1 .. 4);
    is verdict(shown($pool, "$_.r1")), 'kept', "$pool: $_ is at home" for $ids[0], $ids[4];
    $leave->();
    my (%at, %said);
    for my $round (1 .. 5) {
        for my $id (@ids) {
            my $r = shown($pool, "$id.r1");
            $at{$id}{$r->member}++;
            $said{verdict($r)}++ if $round > 1;
        }
    }
    is_deeply [map { scalar keys %{$at{$_}} } @ids], [(1) x @ids], 'each stays at one member';
    cmp_ok scalar(keys %{{map { (%{$at{$_}})[0] => 1 } @ids}}), '==', 2, 'they are spread over both';
    is_deeply [grep { my $v = $_; !grep { $v eq $_ } @verdicts } keys %said], [], 'and are told so';
    my %any = map { (shown($pool, '.r1')->member => 1) } 1 .. 6;
    is scalar(keys %any), 2, 'a value that all visitors of a member show is no session';
    $return->();
    my $home = wait_for(sub { verdict(shown($pool, "$ids[0].r1")) eq 'kept' }, 20);
    ok $home, 'back: the route is where it was';
    is shown($pool, "$_.r1")->member, 'web1', "$_" for @ids;
    return;
}

subtest 'a member that refuses' => sub {
    gone('gone1', sub { $web[0]->refuse }, sub { $web[0]->accept }, 'moved down', 'moved ejected');
};

subtest 'a drain whose time is over' => sub {
    gone('gone3', sub {
        admin($h, 'gone3', 'r1', 'drain', deadline => '0');
        ok wait_for(sub { verdict(shown('gone3', '.r1')) eq 'moved drained' }), 'it is';
    }, sub { admin($h, 'gone3', 'r1', 'enable') }, 'moved drained');
};

subtest 'a survivor goes, too' => sub {
    my $id = '0123456789abcdef.r1';
    admin($h, 'gone4', 'r1', 'drain', deadline => '0');
    ok wait_for(sub { verdict(shown('gone4', $id)) eq 'moved drained' }), 'moved';
    my $at = member_of(shown('gone4', $id));
    admin($h, 'gone4', $at, 'drain');
    is_deeply {map { member_of(shown('gone4', $id)) => 1 } 1 .. 4}, {$at => 1},
        'a draining one keeps it';
    admin($h, 'gone4', $at, 'disable');
    my $next = member_of(shown('gone4', $id));
    isnt $next, $at, 'a disabled one does not';
    admin($h, 'gone4', $at, 'enable');
    is_deeply {map { member_of(shown('gone4', $id)) => 1 } 1 .. 6}, {$next => 1}, 'and it stays with the next';
};

$h->announce(qr/AH00957|AH01114|AH01102|AH00898/);    # of the member that refuses
$h->no_unexpected_log;
done_testing;
