/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_persist_write.h - the state file onto the disk, once.
 *
 * Under a temporary name, flushed and renamed, so that there is always one
 * whole file.
 *
 * What is here runs in a thread of httpd's parent, which forks meanwhile.
 * Whoever adds to it must take no lock that a child could inherit locked:
 * nothing that logs, no malloc, no pool that others use.
 */
#ifndef LBS_PERSIST_WRITE_H
#define LBS_PERSIST_WRITE_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "src/httpd/config/lbs_config.h"

/**
 * Write the state of now into the file of LBStickyPersist.
 *
 * @param pool  of the caller alone, with an allocator of its own
 * @return APR_SUCCESS; anything else: the file that was there is as it was
 */
apr_status_t lbs_persist_write_file(const lbs_main_conf_t *conf,
                                    apr_pool_t *pool);

/** @return a number that changes when anything worth saving has happened; a
 *          session that was bound shows in it when its request ends, at the
 *          latest. Cost: a dozen reads per member */
apr_uint64_t lbs_persist_write_activity(void);

#endif
