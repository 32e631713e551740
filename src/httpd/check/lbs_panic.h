/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_panic.h - when every member of a pool is down.
 *
 * LBStickyPanic: when every check fails, the check is wrong. Then checks are
 * ignored for the members that accept connections, until one of the others'
 * checks is good again. When none accepts any, the check is right, and that is
 * said instead. Such members are shown as down all the same.
 *
 * Without checks a member is down because it refuses connections. When all do,
 * visitors' requests may still try each of them: refusing them would help no
 * visitor, and a member that is back is found at once.
 *
 * A member that an administrator closed is never opened by this, and does not
 * count.
 */
#ifndef LBS_PANIC_H
#define LBS_PANIC_H

#include "src/httpd/pool/lbs_pools.h"

/**
 * Look whether panic begins, goes on or ends; tell it, loudly, once.
 *
 * In the process that checks, by one thread: after a check, and from time to
 * time for what administrators change.
 *
 * @param checked  1: the pool has LBStickyCheck
 */
void lbs_panic_look(const lbs_pool_t *pool, int checked);

#endif
