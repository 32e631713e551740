/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_housekeeping.h - the slow part of the tick: the table is swept, dead
 * children are taken back, slots become free. And sessions with a request in
 * flight are renewed.
 */
#ifndef LBS_HOUSEKEEPING_H
#define LBS_HOUSEKEEPING_H

#include <apr_pools.h>
#include <apr_time.h>

/** Prepare; in the process that ticks, by its thread.
 * @param pool  that thread's own; may be cleared before the next call */
void lbs_housekeeping_start(apr_pool_t *pool);

/** Renew sessions that have a request in flight. In all processes, at every
 * tick: the first one does it. */
void lbs_housekeeping_renew(apr_time_t now);

/** The share of one tick: a piece of the sweep, and once a second a look for
 * dead children. Cost: bounded, about a millisecond at ten million sessions.
 */
void lbs_housekeeping_tick(apr_time_t now);

#endif
