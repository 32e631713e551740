/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_forward.c - see lbs_forward.h. */
#include "src/httpd/request/lbs_forward.h"

#include <apr_strings.h>

#include "src/httpd/pool/lbs_present.h"
#include "src/httpd/proxy/lbs_remote.h"
#include "src/httpd/request/lbs_answer.h"
#include "src/httpd/request/lbs_attempt.h"
#include "src/httpd/request/lbs_headers.h"
#include "src/httpd/request/lbs_in_use.h"
#include "src/httpd/request/lbs_retry.h"
#include "src/httpd/request/lbs_verdict.h"
#include "src/httpd/shared/lbs_clock.h"

/* Seconds after which a refused client may try again: a queue moves within a
 * second, a member that is down takes some checks to come back. */
#define RETRY_AFTER_FULL "1"
#define RETRY_AFTER_DOWN "5"

static int refused(request_rec *r, lbs_request_t *req, int status)
{
    apr_table_setn(r->err_headers_out, "Retry-After",
                   req->choice.reason == LBS_REASON_FULL ? RETRY_AFTER_FULL
                                                         : RETRY_AFTER_DOWN);
    lbs_request_count(req);
    lbs_request_settle(r, req);
    return status;
}

static apr_table_t *keep(request_rec *r, const apr_table_t *headers)
{
    return apr_is_empty_table(headers) ? NULL
                                       : apr_table_copy(r->pool, headers);
}

static apr_table_t *put_back(request_rec *r, const apr_table_t *kept)
{
    return kept != NULL ? apr_table_copy(r->pool, kept)
                        : apr_table_make(r->pool, 5);
}

/* Take back what an attempt without an answer left in the request. */
static void forget_answer(request_rec *r, lbs_request_t *req,
                          const lbs_route_t *route)
{
    static const char *const notes[] = {
        "error-notes",  "verbose-error-to",     "proxy_timedout",
        "proxy-status", "proxy-error-override", "proxy-100-continue"};
    unsigned i;

    for (i = 0; i < sizeof(notes) / sizeof(notes[0]); i++) {
        apr_table_unset(r->notes, notes[i]);
    }
    r->headers_out = put_back(r, route->headers_out);
    /* There are the fields of a CGI and its kin. */
    r->err_headers_out = put_back(r, route->err_headers_out);
    r->status = route->status;
    r->status_line = route->status_line;
    r->content_type = NULL;
    r->content_encoding = NULL;
    /* The end of what was thrown away was not the end of the answer. */
    for (; r != NULL; r = r->prev) {
        r->eos_sent = 0;
    }
    req->attempt.discarding = 0;
}

/* mod_proxy has looked up ProxyRemote and its credentials for the first
 * member. The next one may be behind another proxy, or behind none. */
static void take_remote(request_rec *r, lbs_route_t *route, const char *url)
{
    lbs_remote_t remote = lbs_remote_find(r, url);

    route->proxyhost = remote.host;
    route->proxyport = remote.port;
    if (remote.creds != NULL) {
        apr_table_setn(r->notes, "proxy-basic-creds", remote.creds);
    }
    else {
        apr_table_unset(r->notes, "proxy-basic-creds");
    }
}

static int aim(request_rec *r, const lbs_request_t *req, char **url)
{
    const lbs_member_t *m = req->pool->member[req->choice.member];

    return lbs_worker_aim(r, m->worker, m->plain, req->from, url);
}

/* Aim the next attempt. @return 1: go on; 0: *status is the answer */
static int go_on(request_rec *r, lbs_request_t *req, lbs_route_t *route,
                 lbs_cause_t cause, char **url, int *status)
{
    int other;

    /* A stale connection says nothing of the member: once more, on a new one.
     * A request on a refused connection was not sent, so that is no
     * repetition. */
    if (cause == LBS_CAUSE_STALE && !req->tries.fresh
        && (req->attempt.backend.refused || lbs_request_is_repeatable(req))
        && lbs_body_can_rewind(r, req->body, 1)) {
        req->tries.fresh = 1;
    }
    else {
        other = req->tries.next != LBS_NO_MEMBER
                    ? OK
                    : lbs_retry_next(r, req, cause);
        if (other != OK) {
            *status = other == DECLINED ? *status : refused(r, req, other);
            return 0;
        }
        req->choice.member = req->tries.next;
        req->tries.next = LBS_NO_MEMBER;
        req->tries.fresh = 0;
    }
    if (!lbs_body_rewind(r, req->body, lbs_retry_is_spent(req, cause))) {
        return 0;
    }
    forget_answer(r, req, route);
    lbs_headers_again(r, req, route->saved);
    *status = aim(r, req, url);
    if (*status != OK) {
        return 0;
    }
    take_remote(r, route, *url);
    return 1;
}

static int send_along(request_rec *r, lbs_request_t *req, lbs_route_t *route,
                      char *url)
{
    lbs_cause_t cause;
    int status;

    do {
        cause = lbs_attempt_make(r, req, route, url, &status);
    } while (cause != LBS_CAUSE_NONE
             && go_on(r, req, route, cause, &url, &status));
    lbs_verdict_close(req,
                      cause == LBS_CAUSE_NONE || cause == LBS_CAUSE_STATUS);
    if ((cause == LBS_CAUSE_TIMEOUT || cause == LBS_CAUSE_QUIET)
        && (status == HTTP_BAD_GATEWAY || status == HTTP_SERVICE_UNAVAILABLE
            || status == HTTP_INTERNAL_SERVER_ERROR)) {
        status = HTTP_GATEWAY_TIME_OUT;
    }
    return status;
}

/* Of a member whose name has no address mod_proxy's page would show the name.
 */
static void hide_member(request_rec *r, const lbs_request_t *req)
{
    const char *text = apr_table_get(r->notes, "error-notes");

    if (text != NULL && req->choice.member != LBS_NO_MEMBER
        && strstr(text, lbs_worker_place(
                            req->pool->member[req->choice.member]->worker)
                            .host)
               != NULL) {
        apr_table_unset(r->notes, "error-notes");
    }
}

/* A request that LBStickyLocal serves may still be sent to another server, by
 * a RewriteRule with [P] in its <Directory>. */
static int is_for(const lbs_request_t *req, const proxy_worker *worker)
{
    return req->choice.member != LBS_NO_MEMBER
           && req->pool->member[req->choice.member]->worker == worker;
}

/* Runs in place of the scheme's own handler, which lbs_worker_run() calls. */
static int scheme_handler(request_rec *r, proxy_worker *worker,
                          proxy_server_conf *conf, char *url,
                          const char *proxyhost, apr_port_t proxyport)
{
    lbs_request_t *req = lbs_request_of(r);
    lbs_headers_t saved;
    lbs_route_t route = {.conf = conf,
                         .proxyhost = proxyhost,
                         .proxyport = proxyport,
                         .status = r->status,
                         .status_line = r->status_line,
                         .saved = &saved};
    int status;

    if (req == NULL || req->attempt.forwarding || !is_for(req, worker)) {
        return DECLINED;
    }
    lbs_budget_request(&req->pool->record->budget,
                       (apr_uint64_t)req->decided_at);
    route.headers_out = keep(r, r->headers_out);
    route.err_headers_out = keep(r, r->err_headers_out);
    req->body = lbs_body_attach(
        r, req->pool->set.retry->on ? req->pool->set.retry->body : 0);
    lbs_answer_attach(r);
    lbs_request_settle(r, req);
    saved = lbs_headers_forward(r, req);
    status = send_along(r, req, &route, url);
    lbs_headers_restore(r, &saved);
    lbs_body_detach(req->body);
    hide_member(r, req);
    lbs_request_count(req);
    lbs_request_settle(r, req);
    return status;
}

/* mod_proxy wants a member for this URL. It asks a second time when the first
 * member was closed meanwhile and maxattempts= is written; by then all members
 * were tried. */
static int pre_request(proxy_worker **worker, proxy_balancer **balancer,
                       request_rec *r, proxy_server_conf *conf, char **url)
{
    lbs_pool_t *pool = lbs_present_pool(r, lbs_pools_of_url(r->server, *url));
    lbs_request_t *req;

    (void)conf;
    if (pool == NULL) {
        return DECLINED;
    }
    req = lbs_request_of(r);
    if (req != NULL && req->pool == pool && req->tries.count > 0) {
        return refused(r, req, HTTP_SERVICE_UNAVAILABLE);
    }
    req = lbs_request_decided(r, pool, *url);
    if (req == NULL) {
        req = lbs_request_begin(r, pool, *url);
        (void)lbs_request_decide(req);
    }
    if (req->choice.decision == LBS_DECISION_REFUSED) {
        return refused(r, req, HTTP_SERVICE_UNAVAILABLE);
    }
    lbs_in_use_begin(req);
    *balancer = pool->balancer;
    *worker = pool->member[req->choice.member]->worker;
    return aim(r, req, url);
}

/* mod_proxy_balancer would count and judge by the status: not here. */
static int post_request(proxy_worker *worker, proxy_balancer *balancer,
                        request_rec *r, proxy_server_conf *conf)
{
    const lbs_request_t *req = lbs_request_of(r);

    (void)worker;
    (void)conf;
    return req != NULL && req->pool->balancer == balancer ? OK : DECLINED;
}

const lbs_worker_hooks_t lbs_forward_hooks = {
    pre_request,
    post_request,
    scheme_handler,
};
