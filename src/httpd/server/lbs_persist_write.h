/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_persist_write.h - the state file onto the disk.
 *
 * An image of everything is written under a temporary name, flushed and
 * renamed, so that there is always one that is whole; then, behind it, what
 * has changed, until that is as much as the image. Each writing has two steps:
 * reading shared memory, which takes the processor, and the disk, which may
 * take any time and touches nothing but what is here.
 *
 * What is here runs in a thread of httpd's parent, which forks meanwhile, and
 * which may load another configuration before the disk is done. Code here must
 * take no lock that a child could inherit locked, and use nothing of the
 * configuration: nothing that logs, no malloc, no pool that others use.
 */
#ifndef LBS_PERSIST_WRITE_H
#define LBS_PERSIST_WRITE_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "src/httpd/config/lbs_config.h"

typedef struct lbs_persist_file_t lbs_persist_file_t; /* opaque */

/**
 * Prepare, with this process's views of the shared memory there is. Main
 * thread, in post_config.
 *
 * @param pool  with an allocator of its own; outlives the thread that writes
 * @return APR_SUCCESS; anything else: a block is damaged
 */
apr_status_t lbs_persist_file_create(lbs_persist_file_t **file,
                                     const lbs_main_conf_t *conf,
                                     apr_pool_t *pool);

/** @return a hash of its path and of the configuration's outline in it, not
 *          0 */
apr_uint64_t lbs_persist_file_name(const lbs_persist_file_t *file);

/** @return 1 when what has changed can be written behind what is there */
int lbs_persist_file_follows(const lbs_persist_file_t *file);

/** Was the file removed or changed from outside? Then another image comes
 * first. */
void lbs_persist_file_look(lbs_persist_file_t *file);

/**
 * Step one: an image of everything, or, where there is one that it can follow,
 * what has changed.
 *
 * @param last     1: an image which nothing will follow
 * @param give_up  becomes not 0 when an image is not wanted any more
 * @return APR_SUCCESS; APR_INCOMPLETE: after step two there is more to write;
 *         APR_EINTR: it was given up; anything else: there is no memory. In
 *         the last two cases there is no step two
 */
apr_status_t lbs_persist_file_read(lbs_persist_file_t *file, int last,
                                   const lbs_atomic32_t *give_up);

/**
 * Step two: onto the disk.
 *
 * @param flush  0: into the kernel's memory is enough, of what has changed
 * @return APR_SUCCESS; anything else: what was on the disk is still good
 */
apr_status_t lbs_persist_file_write(lbs_persist_file_t *file, int flush);

/** Close it; another image comes first if it is used again. */
void lbs_persist_file_close(lbs_persist_file_t *file);

/** @return a number that changes when anything worth saving has happened; a
 *          session that was bound shows in it when its request ends, at the
 *          latest. Cost: a dozen reads per member */
apr_uint64_t lbs_persist_file_activity(const lbs_persist_file_t *file);

#endif
