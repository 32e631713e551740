/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_ramp.h - slow start: a returning member takes its share step by step.
 *
 * The gauge's ramp is the part of the picks, in permille, that a member
 * accepts; what it does not accept goes to another one. It rises in a
 * straight line over the slow start's time. The caller begins a ramp when a
 * member returns from an ejection, recovers by its check, is enabled by an
 * operator, or was added by a reload; never when the server starts, nor for
 * members that a reload finds in place. Each beginning counts anew: a member
 * that was enabled while it was down warms up when it is up.
 */
#ifndef LBS_RAMP_H
#define LBS_RAMP_H

#include <apr.h>

#include "src/member/lbs_ewma.h"

#define LBS_RAMP_FULL 1000u /* permille */
#define LBS_RAMP_FIRST                                                        \
    20u /* accepted at once: else nothing is learned                          \
         */

/* Shared, one per member; all zero: warm. */
typedef struct lbs_ramp_t {
    lbs_atomic64_t since; /* microseconds; 0: warm */
} lbs_ramp_t;

/**
 * Begin the slow start. The estimate of the response time begins at the pool's
 * median: at 0 it would draw all visitors, and the old estimate is no longer
 * true.
 *
 * @param slow_us    LBStickySlowStart in microseconds; 0: off, warm at once
 * @param median_us  of the pool's estimates; 0: none is known, and of this
 *                   member nothing is known any more
 */
static inline void lbs_ramp_start(lbs_ramp_t *ramp, lbs_gauge_t *g,
                                  apr_int64_t slow_us, apr_uint32_t median_us,
                                  apr_uint64_t now)
{
    lbs_ewma_restart(g, median_us, now);
    lbs_atomic_store64_relaxed(&ramp->since, slow_us > 0 ? now : 0);
    lbs_atomic_store32_relaxed(&g->ramp,
                               slow_us > 0 ? LBS_RAMP_FIRST : LBS_RAMP_FULL);
}

/**
 * Go on with the slow start. One process, at every tick; a beginning at the
 * same moment in another process may be seen one tick late.
 *
 * @return permille accepted now, LBS_RAMP_FULL when warm
 */
static inline apr_uint32_t lbs_ramp_tick(lbs_ramp_t *ramp, lbs_gauge_t *g,
                                         apr_int64_t slow_us, apr_uint64_t now)
{
    apr_uint64_t since = lbs_atomic_load64_relaxed(&ramp->since);
    apr_uint64_t warm = now > since ? now - since : 0;
    apr_uint32_t permille = LBS_RAMP_FULL;

    if (since != 0 && slow_us > 0 && warm < (apr_uint64_t)slow_us) {
        permille =
            (apr_uint32_t)((double)warm * LBS_RAMP_FULL / (double)slow_us);
        permille = permille < LBS_RAMP_FIRST ? LBS_RAMP_FIRST : permille;
    }
    else if (since != 0 && !lbs_atomic_cas64(&ramp->since, &since, 0)) {
        return LBS_RAMP_FIRST; /* begun anew just now */
    }
    lbs_atomic_store32_relaxed(&g->ramp, permille);
    return permille;
}

#endif
