/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_collect.h - filling the view: the one place that knows both the view and
 * the sources of its values. */
#ifndef LBS_COLLECT_H
#define LBS_COLLECT_H

#include <httpd.h>

#include "src/httpd/pool/lbs_pools.h"
#include "src/view/lbs_view.h"

/* Parts of the view that a document needs beside the numbers. */
typedef struct lbs_collect_t {
    int plots;          /* of the last minutes, and of pools of the day */
    const char *day_of; /* id, route or URL of the member whose day is shown;
                           NULL: none */
} lbs_collect_t;

/**
 * Copy the state of all governed pools, as it is now.
 *
 * Locking: none; numbers of one moment may be some microseconds apart. Cost:
 * linear in members.
 *
 * @param s     the server that is asked: which pools may be changed depends
 *              on it
 * @param pool  the view lives as long
 * @param more  NULL: numbers alone
 */
const lbs_view_t *lbs_collect_view(apr_pool_t *pool, const server_rec *s,
                                   const lbs_collect_t *more);

/** @return LBStickyAdmin of the server that is asked */
int lbs_collect_admin(const server_rec *s);

/** @return the pool that a view's pool was copied from; NULL when it is gone
 */
lbs_pool_t *lbs_collect_pool(const lbs_view_pool_t *pool);

#endif
