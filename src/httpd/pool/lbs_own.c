/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_own.c - see lbs_own.h. */
#include "src/httpd/pool/lbs_own.h"

#include <apr_strings.h>
#include <string.h>

#include "src/httpd/config/lbs_config.h"
#include "src/httpd/config/lbs_here.h"
#include "src/httpd/proxy/lbs_log.h"
#include "src/httpd/pool/lbs_pools.h"
#include "src/httpd/config/lbs_walk.h"

static int has_retry_status(const lbs_pool_t *pool)
{
    static const lbs_statuses_t none;
    const lbs_set_retry_t *retry = pool->set.retry;

    return retry->on && memcmp(&retry->status, &none, sizeof(none)) != 0;
}

void lbs_own_find(apr_pool_t *ptemp)
{
    const apr_array_header_t *all = lbs_pools_all();
    int i;

    for (i = 0; i < all->nelts; i++) {
        lbs_pool_t *pool = APR_ARRAY_IDX(all, i, lbs_pool_t *);
        int own = 0;
        apr_size_t k;

        for (k = 0; pool->set.local->self && k < pool->configured; k++) {
            lbs_member_t *m = pool->member[k];

            m->own = lbs_here_find(ptemp, m->name) == LBS_HERE_HTTPD;
            own |= m->own;
        }
        /* An expression may read the result of mapping, and an answer that may
         * be repeated elsewhere must come over a connection. */
        pool->own_early =
            own && !lbs_settings_has_source(pool->set.sticky, LBS_SOURCE_EXPR)
            && !has_retry_status(pool);
    }
}

/* Checks ------------------------------------------------------------------ */

/* Where the members of all pools with `self` are. */
typedef struct found_t {
    int httpd;         /* one is this httpd */
    const char *here;  /* one is this machine, and this httpd does not listen
                          there */
    const char *pool;  /* server of that member */
    const char *where; /* its LBStickyLocal */
    const server_rec *server;
} found_t;

static void look_at_members(apr_pool_t *ptemp, const lbs_walk_t *walk,
                            found_t *found)
{
    int n = lbs_worker_count(walk->balancer);
    int i;

    for (i = 0; i < n; i++) {
        const char *url = lbs_worker_name(lbs_worker_at(walk->balancer, i));
        lbs_here_t where = lbs_here_find(ptemp, url);

        found->httpd |= where == LBS_HERE_HTTPD;
        if (where == LBS_HERE_MACHINE && found->here == NULL) {
            found->here = url;
            found->pool = walk->name;
            found->where = walk->set.local->where;
            found->server = walk->server;
        }
    }
}

/* A member that is here, while a member of some pool is this httpd, is
 * another program on this machine; where none is this httpd, a Listen is
 * missing. */
static int check_found(const found_t *found)
{
    if (found->httpd || found->here == NULL) {
        return OK;
    }
    ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, 0, found->server,
                 LBSNO(2200) "LBStickyLocal on %s: \"self\": member %s of "
                             "pool %s is this machine, but this httpd does "
                             "not listen there; wanted Listen with that "
                             "address and port, or no self if another program "
                             "serves it",
                 found->where, found->here, found->pool);
    return HTTP_INTERNAL_SERVER_ERROR;
}

static int check_secret(const lbs_walk_t *walk, const server_rec *main_server)
{
    if (lbs_config_of(main_server)->main->secret_source == LBS_SECRET_GIVEN) {
        return OK;
    }
    ap_log_error(
        APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, 0, walk->server,
        LBSNO(2201) "LBStickyLocal on %s: \"self\": wanted a secret that "
                    "all servers of the pool share; write "
                    "LBStickySecret file:/etc/apache2/lbsticky.secret "
                    "with the same file on each of them",
        walk->set.local->where);
    return HTTP_INTERNAL_SERVER_ERROR;
}

int lbs_own_check(apr_pool_t *ptemp, server_rec *main_server)
{
    lbs_walk_t walk = lbs_walk_all(ptemp, main_server);
    found_t found = {0};
    int status = OK;

    while (status == OK && lbs_walk_next(&walk)) {
        if (walk.set.sticky->on && walk.set.local->self) {
            status = check_secret(&walk, main_server);
            look_at_members(ptemp, &walk, &found);
        }
    }
    return status == OK ? check_found(&found) : status;
}
