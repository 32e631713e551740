/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_children.h - each child's row in shared memory, and taking back what a
 * dead child held: requests in flight, checks, probes, places in queues.
 */
#ifndef LBS_CHILDREN_H
#define LBS_CHILDREN_H

#include <httpd.h>

/** Claim this child's row. In child_init. */
void lbs_children_join(apr_pool_t *pchild, server_rec *main_server);

/** A child is gone: take back all that it held. In the parent. */
void lbs_children_gone(apr_uint32_t pid);

/** Finish taking back where that was begun and not finished. One process,
 * about once a second. */
void lbs_children_finish(void);

#endif
