/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_walk.h - a walk over mod_proxy's balancers, with what is in force for
 * each.
 *
 *     lbs_walk_t walk = lbs_walk_all(ptemp, main_server);
 *
 *     while (lbs_walk_next(&walk)) {
 *         if (walk.set.sticky->on) { ... walk.name ... }
 *     }
 *
 * A pool that virtual hosts inherit from the main server comes up once in
 * each of them, because each may have directives of its own for it.
 */
#ifndef LBS_WALK_H
#define LBS_WALK_H

#include <httpd.h>

#include "src/httpd/config/lbs_settings.h"
#include "src/httpd/proxy/lbs_worker.h"

typedef struct lbs_walk_t {
    /* Where it stands; valid after lbs_walk_next() said 1. */
    server_rec *server; /* server that gets the requests */
    proxy_balancer *balancer;
    const char *name;  /* as lbs_config_pool_name() has it */
    server_rec *owner; /* server that defines the pool: this one, or the main
                          one */
    lbs_settings_t
        set; /* no pointer NULL; sticky->on says if it is governed */

    /* The walk's own. */
    apr_pool_t *pool;
    server_rec *main_server;
    server_rec *next_server;
    server_rec *end;
    proxy_balancer *next_balancer;
    int left; /* balancers of `server` */
} lbs_walk_t;

/** Begin a walk over the pools of all servers. After the configuration was
 * read.
 * @param pool  names are allocated from it */
lbs_walk_t lbs_walk_all(apr_pool_t *pool, server_rec *main_server);

/** The same over those that one server has, its own and the inherited ones. */
lbs_walk_t lbs_walk_server(apr_pool_t *pool, server_rec *s,
                           server_rec *main_server);

/** Go on to the next pool. @return 0: there is none */
int lbs_walk_next(lbs_walk_t *walk);

/** @return 1 when `server` has the pool from the main server */
int lbs_walk_is_inherited(const lbs_walk_t *walk);

#endif
