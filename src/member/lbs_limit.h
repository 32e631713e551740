/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_limit.h - how many requests a member works on at once, found out.
 *
 * A member with N workers answers in its service time as long as it has at
 * most N requests. With more, its throughput stays and its latency grows. So
 * throughput divided by latency, Kleinrock's power, grows up to N requests and
 * falls beyond. The limit climbs to where it is greatest: it tries one step
 * up, then one down, for a window of some dozen answers each, and goes where
 * more power was measured. Nobody tells it the number of workers, or how long
 * an answer takes.
 *
 * There is no limit until one step down has shown more power. A member that is
 * not loaded never gets one, and one that was not for a minute loses its limit
 * step by step.
 *
 * Pure arithmetic on counters that exist; one process calls it, at every tick.
 * Memory: 640 bytes per member.
 */
#ifndef LBS_LIMIT_H
#define LBS_LIMIT_H

#include <apr.h>

#include "src/base/lbs_atomic.h"

#define LBS_LIMIT_STEPS 32

/* Shared, one per member; all zero when new. Private to lbs_limit.c. */
typedef struct lbs_limit_t {
    lbs_atomic64_t began_at; /* of the window, microseconds; 0: none */
    lbs_atomic64_t answers;  /* at that time */
    lbs_atomic64_t sum_us;   /* likewise */
    lbs_atomic64_t load;     /* requests in flight, summed up over its ticks */
    lbs_atomic64_t drain_at; /* since when there are more than the limit; 0 */
    lbs_atomic32_t ticks;    /* in the window */
    lbs_atomic32_t full;     /* of these: the limit was reached */
    lbs_atomic32_t step;     /* from 1; 0: no limit */
    lbs_atomic32_t trial;    /* the step tried in this window; 0: none */
    lbs_atomic32_t windows; /* since a limit was found, or since it was idle */
    lbs_atomic32_t failed;  /* trials in a row that found no limit */
    lbs_atomic32_t falling; /* 1: the first limit is still too high */
    lbs_atomic32_t pad;
    lbs_atomic64_t rest_until; /* no trial before */
    lbs_atomic64_t loaded_at;  /* when the limit was reached last */
    lbs_atomic64_t base_us;    /* least mean latency lately */
    lbs_atomic64_t power[LBS_LIMIT_STEPS];
    lbs_atomic64_t seen_at[LBS_LIMIT_STEPS];
} lbs_limit_t;

/* What the tick knows of a member; counters never fall. */
typedef struct lbs_limit_news_t {
    apr_uint64_t answers;  /* ever */
    apr_uint64_t sum_us;   /* of their latencies */
    apr_uint32_t inflight; /* now */
} lbs_limit_news_t;

/**
 * @param now  microseconds, monotonic
 * @return most requests at once; 0: no limit
 */
apr_uint32_t lbs_limit_tick(lbs_limit_t *limit, const lbs_limit_news_t *news,
                            apr_uint64_t now);

/** @return the limit in force; 0: none */
apr_uint32_t lbs_limit_now(const lbs_limit_t *limit);

#endif
