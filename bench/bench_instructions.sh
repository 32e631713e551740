#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Instructions per forwarded request beside stock mod_proxy_balancer, for known
# and new visitors and without sessions.
exec perl bench/bench_instructions.pl
