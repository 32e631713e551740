/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_worker_found.h - a worker of one's own, for a member that was found.
 *
 * mod_proxy knows nothing of it: it stands in no balancer and in no list, so
 * it can go again. All of it, with the connections to the member, lives in the
 * memory it is made from, and goes with that.
 */
#ifndef LBS_WORKER_FOUND_H
#define LBS_WORKER_FOUND_H

#include <httpd.h>
#include <mod_proxy.h>

typedef struct lbs_worker_found_t {
    const proxy_worker *model; /* gives all parameters but these */
    const char *url;
    const char *route; /* "": it has none */
    int lbset;
    const server_rec *server;
} lbs_worker_found_t;

/** @return NULL; or the name of the function that this mod_proxy lacks */
const char *lbs_worker_found_import(void);

/**
 * Make a worker. No connection is made before lbs_worker_found_ready().
 *
 * @param wrong  out: why not, where it returns NULL
 */
proxy_worker *lbs_worker_found_make(const lbs_worker_found_t *found,
                                    apr_pool_t *memory, const char **wrong);

/**
 * Let it make connections, in this process. Before mod_proxy sees it: that
 * would do it from the configuration's memory, which never goes.
 *
 * @return NULL; or why not
 */
const char *lbs_worker_found_ready(proxy_worker *worker,
                                   const server_rec *server,
                                   apr_pool_t *memory);

#endif
