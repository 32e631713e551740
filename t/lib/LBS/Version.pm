# SPDX-License-Identifier: Apache-2.0
# LBS::Version - which httpd is tested: LBS_HTTPD, or the installed one.
#
#   use LBS::Version;
#   httpd_since('2.4.57')    true for that version and later ones
#
# A test whose expectation depends on httpd states both: what an earlier
# version does is asserted as well.
package LBS::Version;
use v5.36;
use Exporter 'import';

our @EXPORT = qw(httpd_since);
our $BIN = $ENV{LBS_HTTPD} // '/usr/sbin/apache2';
my $is;

sub httpd_since ($version) {
    # Where there is none, lint reads the tests, and none of them can run.
    $is //= -x $BIN ? (`'$BIN' -v` =~ m{Apache/([\d.]+)})[0] // die "$BIN: no version\n" : '999';
    return version->parse("v$is") >= version->parse("v$version");
}

1;
