/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_discover_wish.h - what operators and members ask for, done.
 *
 * The asking side is src/httpd/shared/lbs_wishes.h.
 */
#ifndef LBS_DISCOVER_WISH_H
#define LBS_DISCOVER_WISH_H

#include "src/httpd/discover/lbs_discover_from.h"

/** Do all that is asked for. At every tick, in the process that ticks. */
void lbs_discover_wish_tick(apr_time_t now, apr_pool_t *scratch);

/** The lease of the member of a seat begins anew; LBS_ROSTER_NONE is no
 * seat. */
void lbs_discover_wish_lease(const lbs_pool_t *pool, int seat,
                             apr_time_t lease, apr_time_t now);

/** End leases that were not renewed. At every tick. */
void lbs_discover_wish_leases(const lbs_pool_t *pool, apr_time_t now,
                              apr_pool_t *scratch);

/** Say what was done, once it is in force. */
void lbs_discover_wish_answer(apr_time_t now);

#endif
