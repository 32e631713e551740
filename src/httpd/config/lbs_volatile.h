/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_volatile.h - does a file survive a reboot? */
#ifndef LBS_VOLATILE_H
#define LBS_VOLATILE_H

#include <apr_pools.h>

/**
 * @param path  of a file that need not be there yet; NULL: of none
 * @return 1 when its directory lies on a file system in memory; 0: it does
 *         not, or this system does not say
 */
int lbs_volatile_is(apr_pool_t *ptemp, const char *path);

#endif
