/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_persist.h - the state file: LBStickyPersist.
 *
 * Read when httpd starts with nothing in shared memory; written when a
 * configuration begins, when httpd ends, and meanwhile every few seconds if
 * something happened, so that it is never older than ten seconds.
 *
 * Written by httpd's parent, because children may not write where root may. It
 * has a thread for that: the parent itself is free for modules every ten
 * seconds and a bit, and has children to look after while a disk is slow. The
 * thread logs nothing (lbs_persist_write.h says why); the parent's main thread
 * logs the result. A reload does not wait for the disk: a thread that does is
 * left behind, and the next one begins when it is done.
 */
#ifndef LBS_PERSIST_H
#define LBS_PERSIST_H

#include <httpd.h>

/**
 * Read the state file, if this start found no shared memory. Between
 * lbs_pools_build_all() and lbs_operator_reconcile(). A file that is refused
 * is logged once and kept aside as FILE.refused.
 *
 * @return APR_SUCCESS, also without the file; anything else: there is no
 *         memory for a table either, it was logged and the start must fail
 */
apr_status_t lbs_persist_load(server_rec *main_server, apr_pool_t *ptemp);

/** Write it from now on to the end of this configuration. A first start waits
 * for the first time, which shows whether it can be written. Parent, in
 * post_config. */
void lbs_persist_start(apr_pool_t *pconf, server_rec *main_server);

/** Log it when the file cannot be written any more, or can be again. httpd's
 * monitor hook, in the parent. */
int lbs_persist_monitor(apr_pool_t *pool, server_rec *main_server);

#endif
