/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_latency.h - how long a member takes to answer: a histogram.
 *
 * Two views of the same answers. For Prometheus, counts per fixed bound since
 * the record is new. For people, percentiles of the last one to two minutes:
 * fine cells, eight to each doubling, in two halves that take turns every
 * minute; a percentile is right within 7 %.
 *
 * Recording is three relaxed additions. When a half begins its minute anew,
 * one process empties it; answers that others record at that moment may be
 * lost from the percentiles, or counted a minute too long if that process is
 * killed. For a statistic that is good enough; a lock would be taken for every
 * answer.
 */
#ifndef LBS_LATENCY_H
#define LBS_LATENCY_H

#include <apr.h>

#include "src/base/lbs_atomic.h"

#define LBS_LATENCY_BOUNDS 14 /* and one more for what is above all */
#define LBS_LATENCY_CELLS 152
#define LBS_LATENCY_HALF_US 60000000 /* microseconds */

/* Shared; all zero when new. Private to lbs_latency.c. */
typedef struct lbs_latency_t {
    lbs_atomic64_t buckets[LBS_LATENCY_BOUNDS + 1];
    lbs_atomic64_t sum_us;
    lbs_atomic64_t minute[2]; /* which one the half is for */
    lbs_atomic32_t cells[2][LBS_LATENCY_CELLS];
} lbs_latency_t;

/* Recent answers of one or several members, private to the reader. */
typedef struct lbs_latency_recent_t {
    apr_uint64_t count;
    apr_uint64_t cells[LBS_LATENCY_CELLS];
} lbs_latency_recent_t;

/* A snapshot for Prometheus. */
typedef struct lbs_latency_total_t {
    apr_uint64_t le[LBS_LATENCY_BOUNDS + 1]; /* cumulative; last: +Inf */
    apr_uint64_t sum_us;
} lbs_latency_total_t;

/** @return the upper bound of a bucket in microseconds; 0: no bound (+Inf) */
apr_uint32_t lbs_latency_bound(int bucket);

/** Count one answer. @param now  microseconds, monotonic */
void lbs_latency_record(lbs_latency_t *latency, apr_uint64_t us,
                        apr_uint64_t now);

/** @param sum_us  out: of all times
 * @return answers ever */
apr_uint64_t lbs_latency_sums(const lbs_latency_t *latency,
                              apr_uint64_t *sum_us);

/** Take a snapshot; le never falls from one bucket to the next. */
void lbs_latency_total(const lbs_latency_t *latency,
                       lbs_latency_total_t *total);

/** Go on from a snapshot: on a new record, before its first answer. Totals
 * that fall, as only a damaged file has them, add nothing. */
void lbs_latency_load(lbs_latency_t *latency,
                      const lbs_latency_total_t *total);

/** Add a member's recent answers to what the caller collects: begin with all
 * zero. Cost: some hundred reads; for a whole pool, once a second will do. */
void lbs_latency_collect(const lbs_latency_t *latency, apr_uint64_t now,
                         lbs_latency_recent_t *recent);

/**
 * @param permille  500 is the median
 * @return microseconds; 0: no answers
 */
apr_uint32_t lbs_latency_percentile(const lbs_latency_recent_t *recent,
                                    apr_uint32_t permille);

#endif
