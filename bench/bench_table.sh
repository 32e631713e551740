#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Instructions per operation on the session table, the hash of the key not
# included: two runs of different length under valgrind, the difference of
# their counts divided by that of their operations, less what the loop itself
# takes. Unlike a time it does not depend on the machine's mood.
#
#     SIZES="100000 1000000" bench/bench_table.sh [build/bench/bench_table]
set -eu
bench=${1:-build/bench/bench_table}
[ -x "$bench" ] || { echo "$bench is missing: make bench builds it" >&2; exit 1; }
short=2000
long=9000

count() {
    valgrind --tool=cachegrind --cache-sim=no --cachegrind-out-file=/dev/null \
        "$bench" "$1" "$2" "$3" 2>&1 |
        sed -n 's/.*I *refs: *//p' | tr -d ,
}

per_op() {
    a=$(count "$1" "$2" "$short")
    b=$(count "$1" "$2" "$long")
    echo "$(((b - a) / (long - short)))"
}

loop=$(per_op nothing 100000)
for size in ${SIZES:-100000 10000000}; do
    for op in hit miss renew refresh insert; do
        printf 'table_%s_instructions_at_%s\t%s\tinstructions\n' "$op" \
            "$size" "$(($(per_op "$op" "$size") - loop))"
    done
done
