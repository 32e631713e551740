/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_common.h - settings that pools with the same members must share.
 *
 * Virtual hosts that inherit a pool of the main server have its members in
 * common, and each may have directives of its own. The words of a member's
 * sessions have one expiry clock, and it has one limit, is up or not, ejected
 * or not, for all of them.
 */
#ifndef LBS_COMMON_H
#define LBS_COMMON_H

#include "src/httpd/pool/lbs_pools.h"

/**
 * Give each member a clock that tells the longest life any pool gives its
 * sessions, and the lowest limit that any sets; and find the pool whose
 * LBStickyEject and LBStickySlowStart are in force. Parent, in post_config,
 * between lbs_pools_build_all() and lbs_persist_load().
 *
 * Cost: a walk over the session table for each member whose clock changes.
 */
void lbs_common_settle(apr_pool_t *ptemp);

/** @return microseconds: the longest hold that LBStickyControl grants */
apr_interval_time_t lbs_common_longest_asked(const lbs_pool_t *pool);

/** The same for a member that was found. */
void lbs_common_adopt(const lbs_pool_t *pool, apr_uint32_t slot);

/**
 * Of the pools with the same members one decides: the first in the order of
 * the configuration that has what is asked for, else the first of all.
 *
 * @param number  of a pool in lbs_pools_all()
 * @return 1 if it is that one
 */
int lbs_common_decides(int number, int (*has)(const lbs_pool_t *pool));

#endif
