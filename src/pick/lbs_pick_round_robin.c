/* SPDX-License-Identifier: Apache-2.0 */
/* round-robin: the next place in a precomputed smooth order.
 *
 * All processes draw tickets from one counter, so the order holds for the pool
 * as a whole. A pick that finds its place closed draws the next ticket instead
 * of moving on to the neighbour, which would get the closed member's share on
 * top of its own. */
#include "src/pick/lbs_pick_planned_int.h"

#define TICKETS_MAX 8

static apr_uint32_t next_turn(const lbs_pick_pool_t *pool,
                              const lbs_pick_ask_t *ask,
                              const lbs_plan_side_t *side, apr_uint32_t front)
{
    lbs_atomic64_t *ticket = &pool->plan->head->ticket;
    apr_uint32_t length =
        (apr_uint32_t)(lbs_atomic_load64_acquire(side->counts) >> 32);
    apr_uint32_t cold = LBS_PICK_NONE;
    int i;

    (void)front; /* the sequence is of the same members */
    if (length == 0 || length > LBS_SEQUENCE_ROOM) {
        return LBS_PICK_NONE;
    }
    for (i = 0; i < TICKETS_MAX; i++) {
        apr_uint64_t turn =
            ask->traceless
                ? lbs_atomic_load64_relaxed(ticket) + (apr_uint64_t)i
                : lbs_atomic_add64_relaxed(ticket, 1);
        apr_uint32_t index = lbs_plan_cell(&side->sequence[turn % length]);
        const lbs_gauge_t *g = lbs_pick_open(pool, ask, index);

        if (g == NULL) {
            continue;
        }
        if (lbs_pick_accepts(g, ask->rand)) {
            return index;
        }
        cold = index;
    }
    return cold;
}

apr_status_t lbs_pick_round_robin(const lbs_pick_pool_t *pool,
                                  const lbs_pick_ask_t *ask,
                                  apr_uint32_t *index)
{
    return lbs_pick_planned(pool, ask, next_turn, lbs_pick_in_flight, index);
}
