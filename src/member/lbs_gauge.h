/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_gauge.h - what a pick has to know of a member, in one cache line.
 *
 * Gauges live in shared memory, one per member slot, and are read and written
 * by every process at once. Each field stands for itself: there is no lock and
 * no field whose meaning depends on another having been written first. The
 * fields are public because a pick reads four gauges per request and the
 * benchmark counts every instruction; all other code calls the functions.
 *
 *     byte 0   flags      why the member is not open, one bit per reason
 *     byte 4   sessions   live sessions, for picks: a copy of the table's
 *     byte 8   weight     1/100: 100 is a weight of 1.00; 0 takes no new ones
 *     byte 12  ramp       permille of picks accepted, 1000 when warm
 *     byte 16  limit      most attempts in flight; 0: no limit
 *     byte 20  ewma       1/32 microsecond: how slow it is, see lbs_ewma.h
 *     byte 24  ewma_at    when ewma was written, microseconds
 *     byte 32  inflight   low half: attempts sent and not yet finished, all
 *                         processes; high half: see lbs_inflight.h
 *     byte 40  heard_at   when the member last answered anything, microseconds
 *     byte 48  trial      half-open: token of the row that tries it, 0: nobody
 *     byte 52  mean       1/32 microsecond: response time, for people
 *     byte 56  doubt_until  0: no doubt that it answers; else when to risk
 *                         again what cannot be repeated
 */
#ifndef LBS_GAUGE_H
#define LBS_GAUGE_H

#include <apr.h>

#include "src/base/lbs_atomic.h"

/* Reasons a member is not simply up; each has one owner, which sets and clears
 * it with lbs_gauge_set() and lbs_gauge_clear(). */
#define LBS_F_STOPPED 0x0001u   /* administrator: mod_proxy's +S */
#define LBS_F_DISABLED 0x0002u  /* administrator: mod_proxy's +D */
#define LBS_F_DRAIN 0x0004u     /* administrator: no new sessions */
#define LBS_F_DRAINED 0x0008u   /* drain deadline is over: no kept ones */
#define LBS_F_DOWN 0x0010u      /* its check fails, or it is not there */
#define LBS_F_EJECTED 0x0020u   /* its own answers got it ejected */
#define LBS_F_HALF_OPEN 0x0040u /* trial: one request at a time */
#define LBS_F_PANIC 0x0080u     /* all are down: ignore LBS_F_DOWN */
#define LBS_F_STANDBY 0x0100u   /* administrator: mod_proxy's +H */
#define LBS_F_SPARE 0x0200u     /* administrator: mod_proxy's +R */
#define LBS_F_REMOVED 0x0400u   /* no longer in the configuration */
#define LBS_F_CHARGED                                                         \
    0x0800u /* open, but ewma is what failures were                           \
               charged, no time: lbs_ewma.h */
#define LBS_F_LEAVING                                                         \
    0x1000u /* its source names it no more: no new sessions */
#define LBS_F_JOINING 0x2000u /* found, and no check has passed yet: down */

#define LBS_F_WAITING                                                         \
    0x4000u /* found not long ago: other balancers learn of it first */

/* Closed to everybody, and closed to visitors without a session. */
#define LBS_F_CLOSED                                                          \
    (LBS_F_STOPPED | LBS_F_DISABLED | LBS_F_DRAINED | LBS_F_DOWN              \
     | LBS_F_EJECTED | LBS_F_REMOVED)
#define LBS_F_CLOSED_NEW                                                      \
    (LBS_F_CLOSED | LBS_F_DRAIN | LBS_F_LEAVING | LBS_F_WAITING)

typedef struct lbs_gauge_t {
    lbs_atomic32_t flags;
    lbs_atomic32_t sessions;
    lbs_atomic32_t weight;
    lbs_atomic32_t ramp;
    lbs_atomic32_t limit;
    lbs_atomic32_t ewma;
    lbs_atomic64_t ewma_at;
    lbs_atomic64_t inflight;
    lbs_atomic64_t heard_at;
    lbs_atomic32_t trial;
    lbs_atomic32_t mean;
    lbs_atomic64_t doubt_until;
} lbs_gauge_t;

_Static_assert(sizeof(lbs_gauge_t) == 64, "a gauge is one cache line");

/** Set a gauge to its first values: open, weight 1.00, warm, no response time.
 * Only while no other process uses the slot. */
static inline void lbs_gauge_init(lbs_gauge_t *g)
{
    lbs_atomic_store32_relaxed(&g->flags, 0);
    lbs_atomic_store32_relaxed(&g->sessions, 0);
    lbs_atomic_store32_relaxed(&g->weight, 100);
    lbs_atomic_store32_relaxed(&g->ramp, 1000);
    lbs_atomic_store32_relaxed(&g->limit, 0);
    lbs_atomic_store32_relaxed(&g->ewma, 0);
    lbs_atomic_store64_relaxed(&g->ewma_at, 0);
    lbs_atomic_store64_relaxed(&g->inflight, 0);
    lbs_atomic_store64_relaxed(&g->heard_at, 0);
    lbs_atomic_store32_relaxed(&g->trial, 0);
    lbs_atomic_store32_relaxed(&g->mean, 0);
    lbs_atomic_store64_relaxed(&g->doubt_until, 0);
}

/** @return the flags that count: LBS_F_DOWN is masked out under panic. */
static inline apr_uint32_t lbs_gauge_flags(const lbs_gauge_t *g)
{
    apr_uint32_t f = lbs_atomic_load32_relaxed(&g->flags);

    return (f & LBS_F_PANIC) != 0 ? f & ~LBS_F_DOWN : f;
}

/** @return attempts sent and not yet finished, all processes. */
static inline apr_uint32_t lbs_gauge_inflight(const lbs_gauge_t *g)
{
    return (apr_uint32_t)lbs_atomic_load64_relaxed(&g->inflight);
}

/** @return 1 when the member may not take one more attempt because of its
 * limit. A snapshot; lbs_inflight_enter() decides for real. */
static inline int lbs_gauge_full(const lbs_gauge_t *g)
{
    apr_uint32_t limit = lbs_atomic_load32_relaxed(&g->limit);

    return limit != 0 && lbs_gauge_inflight(g) >= limit;
}

/** @return 1 when the member is half-open and a request is trying it already.
 * A snapshot; lbs_inflight_enter() decides for real. */
static inline int lbs_gauge_probed(const lbs_gauge_t *g)
{
    return (lbs_atomic_load32_relaxed(&g->flags) & LBS_F_HALF_OPEN) != 0
           && lbs_atomic_load32_relaxed(&g->trial) != 0;
}

/** @return 1 when a visitor bound to this member may be sent there, but for
 * its limit. */
static inline int lbs_gauge_open_kept(const lbs_gauge_t *g)
{
    return (lbs_gauge_flags(g) & LBS_F_CLOSED) == 0 && !lbs_gauge_probed(g);
}

/** @return 1 when a pick may choose this member for a new session. */
static inline int lbs_gauge_open_new(const lbs_gauge_t *g)
{
    return (lbs_gauge_flags(g) & LBS_F_CLOSED_NEW) == 0
           && lbs_atomic_load32_relaxed(&g->weight) != 0 && !lbs_gauge_full(g)
           && !lbs_gauge_probed(g);
}

/** @return 1 when nothing about the member can have changed since a time but
 * by its own word in this gauge: open to all, warm, beyond doubt, nothing in
 * flight, and no answer since. One cache line. */
static inline int lbs_gauge_is_quiet(const lbs_gauge_t *g, apr_uint64_t since)
{
    return lbs_atomic_load32_relaxed(&g->flags) == 0
           && lbs_gauge_inflight(g) == 0
           && lbs_atomic_load64_relaxed(&g->heard_at) < since
           && lbs_atomic_load64_relaxed(&g->doubt_until) == 0
           && lbs_atomic_load32_relaxed(&g->ramp) >= 1000;
}

/**
 * May a request be sent there that cannot be repeated? Yes, unless the member
 * lost a request or fell silent and has not answered since. Then none, until
 * the time of doubt is over; and then one, which begins that time anew.
 *
 * @param now   microseconds, monotonic
 * @param next  until when the others wait, if this request goes
 * @return 1: yes; 0: wait for an answer, or ask again later
 */
static inline int lbs_gauge_risk(lbs_gauge_t *g, apr_uint64_t now,
                                 apr_uint64_t next)
{
    apr_uint64_t until = lbs_atomic_load64_relaxed(&g->doubt_until);

    return until == 0
           || (until <= now
               && lbs_atomic_cas64(&g->doubt_until, &until, next));
}

/** Set a reason. @return 1 if it was not set before. */
static inline int lbs_gauge_set(lbs_gauge_t *g, apr_uint32_t flag)
{
    return (atomic_fetch_or_explicit(&g->flags, flag, memory_order_acq_rel)
            & flag)
           != flag;
}

/** Clear a reason. @return 1 if it was set before. */
static inline int lbs_gauge_clear(lbs_gauge_t *g, apr_uint32_t flag)
{
    return (atomic_fetch_and_explicit(&g->flags, ~flag, memory_order_acq_rel)
            & flag)
           != 0;
}

#endif
