/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_walk.c - see lbs_walk.h. */
#include "src/httpd/config/lbs_walk.h"

#include "src/httpd/config/lbs_config.h"

static lbs_walk_t begin(apr_pool_t *pool, server_rec *first, server_rec *end,
                        server_rec *main_server)
{
    lbs_walk_t walk = {0};

    walk.pool = pool;
    walk.main_server = main_server;
    walk.next_server = first;
    walk.end = end;
    return walk;
}

lbs_walk_t lbs_walk_all(apr_pool_t *pool, server_rec *main_server)
{
    return begin(pool, main_server, NULL, main_server);
}

lbs_walk_t lbs_walk_server(apr_pool_t *pool, server_rec *s,
                           server_rec *main_server)
{
    return begin(pool, s, s->next, main_server);
}

int lbs_walk_is_inherited(const lbs_walk_t *walk)
{
    return walk->owner != walk->server;
}

/* @return 0: there is no balancer left in any server */
static int step(lbs_walk_t *walk)
{
    while (walk->left == 0) {
        if (walk->next_server == walk->end) {
            return 0;
        }
        walk->server = walk->next_server;
        walk->next_server = walk->server->next;
        walk->left = lbs_worker_pools(walk->server, &walk->next_balancer);
    }
    walk->left--;
    walk->balancer = walk->next_balancer++;
    return 1;
}

int lbs_walk_next(lbs_walk_t *walk)
{
    while (step(walk)) {
        walk->name = lbs_config_pool_name(walk->pool,
                                          lbs_worker_pool_url(walk->balancer));
        if (walk->name == NULL) {
            continue;
        }
        walk->owner =
            lbs_worker_is_inherited(walk->balancer, walk->main_server)
                ? walk->main_server
                : walk->server;
        lbs_config_resolve(&walk->set, walk->server, walk->name,
                           lbs_walk_is_inherited(walk));
        return 1;
    }
    return 0;
}
