/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_present.h - the pools as they are now, with the members that were found.
 *
 * Who the found members are stands in shared memory (src/roster/lbs_roster.h).
 * From that each process makes a *turn* of its own: all pools, each with the
 * members it has, which never changes once it is published. A change of a
 * roster makes another turn, in each process before the first request that
 * comes after it. Whoever looks at members pins the turn in force, and sees
 * nothing but that one; a turn that is no longer in force and that nobody pins
 * is given back, and with the last turn that has a member its connections and
 * its memory.
 *
 * A request pins until it is over, a WebSocket until it is closed: it keeps
 * the members of one turn. Threads that work in steps pin for each step.
 *
 * Without LBStickyDiscover there is one turn, that of the configuration, which
 * nobody pins. All this costs a request then is one test of a pointer.
 */
#ifndef LBS_PRESENT_H
#define LBS_PRESENT_H

#include <httpd.h>

#include "src/httpd/pool/lbs_pools.h"

typedef struct lbs_present_hold_t {
    struct lbs_turn_t *turn; /* NULL: nothing is pinned */
    const struct lbs_pools_t *before;
} lbs_present_hold_t;

/** The configuration begins: no turn of another one is left when it ends. In
 * post_config. */
void lbs_present_start(apr_pool_t *pconf);

/** A child begins: it makes its own turns, and its own connections. In
 * child_init. */
void lbs_present_child(void);

/**
 * Hold the pools as they are now: lbs_pools_all() shows these to the calling
 * thread until lbs_present_release().
 *
 * Cost: two additions; after a change, once per process, some 20 us for each
 * newcomer, under a lock of the process.
 */
lbs_present_hold_t lbs_present_hold(void);

void lbs_present_release(lbs_present_hold_t hold);

/** Take back the pin only: the thread holds a later turn by now. */
void lbs_present_unhold(lbs_present_hold_t hold);

/** Follow a change, and give back what nobody uses any more. At times, in
 * every child, also in one that gets no request. */
void lbs_present_follow(void);

/** See lbs_present_pool(). */
lbs_pool_t *lbs_present_pinned(request_rec *r, const lbs_pool_t *pool);

/**
 * A pool with the members it has now, for as long as the request lasts; all
 * parts of a page see the same.
 *
 * @param pool  as configured; NULL passes through
 */
static inline lbs_pool_t *lbs_present_pool(request_rec *r, lbs_pool_t *pool)
{
    return pool == NULL || pool->roster == NULL ? pool
                                                : lbs_present_pinned(r, pool);
}

#endif
