/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_shm.h - anonymous shared memory as the rooms below want it. */
#ifndef LBS_SHM_H
#define LBS_SHM_H

#include <apr_errno.h>
#include <apr_pools.h>

/**
 * Memory of zeros, aligned to a page, that children inherit. Pages cost
 * nothing until they are touched.
 *
 * @param base   out: gone with the pool; written only on APR_SUCCESS
 * @param bytes  1 or more
 * @return APR_SUCCESS; else why the system does not give it
 */
apr_status_t lbs_shm_create(void **base, apr_size_t bytes, apr_pool_t *pool);

#endif
