/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_bars.h - members that an operator has removed and that sources still
 * name.
 *
 * A source does not bring such a member back. That ends when an operator adds
 * it, or when no source has named it for some time: named again after that, it
 * is a newcomer.
 *
 * In shared memory, part of a roster, and written by its writer alone.
 */
#ifndef LBS_BARS_H
#define LBS_BARS_H

#include <apr.h>
#include <apr_time.h>

#include "src/base/lbs_atomic.h"

#define LBS_BARS 128 /* of a pool */

typedef struct lbs_bar_t {
    lbs_atomic64_t id;      /* of the member in the registry; 0: vacant */
    lbs_atomic64_t seen_at; /* monotonic: a source named it */
} lbs_bar_t;

typedef struct lbs_bars_t {
    lbs_bar_t bar[LBS_BARS];
} lbs_bars_t;

/** Bar a member. @return 1; 0: there is no room */
int lbs_bars_put(lbs_bars_t *bars, apr_uint64_t id, apr_time_t now);

/** A source names a member. @return 1: it is barred */
int lbs_bars_meet(lbs_bars_t *bars, apr_uint64_t id, apr_time_t now);

void lbs_bars_lift(lbs_bars_t *bars, apr_uint64_t id);

/** Lift the bars of members that no source has named for so long. */
void lbs_bars_expire(lbs_bars_t *bars, apr_time_t kept, apr_time_t now);

#endif
