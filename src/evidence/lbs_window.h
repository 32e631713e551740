/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_window.h - how many of a member's latest events were bad.
 *
 * A window of time in eight cells that take turns. Every process counts, at
 * the end of an attempt; each cell is one word and each change of it one
 * compare-and-swap, so nothing is torn by a process that is killed. After a
 * few lost races an event is dropped; that takes as many other events in the
 * same instant, and those are counted.
 *
 *     cell    its time, in eighths of the window 24 | bad 20 | all 20
 */
#ifndef LBS_WINDOW_H
#define LBS_WINDOW_H

#include <apr.h>

#include "src/base/lbs_atomic.h"

#define LBS_WINDOW_CELLS 8

/* Shared; all zero when new. Private to lbs_window.c. */
typedef struct lbs_window_t {
    lbs_atomic64_t cells[LBS_WINDOW_CELLS];
} lbs_window_t;

typedef struct lbs_window_sum_t {
    apr_uint32_t all;
    apr_uint32_t bad;
} lbs_window_sum_t;

/** @return the eighth of a window that a moment is in; 24 bits, they wrap
 * @param length_us  of the window, microseconds */
apr_uint32_t lbs_window_epoch(apr_int64_t length_us, apr_uint64_t now);

/** @return how many eighths ago an epoch was; LBS_WINDOW_CELLS or more: it is
 * outside of the window */
apr_uint32_t lbs_window_age(apr_uint32_t epoch, apr_uint32_t now_epoch);

/** Count one event. @param bad  1 or 0 */
void lbs_window_add(lbs_window_t *window, apr_int64_t length_us,
                    apr_uint32_t bad, apr_uint64_t now);

/** @return what the window holds now */
lbs_window_sum_t lbs_window_sum(const lbs_window_t *window,
                                apr_int64_t length_us, apr_uint64_t now);

/** What the latest parts of the window hold.
 * @param sum  out, LBS_WINDOW_CELLS: sum[0] of the eighth that now is in,
 *             sum[1] of that and the one before, the last one of all */
void lbs_window_parts(const lbs_window_t *window, apr_int64_t length_us,
                      apr_uint64_t now, lbs_window_sum_t *sum);

/** Forget all events. An event that is counted at the same moment may stay. */
void lbs_window_clear(lbs_window_t *window);

#endif
