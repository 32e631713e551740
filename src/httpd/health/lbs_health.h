/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_health.h - ejection, checks and slow start, joined to pools and told to
 * people.
 */
#ifndef LBS_HEALTH_H
#define LBS_HEALTH_H

#include "src/httpd/pool/lbs_pools.h"
#include "src/member/lbs_eject.h"

/** What ejection works on for a member. */
lbs_eject_on_t lbs_health_eject_on(const lbs_pool_t *pool,
                                   const lbs_member_t *m);

/** A member turned from one phase of ejection to another: tell it in the
 * events and the log, and begin the slow start where it is due. */
void lbs_health_turned(const lbs_pool_t *pool, const lbs_member_t *m,
                       lbs_eject_turn_t turn, lbs_eject_why_t why);

/** A member turned by its check: tell it, and begin the slow start where it is
 * due. @param text  what the check found */
void lbs_health_checked(const lbs_pool_t *pool, const lbs_member_t *m,
                        lbs_check_turn_t turn, const char *text);

/** A member is back: its estimate of the response time begins again at the
 * pool's median, and earlier failures no longer count. Also for a member that
 * is found to be well after a failure that did not eject it. */
void lbs_health_begin_anew(const lbs_pool_t *pool, const lbs_member_t *m);

/** Begin the slow start of a member, as LBStickySlowStart says, and begin its
 * estimate anew. */
void lbs_health_warm_up(const lbs_pool_t *pool, const lbs_member_t *m);

/**
 * What a tick does. Reading some cache lines of each member is what the tick
 * of an idle httpd costs: with many members those of which there is nothing to
 * say are looked at seldom, in turn.
 */
typedef struct lbs_health_round_t {
    apr_uint32_t number; /* of the tick */
    int all;             /* members are few, or it is the first tick */
    int is_second;       /* what is done once a second is due, too */
} lbs_health_round_t;

/** Find out which members the tick looks at: at every one about which there is
 * news, at others once a second (FOLLOW), and every five seconds (TICK). First
 * in each tick. Cost: a cache line of each member. */
void lbs_health_look(const lbs_pool_t *pool, const lbs_health_round_t *round);

/** Tell the cap on ejections how large the pool is: at every tick, and after
 * a change of the administrator. */
void lbs_health_recount(const lbs_pool_t *pool);

/** A probe brought evidence: see at once whether it is enough. In the process
 * that ticks. Cost: some reads per member. */
void lbs_health_judge(const lbs_pool_t *pool);

/** Ends of holds, stalls, ramps. One process, every 100 ms.
 * @return members that are to be probed, see lbs_probe.h */
int lbs_health_tick(const lbs_pool_t *pool);

/** Work of once a second: how long a stall is, places in queues past their
 * deadline, the plots' samples. Same process; before the first tick, too.
 * Cost: some hundred reads per member. */
void lbs_health_second(lbs_pool_t *pool);

#endif
