/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_stall.h - a member that has fallen silent while others answer.
 *
 * A suspicion: at least three attempts wait for an answer, one or another of
 * them has waited for a quarter of the time that makes a stall, none was
 * answered meanwhile, and other members did answer. Slow requests look the
 * same, so the member is asked (lbs_probe.h). Any answer is a sign of life.
 *
 * A stall: three wait for the whole of that time, and neither a visitor nor a
 * probe was answered. Where the member cannot be asked, or was not asked, it
 * takes three times as long.
 *
 * Pure arithmetic on a few words; one process writes them, at every tick.
 */
#ifndef LBS_STALL_H
#define LBS_STALL_H

#include <apr.h>

#include "src/member/lbs_gauge.h"
#include "src/member/lbs_probe.h"

#define LBS_STALL_AUTO APR_INT64_C(-1)
#define LBS_STALL_MIN_US 1000000 /* the least that `auto` means */
#define LBS_STALL_WAITING 3u     /* fewer unanswered are no stall */
#define LBS_STALL_UNASKED 3      /* times as long when it was not asked */

/* Shared, one per member; all zero when new. Private to lbs_stall.c. */
typedef struct lbs_stall_t {
    lbs_atomic64_t calm_at; /* when last fewer than three waited */
    lbs_atomic64_t idle_at; /* when last no attempt waited */
    lbs_atomic64_t tick_at; /* the last tick */
} lbs_stall_t;

/* What the tick knows of a member. */
typedef struct lbs_stall_news_t {
    apr_uint32_t waiting;      /* lbs_rows_waiting() */
    apr_int64_t stall_us;      /* lbs_stall_after(); 0: off */
    apr_uint64_t others_heard; /* latest heard_at of the other members */
    lbs_probe_view_t probe;    /* of this member */
} lbs_stall_news_t;

/**
 * How long silence is a stall.
 *
 * @param stall_us  microseconds, 0: off, or LBS_STALL_AUTO
 * @param p99_us    of the pool's recent answers; 0: unknown
 * @return microseconds; 0: never
 */
apr_int64_t lbs_stall_after(apr_int64_t stall_us, apr_uint64_t p99_us);

/** Write down for how long attempts have waited: at every tick, about every
 * 100 ms, before the two below are asked. */
void lbs_stall_tick(lbs_stall_t *record, const lbs_stall_news_t *news,
                    apr_uint64_t now);

/** @return 1: the member has stalled */
int lbs_stall_found(const lbs_stall_t *record, const lbs_gauge_t *gauge,
                    const lbs_stall_news_t *news, apr_uint64_t now);

/** @return 1: a stall seems to begin: ask the member, and send only requests
 * there that can be repeated */
int lbs_stall_suspected(const lbs_stall_t *record, const lbs_gauge_t *gauge,
                        const lbs_stall_news_t *news, apr_uint64_t now);

#endif
