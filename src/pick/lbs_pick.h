/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_pick.h - choose a member for a request that has none.
 *
 * One function; the method of the pool decides which file answers. A pick
 * reads the plan and a handful of gauges, writes nothing but round-robin's
 * ticket, never waits and does not cost more with more members. Only when all
 * members drawn turn out closed, full or tried does it walk the pool.
 *
 * Whatever the plan says, the gauges are asked at the moment of the pick: a
 * member that is down, drained, of weight 0, full or removed is never
 * returned.
 */
#ifndef LBS_PICK_H
#define LBS_PICK_H

#include <apr.h>
#include <apr_errno.h>

#include "src/base/lbs_rand.h"
#include "src/member/lbs_gauge.h"
#include "src/pick/lbs_plan.h"

typedef enum lbs_pick_method_t {
    LBS_PICK_LEAST_LOAD,
    LBS_PICK_LEAST_BUSY,
    LBS_PICK_LEAST_SESSIONS,
    LBS_PICK_ROUND_ROBIN,
    LBS_PICK_HASH,
    LBS_PICK_METHODS /* how many there are */
} lbs_pick_method_t;

/* A pool as a pick sees it; filled by the caller, never changed here. */
typedef struct lbs_pick_pool_t {
    lbs_pick_method_t method;
    lbs_plan_t *plan;
    const lbs_gauge_t *gauges; /* all of them, indexed by slot */
} lbs_pick_pool_t;

/* One question. */
typedef struct lbs_pick_ask_t {
    apr_uint64_t hash;         /* hash: of the key, keyed; others: unused */
    lbs_rand_t *rand;          /* of this thread; hash does not use it */
    apr_int64_t now;           /* microseconds; no method asks for it today:
                                  the plan's builder lets estimates decay */
    const apr_uint16_t *tried; /* indexes not to be chosen again */
    unsigned ntried;           /* how many; 0: tried may be NULL */
    const unsigned char *tried_set; /* instead of both: a bit per member; NULL:
                                       there is none */
    int steady;           /* least-load: 1 when the request should not be
                             the one that tries out a half-open member */
    int traceless;        /* round-robin: 1 takes no ticket */
    unsigned bound_centi; /* hash: 105 to 400, in flight is bounded to
                             that multiple of the mean; 0: no bound */
} lbs_pick_ask_t;

/**
 * Choose a member. Cost: below 300 instructions for least-load; linear in the
 * number of members only if no member drawn was open.
 *
 * A member that is warming up is taken with the probability its ramp gives,
 * by hash for the part of its keys the ramp gives; if only such members are
 * open, they are taken.
 *
 * @param index  out, on APR_SUCCESS only: position in the array that
 *               lbs_plan_format() was given
 * @return APR_SUCCESS; APR_EBUSY: there are open members not yet tried, and
 *         every one is at its limit (or half-open and being tried): wait;
 *         APR_NOTFOUND: no member is open
 */
apr_status_t lbs_pick_member(const lbs_pick_pool_t *pool,
                             const lbs_pick_ask_t *ask, apr_uint32_t *index);

/* How a member stands with a pick. */
enum {
    LBS_PICK_STANDS_OPEN,      /* it may be chosen */
    LBS_PICK_STANDS_CLOSED,    /* to new sessions, by its state or weight */
    LBS_PICK_STANDS_FULL,      /* or half-open, and a request tries it */
    LBS_PICK_STANDS_TRIED,     /* by this request, before */
    LBS_PICK_STANDS_IN_RESERVE /* others are there: a spare, a standby, or a
                                  member of a higher lbset */
};

/**
 * Say of every member how it stands with this pick, by the walk that a pick
 * makes when the plan has no member for it. Cost: linear in the number of
 * members.
 *
 * @param stands  out: LBS_PICK_STANDS_*, one per member
 */
void lbs_pick_survey(const lbs_pick_pool_t *pool, const lbs_pick_ask_t *ask,
                     unsigned char *stands);

/**
 * A member's figure in the pool's method, for explaining a decision:
 * the least wins. Microseconds of expected waiting for least-load, a count
 * per weight for the others; for round-robin and hash it is in flight per
 * weight and does not decide.
 *
 * @param index  of the member, below the number of members
 */
double lbs_pick_score(const lbs_pick_pool_t *pool, apr_uint32_t index);

/**
 * @param word    a method's name as in LBStickyMethod, any case
 * @param method  out, if the name is known
 * @return NULL, or what was wanted: all names, for an error text
 */
const char *lbs_pick_method_parse(const char *word, lbs_pick_method_t *method);

/** @return the method's name as in LBStickyMethod */
const char *lbs_pick_method_name(lbs_pick_method_t method);

/** @return 1 when random numbers decide among members, so that the same
 * question may be answered differently; 0: round-robin and hash */
int lbs_pick_method_draws(lbs_pick_method_t method);

/** @return LBS_PLAN_*: what lbs_plan_format() has to make room for */
apr_uint32_t lbs_pick_method_needs(lbs_pick_method_t method);

#endif
