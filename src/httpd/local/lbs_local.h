/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_local.h - LBStickyLocal: balancer and web server at once.
 *
 * One hook between mod_proxy's translation and its map_to_storage asks, of a
 * request that is for a governed pool, whether this httpd answers it itself:
 * because it goes on from one that does, because there is a file for it,
 * because a peer sent it here, or because the decision falls on this httpd.
 */
#ifndef LBS_LOCAL_H
#define LBS_LOCAL_H

#include <httpd.h>

/** Register the hooks. Once, in register_hooks. */
void lbs_local_register(void);

#endif
