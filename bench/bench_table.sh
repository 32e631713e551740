#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Instructions per operation on the session table, the hash of the key not
# included.
#
#     SIZES="100000 1000000" bench/bench_table.sh [build/bench/bench_table]
set -eu
. "$(dirname "$0")/instructions.inc"
bench_of "${1:-build/bench/bench_table}" nothing 100000

for size in ${SIZES:-100000 10000000}; do
    for op in hit miss renew refresh insert; do
        printf 'table_%s_instructions_at_%s\t%s\tinstructions\n' "$op" \
            "$size" "$(per_round "$op" "$size")"
    done
done
