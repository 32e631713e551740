/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_pick_planned_int.h - a method around its part that reads the plan.
 *
 * A method is one exported function: lbs_pick_planned() around a function that
 * chooses from the tables. The inner function need not be thorough: when it
 * finds no member, or the plan was rebuilt meanwhile, it is asked again or the
 * pool is walked.
 */
#ifndef LBS_PICK_PLANNED_INT_H
#define LBS_PICK_PLANNED_INT_H

#include "src/pick/lbs_pick_int.h"

#define LBS_PICK_READS 3 /* of a plan being rebuilt; it takes 100 ms */

/* Choose from the tables of one side.
 *
 * @param front  entries of the alias table, not 0
 * @return an index or LBS_PICK_NONE */
typedef apr_uint32_t lbs_pick_planned_fn(const lbs_pick_pool_t *pool,
                                         const lbs_pick_ask_t *ask,
                                         const lbs_plan_side_t *side,
                                         apr_uint32_t front);

/**
 * Choose from the plan, and without it if that fails. Inlined into each
 * method: a call through a pointer would cost a tenth of a pick.
 *
 * @param choose  the method's own part
 * @param count   as for lbs_pick_scan()
 * @return as lbs_pick_member()
 */
static LBS_PICK_INLINE apr_status_t lbs_pick_planned(
    const lbs_pick_pool_t *pool, const lbs_pick_ask_t *ask,
    lbs_pick_planned_fn *choose, lbs_pick_count_fn *count, apr_uint32_t *index)
{
    lbs_plan_reading_t reading;
    int reads;

    for (reads = 0; reads < LBS_PICK_READS; reads++) {
        apr_uint32_t found;

        if (!lbs_plan_begin(pool->plan, &reading)) {
            break;
        }
        found = choose(pool, ask, reading.side, reading.front);
        if (lbs_plan_whole(pool->plan, &reading)) {
            if (found >= pool->plan->members) {
                break; /* no member, or a damaged table */
            }
            *index = found;
            return APR_SUCCESS;
        }
    }
    return lbs_pick_scan(pool, ask, count, index);
}

#endif
