#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Processor time of a request that this httpd answers itself (LBStickyLocal),
# beside plain httpd without the module and beside a hop to another httpd.
# TSV; the ratios are to plain httpd. Medians of forty short rounds that take
# turns, each compared with plain httpd's in the same round. Where there is
# valgrind, instructions of the process per request, too: they do not depend on
# the machine's mood.
#
# The answer to a new visitor is longer than plain httpd's, it has a Set-Cookie
# and a Cache-Control. What that alone costs shows plain httpd with the same
# fields, which mod_headers puts there.
set -eu
cd "$(dirname "$0")/.."
exec perl -It/lib bench/bench_local.pl
