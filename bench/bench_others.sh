#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Processor time per forwarded request beside stock httpd, nginx and HAProxy.
exec perl bench/bench_others.pl
