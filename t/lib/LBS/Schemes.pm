# SPDX-License-Identifier: Apache-2.0
# LBS::Schemes - members for each scheme that mod_proxy speaks.
#
#   my @web = two_members('fcgi');    # http, h2c, ajp, fcgi, scgi, uwsgi
package LBS::Schemes;
use v5.36;

use Exporter qw(import);
use LBS::Backend;
use LBS::Framed;
use LBS::Gateway;

our @EXPORT_OK = qw(two_members);

sub two_members ($scheme) {
    return LBS::Backend->many(2) if $scheme eq 'http';
    return map { $scheme eq 'h2c' ? LBS::Framed->new(name => "f$_")
        : LBS::Gateway->new(scheme => $scheme, name => "g$_") } 1, 2;
}

1;
