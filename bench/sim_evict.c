/* SPDX-License-Identifier: Apache-2.0 */
/* sim_evict.c - how full may a session table be?
 *
 * New sessions come at a constant rate, each lives for a random time
 * (exponential) and is then left to expire; a sweep passes eight times in a
 * mean life. Load is live sessions per word, so bytes per session = 8 / load.
 * Counted, after the table has turned over three times: how many live
 * sessions lose their place to new ones, per new session.
 *
 * Output: TSV, one line per load: bytes per session, premature evictions per
 * insert. Full is a load of 0.60, where new ones replace those that are about
 * to end; expired ones that are not yet swept count, too.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "src/base/lbs_hash.h"
#include "src/base/lbs_rand.h"
#include "src/table/lbs_sweep.h"
#include "src/table/lbs_table.h"

#define SESSIONS 300000              /* the table's nominal size: load 0.60 */
#define LIFE APR_INT64_C(1000000000) /* microseconds, mean */
#define WARM 3                       /* lives before counting */
#define COUNTED 12                   /* lives counted */
#define SWEEPS 8                     /* passes in a life */

static apr_pool_t *pool;

static apr_interval_time_t life(lbs_rand_t *rand)
{
    return (apr_interval_time_t)(-log(1 - lbs_rand_unit(rand)) * (double)LIFE);
}

static apr_uint64_t evictions(const lbs_table_t *table)
{
    lbs_table_stats_t stats;

    lbs_table_stats(table, &stats);
    return stats.evicted_unseen + stats.evicted_seen;
}

static void simulate(double load)
{
    apr_size_t len = lbs_table_bytes(SESSIONS);
    lbs_table_slots_t *slots = calloc(1, sizeof(*slots));
    void *block = aligned_alloc(LBS_TABLE_ALIGN, len);
    double words = (double)(len - 2 * LBS_TABLE_ALIGN) / 8;
    apr_uint64_t live = (apr_uint64_t)(load * words);
    apr_uint64_t arrivals = live * (WARM + COUNTED);
    lbs_rand_t rand = {1};
    apr_uint64_t before = 0;
    lbs_sweep_t *sweep;
    lbs_table_t *table;
    apr_uint64_t n;

    if (slots == NULL || block == NULL
        || lbs_table_format(block, len, SESSIONS) != APR_SUCCESS
        || lbs_table_open(&table, block, len, slots, pool) != APR_SUCCESS) {
        fputs("sim_evict: no memory\n", stderr);
        exit(1);
    }
    lbs_atomic_store64_release(&slots->quantum_us[1],
                               lbs_table_quantum(LIFE, 20 * LIFE));
    lbs_sweep_create(&sweep, table, pool);
    for (n = 0; n < arrivals; n++) {
        apr_time_t now = LIFE + (apr_time_t)(n * (apr_uint64_t)LIFE / live);

        if (n == live * WARM) {
            before = evictions(table);
        }
        (void)lbs_table_bind(table, lbs_hash_mix(n + 1), 1, now, life(&rand),
                             NULL); /* a refusal shows as no eviction */
        if (n % 64 == 0) {
            (void)lbs_sweep_run(sweep, 1 + SWEEPS * 64 * (len / 64) / live,
                                now, NULL, NULL, NULL);
        }
    }
    printf("table_bytes_per_session_at_load_%.2f\t%.2f\tB\n", load, 8 / load);
    printf("table_premature_evictions_at_load_%.2f\t%.1e\tper insert\n", load,
           (double)(evictions(table) - before)
               / (double)(arrivals - live * WARM));
    free(block);
    free(slots);
}

int main(void)
{
    static const double loads[] = {0.40, 0.45, 0.50, 0.54, 0.57, 0.60};
    size_t i;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    for (i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
        simulate(loads[i]);
    }
    apr_terminate();
    return 0;
}
