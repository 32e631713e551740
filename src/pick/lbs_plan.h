/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_plan.h - the tables for picks, made before requests come.
 *
 * One process computes every 100 ms which members of a pool are to be chosen
 * from, and the tables that make choosing cheap, and publishes them in shared
 * memory; a pick only reads. Work that grows with the number of members is
 * done here and nowhere else.
 *
 * Members are chosen from by mod_proxy's rule: of the lowest lbset with an
 * open member, the members that are neither spare nor standby, and for each of
 * those that is not usable one spare; if there are none, the standbys of the
 * lbset; else the next lbset. That group is the *front*.
 *
 *     line 0  epoch     format stamp 32 | rebuilds 32; the low bit chooses
 *                       the side that is in force
 *             stats     of the front, as of the last rebuild, see _int.h
 *     line 1  ticket    round-robin's position
 *     line 2  claim     who copies, 0: nobody
 *     side 0  counts, alias[members], sequence[], home[], detour[]
 *     side 1  the same
 *
 * Tearing: a builder writes the side that is not in force and then moves the
 * epoch. A reader loads the epoch, reads, and loads it again; if it moved in
 * between, by one or by more, whatever was read is thrown away and read anew
 * from the side now in force, a bounded number of times, after which the pick
 * does without the plan. Readers never wait, and a builder that is killed
 * leaves the side in force, whole, and a claim that runs out.
 */
#ifndef LBS_PLAN_H
#define LBS_PLAN_H

#include <apr.h>
#include <apr_errno.h>
#include <apr_pools.h>

#include "src/member/lbs_gauge.h"

#define LBS_PLAN_MEMBERS 8191 /* most members of one pool */

/* Tables beyond the alias table that a method needs. */
#define LBS_PLAN_SEQUENCE 1u /* round-robin */
#define LBS_PLAN_HASH 2u     /* hash */

/* What does not change while a configuration lives. */
typedef struct lbs_plan_member_t {
    apr_uint64_t identity; /* hash of its identity; the same on every server */
    apr_uint32_t slot;     /* its gauge in the array of gauges */
    apr_uint32_t weight;   /* as configured, 1/100; the gauge has today's */
    apr_uint32_t lbset;
    int vacant; /* 1: no member has this place; its gauge is closed */
} lbs_plan_member_t;

typedef struct lbs_plan_t lbs_plan_t; /* private to a process, over a block */

/**
 * @param members  of the pool, up to LBS_PLAN_MEMBERS
 * @param with     LBS_PLAN_* of the pool's method, see lbs_pick_method_needs()
 * @return bytes of the shared block; 0 if members is 0 or too large. About
 *         16 for each member, and 262 kB with LBS_PLAN_SEQUENCE, 525 kB with
 *         LBS_PLAN_HASH
 */
apr_size_t lbs_plan_bytes(apr_uint32_t members, apr_uint32_t with);

/**
 * Make a block empty and open a view of it, for the configuration just read.
 *
 * To be called by the parent before its children; they inherit the view. A
 * block used before may be formatted again while children of an older
 * generation read it: they notice and go on without a plan, so a block of
 * its own for each generation is better but not needed.
 *
 * @param plan    out: the view, allocated from pool, scratch memory of the
 *                builder included (with LBS_PLAN_HASH 0.4 MB)
 * @param block   aligned to 64 bytes, zeroed or formatted before
 * @param member  copied; their order is that of the indexes picks return
 * @return APR_SUCCESS; APR_EINVAL: block misaligned or shorter than
 *         lbs_plan_bytes(), or a member's slot is not below
 *         LBS_PLAN_MEMBERS + 1
 */
apr_status_t lbs_plan_format(lbs_plan_t **plan, void *block, apr_size_t len,
                             const lbs_plan_member_t *member,
                             apr_uint32_t members, apr_uint32_t with,
                             apr_pool_t *pool);

/**
 * Open a view of a block that was formatted, for places that other members
 * have by now. Views of one block with different members may be used at the
 * same time, in one process or several: an index that tables of another view
 * give is only taken where the gauge of its member here is open.
 *
 * @param of      any view of the block; may end before the new one
 * @param member  copied; as many as the block was formatted for
 * @param pool    the view, and what it needs to build, which is made when it
 *                builds first
 * @return the view
 */
lbs_plan_t *lbs_plan_view(const lbs_plan_t *of,
                          const lbs_plan_member_t *member, apr_pool_t *pool);

/**
 * Look at the gauges and publish new tables if the members to be chosen from,
 * or a weight, have changed. In any case refresh the stats, and let the
 * response time of members that are silent for a second decay in their gauges,
 * down to half the median.
 *
 * To be called every 100 ms, by one process and in it by one thread at a
 * time. Two processes that both believe it is their turn do no harm: one
 * does nothing. The first call is due before the first request.
 *
 * Cost: some 15 ns per member when nothing changed; when something did, with
 * LBS_PLAN_HASH, below a millisecond, and some if it was a weight.
 *
 * @param gauges  the array of all gauges, indexed by slot; of them only the
 *                response times of this pool's members are written
 * @param now     microseconds, the clock of the gauges; not 0
 * @return 1 if new tables were published, 0 if not
 */
int lbs_plan_rebuild(lbs_plan_t *plan, lbs_gauge_t *gauges, apr_int64_t now);

/**
 * Have tables in force that know of every change to the gauges which was made
 * before the call. Any process and any thread; picks are not held up.
 *
 * Cost: as lbs_plan_rebuild() when something changed.
 *
 * @param now  microseconds, the clock of the gauges; not 0
 * @return APR_SUCCESS, also for a block that is a later generation's by now;
 *         APR_EBUSY: another thread or process builds, call again
 */
apr_status_t lbs_plan_follow(lbs_plan_t *plan, const lbs_gauge_t *gauges,
                             apr_int64_t now);

/**
 * Is a member's lbset in demand? Of higher ones than the front's nobody is,
 * while the front serves.
 *
 * @param index  of the member, below the number of members
 * @return 1: it is, or no plan was built yet
 */
int lbs_plan_wants(const lbs_plan_t *plan, apr_uint32_t index);

/**
 * @return microseconds, the median response time of the front's members that
 * answered in the last second (heard_at), or as it was when one did; 0: none
 * did yet. To be given to lbs_ewma_set() when a member returns.
 */
apr_uint32_t lbs_plan_median(const lbs_plan_t *plan);

/**
 * @return microseconds, what lbs_ewma_update() should be told of a failed
 * attempt. One failure is 8 times the median, some seconds with fewer new
 * visitors; the third in a row LBS_EWMA_FAILURE_US, but at least 64 times the
 * median: in a slow and busy pool five seconds would be no more than the wait
 * at the others, and a member that fails at once would draw a quarter of a
 * share.
 *
 * @param in_row  failures without an answer between, this one included; 0:
 *                unknown, counts as many
 */
apr_uint32_t lbs_plan_failure(const lbs_plan_t *plan, apr_uint32_t in_row);

/**
 * @return microseconds, what lbs_ewma_update() should be told of an answer of
 * 5xx, at least: the median, and more the more the member is to blame; 64
 * times the median where it alone answers nothing else. A member that fails at
 * once never counts as quick, or every new visitor would be sent there.
 *
 * @param blame  permille, see lbs_evidence_blame()
 */
apr_uint32_t lbs_plan_error(const lbs_plan_t *plan, apr_uint32_t blame);

#endif
