/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_pick_int.h - what the methods share: how members are compared, and the
 * walk that needs no plan. */
#ifndef LBS_PICK_INT_H
#define LBS_PICK_INT_H

#include "src/base/lbs_bits.h"
#include "src/pick/lbs_pick.h"
#include "src/pick/lbs_plan_int.h"

#define LBS_PICK_NONE 0xffffffffu /* no index: no member was found */
#define LBS_PICK_INLINE inline __attribute__((always_inline))

/* As lbs_pick_member(). */
typedef apr_status_t lbs_pick_method_fn(const lbs_pick_pool_t *pool,
                                        const lbs_pick_ask_t *ask,
                                        apr_uint32_t *index);

lbs_pick_method_fn lbs_pick_least_load;
lbs_pick_method_fn lbs_pick_least_busy;
lbs_pick_method_fn lbs_pick_least_sessions;
lbs_pick_method_fn lbs_pick_round_robin;
lbs_pick_method_fn lbs_pick_hash;

/* What a member has of what the method looks at; see lbs_pick_score(). */
typedef double lbs_pick_score_fn(const lbs_pick_pool_t *pool,
                                 const lbs_gauge_t *g);

lbs_pick_score_fn lbs_pick_least_load_score; /* microseconds per weight */
lbs_pick_score_fn lbs_pick_least_sessions_score;
lbs_pick_score_fn lbs_pick_in_flight_score;

/* What members are compared by: per weight, the second one among equals. */
typedef struct lbs_pick_count_t {
    apr_uint32_t first;
    apr_uint32_t second;
} lbs_pick_count_t;

typedef lbs_pick_count_t lbs_pick_count_fn(const lbs_gauge_t *g);

/** In flight, and nothing else. */
lbs_pick_count_t lbs_pick_in_flight(const lbs_gauge_t *g);

/** @return less than, equal to or more than 0 as a is less than b, each per
 * weight */
static inline int lbs_pick_compare(lbs_pick_count_t a, apr_uint64_t aweight,
                                   lbs_pick_count_t b, apr_uint64_t bweight)
{
    apr_uint64_t left = a.first * bweight;
    apr_uint64_t right = b.first * aweight;

    if (left == right) {
        left = a.second * bweight;
        right = b.second * aweight;
    }
    return left < right ? -1 : left > right;
}

/**
 * Take the member with the fewest of something per weight: of all in the
 * front while they are up to 16, of 16 drawn by weight if they are more.
 * Equals are chosen from by weight.
 */
apr_uint32_t lbs_pick_fewest(const lbs_pick_pool_t *pool,
                             const lbs_pick_ask_t *ask,
                             const lbs_plan_side_t *side, apr_uint32_t front,
                             lbs_pick_count_fn *count);

/**
 * Walk the whole pool by mod_proxy's rules, gauges only. The last resort.
 *
 * @param count  of 16 open members from anywhere the one that has the fewest
 *               of these is taken; NULL: the first open one from where the
 *               key's hash points to
 * @return as lbs_pick_member()
 */
apr_status_t lbs_pick_scan(const lbs_pick_pool_t *pool,
                           const lbs_pick_ask_t *ask, lbs_pick_count_fn *count,
                           apr_uint32_t *index);

/** @return 1 if the request was at this member before */
static inline int lbs_pick_tried(const lbs_pick_ask_t *ask, apr_uint32_t index)
{
    unsigned i;

    if (ask->tried_set != NULL) {
        return lbs_bits_has(ask->tried_set, index);
    }
    for (i = 0; i < ask->ntried; i++) {
        if (ask->tried[i] == index) {
            return 1;
        }
    }
    return 0;
}

/** @return the gauge if the member takes this request now, its ramp aside;
 * else NULL. Any index is allowed: it was read from shared memory. */
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
