/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_least.h - the least of the members that are asked, in a bounded walk.
 *
 * For requests that find all members full: so many of them are looked at, from
 * a place of the request's own, that one with little to do is among them.
 */
#ifndef LBS_LEAST_H
#define LBS_LEAST_H

#include <apr.h>

#define LBS_LEAST_ENOUGH 64 /* members that qualify, and no more */

/**
 * Does a member qualify?
 *
 * @param weight  out, if it does: the less, the better
 * @return 1 or 0
 */
typedef int lbs_least_fn(void *baton, apr_size_t index, apr_uint64_t *weight);

/**
 * Walk round once from a place, until LBS_LEAST_ENOUGH members have qualified,
 * and take the least of them; of equals the first.
 *
 * Cost: as many calls as it takes to find LBS_LEAST_ENOUGH that qualify; with
 * fewer than that, one for each member: one that qualifies is never missed.
 *
 * @param count  members
 * @param start  below count
 * @return its index; -1: none qualifies
 */
int lbs_least_find(apr_size_t count, apr_size_t start, lbs_least_fn *fn,
                   void *baton);

#endif
