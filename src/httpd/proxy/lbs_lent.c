/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_lent.c - see lbs_lent.h. */
#include "src/httpd/proxy/lbs_lent.h"

#include <apr_reslist.h>

#include "src/httpd/proxy/lbs_worker.h"

/* An idle connection is too old for the list in front when it is given back;
 * to some versions of APR 0 means that none ever is. */
#define SHORTEST 1 /* microseconds */

static __thread lbs_lent_t *lent_here;

int lbs_lent_pushes(const proxy_worker *worker)
{
    return lbs_worker_speaks(worker, "fcgi")
           || lbs_worker_speaks(worker, "scgi")
           || lbs_worker_speaks(worker, "uwsgi");
}

static void note(const proxy_conn_rec *conn)
{
    if (lent_here != NULL) {
        lent_here->conn = conn;
        lent_here->kept = conn != NULL && conn->sock != NULL;
    }
}

static apr_status_t take(void **resource, void *real, apr_pool_t *pool)
{
    apr_status_t rv = apr_reslist_acquire(real, resource);

    (void)pool;
    if (rv == APR_SUCCESS) {
        note(*resource);
    }
    return rv;
}

static apr_status_t give_back(void *resource, void *real, apr_pool_t *pool)
{
    (void)pool;
    return apr_reslist_release(real, resource);
}

void lbs_lent_watch(proxy_worker *worker)
{
    proxy_conn_pool *cp = worker->cp;
    apr_reslist_t *front;

    if (cp == NULL || cp->res == NULL || worker->s->hmax <= 0
        || apr_reslist_create(&front, 0, 0, worker->s->hmax, SHORTEST, take,
                              give_back, cp->res, cp->pool)
               != APR_SUCCESS) {
        return;
    }
    if (worker->s->acquire_set) {
        apr_reslist_timeout_set(front, worker->s->acquire);
    }
    cp->res = front;
}

lbs_lent_t *lbs_lent_begin(const proxy_worker *worker, lbs_lent_t *lent)
{
    lbs_lent_t *before = lent_here;

    *lent = (lbs_lent_t){.conn = NULL};
    lent_here = lent;
    if (worker->cp != NULL && worker->cp->res == NULL) {
        note(worker->cp->conn);
    }
    return before;
}

void lbs_lent_end(lbs_lent_t *before)
{
    lent_here = before;
}

apr_socket_t *lbs_lent_opened(void)
{
    if (lent_here == NULL || lent_here->conn == NULL || lent_here->kept) {
        return NULL;
    }
    return lent_here->conn->sock;
}
