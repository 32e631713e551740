/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_children.h - each child's row in shared memory, and what is taken back
 * when a child is gone: requests in flight, checks, probes, places in queues.
 */
#ifndef LBS_CHILDREN_H
#define LBS_CHILDREN_H

#include <httpd.h>

/** Claim this child's row. In child_init. */
void lbs_children_join(apr_pool_t *pchild, server_rec *main_server);

/** A child is gone: what it held is taken back. In the parent. */
void lbs_children_gone(apr_uint32_t pid);

/** Take back what was begun to be taken back and not finished. One process,
 * about once a second. */
void lbs_children_finish(void);

#endif
