/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_persist.h - the state file: LBStickyPersist.
 *
 * Read once, when httpd starts with nothing in shared memory; written by the
 * parent every ten seconds if something happened, and when a configuration
 * ends. Written under a temporary name, flushed to the disk and renamed, so
 * that there is always one whole file.
 */
#ifndef LBS_PERSIST_H
#define LBS_PERSIST_H

#include <httpd.h>

/**
 * Read the state file, if this start found no shared memory. Between
 * lbs_pools_build() and lbs_pools_settle(). A file that is refused is logged
 * once and kept aside as FILE.refused.
 */
void lbs_persist_load(server_rec *main_server, apr_pool_t *ptemp);

/** Write it once now, which shows whether it can be written, and at the end
 * of this configuration. Parent, in post_config. */
void lbs_persist_start(apr_pool_t *pconf, server_rec *main_server);

/** Write it when it is time. httpd's monitor hook, in the parent. */
int lbs_persist_monitor(apr_pool_t *pool, server_rec *main_server);

#endif
