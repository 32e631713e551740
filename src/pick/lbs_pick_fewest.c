/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by least-busy and least-sessions: all members of a small front are
 * compared, of a large one a sample, so that no pick grows with the pool. */
#include <string.h>

#include "src/pick/lbs_alias.h"
#include "src/pick/lbs_pick_int.h"

#define EXACT_MAX 16 /* members; of more, so many are sampled */
#define DRAWS_MAX 48 /* to find that many different open ones */
#define SET_SIZE 64  /* places for at most DRAWS_MAX indexes */
#define SET_EMPTY 0xffff

typedef struct best_t {
    apr_uint32_t index;
    int accepted; /* its ramp let it through */
    lbs_pick_count_t count;
    apr_uint64_t weight;
    apr_uint64_t equals; /* weights of all equally good ones, this one
                            included */
} best_t;

/* @return 1 if the member is open */
static int consider(best_t *best, const lbs_pick_pool_t *pool,
                    const lbs_pick_ask_t *ask, apr_uint32_t index,
                    lbs_pick_count_fn *count, int by_weight)
{
    const lbs_gauge_t *g = lbs_pick_open(pool, ask, index);
    best_t next;
    int order;

    if (g == NULL) {
        return 0;
    }
    next.index = index;
    next.accepted = lbs_pick_accepts(g, ask->rand);
    next.count = count(g);
    next.weight = lbs_pick_weight(g);
    next.equals = next.weight;
    order = best->accepted - next.accepted;
    if (order == 0) {
        order = lbs_pick_compare(next.count, next.weight, best->count,
                                 best->weight);
    }
    if (best->index == LBS_PICK_NONE) {
        order = -1;
    }
    if (order == 0 && by_weight) {
        /* Each of the equals so far stays with the probability its weight
         * gives it among them. */
        next.equals += best->equals;
        best->equals = next.equals;
        if (lbs_rand_next(ask->rand) % next.equals < next.weight) {
            order = -1;
        }
    }
    if (order < 0) {
        *best = next;
    }
    return 1;
}

/* Put an index into the set. @return 1 if it was there before */
static int put(apr_uint16_t *set, apr_uint32_t index)
{
    apr_uint32_t at = index % SET_SIZE;

    while (set[at] != SET_EMPTY && set[at] != index) {
        at = (at + 1) % SET_SIZE;
    }
    if (set[at] == index) {
        return 1;
    }
    set[at] = (apr_uint16_t)index;
    return 0;
}

static void sample(best_t *best, const lbs_pick_pool_t *pool,
                   const lbs_pick_ask_t *ask, const lbs_plan_side_t *side,
                   apr_uint32_t front, lbs_pick_count_fn *count)
{
    apr_uint16_t drawn[SET_SIZE];
    int open = 0;
    int i;

    memset(drawn, 0xff, sizeof(drawn));
    for (i = 0; i < DRAWS_MAX && open < EXACT_MAX; i++) {
        apr_uint32_t index =
            lbs_alias_draw(side->alias, front,
                           (apr_uint32_t)(lbs_rand_next(ask->rand) >> 32));

        /* Drawn by weight, so among equals the first is as good as any. */
        if (!put(drawn, index)) {
            open += consider(best, pool, ask, index, count, 0);
        }
    }
}

apr_uint32_t lbs_pick_fewest(const lbs_pick_pool_t *pool,
                             const lbs_pick_ask_t *ask,
                             const lbs_plan_side_t *side, apr_uint32_t front,
                             lbs_pick_count_fn *count)
{
    best_t best = {.index = LBS_PICK_NONE};
    apr_uint32_t i;

    if (front > EXACT_MAX) {
        sample(&best, pool, ask, side, front, count);
        return best.index;
    }
    for (i = 0; i < front; i++) {
        apr_uint64_t entry = lbs_atomic_load64_acquire(&side->alias[i]);

        (void)consider(&best, pool, ask, lbs_alias_self(entry), count, 1);
    }
    return best.index;
}
