/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_eject_int.h - the word of a hold, and its turns.
 *
 *     hold    time 56 | level 6 | phase 2
 *             OPEN       time: since when, 0: always;  level: of the next hold
 *             HELD       time: until when;             level: of this hold
 *             HALF_OPEN  time: the hold ended;         level: of that hold
 *             TRIAL      time: it has begun;           level: of that hold
 *
 * A hold is the minimum, doubled `level` times, and the maximum at most. Each
 * turn is one compare-and-swap from the word that was seen; a process whose
 * swap fails has made no turn.
 */
#ifndef LBS_EJECT_INT_H
#define LBS_EJECT_INT_H

#include "src/member/lbs_eject.h"

#define OPEN 0u
#define HELD 1u
#define HALF_OPEN 2u /* it is probed, visitors stay away */
#define TRIAL 3u     /* it answered: one request at a time */
#define PHASE_OF(word) ((apr_uint32_t)(word)&3u)
#define LEVEL_OF(word) ((apr_uint32_t)((word) >> 2) & 63u)
#define TIME_OF(word) ((word) >> 8)
#define LEVEL_MAX 62u

static inline apr_uint64_t lbs_eject_word(apr_uint32_t phase,
                                          apr_uint32_t level,
                                          apr_uint64_t when)
{
    if (level > LEVEL_MAX) {
        level = LEVEL_MAX;
    }
    return (when << 8) | (level << 2) | phase;
}

static inline apr_uint64_t lbs_eject_hold_us(const lbs_eject_conf_t *conf,
                                             apr_uint32_t level)
{
    apr_uint64_t hold = (apr_uint64_t)conf->hold_min_us;
    apr_uint64_t most = (apr_uint64_t)conf->hold_max_us;

    while (level-- > 0 && hold < most) {
        hold *= 2;
    }
    return hold < most ? hold : most;
}

/** Let the gauge's flags say what the word says. */
void lbs_eject_sync(const lbs_eject_on_t *on);

/** OPEN to HELD. @return LBS_EJECT_EJECTED; LBS_EJECT_CAPPED: too many are
 * out; LBS_EJECT_NONE: it turned meanwhile */
lbs_eject_turn_t lbs_eject_hold_open(const lbs_eject_on_t *on,
                                     apr_uint64_t seen, apr_uint64_t now);

/** HALF_OPEN or TRIAL back to HELD: counted by the pool all the time.
 * @return LBS_EJECT_EJECTED; LBS_EJECT_NONE: it turned meanwhile */
lbs_eject_turn_t lbs_eject_hold_again(const lbs_eject_on_t *on,
                                      apr_uint64_t seen, apr_uint64_t now);

/** Anything to OPEN. @param level  of the next hold
 * @return 1; 0: it turned meanwhile */
int lbs_eject_reopen(const lbs_eject_on_t *on, apr_uint64_t seen,
                     apr_uint32_t level, apr_uint64_t now);

#endif
