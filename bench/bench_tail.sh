#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The tail of response times beside other balancers.
exec perl bench/bench_tail.pl
