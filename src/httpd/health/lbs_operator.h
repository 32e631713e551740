/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_operator.h - an operator's change of a member takes effect.
 *
 * It comes from the page or from lbctl, from balancer-manager, or from the
 * configuration file at a reload. In each case mod_proxy's own record shows
 * the values in force afterwards.
 */
#ifndef LBS_OPERATOR_H
#define LBS_OPERATOR_H

#include "src/httpd/pool/lbs_pools.h"
#include "src/state/lbs_admin.h"

/**
 * Make a change and all that follows from it: an ejection ends with a reset,
 * and a member that takes new sessions again begins slowly. It is in force
 * when this returns: the next pick of any process goes by it.
 *
 * Cost: new tables for the picks of each pool with these members; a
 * millisecond or a few, in which the caller may sleep.
 *
 * @return NULL when done; else a sentence why not, and nothing was changed
 */
const char *lbs_operator_apply(const lbs_pool_t *pool, const lbs_member_t *m,
                               const lbs_admin_change_t *change);

/**
 * A change made in balancer-manager becomes an operator's change, and changes
 * made elsewhere are shown there. One process, at every tick.
 */
void lbs_operator_follow(const lbs_member_t *m, const lbs_clock_t *now);

/**
 * Give all members the values of the configuration file, unless an operator's
 * change outlives the restart, and commit the pass: the configuration is in
 * force. Parent, in post_config, after a state file was read.
 */
void lbs_operator_reconcile(void);

#endif
