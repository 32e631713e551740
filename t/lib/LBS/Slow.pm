# SPDX-License-Identifier: Apache-2.0
# LBS::Slow - how much longer things take on this build.
#
#   cmp_ok $r->elapsed, '<', longer(0.5);
#
# Under a sanitizer httpd is several times slower; only upper bounds grow.
package LBS::Slow;
use v5.36;

use Exporter qw(import);

our @EXPORT = qw(longer under_tsan);
my $FACTOR = under_tsan() ? 6 : $ENV{LBS_PRELOAD} ? 3 : 1;

sub under_tsan () { return ($ENV{LBS_PRELOAD} // '') =~ /tsan/ }

sub longer ($seconds) { return $seconds * $FACTOR }

1;
