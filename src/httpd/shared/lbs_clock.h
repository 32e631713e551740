/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_clock.h - the clocks of this machine, and what may be done once in a
 * while. The pure rooms get the time as an argument; it is read here.
 */
#ifndef LBS_CLOCK_H
#define LBS_CLOCK_H

#include <apr_time.h>

#include "src/base/lbs_atomic.h"
#include "src/state/lbs_registry.h"

/** Microseconds on the monotonic clock; all intervals use it. */
apr_time_t lbs_clock_now(void);

/** Both clocks, for events and files. */
lbs_clock_t lbs_clock_both(void);

/**
 * Is it time again? For messages that a client can cause: one caller in
 * `every` microseconds is told 1, all others 0. Where the word is in shared
 * memory, one of all processes. No lock.
 *
 * @param last  when somebody was told 1, for this function only; 0: never
 */
int lbs_clock_once(lbs_atomic64_t *last, apr_interval_time_t every);

#endif
