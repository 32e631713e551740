/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_recent.h - how many of something, and how large, in the last minute or
 * two.
 *
 * One word each, changed by compare-and-swap: nothing is torn by a process
 * that is killed, and an event that loses four races is dropped. For events
 * that are rare as long as nothing is wrong.
 */
#ifndef LBS_RECENT_H
#define LBS_RECENT_H

#include <apr.h>

#include "src/base/lbs_atomic.h"

/* Shared; zero when new. minute 32 | in it 16 | in the one before 16 */
typedef struct lbs_recent_count_t {
    lbs_atomic64_t word;
} lbs_recent_count_t;

/* Shared; zero when new. minute 32 | the largest value in it 32 */
typedef struct lbs_recent_most_t {
    lbs_atomic64_t word;
} lbs_recent_most_t;

/** Count an event. @param now  monotonic microseconds */
void lbs_recent_add(lbs_recent_count_t *recent, apr_uint64_t now);

/** @return events of this minute and the one before; at most 131070 */
apr_uint32_t lbs_recent_count(const lbs_recent_count_t *recent,
                              apr_uint64_t now);

/** Note a value. */
void lbs_recent_note(lbs_recent_most_t *recent, apr_uint32_t value,
                     apr_uint64_t now);

/** @return the largest value of this minute, or of the one before when there
 * is none in this; 0: none was noted */
apr_uint32_t lbs_recent_most(const lbs_recent_most_t *recent,
                             apr_uint64_t now);

#endif
