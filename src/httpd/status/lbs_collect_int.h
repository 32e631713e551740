/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_collect_int.h - parts of lbs_collect.c. */
#ifndef LBS_COLLECT_INT_H
#define LBS_COLLECT_INT_H

#include "src/httpd/pool/lbs_pools.h"
#include "src/view/lbs_view.h"

/** How a member came, and whether it leaves. */
void lbs_collect_found(const lbs_clock_t *now, const lbs_pool_t *pool,
                       const lbs_member_t *from, lbs_view_member_t *m);

/** What LBStickyDiscover does for a pool. */
void lbs_collect_discover(apr_pool_t *memory, const lbs_clock_t *now,
                          const lbs_pool_t *from, lbs_view_pool_t *to);

#endif
