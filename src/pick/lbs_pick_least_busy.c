/* SPDX-License-Identifier: Apache-2.0 */
/* least-busy: the fewest requests in flight per weight. An idle pool is
 * nothing but equals, so there requests spread by weight. */
#include "src/pick/lbs_pick_planned_int.h"

lbs_pick_count_t lbs_pick_in_flight(const lbs_gauge_t *g)
{
    lbs_pick_count_t count = {lbs_gauge_inflight(g), 0};

    return count;
}

double lbs_pick_in_flight_score(const lbs_pick_pool_t *pool,
                                const lbs_gauge_t *g)
{
    (void)pool;
    return lbs_gauge_inflight(g) * 100.0 / lbs_pick_weight(g);
}

static apr_uint32_t least_busy(const lbs_pick_pool_t *pool,
                               const lbs_pick_ask_t *ask,
                               const lbs_plan_side_t *side, apr_uint32_t front)
{
    return lbs_pick_fewest(pool, ask, side, front, lbs_pick_in_flight);
}

apr_status_t lbs_pick_least_busy(const lbs_pick_pool_t *pool,
                                 const lbs_pick_ask_t *ask,
                                 apr_uint32_t *index)
{
    return lbs_pick_planned(pool, ask, least_busy, lbs_pick_in_flight, index);
}
