#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Processor time of a request that this httpd answers itself (LBStickyLocal),
# beside plain httpd without the module and beside a hop to another httpd.
# TSV; the ratios are to plain httpd. Best of five rounds that take turns. Where
# there is valgrind, instructions of the process per request, too: they do not
# depend on the machine's mood.
set -eu
cd "$(dirname "$0")/.."
exec perl -It/lib bench/bench_local.pl
