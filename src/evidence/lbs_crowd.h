/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_crowd.h - about how many different visitors there were in a window.
 *
 * Each eighth of the window has a set of 40 places, and a visitor's hash marks
 * one of them. From the places that stay empty follows about how many visitors
 * there were (linear counting): exact up to a few, within a tenth up to forty,
 * and from about 150 on "many". The same visitor counts once.
 *
 *     cell    its time, in eighths of the window 24 | places 40
 */
#ifndef LBS_CROWD_H
#define LBS_CROWD_H

#include <apr.h>

#include "src/base/lbs_atomic.h"
#include "src/evidence/lbs_window.h"

/* Shared; all zero when new. Private to lbs_crowd.c. */
typedef struct lbs_crowd_t {
    lbs_atomic64_t cells[LBS_WINDOW_CELLS];
} lbs_crowd_t;

/** Note a visitor. Cost: one load for one that is noted already. A lost race
 * costs a visitor. @param visitor  a keyed hash */
void lbs_crowd_add(lbs_crowd_t *crowd, apr_int64_t window_us,
                   apr_uint64_t visitor, apr_uint64_t now);

/** @return visitors in the window, in hundredths */
apr_uint32_t lbs_crowd_count(const lbs_crowd_t *crowd, apr_int64_t window_us,
                             apr_uint64_t now);

/** Forget all. */
void lbs_crowd_clear(lbs_crowd_t *crowd);

#endif
