/* SPDX-License-Identifier: Apache-2.0 */
/* least-load: of four members drawn by weight, the one with the shortest
 * expected wait: response time * (in flight + 1) / weight.
 *
 * Guards, each of which a simulation without it showed to be needed:
 * - Who has more in flight per weight than 84 % of the pool comes second: a
 *   response time that is not yet known to have risen cannot hide a queue.
 * - No silent member's response time is believed to fall under half the
 *   pool's median. The plan's builder sees to it, and to the decay, so that
 *   a pick does not compute it four times; see lbs_plan_build.c.
 * - A failed attempt was charged as a slow one when the average was written,
 *   and a member that returns starts at the median; see lbs_ewma.h.
 */
#include "src/member/lbs_ewma.h"
#include "src/pick/lbs_alias.h"
#include "src/pick/lbs_pick_int.h"

#define DRAWS 4
#define ROUNDS_MAX 3

/* What a round passes over. */
typedef struct round_t {
    apr_uint64_t hot;  /* in flight per weight, in LBS_PLAN_PER_WEIGHT */
    apr_uint64_t time; /* of a member never heard of, 1/32 microseconds */
    int cold;          /* 1: ramps do not count */
} round_t;

/* Expected wait in 1/8192 microseconds per 1/100 weight, so that it is no
 * coarse number with quick members of large weights. A response time takes
 * up to 40 bits, which leaves room for 16 million in flight. */
static inline apr_uint64_t wait_at(apr_uint64_t time, apr_uint32_t inflight,
                                   apr_uint32_t weight)
{
    return (time << 8) * ((apr_uint64_t)inflight + 1) / weight;
}

static apr_uint64_t unknown_time(apr_uint32_t median)
{
    return ((apr_uint64_t)median << LBS_EWMA_SHIFT) + 1;
}

static inline void draw(apr_uint32_t *index, lbs_rand_t *rand,
                        const lbs_plan_reading_t *reading)
{
    const lbs_atomic64_t *alias = reading->side->alias;
    apr_uint32_t front = reading->front;
    apr_uint64_t one = lbs_rand_next(rand);
    apr_uint64_t two = lbs_rand_next(rand);

    index[0] = lbs_alias_draw(alias, front, (apr_uint32_t)one);
    index[1] = lbs_alias_draw(alias, front, (apr_uint32_t)(one >> 32));
    index[2] = lbs_alias_draw(alias, front, (apr_uint32_t)two);
    index[3] = lbs_alias_draw(alias, front, (apr_uint32_t)(two >> 32));
}

/* Each field of a gauge is looked at once. @return the one of the drawn that
 * has the shortest wait, LBS_PICK_NONE: the round passes over all */
static inline apr_uint32_t best_of(const apr_uint32_t *drawn,
                                   const round_t *round,
                                   const lbs_pick_pool_t *pool,
                                   const lbs_pick_ask_t *ask)
{
    const lbs_plan_t *plan = pool->plan;
    const lbs_gauge_t *gauges = pool->gauges;
    apr_uint64_t shortest = APR_UINT64_MAX;
    apr_uint32_t best = LBS_PICK_NONE;
    int i;

    for (i = 0; i < DRAWS; i++) {
        apr_uint32_t index = drawn[i];
        const lbs_gauge_t *g;
        apr_uint32_t inflight;
        apr_uint32_t weight;
        apr_uint64_t time;
        apr_uint64_t wait;

        if (index >= plan->members) {
            continue;
        }
        g = lbs_plan_gauge(plan, gauges, index);
        inflight = lbs_gauge_inflight(g);
        weight = lbs_atomic_load32_relaxed(&g->weight);
        if (!lbs_pick_takes(g, weight, inflight)
            || (apr_uint64_t)inflight * LBS_PLAN_PER_WEIGHT
                   > round->hot * weight
            || lbs_pick_tried(ask, index)
            || !(lbs_pick_accepts(g, ask->rand) || round->cold)) {
            continue;
        }
        time = lbs_atomic_load32_relaxed(&g->ewma);
        wait = wait_at(time != 0 ? time : round->time, inflight, weight);
        if (wait < shortest) {
            shortest = wait;
            best = index;
        }
    }
    return best;
}

apr_uint32_t lbs_pick_least_load(const lbs_pick_pool_t *pool,
                                 const lbs_pick_ask_t *ask,
                                 const lbs_plan_reading_t *reading)
{
    const lbs_plan_head_t *head = pool->plan->head;
    round_t round = {lbs_atomic_load32_relaxed(&head->hot),
                     unknown_time(lbs_atomic_load32_relaxed(&head->median)),
                     0};
    apr_uint32_t best = LBS_PICK_NONE;
    apr_uint32_t drawn[DRAWS];
    int rounds;

    for (rounds = 0; rounds < ROUNDS_MAX && best == LBS_PICK_NONE; rounds++) {
        draw(drawn, ask->rand, reading);
        best = best_of(drawn, &round, pool, ask);
        /* If all that were drawn are hot, in the second round they will do;
         * in the third, those whose ramps say no, too. */
        round.cold = round.hot == APR_UINT32_MAX;
        round.hot = APR_UINT32_MAX;
    }
    return best;
}

double lbs_pick_least_load_score(const lbs_pick_pool_t *pool,
                                 const lbs_gauge_t *g)
{
    apr_uint64_t time = lbs_atomic_load32_relaxed(&g->ewma);

    if (time == 0) {
        time = unknown_time(lbs_plan_median(pool->plan));
    }
    return (double)wait_at(time, lbs_gauge_inflight(g), lbs_pick_weight(g))
           * 100 / 8192;
}
