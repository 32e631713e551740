#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Instructions per pick: two runs of different length under valgrind, and the
# difference of their counts divided by the difference of their picks, less
# what the loop around them takes. Unlike a time it does not depend on the
# machine's mood.
#
#     bench/bench_pick.sh [build/bench/bench_pick]
set -eu
bench=${1:-build/bench/bench_pick}
[ -x "$bench" ] || { echo "$bench is missing: make bench builds it" >&2; exit 1; }
short=2000
long=12000

count() {
    valgrind --tool=cachegrind --cache-sim=no --cachegrind-out-file=/dev/null \
        "$bench" "$1" "$2" "$3" 2>&1 |
        sed -n 's/.*I *refs: *//p' | tr -d ,
}

# per_pick METHOD MEMBERS
per_pick() {
    a=$(count "$1" "$2" "$short")
    b=$(count "$1" "$2" "$long")
    echo $(((b - a) / (long - short)))
}

loop=$(per_pick none 4)
printf 'method\tmembers\tinstructions_per_pick\n'
for method in least-load least-busy least-sessions round-robin hash; do
    for members in 4 100 4000; do
        printf '%s\t%s\t%s\n' "$method" "$members" \
            $(($(per_pick "$method" "$members") - loop))
    done
done
