/* SPDX-License-Identifier: Apache-2.0 */
/* least-sessions: the fewest live sessions per weight.
 *
 * The process that binds a session updates the gauge's count at once; so a
 * burst of first visits spreads. Among equals the fewest in flight decide,
 * which covers visits whose session is not yet bound. */
#include "src/pick/lbs_pick_planned_int.h"

static lbs_pick_count_t sessions(const lbs_gauge_t *g)
{
    lbs_pick_count_t count = {lbs_atomic_load32_relaxed(&g->sessions),
                              lbs_gauge_inflight(g)};

    return count;
}

static apr_uint32_t least_sessions(const lbs_pick_pool_t *pool,
                                   const lbs_pick_ask_t *ask,
                                   const lbs_plan_side_t *side,
                                   apr_uint32_t front)
{
    return lbs_pick_fewest(pool, ask, side, front, sessions);
}

apr_status_t lbs_pick_least_sessions(const lbs_pick_pool_t *pool,
                                     const lbs_pick_ask_t *ask,
                                     apr_uint32_t *index)
{
    return lbs_pick_planned(pool, ask, least_sessions, sessions, index);
}

double lbs_pick_least_sessions_score(const lbs_pick_pool_t *pool,
                                     const lbs_gauge_t *g)
{
    (void)pool;
    return lbs_atomic_load32_relaxed(&g->sessions) * 100.0
           / lbs_pick_weight(g);
}
