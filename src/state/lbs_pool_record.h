/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_pool_record.h - counters of one pool, in shared memory.
 *
 * One record per pool slot of the registry, all zero when new. Every field
 * stands for itself and is changed by every process with relaxed atomics: the
 * sums are exact, two fields read one after the other need not fit together.
 */
#ifndef LBS_POOL_RECORD_H
#define LBS_POOL_RECORD_H

#include <apr.h>
#include <apr_time.h>

#include "src/base/lbs_atomic.h"
#include "src/member/lbs_budget.h"
#include "src/member/lbs_eject.h"
#include "src/state/lbs_decision.h"

/* What is done when every member is down. */
typedef enum lbs_panic_t {
    LBS_PANIC_NONE,
    LBS_PANIC_IGNORED, /* checks are ignored where connections are accepted */
    LBS_PANIC_DEAD,    /* no member accepts a connection: checks are right */
    LBS_PANIC_LAST     /* no checks; visitors may try their luck */
} lbs_panic_t;

/* How often a reader of LBStickyForeign found where a visitor belongs. */
#define LBS_POOL_READERS 16

typedef struct lbs_reader_use_t {
    lbs_atomic64_t id;   /* lbs_identity_reader(); 0: nobody's */
    lbs_atomic64_t used; /* visitors that were adopted */
    lbs_atomic64_t last; /* Unix seconds of the last one; 0: none yet */
} lbs_reader_use_t;

typedef struct lbs_pool_record_t {
    _Alignas(64) lbs_atomic64_t decisions[LBS_DECISIONS][LBS_REASONS];
    lbs_atomic64_t requests;       /* decisions taken, each request once */
    lbs_atomic64_t retries;        /* attempts repeated on another member */
    lbs_atomic64_t retries_denied; /* the budget was spent */
    lbs_atomic64_t last_request;   /* monotonic microseconds, 0: never */
    lbs_atomic32_t panic;          /* lbs_panic_t */
    lbs_atomic32_t changes;        /* made by operators; picks shared before
                                      one are not shared after it */
    lbs_eject_pool_t eject;        /* how many are ejected, for the cap */
    lbs_budget_t budget;           /* of repetitions */
    lbs_reader_use_t readers[LBS_POOL_READERS];
} lbs_pool_record_t;

/** A request was decided: count it. @param now  monotonic microseconds */
static inline void lbs_pool_record_decided(lbs_pool_record_t *pool,
                                           lbs_decision_t decision,
                                           lbs_reason_t reason, apr_time_t now)
{
    reason = lbs_decision_reason(decision, reason);
    lbs_atomic_add64_relaxed(&pool->decisions[decision][reason], 1);
    lbs_atomic_add64_relaxed(&pool->requests, 1);
    lbs_atomic_store64_relaxed(&pool->last_request, (apr_uint64_t)now);
}

/** @return how often this was decided for this reason */
static inline apr_uint64_t lbs_pool_record_count(const lbs_pool_record_t *pool,
                                                 lbs_decision_t decision,
                                                 lbs_reason_t reason)
{
    return lbs_atomic_load64_relaxed(&pool->decisions[decision][reason]);
}

#endif
