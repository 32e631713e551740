/* SPDX-License-Identifier: Apache-2.0 */
/* fixture.h - tables for the tests of this room, in memory that forked
 * processes share. */
#ifndef LBS_TABLE_FIXTURE_H
#define LBS_TABLE_FIXTURE_H

#include <stddef.h>
#include <sys/mman.h>
#include <time.h>

#include "src/base/lbs_hash.h"
#include "src/base/lbs_rand.h"
#include "src/table/lbs_sweep.h"
#include "src/table/lbs_table.h"
#include "src/table/lbs_table_int.h"
#include "src/table/lbs_validate.h"
#include "t/unit/tap.h"

#define SECOND APR_INT64_C(1000000)
#define IDLE (60 * SECOND)
#define START (1000 * SECOND) /* of the tests' clock */

static apr_pool_t *pool;

TAP_FUNC void fixture_start(void)
{
    apr_initialize();
    atexit(apr_terminate);
    apr_pool_create(&pool, NULL);
}

/* Zeroed, page aligned, seen by all processes forked later. */
TAP_FUNC void *shared(apr_size_t len)
{
    void *at = mmap(NULL, len, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (at == MAP_FAILED) {
        bail_out("cannot map %lu bytes", (unsigned long)len);
    }
    return at;
}

/* All slots below count in use, for sessions that idle for IDLE. */
TAP_FUNC lbs_table_slots_t *make_slots(apr_uint32_t count)
{
    lbs_table_slots_t *slots = shared(sizeof(*slots));
    apr_uint32_t i;

    for (i = 0; i < count; i++) {
        lbs_atomic_store64_release(&slots->quantum_us[i],
                                   lbs_table_quantum(IDLE, 0));
    }
    return slots;
}

TAP_FUNC lbs_table_t *make_table(apr_uint32_t sessions,
                                 lbs_table_slots_t *slots)
{
    apr_size_t len = lbs_table_bytes(sessions);
    void *block = shared(len);
    lbs_table_t *table;

    if (lbs_table_format(block, len, sessions) != APR_SUCCESS
        || lbs_table_open(&table, block, len, slots, pool) != APR_SUCCESS) {
        bail_out("cannot make a table of %lu sessions",
                 (unsigned long)sessions);
    }
    lbs_table_mark_changes(table, shared(lbs_table_marks_bytes(sessions)));
    return table;
}

/* The n-th key of a test. */
TAP_FUNC apr_uint64_t key_of(apr_uint64_t n)
{
    return lbs_hash_mix(n + 1);
}

/* Monotonic microseconds, for tests where processes race in real time. */
TAP_FUNC apr_time_t clock_now(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return (apr_time_t)at.tv_sec * SECOND + at.tv_nsec / 1000;
}

TAP_FUNC void is_sound(const lbs_table_t *table, apr_time_t now,
                       const char *when)
{
    lbs_validate_report_t report;

    if (!ok(lbs_validate_table(table, now, &report, pool) == APR_SUCCESS,
            "sound %s: nothing torn or twice, counts right", when)) {
        diag("valid %lu torn %lu twins %lu miscounted %lu",
             (unsigned long)report.valid, (unsigned long)report.torn,
             (unsigned long)report.twins, (unsigned long)report.miscounted);
    }
}

#endif
