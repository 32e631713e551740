/* SPDX-License-Identifier: Apache-2.0 */
/* The walk for when the plan knows nobody: everybody drawn was closed, full
 * or tried, or a member changed within the last 100 ms. It sees what the
 * gauges say now, so its answer is right where the plan's is only likely. */
#include "src/pick/lbs_pick_int.h"

#define ENOUGH 16 /* open ones, of which the least busy is taken */

typedef struct scan_t {
    const lbs_pick_pool_t *pool;
    const lbs_pick_ask_t *ask;
    apr_uint64_t start;
    apr_uint32_t enough;

    int busy; /* somebody usable and not tried was passed: no place left */

    /* The best of the group being walked. */
    apr_uint32_t best;
    int accepted; /* its ramp let it through */
    apr_uint64_t inflight;
    apr_uint64_t weight;
    apr_uint32_t seen; /* open ones so far */
} scan_t;

static apr_uint32_t kind_of(const lbs_gauge_t *g)
{
    apr_uint32_t flags = lbs_atomic_load32_relaxed(&g->flags);

    return (flags & LBS_F_SPARE) != 0 ? LBS_F_SPARE : flags & LBS_F_STANDBY;
}

static void consider(scan_t *scan, apr_uint32_t index, const lbs_gauge_t *g)
{
    apr_uint64_t inflight = lbs_gauge_inflight(g);
    apr_uint64_t weight = lbs_pick_weight(g);
    int accepted = lbs_pick_accepts(g, scan->ask->rand);

    scan->seen += (apr_uint32_t)accepted;
    if (scan->best != LBS_PICK_NONE
        && (accepted < scan->accepted
            || (accepted == scan->accepted
                && inflight * scan->weight >= scan->inflight * weight))) {
        return;
    }
    scan->best = index;
    scan->accepted = accepted;
    scan->inflight = inflight;
    scan->weight = weight;
}

/* Walk the members of one kind in order[from..to).
 *
 * @param quota  usable ones to be looked at; beyond, they are not in demand
 * @return members of the kind that were passed, usable or not */
static apr_uint32_t walk(scan_t *scan, apr_uint32_t from, apr_uint32_t to,
                         apr_uint32_t kind, apr_uint32_t quota)
{
    const lbs_plan_t *plan = scan->pool->plan;
    apr_uint32_t n = to - from;
    /* Spares are called up in their order, the others have none. */
    apr_uint32_t first =
        kind == LBS_F_SPARE ? 0 : (apr_uint32_t)(scan->start % n);
    apr_uint32_t passed = 0;
    apr_uint32_t i;

    scan->seen = 0;
    for (i = 0; i < n && quota > 0 && scan->seen < scan->enough; i++) {
        apr_uint32_t at = first + i < n ? first + i : first + i - n;
        apr_uint32_t index = plan->order.member[from + at];
        const lbs_gauge_t *g = lbs_plan_gauge(plan, scan->pool->gauges, index);

        if (kind_of(g) != kind) {
            continue;
        }
        passed++;
        if (!lbs_plan_usable(g)) {
            continue;
        }
        quota--;
        if (lbs_pick_tried(scan->ask, index)) {
            continue;
        }
        if (lbs_gauge_open_new(g)) {
            consider(scan, index, g);
        }
        else {
            scan->busy = 1;
        }
    }
    return passed;
}

apr_status_t lbs_pick_scan(const lbs_pick_pool_t *pool,
                           const lbs_pick_ask_t *ask, int by_key,
                           apr_uint32_t *index)
{
    const lbs_front_order_t *order = &pool->plan->order;
    scan_t scan = {.pool = pool,
                   .ask = ask,
                   .start = by_key ? ask->hash : lbs_rand_next(ask->rand),
                   .enough = by_key ? 1 : ENOUGH,
                   .best = LBS_PICK_NONE};
    apr_uint32_t from;
    apr_uint32_t to;

    for (from = 0; from < order->n && scan.best == LBS_PICK_NONE; from = to) {
        apr_uint32_t ordinary;

        to = lbs_front_run(order, from);
        ordinary = walk(&scan, from, to, 0, to - from);
        if (scan.best == LBS_PICK_NONE) {
            /* None of the ordinary ones is usable: a spare for each. */
            (void)walk(&scan, from, to, LBS_F_SPARE, ordinary);
        }
        if (scan.best == LBS_PICK_NONE) {
            (void)walk(&scan, from, to, LBS_F_STANDBY, to - from);
        }
    }
    if (scan.best == LBS_PICK_NONE) {
        return scan.busy ? APR_EBUSY : APR_NOTFOUND;
    }
    *index = scan.best;
    return APR_SUCCESS;
}
