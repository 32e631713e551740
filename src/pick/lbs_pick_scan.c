/* SPDX-License-Identifier: Apache-2.0 */
/* The walk for when the plan has no member: all members drawn were closed,
 * full or tried, or a member changed within the last 100 ms. It reads the
 * gauges now, so its answer is right where the plan's is only likely. */
#include "src/pick/lbs_pick_int.h"

#define ENOUGH 16

typedef struct scan_t {
    const lbs_pick_pool_t *pool;
    const lbs_pick_ask_t *ask;
    lbs_pick_count_fn *count; /* NULL: the first will do */
    apr_uint32_t enough;      /* open ones, of which the best is taken */
    unsigned char *stands;    /* for a survey; NULL: it is a pick */
    apr_uint64_t start;

    int busy; /* a usable member, not tried yet, had no place left */

    apr_uint32_t passed;   /* members of the kind walked last */
    apr_uint32_t unusable; /* of these, not fully */

    /* The best of the lbset being walked. */
    apr_uint32_t best;
    int accepted; /* its ramp let it through */
    lbs_pick_count_t has;
    apr_uint32_t weight;
    apr_uint32_t seen; /* open and accepting ones so far */
} scan_t;

static apr_uint32_t kind_of(const lbs_gauge_t *g)
{
    apr_uint32_t flags = lbs_atomic_load32_relaxed(&g->flags);

    return (flags & LBS_F_SPARE) != 0 ? LBS_F_SPARE : flags & LBS_F_STANDBY;
}

/* As the plan counts: a half-open member takes one request and needs a
 * spare. */
static int is_sound(const lbs_gauge_t *g)
{
    return lbs_plan_usable(g) && (lbs_gauge_flags(g) & LBS_F_HALF_OPEN) == 0;
}

static void consider(scan_t *scan, apr_uint32_t index, const lbs_gauge_t *g)
{
    lbs_pick_count_t has = {0, 0};
    apr_uint32_t weight = lbs_pick_weight(g);
    int accepted = 1;
    int order;

    if (scan->count != NULL) {
        has = scan->count(g);
        accepted = lbs_pick_accepts(g, scan->ask->rand);
    }
    order = scan->accepted - accepted;
    if (order == 0) {
        order = lbs_pick_compare(has, weight, scan->has, scan->weight);
    }
    scan->seen += (apr_uint32_t)accepted;
    if (scan->best == LBS_PICK_NONE || order < 0) {
        scan->best = index;
        scan->accepted = accepted;
        scan->has = has;
        scan->weight = weight;
    }
}

/* How a usable member that is in demand stands with the request. Whether it is
 * usable was looked at before; looked at again, a member that goes down
 * between would count as full. */
static unsigned char stand_of(const scan_t *scan, apr_uint32_t index,
                              const lbs_gauge_t *g)
{
    if (lbs_pick_tried(scan->ask, index)) {
        return LBS_PICK_STANDS_TRIED;
    }
    return lbs_gauge_full(g) || lbs_gauge_probed(g) ? LBS_PICK_STANDS_FULL
                                                    : LBS_PICK_STANDS_OPEN;
}

/* Walk the members of one kind in order[from..to).
 *
 * @param quota  usable ones to be looked at; beyond, they are not in demand
 */
static void walk(scan_t *scan, apr_uint32_t from, apr_uint32_t to,
                 apr_uint32_t kind, apr_uint32_t quota)
{
    const lbs_plan_t *plan = scan->pool->plan;
    apr_uint32_t n = to - from;
    /* Spares are called up in their order, the others have none. */
    apr_uint32_t first =
        kind == LBS_F_SPARE ? 0 : (apr_uint32_t)(scan->start % n);
    apr_uint32_t i;

    scan->passed = 0;
    scan->unusable = 0;
    for (i = 0; i < n && quota > 0 && scan->seen < scan->enough; i++) {
        apr_uint32_t at = first + i < n ? first + i : first + i - n;
        apr_uint32_t index = plan->order.member[from + at];
        const lbs_gauge_t *g = lbs_plan_gauge(plan, scan->pool->gauges, index);
        unsigned char stand;

        if (kind_of(g) != kind) {
            continue;
        }
        scan->passed++;
        scan->unusable += !is_sound(g);
        if (!lbs_plan_usable(g)) {
            continue;
        }
        quota--;
        stand = stand_of(scan, index, g);
        if (scan->stands != NULL) {
            scan->stands[index] = stand;
        }
        if (stand == LBS_PICK_STANDS_OPEN) {
            consider(scan, index, g);
        }
        else if (stand == LBS_PICK_STANDS_FULL) {
            scan->busy = 1;
        }
    }
}

/* One lbset: its ordinary members, a spare for each of those that is not
 * usable; if all are taken, a spare for each; then the standbys. */
static void walk_lbset(scan_t *scan, apr_uint32_t from, apr_uint32_t to)
{
    apr_uint32_t ordinary;

    walk(scan, from, to, 0, to - from);
    ordinary = scan->passed;
    if (scan->unusable > 0) {
        walk(scan, from, to, LBS_F_SPARE, scan->unusable);
    }
    if (scan->best == LBS_PICK_NONE) {
        walk(scan, from, to, LBS_F_SPARE, ordinary);
    }
    if (scan->best == LBS_PICK_NONE) {
        walk(scan, from, to, LBS_F_STANDBY, to - from);
    }
}

static void walk_all(scan_t *scan)
{
    const lbs_active_order_t *order = &scan->pool->plan->order;
    apr_uint32_t from;
    apr_uint32_t to;

    for (from = 0; from < order->n && scan->best == LBS_PICK_NONE; from = to) {
        to = lbs_active_run(order, from);
        walk_lbset(scan, from, to);
    }
}

apr_status_t lbs_pick_scan(const lbs_pick_pool_t *pool,
                           const lbs_pick_ask_t *ask, lbs_pick_count_fn *count,
                           apr_uint32_t *index)
{
    scan_t scan = {.pool = pool,
                   .ask = ask,
                   .count = count,
                   .enough = count != NULL ? ENOUGH : 1,
                   .start =
                       count == NULL ? ask->hash : lbs_rand_next(ask->rand),
                   .best = LBS_PICK_NONE};

    walk_all(&scan);
    if (scan.best == LBS_PICK_NONE) {
        return scan.busy ? APR_EBUSY : APR_NOTFOUND;
    }
    *index = scan.best;
    return APR_SUCCESS;
}

void lbs_pick_survey(const lbs_pick_pool_t *pool, const lbs_pick_ask_t *ask,
                     unsigned char *stands)
{
    scan_t scan = {.pool = pool,
                   .ask = ask,
                   .enough = APR_UINT32_MAX,
                   .stands = stands,
                   .best = LBS_PICK_NONE};
    apr_uint32_t i;

    for (i = 0; i < pool->plan->members; i++) {
        stands[i] =
            lbs_plan_usable(lbs_plan_gauge(pool->plan, pool->gauges, i))
                ? LBS_PICK_STANDS_IN_RESERVE
                : LBS_PICK_STANDS_CLOSED;
    }
    walk_all(&scan);
}
