/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_plan_int.h - how the plan lies in memory, for its builder and its
 * readers.
 *
 * Words of a side are stored with release and loaded with acquire, so that a
 * reader that sees a word of a later build also sees that the epoch moved.
 * On x86 both are plain moves.
 */
#ifndef LBS_PLAN_INT_H
#define LBS_PLAN_INT_H

#include <stdatomic.h>

#include <apr_pools.h>

#include "src/base/lbs_atomic.h"
#include "src/pick/lbs_active.h"
#include "src/pick/lbs_maglev.h"
#include "src/pick/lbs_plan.h"

typedef _Atomic apr_uint16_t lbs_plan_cell_t; /* an index */

/* The shared head. Stats are of the front as of the last rebuild; each
 * stands for itself, and a pick that reads an old one is merely less good. */
typedef struct lbs_plan_head_t {
    lbs_atomic64_t epoch;    /* stamp of the format 32 | rebuilds 32 */
    lbs_atomic64_t weight;   /* sum, 1/100 */
    lbs_atomic64_t inflight; /* sum */
    lbs_atomic32_t hot;      /* the 84th percentile of in flight per weight,
                                in LBS_PLAN_PER_WEIGHT */
    lbs_atomic32_t median;   /* of the response times, microseconds */
    lbs_atomic32_t trial;    /* index + 1 of a half-open member without a
                                trial, 0: none */
    lbs_atomic32_t lbset;    /* of the front, plus 1; 0: not known */
    lbs_atomic64_t unused0[3];
    lbs_atomic64_t ticket; /* round-robin: turns taken */
    lbs_atomic64_t unused1[7];
    lbs_atomic64_t claim; /* when the process that copies began, or 0 */
    lbs_atomic64_t unused2[7];
} lbs_plan_head_t;

_Static_assert(sizeof(lbs_plan_head_t) == 192, "three cache lines");

#define LBS_PLAN_PER_WEIGHT 65536u /* a whole one, where 1 is too coarse */
#define LBS_PLAN_WARM 1000u        /* permille: the ramp is over */

/* Where one side's tables are. */
typedef struct lbs_plan_side_t {
    lbs_atomic64_t *counts; /* length of sequence 32 | front 32 */
    lbs_atomic64_t *alias;  /* front entries, see lbs_alias.h */
    lbs_plan_cell_t *sequence;
    lbs_plan_cell_t *home; /* LBS_MAGLEV_SLOTS each */
    lbs_plan_cell_t *detour;
} lbs_plan_side_t;

typedef struct lbs_plan_builder_t lbs_plan_builder_t;

/* One process's view. All but the shared block is set by lbs_plan_format() and
 * not changed later; the builder belongs to the caller of rebuild. */
struct lbs_plan_t {
    lbs_plan_head_t *head;
    lbs_plan_side_t side[2];
    apr_uint32_t members;
    apr_uint32_t with;
    apr_uint32_t stamp;
    const lbs_plan_member_t *member;
    const apr_uint16_t *slot; /* per index: its gauge, close together */
    apr_uint32_t slot_mask;   /* there is a slot for every number under it */
    lbs_active_order_t order;
    lbs_atomic32_t busy;         /* 1: a thread of this process builds */
    lbs_plan_builder_t *builder; /* of that thread; NULL: not made yet */
    apr_pool_t *pool;
};

/* One reading of the plan. */
typedef struct lbs_plan_reading_t {
    apr_uint64_t epoch;
    const lbs_plan_side_t *side;
    apr_uint32_t front; /* entries of the alias table, not 0 */
} lbs_plan_reading_t;

/** @return the gauge of a member */
static inline const lbs_gauge_t *lbs_plan_gauge(const lbs_plan_t *plan,
                                                const lbs_gauge_t *gauges,
                                                apr_uint32_t index)
{
    return &gauges[plan->slot[index]];
}

/** @return 1 when a member is open to new sessions, its limit aside */
static inline int lbs_plan_usable(const lbs_gauge_t *g)
{
    return (lbs_gauge_flags(g) & LBS_F_CLOSED_NEW) == 0
           && lbs_atomic_load32_relaxed(&g->weight) != 0;
}

/**
 * Begin to read.
 *
 * @return 1; 0: there is no plan to go by: none was built yet, the block was
 * formatted anew, no member is open, or the side is being overwritten
 */
static inline int lbs_plan_begin(const lbs_plan_t *plan,
                                 lbs_plan_reading_t *reading)
{
    apr_uint64_t epoch = lbs_atomic_load64_acquire(&plan->head->epoch);
    apr_uint64_t counts;

    if (epoch >> 32 != plan->stamp || (apr_uint32_t)epoch == 0) {
        return 0;
    }
    reading->epoch = epoch;
    reading->side = &plan->side[epoch & 1];
    counts = lbs_atomic_load64_acquire(reading->side->counts);
    reading->front = (apr_uint32_t)counts;
    return reading->front != 0 && reading->front <= plan->members;
}

/** @return 1 if everything read since lbs_plan_begin() belongs together */
static inline int lbs_plan_whole(const lbs_plan_t *plan,
                                 const lbs_plan_reading_t *reading)
{
    return lbs_atomic_load64_relaxed(&plan->head->epoch) == reading->epoch;
}

/** @return the index in a cell. From shared memory: check its range. */
static inline apr_uint32_t lbs_plan_cell(const lbs_plan_cell_t *cell)
{
    return atomic_load_explicit(cell, memory_order_acquire);
}

#endif
