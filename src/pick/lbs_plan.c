/* SPDX-License-Identifier: Apache-2.0 */
/* The block and its views; what is computed is in lbs_plan_build.c. */
#include "src/pick/lbs_plan.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "src/member/lbs_ewma.h"
#include "src/pick/lbs_plan_int.h"
#include "src/pick/lbs_plan_build_int.h"

#define LINE 64 /* bytes of a cache line; every table begins a new one */
#define SEQUENCE_MEMBERS_MAX (LBS_SEQUENCE_ROOM / 2)

_Static_assert(LBS_PLAN_MEMBERS < LBS_MAGLEV_NONE, "an index fits a cell");
_Static_assert(LBS_PLAN_MEMBERS <= SEQUENCE_MEMBERS_MAX, "a turn for each");

/* Take room for a table. @return its offset */
static apr_size_t take(apr_size_t *used, apr_size_t count, apr_size_t each)
{
    apr_size_t at = *used;

    *used += (count * each + LINE - 1) / LINE * LINE;
    return at;
}

/* The address of a table; NULL if it has no entries: a pick with a method that
 * the plan was not made for must not read beyond. */
static void *table_at(char *base, apr_size_t at, apr_size_t count)
{
    return count != 0 ? base + at : NULL;
}

/* Lay out one side from *used on. @param base  NULL: only measure */
static void lay_side(lbs_plan_side_t *side, char *base, apr_size_t *used,
                     apr_uint32_t members, apr_uint32_t with)
{
    apr_size_t sequence = (with & LBS_PLAN_SEQUENCE) ? LBS_SEQUENCE_ROOM : 0;
    apr_size_t slots = (with & LBS_PLAN_HASH) ? LBS_MAGLEV_SLOTS : 0;
    apr_size_t at[5];

    at[0] = take(used, 1, sizeof(lbs_atomic64_t));
    at[1] = take(used, members, sizeof(lbs_atomic64_t));
    at[2] = take(used, sequence, sizeof(lbs_plan_cell_t));
    at[3] = take(used, slots, sizeof(lbs_plan_cell_t));
    at[4] = take(used, slots, sizeof(lbs_plan_cell_t));
    if (base != NULL) {
        side->counts = table_at(base, at[0], 1);
        side->alias = table_at(base, at[1], members);
        side->sequence = table_at(base, at[2], sequence);
        side->home = table_at(base, at[3], slots);
        side->detour = table_at(base, at[4], slots);
    }
}

apr_size_t lbs_plan_bytes(apr_uint32_t members, apr_uint32_t with)
{
    apr_size_t used = sizeof(lbs_plan_head_t);

    if (members == 0 || members > LBS_PLAN_MEMBERS) {
        return 0;
    }
    lay_side(NULL, NULL, &used, members, with);
    lay_side(NULL, NULL, &used, members, with);
    return used;
}

typedef struct sort_key_t {
    apr_uint64_t key;
    apr_uint32_t index;
} sort_key_t;

static int by_key(const void *left, const void *right)
{
    const sort_key_t *a = left;
    const sort_key_t *b = right;

    if (a->key != b->key) {
        return a->key < b->key ? -1 : 1;
    }
    return a->index < b->index ? -1 : a->index > b->index;
}

apr_uint16_t *lbs_plan_sort(const lbs_plan_member_t *member, apr_uint32_t n,
                            int identity, apr_pool_t *pool)
{
    sort_key_t *keys = apr_palloc(pool, n * sizeof(*keys));
    apr_uint16_t *sorted = apr_palloc(pool, n * sizeof(*sorted));
    apr_uint32_t i;

    for (i = 0; i < n; i++) {
        keys[i].key = identity ? member[i].identity : member[i].lbset;
        keys[i].index = i;
    }
    qsort(keys, n, sizeof(*keys), by_key);
    for (i = 0; i < n; i++) {
        sorted[i] = (apr_uint16_t)keys[i].index;
    }
    return sorted;
}

/* The order in which members are asked, without vacant places: nobody stands
 * in for those. */
static apr_uint16_t *order_of(const lbs_plan_member_t *member, apr_uint32_t n,
                              apr_uint32_t *there, apr_pool_t *pool)
{
    apr_uint16_t *order = lbs_plan_sort(member, n, 0, pool);
    apr_uint32_t i;

    *there = 0;
    for (i = 0; i < n; i++) {
        if (!member[order[i]].vacant) {
            order[(*there)++] = order[i];
        }
    }
    return order;
}

/* What a view keeps of the configuration. */
static void keep_members(lbs_plan_t *plan, const lbs_plan_member_t *member,
                         apr_pool_t *pool)
{
    apr_uint32_t n = plan->members;
    apr_uint32_t slots = 1;
    apr_uint16_t *slot;
    apr_uint32_t *lbset = apr_palloc(pool, n * sizeof(*lbset));
    apr_uint32_t i;

    while (slots < n) {
        slots *= 2;
    }
    slot = apr_pcalloc(pool, slots * sizeof(*slot));
    for (i = 0; i < n; i++) {
        slot[i] = (apr_uint16_t)member[i].slot;
        lbset[i] = member[i].lbset;
    }
    plan->slot = slot;
    plan->slot_mask = slots - 1;
    plan->member = apr_pmemdup(pool, member, n * sizeof(*member));
    plan->order.lbset = lbset;
    plan->order.member = order_of(member, n, &plan->order.n, pool);
}

/* Forget what the block said. The stamp tells views of an earlier format,
 * which may still be read in another process, that it is not theirs. */
static void start_afresh(lbs_plan_t *plan)
{
    apr_uint64_t before = lbs_atomic_load64_acquire(&plan->head->epoch);

    plan->stamp = (apr_uint32_t)(before >> 32) + 1;
    lbs_atomic_store64_release(&plan->head->epoch,
                               (apr_uint64_t)plan->stamp << 32);
    lbs_atomic_store32_relaxed(&plan->head->hot, APR_UINT32_MAX);
    lbs_atomic_store64_relaxed(&plan->head->weight, 0);
    lbs_atomic_store64_relaxed(&plan->head->inflight, 0);
    lbs_atomic_store32_relaxed(&plan->head->median, 0);
    lbs_atomic_store32_relaxed(&plan->head->lbset, 0);
    lbs_atomic_store64_relaxed(&plan->head->ticket, 0);
    lbs_atomic_store64_relaxed(&plan->head->claim, 0);
}

apr_status_t lbs_plan_format(lbs_plan_t **plan, void *block, apr_size_t len,
                             const lbs_plan_member_t *member,
                             apr_uint32_t members, apr_uint32_t with,
                             apr_pool_t *pool)
{
    apr_size_t need = lbs_plan_bytes(members, with);
    apr_size_t used = sizeof(lbs_plan_head_t);
    lbs_plan_t *made;
    apr_uint32_t i;

    if (need == 0 || len < need || (apr_uintptr_t)block % LINE != 0) {
        return APR_EINVAL;
    }
    for (i = 0; i < members; i++) {
        if (member[i].slot > LBS_PLAN_MEMBERS) {
            return APR_EINVAL;
        }
    }
    made = apr_pcalloc(pool, sizeof(*made));
    made->head = block;
    made->members = members;
    made->with = with;
    lay_side(&made->side[0], block, &used, members, with);
    lay_side(&made->side[1], block, &used, members, with);
    keep_members(made, member, pool);
    made->pool = pool;
    made->builder = lbs_plan_build_create(made, pool);
    start_afresh(made);
    *plan = made;
    return APR_SUCCESS;
}

lbs_plan_t *lbs_plan_view(const lbs_plan_t *of,
                          const lbs_plan_member_t *member, apr_pool_t *pool)
{
    lbs_plan_t *made = apr_pcalloc(pool, sizeof(*made));

    made->head = of->head;
    made->side[0] = of->side[0];
    made->side[1] = of->side[1];
    made->members = of->members;
    made->with = of->with;
    made->stamp = of->stamp;
    made->pool = pool;
    keep_members(made, member, pool);
    return made;
}

int lbs_plan_wants(const lbs_plan_t *plan, apr_uint32_t index)
{
    apr_uint32_t front = lbs_atomic_load32_relaxed(&plan->head->lbset);

    return front == 0 || plan->member[index].lbset < front;
}

apr_uint32_t lbs_plan_median(const lbs_plan_t *plan)
{
    return lbs_atomic_load32_relaxed(&plan->head->median);
}

#define ERROR_MEDIANS 64  /* charged for a 5xx, when all blame is its own */
#define ERROR_LEAST 50000 /* the same in microseconds, as for one failure */

apr_uint32_t lbs_plan_error(const lbs_plan_t *plan, apr_uint32_t blame)
{
    apr_uint64_t median = lbs_plan_median(plan);
    apr_uint64_t charge = median + median * (ERROR_MEDIANS - 1) * blame / 1000;
    apr_uint64_t least =
        median == 0 ? ERROR_LEAST : (apr_uint64_t)ERROR_LEAST * blame / 1000;

    charge = charge > least ? charge : least;
    return charge < LBS_EWMA_MAX_US ? (apr_uint32_t)charge : LBS_EWMA_MAX_US;
}

apr_uint32_t lbs_plan_failure(const lbs_plan_t *plan, apr_uint32_t in_row)
{
    static const struct {
        apr_uint32_t least; /* microseconds */
        apr_uint32_t medians;
    } charges[] = {{50000, 8}, {500000, 32}, {LBS_EWMA_FAILURE_US, 64}};
    unsigned last = sizeof(charges) / sizeof(charges[0]);
    unsigned i = in_row != 0 && in_row < last ? in_row - 1 : last - 1;
    apr_uint64_t charge =
        (apr_uint64_t)lbs_plan_median(plan) * charges[i].medians;

    if (charge < charges[i].least) {
        return charges[i].least;
    }
    return charge < LBS_EWMA_MAX_US ? (apr_uint32_t)charge : LBS_EWMA_MAX_US;
}
