# SPDX-License-Identifier: Apache-2.0
# LBS::Preview - what httpd -t -D LBSTICKY_PREVIEW prints, taken apart.
#
#   my $p = preview($h);             # with the configuration as it is written
#   my $p = preview($h, 12);         # once the file has as many sessions
#   $p->{move}                       # of the last line; undef: not known
#   $p->{reason}                     # why it is not known
#   $p->{pool}{'app www:80'}{web1}   # {sessions, stay, move, wait, why}
#   $p->{said}                       # all of it, its sentences on one line each
package LBS::Preview;
use v5.36;

use Exporter qw(import);
use Time::HiRes qw(time sleep);

our @EXPORT = qw(preview);

# A reload hands what was learned to the file; but where it came in the middle of
# a writing, the file is a moment behind.
sub preview ($h, $sessions = 0) {
    my $end = time + 20;
    while (1) {
        my ($status, $said) = $h->configtest('-DLBSTICKY_PREVIEW');
        my $p = parse($status, $said);
        my $all = 0;
        $all += $_->{all}{sessions} for values %{$p->{pool}};
        return $p if $all >= $sessions || time > $end;
        sleep 0.1;
    }
}

sub parse ($status, $said) {
    my %p = (status => $status, raw => $said, pool => {},
             said => $said =~ s/\n {6}(?=\S)/ /gr);
    my $pool;
    for (split /\n/, $said) {
        if (m{^balancer://(\S+) of (\S+)$}) {
            $pool = $p{pool}{"$1 $2"} = {};
        }
        elsif ($pool && /^    (\S+) +(\d+) +(\d+) +(\d+) +(\d+)(?:  (.*))?$/) {
            $pool->{$1} = {sessions => $2, stay => $3, move => $4, wait => $5,
                           why => $6 // ''};
        }
        elsif (/^(\d+) sessions would move\.$/) {
            $p{move} = $1;
        }
        elsif (/^It is not known how many sessions would move: (.*)/) {
            $p{reason} = $1;
        }
        undef $pool if $_ eq '';
    }
    return \%p;
}

1;
