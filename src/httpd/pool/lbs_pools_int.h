/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_pools_int.h - filling what lbs_pools.h finds: for lbs_pools_build.c and
 * lbs_present.c.
 */
#ifndef LBS_POOLS_INT_H
#define LBS_POOLS_INT_H

#include "src/httpd/pool/lbs_pools.h"

/* All pools at one time. */
typedef struct lbs_pools_t {
    apr_array_header_t *all; /* lbs_pool_t *, one per pool and settings */
    apr_uint16_t *member_at; /* slot -> index + 1, LBS_REGISTRY_MEMBERS */
} lbs_pools_t;

/** Forget the pools of the configuration before. */
void lbs_pools_begin(apr_pool_t *pconf);

/** @param s  a server that may use it */
void lbs_pools_add(const server_rec *s, lbs_pool_t *pool);

/** The member of a slot is the one of this index in its pool. */
void lbs_pools_set_member(apr_uint32_t slot, apr_size_t index);

/** The pools as they are configured. */
const lbs_pools_t *lbs_pools_configured(void);

/** @return 1 when a pool has LBStickyDiscover */
int lbs_pools_have_roster(void);

/** Let lbs_pools_all() show these to the calling thread. @param held  NULL:
 * those of the configuration. @return what it showed before */
const lbs_pools_t *lbs_pools_show(const lbs_pools_t *held);

#endif
