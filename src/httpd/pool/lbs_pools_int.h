/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_pools_int.h - filling what lbs_pools.h finds: for lbs_pools_build.c. */
#ifndef LBS_POOLS_INT_H
#define LBS_POOLS_INT_H

#include "src/httpd/pool/lbs_pools.h"

/** Forget the pools of the configuration before. */
void lbs_pools_begin(apr_pool_t *pconf);

/** @param s  a server that may use it */
void lbs_pools_add(const server_rec *s, lbs_pool_t *pool);

/** The member of a slot is the one of this index in its pool. */
void lbs_pools_set_member(apr_uint32_t slot, apr_size_t index);

#endif
