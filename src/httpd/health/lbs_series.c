/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_series.c - see lbs_series.h. */
#include "src/httpd/health/lbs_series.h"

#include "src/httpd/shared/lbs_runtime.h"

/* Errors as clients see them: no answer, or one of 5xx. */
static apr_uint64_t errors_of(const lbs_member_record_t *m)
{
    apr_uint64_t errors = lbs_atomic_load64_relaxed(
        &m->counts[LBS_COUNT_RESPONSES + LBS_RESPONSES - 1]);
    int kind;

    for (kind = 0; kind < LBS_FAILS; kind++) {
        /* Failures by status are already counted among the responses. */
        if (kind != LBS_FAIL_STATUS) {
            errors += lbs_atomic_load64_relaxed(
                &m->counts[LBS_COUNT_FAILURES + kind]);
        }
    }
    return errors;
}

static void fill_times(const lbs_latency_recent_t *recent,
                       lbs_ring_totals_t *totals)
{
    totals->p50_us = lbs_latency_percentile(recent, 500);
    totals->p99_us = lbs_latency_percentile(recent, 990);
}

/* A pool's requests are its decisions; it errs where a member did, and where
 * none was left. */
static void feed_pool(const lbs_pool_t *pool, apr_uint64_t errors,
                      const lbs_latency_recent_t *recent, apr_time_t now)
{
    lbs_ring_totals_t totals = {
        .requests = lbs_atomic_load64_relaxed(&pool->record->requests),
        .errors = errors};
    int reason;

    for (reason = 0; reason < LBS_REASONS; reason++) {
        totals.errors += lbs_pool_record_count(
            pool->record, LBS_DECISION_REFUSED, (lbs_reason_t)reason);
    }
    fill_times(recent, &totals);
    lbs_ring_feed(lbs_registry_pool_ring(lbs_runtime()->registry, pool->slot),
                  &totals, now);
}

static void feed_member(const lbs_member_t *m, apr_uint64_t errors,
                        const lbs_latency_recent_t *recent, apr_time_t now)
{
    lbs_ring_totals_t totals = {.requests = lbs_atomic_load64_relaxed(
                                    &m->record->counts[LBS_COUNT_REQUESTS]),
                                .errors = errors};

    fill_times(recent, &totals);
    lbs_ring_feed(lbs_registry_ring(lbs_runtime()->registry, m->slot), &totals,
                  now);
}

static void add_recent(lbs_latency_recent_t *sum,
                       const lbs_latency_recent_t *more)
{
    int i;

    sum->count += more->count;
    for (i = 0; i < LBS_LATENCY_CELLS; i++) {
        sum->cells[i] += more->cells[i];
    }
}

/* Nothing is due, and its latest answer is older than percentiles look back:
 * there is nothing to add to the sums. */
static int rests(const lbs_pool_t *pool, apr_size_t i, apr_uint64_t now)
{
    apr_uint64_t heard = lbs_atomic_load64_relaxed(&pool->gauges[i]->heard_at);

    return (pool->due[i] & LBS_POOLS_DUE_TICK) == 0
           && (heard == 0
               || heard + 2 * (apr_uint64_t)LBS_LATENCY_HALF_US < now);
}

void lbs_series_feed(const lbs_pool_t *pool, apr_time_t now,
                     lbs_latency_recent_t *all)
{
    apr_uint64_t errors = 0;
    apr_size_t i;

    for (i = 0; i < pool->count; i++) {
        const lbs_member_t *m = pool->member[i];
        lbs_latency_recent_t own = {0};
        apr_uint64_t own_errors;

        if (!lbs_pools_is_there(pool, i)) {
            continue;
        }
        if (rests(pool, i, (apr_uint64_t)now)) {
            errors += pool->errors[i];
            continue;
        }
        own_errors = pool->errors[i] = errors_of(m->record);
        lbs_latency_collect(&m->record->latency, (apr_uint64_t)now, &own);
        feed_member(m, own_errors, &own, now);
        lbs_member_record_second(m->record, (apr_uint64_t)now);
        add_recent(all, &own);
        errors += own_errors;
    }
    feed_pool(pool, errors, all, now);
}
