#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# CPU per forwarded request beside stock mod_proxy_balancer.
exec perl bench/bench_request.pl
