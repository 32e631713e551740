# SPDX-License-Identifier: Apache-2.0
# LBS::Slow - how much longer things take on this build.
#
#   cmp_ok $r->elapsed, '<', slow(0.5);
#
# Under a sanitizer httpd is several times slower; only upper bounds grow.
package LBS::Slow;
use v5.36;

use Exporter qw(import);

our @EXPORT = qw(slow);
my $FACTOR = !$ENV{LBS_PRELOAD} ? 1 : $ENV{LBS_PRELOAD} =~ /tsan/ ? 6 : 3;

sub slow ($seconds) { return $seconds * $FACTOR }

1;
