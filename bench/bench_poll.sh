#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# CPU that one poll of lb-status costs httpd, everything included.
exec perl bench/bench_poll.pl
