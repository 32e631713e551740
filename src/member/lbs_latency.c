/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_latency.c - buckets, and cells that are linear within a doubling.
 *
 * Below 1024 us cells are 64 us wide; each doubling above has eight, so a
 * cell is at most an eighth of its values wide. The last one takes everything
 * from two minutes on.
 */
#include "src/member/lbs_latency.h"

#define SUB_BITS 3  /* 8 cells to a doubling */
#define UNIT_BITS 6 /* the first cells are 64 us wide */

static const apr_uint32_t bounds[LBS_LATENCY_BOUNDS] = {
    1000,   2500,   5000,    10000,   25000,   50000,    100000,
    250000, 500000, 1000000, 2500000, 5000000, 10000000, 30000000};

static apr_uint32_t cell_of(apr_uint64_t us)
{
    apr_uint64_t units = us >> UNIT_BITS;
    apr_uint32_t octave = 0;
    apr_uint32_t cell;

    while ((units >> octave) >= (2u << SUB_BITS)) {
        octave++;
    }
    cell = (octave << SUB_BITS) + (apr_uint32_t)(units >> octave);
    return cell < LBS_LATENCY_CELLS ? cell : LBS_LATENCY_CELLS - 1;
}

/* The middle of a cell, in microseconds: cell_of() backwards. */
static apr_uint32_t middle_of(apr_uint32_t cell)
{
    apr_uint32_t octave = 0;
    apr_uint32_t units = cell;

    if (cell >= (2u << SUB_BITS)) {
        octave = (cell >> SUB_BITS) - 1;
        units = cell - (octave << SUB_BITS);
    }
    return (2 * units + 1) << (octave + UNIT_BITS - 1);
}

/* Begin a minute in its half, unless it has begun. */
static void turn(lbs_latency_t *latency, int half, apr_uint64_t minute)
{
    apr_uint64_t seen = lbs_atomic_load64_relaxed(&latency->minute[half]);
    int i;

    /* Greater: another process, with a faster clock, has begun the next
     * minute. */
    if (seen >= minute
        || !lbs_atomic_cas64(&latency->minute[half], &seen, minute)
        || seen == 0) { /* never used: all zero */
        return;
    }
    for (i = 0; i < LBS_LATENCY_CELLS; i++) {
        lbs_atomic_store32_relaxed(&latency->cells[half][i], 0);
    }
}

apr_uint32_t lbs_latency_bound(int bucket)
{
    return bucket < LBS_LATENCY_BOUNDS ? bounds[bucket] : 0;
}

void lbs_latency_record(lbs_latency_t *latency, apr_uint64_t us,
                        apr_uint64_t now)
{
    /* + 1: a half that is all zero belongs to no minute. */
    apr_uint64_t minute = now / LBS_LATENCY_HALF_US + 1;
    int half = (int)(minute & 1);
    int bucket = 0;

    while (bucket < LBS_LATENCY_BOUNDS && us > bounds[bucket]) {
        bucket++;
    }
    lbs_atomic_add64_relaxed(&latency->buckets[bucket], 1);
    lbs_atomic_add64_relaxed(&latency->sum_us, us);
    turn(latency, half, minute);
    lbs_atomic_add32_relaxed(&latency->cells[half][cell_of(us)], 1);
}

apr_uint64_t lbs_latency_sums(const lbs_latency_t *latency,
                              apr_uint64_t *sum_us)
{
    apr_uint64_t answers = 0;
    int i;

    for (i = 0; i <= LBS_LATENCY_BOUNDS; i++) {
        answers += lbs_atomic_load64_relaxed(&latency->buckets[i]);
    }
    *sum_us = lbs_atomic_load64_relaxed(&latency->sum_us);
    return answers;
}

void lbs_latency_total(const lbs_latency_t *latency,
                       lbs_latency_total_t *total)
{
    apr_uint64_t sum = 0;
    int i;

    for (i = 0; i <= LBS_LATENCY_BOUNDS; i++) {
        sum += lbs_atomic_load64_relaxed(&latency->buckets[i]);
        total->le[i] = sum;
    }
    total->sum_us = lbs_atomic_load64_relaxed(&latency->sum_us);
}

void lbs_latency_load(lbs_latency_t *latency, const lbs_latency_total_t *total)
{
    apr_uint64_t below = 0;
    int i;

    for (i = 0; i <= LBS_LATENCY_BOUNDS; i++) {
        apr_uint64_t le = total->le[i] < below ? below : total->le[i];

        lbs_atomic_store64_relaxed(&latency->buckets[i], le - below);
        below = le;
    }
    lbs_atomic_store64_relaxed(&latency->sum_us, total->sum_us);
}

void lbs_latency_collect(const lbs_latency_t *latency, apr_uint64_t now,
                         lbs_latency_recent_t *recent)
{
    apr_uint64_t minute = now / LBS_LATENCY_HALF_US + 1;
    int half;
    int i;

    for (half = 0; half < 2; half++) {
        apr_uint64_t of = lbs_atomic_load64_relaxed(&latency->minute[half]);

        if (of == 0 || of + 1 < minute) {
            continue;
        }
        for (i = 0; i < LBS_LATENCY_CELLS; i++) {
            apr_uint32_t n =
                lbs_atomic_load32_relaxed(&latency->cells[half][i]);

            recent->cells[i] += n;
            recent->count += n;
        }
    }
}

apr_uint32_t lbs_latency_percentile(const lbs_latency_recent_t *recent,
                                    apr_uint32_t permille)
{
    apr_uint64_t rank = (recent->count * permille + 999) / 1000;
    apr_uint64_t below = 0;
    apr_uint32_t i;

    if (recent->count == 0) {
        return 0;
    }
    if (rank == 0) {
        rank = 1;
    }
    for (i = 0; i < LBS_LATENCY_CELLS - 1; i++) {
        below += recent->cells[i];
        if (below >= rank) {
            break;
        }
    }
    return middle_of(i);
}
