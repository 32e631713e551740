/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_last_resort.h - the members that are tried before a request is refused.
 *
 * 503 is for requests that no member answers, not for pools without a trusted
 * member. A request for which no member is left tries those that are ejected,
 * or are down because they refused connections, one attempt each; of these the
 * one that has been so for longest is the likeliest to be back. A member whose
 * check fails is not tried: there LBStickyPanic decides.
 */
#ifndef LBS_LAST_RESORT_H
#define LBS_LAST_RESORT_H

#include "src/httpd/decide/lbs_choice.h"
#include "src/httpd/pool/lbs_pools.h"

/** @return 1 when a request that has not tried it may be sent to the member,
 * before it is refused for being down */
int lbs_last_resort_is_down(const lbs_member_t *m);

/**
 * Find the next one to try. Cost: a walk over the pool, for requests that
 * would be refused without it.
 *
 * @return its index; LBS_NO_MEMBER: all were tried
 */
int lbs_last_resort_find(const lbs_pool_t *pool, const lbs_choice_t *choice);

#endif
