#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What is written in <Proxy> sections holds for a governed pool's requests as
# it does without this module, also where a section is of a part of the pool, a
# pattern or an expression, and where a <Location> has the last word.
use lib 't/lib';
use LBS::Test timeout => 60;

use LBS::Governed;

my $SECTIONS = <<'CONF';
<Proxy "balancer://NAME">
Header set X-Pool pool
</Proxy>
<Proxy "balancer://NAM">
Header set X-Prefix prefix
</Proxy>
<Location "/NAME/host">
ProxyPreserveHost On
Header set X-Pool location
</Location>
CONF
my %more = (
    plain => '',
    part => "<Proxy \"balancer://NAME/part\">\nHeader set X-Part part\n</Proxy>\n",
    closed => "<Proxy \"balancer://NAME/closed\">\nRequire all denied\n</Proxy>\n",
    pattern => "<Proxy \"balancer://NAME/*t\">\nHeader set X-Part pattern\n</Proxy>\n",
    match => "<ProxyMatch \"^balancer://NAME/(?<PART>p.*)\">\n"
        . "Header set X-Part \"%{MATCH_PART}e\"\n</ProxyMatch>\n",
);

for my $case (sort keys %more) {
    subtest $case => sub {
        my @web = LBS::Backend->many(1);
        my $text = $SECTIONS . $more{$case};
        my $line = 'BalancerMember "http://@B1@" route=r1';
        my $h = governed(\@web, header => 0, children => 1,
            app => "LBSticky cookie\nLBStickyForward host=off\n$line",
            raw => "LBSticky off\n$line",
            more => join '', map { $text =~ s/NAME/$_/gr
                =~ s/NAM"/substr($_, 0, 2) . '"'/er } qw(app raw));
        $h->announce(qr/AH01630/);
        for my $path (qw(/ /part /closed /host)) {
            my ($ours, $stock) = map {
                my $r = $h->get("/$_$path");
                join '|', $r->status, map { $r->header($_) // '-' }
                    qw(X-Pool X-Prefix X-Part)
            } qw(app raw);
            is $ours, $stock, $path;
        }
    };
}

done_testing;
