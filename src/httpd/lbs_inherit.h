/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_inherit.h - what a member can have only one of.
 *
 * Virtual hosts that inherit a pool of the main server have its members in
 * common, and each may have directives of its own. The words of a member's
 * sessions have one expiry clock, and it has one limit.
 */
#ifndef LBS_INHERIT_H
#define LBS_INHERIT_H

#include <apr_pools.h>

/**
 * Give each member a clock that tells the longest life any pool gives its
 * sessions, and the lowest limit that any sets. Parent, in post_config,
 * between lbs_pools_build() and lbs_persist_load().
 *
 * Cost: a walk over the session table for each member whose clock changes.
 */
void lbs_inherit_settle(apr_pool_t *ptemp);

#endif
