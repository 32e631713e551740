/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_pick_int.h - what the methods share.
 *
 * A method is a function from a question and a reading of the plan to an
 * index. It need not be thorough: when it finds nobody, or the plan was
 * rebuilt meanwhile, lbs_pick_member() asks again or walks the pool.
 */
#ifndef LBS_PICK_INT_H
#define LBS_PICK_INT_H

#include "src/pick/lbs_pick.h"
#include "src/pick/lbs_plan_int.h"

#define LBS_PICK_NONE 0xffffffffu /* no index: the method found nobody */

typedef apr_uint32_t lbs_pick_method_fn(const lbs_pick_pool_t *pool,
                                        const lbs_pick_ask_t *ask,
                                        const lbs_plan_reading_t *reading);

lbs_pick_method_fn lbs_pick_least_load;
lbs_pick_method_fn lbs_pick_least_busy;
lbs_pick_method_fn lbs_pick_least_sessions;
lbs_pick_method_fn lbs_pick_round_robin;
lbs_pick_method_fn lbs_pick_hash;

/** @return expected wait at a member, microseconds per weight */
double lbs_pick_least_load_score(const lbs_pick_pool_t *pool,
                                 const lbs_gauge_t *g);

/* What lbs_pick_fewest() compares: per weight, the second one among equals. */
typedef struct lbs_pick_count_t {
    apr_uint32_t first;
    apr_uint32_t second;
} lbs_pick_count_t;

typedef lbs_pick_count_t lbs_pick_count_fn(const lbs_gauge_t *g);

/**
 * Take the member with the fewest of something per weight: of all in the
 * front while they are up to 16, of 16 drawn by weight if they are more.
 * Equals are chosen from by weight.
 */
apr_uint32_t lbs_pick_fewest(const lbs_pick_pool_t *pool,
                             const lbs_pick_ask_t *ask,
                             const lbs_plan_reading_t *reading,
                             lbs_pick_count_fn *count);

/**
 * Walk the whole pool by mod_proxy's rules, gauges only. The last resort.
 *
 * @param start   where in each group to begin; any number
 * @param enough  of so many open ones the least busy is taken
 * @return as lbs_pick_member()
 */
apr_status_t lbs_pick_scan(const lbs_pick_pool_t *pool,
                           const lbs_pick_ask_t *ask, apr_uint64_t start,
                           apr_uint32_t enough, apr_uint32_t *index);

/** @return 1 if the request was at this member before */
static inline int lbs_pick_tried(const lbs_pick_ask_t *ask, apr_uint32_t index)
{
    unsigned i;

    for (i = 0; i < ask->ntried; i++) {
        if (ask->tried[i] == index) {
            return 1;
        }
    }
    return 0;
}

/** @return as lbs_gauge_open_new(), for who has loaded weight and in flight
 * already; quick for a member with nothing special about it, which is nearly
 * always */
static inline int lbs_pick_takes(const lbs_gauge_t *g, apr_uint32_t weight,
                                 apr_uint32_t inflight)
{
    apr_uint32_t flags = lbs_atomic_load32_relaxed(&g->flags);
    apr_uint32_t limit = lbs_atomic_load32_relaxed(&g->limit);

    if ((flags & (LBS_F_CLOSED_NEW | LBS_F_PANIC | LBS_F_HALF_OPEN)) != 0
        && !lbs_gauge_open_new(g)) {
        return 0;
    }
    return weight != 0 && (limit == 0 || inflight < limit);
}

/** @return the gauge if the member takes this request now, its ramp aside;
 * else NULL. Index may be anything: it was read from shared memory. */
static inline const lbs_gauge_t *lbs_pick_open(const lbs_pick_pool_t *pool,
                                               const lbs_pick_ask_t *ask,
                                               apr_uint32_t index)
{
    const lbs_gauge_t *g;

    if (index >= pool->plan->members) {
        return NULL;
    }
    g = lbs_plan_gauge(pool->plan, pool->gauges, index);
    return lbs_gauge_open_new(g) && !lbs_pick_tried(ask, index) ? g : NULL;
}

/** @return 1 if the member's ramp lets this pick through */
static inline int lbs_pick_accepts(const lbs_gauge_t *g, lbs_rand_t *rand)
{
    apr_uint32_t ramp = lbs_atomic_load32_relaxed(&g->ramp);

    return ramp >= LBS_PLAN_WARM || lbs_rand_below(rand, LBS_PLAN_WARM) < ramp;
}

/** @return the weight, at least 1: an administrator may have set it to 0
 * since lbs_pick_open() */
static inline apr_uint32_t lbs_pick_weight(const lbs_gauge_t *g)
{
    apr_uint32_t weight = lbs_atomic_load32_relaxed(&g->weight);

    return weight != 0 ? weight : 1;
}

#endif
