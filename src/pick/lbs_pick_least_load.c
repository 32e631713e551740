/* SPDX-License-Identifier: Apache-2.0 */
/* least-load: of four members drawn by weight, the one with the shortest
 * expected wait: response time * (in flight + 1) / weight.
 *
 * Guards, each of which a simulation without it showed to be needed:
 * - Who has more in flight per weight than 84 % of the pool is passed over:
 *   a response time that is not yet known to have risen cannot hide a queue.
 * - No estimate falls under half the pool's median: a member that was silent
 *   for long is not presumed to be fast, nor one that never answered.
 * - A failed attempt was charged as a slow one when the average was written,
 *   and a member that returns starts at the median (see lbs_ewma.h).
 */
#include "src/member/lbs_ewma.h"
#include "src/pick/lbs_alias.h"
#include "src/pick/lbs_pick_int.h"

#define ROUNDS_MAX 3 /* of four draws, while nobody good was among them */

/* From good to bad. */
enum { COOL, HOT, COLD, NOBODY };

typedef struct best_t {
    apr_uint32_t index;
    unsigned rank;
    double score;
} best_t;

/* What all draws of one pick have in common. */
typedef struct round_t {
    const lbs_pick_pool_t *pool;
    const lbs_pick_ask_t *ask;
    apr_uint64_t hot; /* in flight per weight, in LBS_PLAN_PER_WEIGHT */
    apr_uint32_t median;
} round_t;

static inline double score_of(const lbs_gauge_t *g, apr_uint32_t median,
                              apr_int64_t now)
{
    apr_uint32_t time = lbs_ewma_read(g, (apr_uint64_t)now);
    apr_uint32_t floor = median / 2 + 1;

    if (lbs_atomic_load64_relaxed(&g->ewma_at) == 0) {
        time = median; /* never heard of */
    }
    if (time < floor) {
        time = floor;
    }
    return (double)time * ((double)lbs_gauge_inflight(g) + 1)
           / (double)lbs_pick_weight(g);
}

static inline unsigned rank_of(const lbs_gauge_t *g, const round_t *round)
{
    apr_uint64_t load =
        (apr_uint64_t)lbs_gauge_inflight(g) * LBS_PLAN_PER_WEIGHT;

    if (!lbs_pick_accepts(g, round->ask->rand)) {
        return COLD;
    }
    return load > round->hot * lbs_pick_weight(g) ? HOT : COOL;
}

static inline void consider(best_t *best, const round_t *round,
                            apr_uint32_t index)
{
    const lbs_gauge_t *g = lbs_pick_open(round->pool, round->ask, index);
    unsigned rank;
    double score;

    if (g == NULL) {
        return;
    }
    rank = rank_of(g, round);
    if (rank > best->rank) {
        return;
    }
    score = score_of(g, round->median, round->ask->now);
    if (rank < best->rank || score < best->score) {
        best->index = index;
        best->rank = rank;
        best->score = score;
    }
}

apr_uint32_t lbs_pick_least_load(const lbs_pick_pool_t *pool,
                                 const lbs_pick_ask_t *ask,
                                 const lbs_plan_reading_t *reading)
{
    const lbs_plan_head_t *head = pool->plan->head;
    const lbs_atomic64_t *alias = reading->side->alias;
    round_t round = {pool, ask, lbs_atomic_load32_relaxed(&head->hot),
                     lbs_atomic_load32_relaxed(&head->median)};
    best_t best = {LBS_PICK_NONE, NOBODY, 0};
    int rounds;
    int i;

    for (rounds = 0; rounds < ROUNDS_MAX && best.rank >= COLD; rounds++) {
        for (i = 0; i < 2; i++) {
            apr_uint64_t two = lbs_rand_next(ask->rand);

            consider(&best, &round,
                     lbs_alias_draw(alias, reading->front, (apr_uint32_t)two));
            consider(&best, &round,
                     lbs_alias_draw(alias, reading->front,
                                    (apr_uint32_t)(two >> 32)));
        }
    }
    return best.index;
}

double lbs_pick_least_load_score(const lbs_pick_pool_t *pool,
                                 const lbs_gauge_t *g, apr_int64_t now)
{
    return score_of(g, lbs_plan_median(pool->plan), now) * 100;
}
