/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_panic.h - LBStickyPanic: when every check fails, the check is wrong.
 *
 * Then checks are ignored for the members that accept connections, until one
 * of the others' checks is good again. What an administrator closed is never
 * opened by this, and does not stand in its way: those members do not count.
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
 * @param checked  1: the pool's members are checked; 0: no more
 */
void lbs_panic_look(const lbs_pool_t *pool, int checked);

#endif
