#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Instructions per pick.
#
#     bench/bench_pick.sh [build/bench/bench_pick]
set -eu
. "$(dirname "$0")/instructions.inc"
bench_of "${1:-build/bench/bench_pick}" none 4

printf 'method\tmembers\tinstructions_per_pick\n'
for method in least-load least-busy least-sessions round-robin hash; do
    for members in 4 100 4000; do
        printf '%s\t%s\t%s\n' "$method" "$members" \
            "$(per_round "$method" "$members")"
    done
done
