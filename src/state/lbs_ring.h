/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_ring.h - time series of a member or pool, for the plots of the page.
 *
 * Two rings of samples in shared memory: one per 5 seconds for 5 minutes, one
 * per 5 minutes for a day. One process feeds them from counters that only
 * grow; any process reads. A sample is one word, so none is ever seen torn;
 * its four numbers keep 10 bits, more than a plot shows.
 */
#ifndef LBS_RING_H
#define LBS_RING_H

#include <apr.h>
#include <apr_time.h>

#include "src/base/lbs_atomic.h"

#define LBS_RING_STEP APR_INT64_C(5000000) /* microseconds */
#define LBS_RING_SHORT 60                  /* samples of one step */
#define LBS_RING_FOLD 60                   /* steps in one of the long ring */
#define LBS_RING_LONG 288

/* Shared; all zero when new. Private to lbs_ring.c. */
typedef struct lbs_ring_t {
    lbs_atomic64_t next; /* number of the step being gone through, 0: none */
    lbs_atomic64_t requests; /* the counters at its beginning */
    lbs_atomic64_t errors;
    lbs_atomic64_t recent[LBS_RING_SHORT];
    lbs_atomic64_t day[LBS_RING_LONG];
    lbs_atomic64_t pad;
} lbs_ring_t;

_Static_assert(sizeof(lbs_ring_t) == 2816, "44 cache lines");

/* The input: two counters, and two figures of the moment. */
typedef struct lbs_ring_totals_t {
    apr_uint64_t requests; /* ever */
    apr_uint64_t errors;   /* ever */
    apr_uint32_t p50_us;   /* of the recent answers; 0: none */
    apr_uint32_t p99_us;
} lbs_ring_totals_t;

typedef struct lbs_ring_sample_t {
    int known;             /* 0: no process counted; the rest is 0 */
    apr_uint64_t requests; /* in that time */
    apr_uint64_t errors;
    apr_uint64_t p50_us; /* 0: no answers */
    apr_uint64_t p99_us;
} lbs_ring_sample_t;

/**
 * Take the counters. To be called about once a second, by one process at a
 * time; the difference is booked when a step is over. After a pause (another
 * process took over) it is spread over the steps missed, after five minutes it
 * is dropped.
 *
 * @param now  monotonic microseconds
 */
void lbs_ring_feed(lbs_ring_t *ring, const lbs_ring_totals_t *totals,
                   apr_time_t now);

/**
 * Read the last five minutes, the oldest first: sample i is of the step that
 * ended LBS_RING_SHORT - 1 - i steps before the last full one did.
 *
 * @param samples  out: LBS_RING_SHORT of them
 * @return monotonic microseconds at which the last sample's step ended
 */
apr_time_t lbs_ring_recent(const lbs_ring_t *ring, apr_time_t now,
                           lbs_ring_sample_t *samples);

/** The last day, in samples of LBS_RING_FOLD steps; as above.
 * @param samples  out: LBS_RING_LONG of them */
apr_time_t lbs_ring_day(const lbs_ring_t *ring, apr_time_t now,
                        lbs_ring_sample_t *samples);

#endif
