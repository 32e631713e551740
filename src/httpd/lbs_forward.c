/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_forward.c - see lbs_forward.h. */
#include "src/httpd/lbs_forward.h"

#include <apr_strings.h>
#include <http_protocol.h>
#include <http_request.h>

#include "src/httpd/lbs_config.h"
#include "src/httpd/lbs_decide.h"
#include "src/httpd/lbs_headers.h"
#include "src/httpd/lbs_learn.h"
#include "src/httpd/lbs_runtime.h"
#include "src/member/lbs_ewma.h"

/* Seconds after which a refused client may try again: a queue moves within a
 * second, a member that is down takes some checks to come back. */
#define RETRY_AFTER_FULL "1"
#define RETRY_AFTER_DOWN "5"

/* How one attempt ended. */
typedef enum outcome_t {
    OUTCOME_DONE,    /* answered, or failed for good: the status stands */
    OUTCOME_NOT_SENT /* the member never saw it: another may have it */
} outcome_t;

/* What mod_proxy hands through to the scheme's own handler. */
typedef struct route_t {
    proxy_server_conf *conf;
    const char *proxyhost; /* of ProxyRemote; NULL without */
    apr_port_t proxyport;
} route_t;

static int refused(request_rec *r, lbs_request_t *req, int status)
{
    apr_table_setn(r->err_headers_out, "Retry-After",
                   req->reason == LBS_REASON_FULL ? RETRY_AFTER_FULL
                                                  : RETRY_AFTER_DOWN);
    lbs_request_settle(r, req);
    return status;
}

/* One attempt
 * -------------------------------------------------------------------- */

void lbs_forward_answered(request_rec *r, lbs_request_t *req)
{
    lbs_runtime_t *rt = lbs_runtime();
    const lbs_hmember_t *m = &req->pool->member[req->member];

    (void)r;
    req->answered = 1;
    req->answered_at = lbs_runtime_now();
    lbs_row_heard(&rt->rows, &rt->row, &req->flight);
    lbs_ewma_update(m->gauge, (apr_uint64_t)(req->answered_at - req->sent_at),
                    (apr_uint64_t)req->answered_at);
}

/* A fast failure must not look like a fast member. */
static void failed(const lbs_hmember_t *m, apr_time_t now)
{
    lbs_ewma_update(m->gauge, LBS_EWMA_FAILURE_US, (apr_uint64_t)now);
}

/* Judge an attempt that brought no answer. */
static outcome_t judge(request_rec *r, lbs_request_t *req,
                       const lbs_hmember_t *m, int status)
{
    apr_time_t now = lbs_runtime_now();

    if (r->connection->aborted) {
        return OUTCOME_DONE; /* the client is gone: nobody's failure */
    }
    switch (status) {
    case HTTP_SERVICE_UNAVAILABLE:
        if (!lbs_worker_pool_empty(m->worker)) {
            failed(m, now);
            req->why = LBS_REASON_DOWN;
        }
        else {
            req->why = LBS_REASON_FULL;
        }
        return OUTCOME_NOT_SENT;
    case HTTP_GATEWAY_TIME_OUT:
        failed(m, now);
        return OUTCOME_DONE;
    case HTTP_BAD_GATEWAY:
    case HTTP_INTERNAL_SERVER_ERROR:
        failed(m, now);
        return OUTCOME_DONE;
    default:
        return OUTCOME_DONE;
    }
}

static apr_status_t leave(void *baton)
{
    lbs_request_t *req = baton;
    lbs_runtime_t *rt = lbs_runtime();

    lbs_row_leave(&rt->rows, &rt->row, req->pool->member[req->member].gauge,
                  &req->flight);
    return APR_SUCCESS;
}

/* An error page of ours takes the place of the member's (ProxyErrorOverride):
 * the member has answered all the same. */
static int is_overridden(const request_rec *r)
{
    return apr_table_get(r->notes, "proxy-error-override") != NULL;
}

static outcome_t attempt(request_rec *r, lbs_request_t *req,
                         const route_t *route, char *url, int *status)
{
    lbs_runtime_t *rt = lbs_runtime();
    const lbs_hmember_t *m = &req->pool->member[req->member];
    outcome_t outcome = OUTCOME_DONE;

    if (lbs_row_enter(&rt->rows, &rt->row, m->slot, m->gauge, &req->flight)
        != APR_SUCCESS) {
        req->why =
            lbs_gauge_full(m->gauge) ? LBS_REASON_FULL : LBS_REASON_EJECTED;
        *status = HTTP_SERVICE_UNAVAILABLE;
        return OUTCOME_NOT_SENT;
    }
    req->attempts++;
    req->sent_at = lbs_runtime_now();
    lbs_worker_ready(r, m->worker, route->conf);
    req->forwarding = 1;
    *status = lbs_worker_run(r, m->worker, route->conf, url, route->proxyhost,
                             route->proxyport);
    req->forwarding = 0;
    if (!req->answered && is_overridden(r)) {
        lbs_forward_answered(r, req);
        lbs_learn_late(r, req);
    }
    if (!req->answered && *status != OK && *status != SUSPENDED) {
        outcome = judge(r, req, m, *status);
    }
    if (*status == SUSPENDED) {
        apr_pool_cleanup_register(r->pool, req, leave, apr_pool_cleanup_null);
    }
    else {
        (void)leave(req);
    }
    return outcome;
}

/* All attempts
 * --------------------------------------------------------------------- */

static int send_along(request_rec *r, lbs_request_t *req, const route_t *route,
                      char *url)
{
    int status;

    while (attempt(r, req, route, url, &status) == OUTCOME_NOT_SENT) {
        status = lbs_decide_again(r, req, req->why);
        if (status != OK) {
            return refused(r, req, status);
        }
        status = lbs_worker_aim(r, req->pool->member[req->member].worker,
                                req->from, &url);
        if (status != OK) {
            break;
        }
    }
    return status;
}

/* Instead of the scheme's own handler, which lbs_worker_run() reaches. */
static int scheme_handler(request_rec *r, proxy_worker *worker,
                          proxy_server_conf *conf, char *url,
                          const char *proxyhost, apr_port_t proxyport)
{
    lbs_request_t *req = lbs_request_of(r);
    route_t route = {conf, proxyhost, proxyport};
    lbs_headers_t saved;
    int status;

    (void)worker;
    if (req == NULL || req->forwarding) {
        return DECLINED;
    }
    lbs_learn_attach(r);
    lbs_request_settle(r, req);
    saved = lbs_headers_forward(r, req);
    status = send_along(r, req, &route, url);
    lbs_headers_restore(r, &saved);
    lbs_request_settle(r, req);
    return status;
}

/* mod_proxy wants a member for this URL. */
static int pre_request(proxy_worker **worker, proxy_balancer **balancer,
                       request_rec *r, proxy_server_conf *conf, char **url)
{
    const char *name = lbs_config_pool_name(r->pool, *url);
    lbs_hpool_t *pool = name != NULL ? lbs_pools_find(r->server, name) : NULL;
    lbs_request_t *req;
    int status;

    (void)conf;
    if (pool == NULL) {
        return DECLINED;
    }
    req = lbs_request_begin(r, pool, *url);
    status = lbs_decide(r, req);
    if (status != OK) {
        return refused(r, req, status);
    }
    *balancer = pool->balancer;
    *worker = pool->member[req->member].worker;
    return lbs_worker_aim(r, *worker, req->from, url);
}

/* mod_proxy_balancer would count and judge by the status: not here. */
static int post_request(proxy_worker *worker, proxy_balancer *balancer,
                        request_rec *r, proxy_server_conf *conf)
{
    (void)worker;
    (void)balancer;
    (void)conf;
    return lbs_request_of(r) != NULL ? OK : DECLINED;
}

const lbs_worker_hooks_t lbs_forward_hooks = {
    pre_request,
    post_request,
    scheme_handler,
};
