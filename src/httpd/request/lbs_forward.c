/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_forward.c - see lbs_forward.h. */
#include "src/httpd/request/lbs_forward.h"

#include <apr_strings.h>
#include <http_protocol.h>
#include <http_request.h>

#include "src/httpd/request/lbs_admit.h"
#include "src/httpd/request/lbs_headers.h"
#include "src/httpd/request/lbs_learn.h"
#include "src/httpd/request/lbs_hop_header.h"
#include "src/httpd/request/lbs_retry.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/httpd/request/lbs_verdict.h"

/* Seconds after which a refused client may try again: a queue moves within a
 * second, a member that is down takes some checks to come back. */
#define RETRY_AFTER_FULL "1"
#define RETRY_AFTER_DOWN "5"

/* A connection given back so recently is taken to be alive; a little less
 * than what lbs_backend.c trusts. */
#define RECENT apr_time_from_msec(900)

/* Set for mod_proxy_http: open a new connection for this attempt. */
#define FRESH "proxy-initial-not-pooled"

/* What mod_proxy hands through to the scheme's own handler. */
typedef struct route_t {
    proxy_server_conf *conf;
    const char *proxyhost; /* of ProxyRemote; NULL without */
    apr_port_t proxyport;
    apr_table_t *headers_out; /* as they were before any answer */
} route_t;

static int refused(request_rec *r, lbs_request_t *req, int status)
{
    apr_table_setn(r->err_headers_out, "Retry-After",
                   req->choice.reason == LBS_REASON_FULL ? RETRY_AFTER_FULL
                                                         : RETRY_AFTER_DOWN);
    lbs_request_count(req);
    lbs_request_settle(r, req);
    return status;
}

/* Somebody else
 * ------------------------------------------------------------------- */

static lbs_reason_t reason_for(lbs_cause_t cause)
{
    switch (cause) {
    case LBS_CAUSE_FULL:
        return LBS_REASON_FULL;
    case LBS_CAUSE_CLOSED:
    case LBS_CAUSE_STALL:
        return LBS_REASON_EJECTED;
    default:
        return LBS_REASON_DOWN;
    }
}

/* Choose who is asked after the attempt under way, before what that brought
 * is thrown away: if there is nobody, or the budget is spent, it stands.
 *
 * @return OK: req->next is chosen, the decision is for it; DECLINED: nobody,
 *         all is as it was; else the status of a request nobody can take */
static int find_next(request_rec *r, lbs_request_t *req, lbs_cause_t cause)
{
    const lbs_decision_t decision = req->choice.decision;
    const lbs_reason_t reason = req->choice.reason;
    const int member = req->choice.member;
    const int temporary = req->choice.temporary;
    int status;

    if (!lbs_retry_expected(r, req, cause)) {
        return DECLINED;
    }
    status = lbs_request_decide_again(req, reason_for(cause));
    if (status != OK && lbs_retry_is_unseen(cause)) {
        return status;
    }
    if (status == OK && lbs_retry_take(req, cause)) {
        req->next = req->choice.member;
        req->choice.member = member;
        return OK;
    }
    req->choice.decision = decision;
    req->choice.reason = reason;
    req->choice.member = member;
    req->choice.temporary = temporary;
    return DECLINED;
}

/* One attempt
 * -------------------------------------------------------------------- */

void lbs_forward_answering(request_rec *r, lbs_request_t *req)
{
    if (req->attempt.keepalives >= 0) {
        r->connection->keepalives = req->attempt.keepalives;
        req->attempt.keepalives = -1;
    }
}

int lbs_forward_answered(request_rec *r, lbs_request_t *req)
{
    if (lbs_statuses_has(&req->pool->set.retry->status, r->status)
        && find_next(r, req, LBS_CAUSE_STATUS) == OK) {
        req->attempt.discarding = 1;
        return 0;
    }
    req->attempt.answered = 1;
    lbs_backend_answered(&req->attempt.backend);
    lbs_verdict_answered(r, req);
    lbs_request_count(req);
    lbs_request_settle(r, req);
    return 1;
}

/* An error page of ours takes the place of the member's (ProxyErrorOverride):
 * the member has answered all the same. */
static int is_overridden(const request_rec *r)
{
    return apr_table_get(r->notes, "proxy-error-override") != NULL;
}

/* Nothing was sent, as far as can be told: what goes past httpd's connection
 * filters is only known not to be sent when mod_proxy says so, too. Its 503
 * alone will not do: mod_proxy_fcgi's may come after all was sent. */
static int is_unsent(const lbs_request_t *req, int status)
{
    return !req->attempt.backend.sent
           && (status == HTTP_SERVICE_UNAVAILABLE
               || lbs_worker_is_watched(
                   req->pool->member[req->choice.member].worker));
}

/* Why there is no answer, from what mod_proxy says and what was seen. */
static lbs_cause_t find_cause(const request_rec *r, const lbs_request_t *req,
                              int status)
{
    const lbs_backend_t *seen = &req->attempt.backend;

    if (req->attempt.discarding) {
        return LBS_CAUSE_STATUS;
    }
    if (req->attempt.answered && req->attempt.broken
        && !r->connection->aborted) {
        return LBS_CAUSE_BODY;
    }
    if (req->attempt.answered || status == OK || status == DONE
        || status == DECLINED || status == SUSPENDED) {
        return LBS_CAUSE_NONE;
    }
    if (seen->broken_off) {
        return LBS_CAUSE_STALL;
    }
    /* A connection that could not be opened, but what was read of the body
     * is gone if it was not kept. */
    if (seen->unshaken) {
        return lbs_body_is_kept(req->body) ? LBS_CAUSE_CONNECT
                                           : LBS_CAUSE_RESET;
    }
    /* mod_proxy gives these the status of a bad request or a time-out. */
    if (seen->refused || (seen->lost && !seen->connected)) {
        return LBS_CAUSE_STALE;
    }
    if (r->connection->aborted) {
        return LBS_CAUSE_CLIENT;
    }
    if (seen->lost) {
        return LBS_CAUSE_RESET;
    }
    if (status >= 400 && status < 500) {
        return LBS_CAUSE_CLIENT;
    }
    if (is_unsent(req, status)) {
        return lbs_worker_pool_empty(
                   req->pool->member[req->choice.member].worker)
                   ? LBS_CAUSE_FULL
                   : LBS_CAUSE_CONNECT;
    }
    if (status == HTTP_GATEWAY_TIME_OUT || seen->timed_out
        || apr_table_get(r->notes, "proxy_timedout") != NULL) {
        return LBS_CAUSE_TIMEOUT;
    }
    if (seen->received) {
        return LBS_CAUSE_GARBAGE;
    }
    return seen->seen && !seen->connected ? LBS_CAUSE_STALE : LBS_CAUSE_RESET;
}

/* With what was read of the body by now. What cannot be read again cannot go
 * to another connection either. */
static int trusts(void *baton)
{
    const lbs_request_t *req = baton;

    return lbs_retry_stays_repeatable(req) || !lbs_body_is_kept(req->body);
}

/* From now on the attempt is no sign of a stall, whatever comes of it: a
 * WebSocket may be silent for hours. An interim answer takes that back. */
static void on_first(void *baton)
{
    lbs_request_t *req = baton;
    lbs_runtime_t *rt = lbs_runtime();

    req->attempt.first_at = lbs_runtime_now();
    lbs_atomic_store64_relaxed(
        &req->pool->member[req->choice.member].gauge->heard_at,
        (apr_uint64_t)req->attempt.first_at);
    lbs_inflight_heard(&rt->rows, &rt->row, &req->attempt.flight);
}

/* Is there no use in waiting for the member? Not when it was ejected, nor
 * longer than a stall lasts for the one that tries it out afterwards. One
 * that is disabled, drained, removed or fails its check takes nobody any
 * more, but who waits there already may well get the answer. */
static int is_hopeless(const lbs_request_t *req)
{
    apr_uint32_t flags =
        lbs_gauge_flags(req->pool->member[req->choice.member].gauge);
    apr_uint64_t stall =
        lbs_atomic_load64_relaxed(&req->pool->record->eject.stall_us);

    if (req->attempt.flight.trial) {
        return stall != 0
               && (apr_uint64_t)(lbs_runtime_now() - req->attempt.sent_at)
                      >= stall;
    }
    return (flags & (LBS_F_EJECTED | LBS_F_HALF_OPEN)) != 0;
}

/* Those who wait for such a member are served elsewhere, where they can. */
static int is_out(void *baton)
{
    lbs_request_t *req = baton;

    return is_hopeless(req) && find_next(req->r, req, LBS_CAUSE_STALL) == OK;
}

static lbs_atomic64_t *used_at(lbs_member_t *m, apr_uint32_t busy)
{
    return &m->used_at[busy < LBS_POOLS_DEPTHS ? busy : LBS_POOLS_DEPTHS - 1];
}

/* A request that cannot be repeated goes out on a connection that is new, or
 * was in use a moment ago.
 *
 * @param busy  connections in use without this one
 */
static int wants_fresh(const lbs_request_t *req, apr_uint32_t busy)
{
    lbs_member_t *m = &req->pool->member[req->choice.member];

    return req->fresh
           || (!lbs_retry_stays_repeatable(req)
               && lbs_runtime_now()
                          - (apr_time_t)lbs_atomic_load64_relaxed(
                              used_at(m, busy))
                      > RECENT);
}

/* The scheme's handler, under observation. */
static int run_scheme(request_rec *r, lbs_request_t *req, const route_t *route,
                      char *url)
{
    proxy_worker *worker = req->pool->member[req->choice.member].worker;
    apr_off_t sent = lbs_worker_bytes_sent(worker);
    lbs_backend_t *before;
    int status;

    memset(&req->attempt.backend, 0, sizeof(req->attempt.backend));
    req->attempt.backend.repeatable = lbs_retry_is_repeatable(req);
    req->attempt.backend.framed = lbs_worker_is_framed(worker);
    req->attempt.backend.trusts = trusts;
    req->attempt.backend.is_out = is_out;
    req->attempt.backend.on_first = on_first;
    req->attempt.backend.baton = req;
    req->attempt.forwarding = 1;
    before = lbs_backend_begin(&req->attempt.backend);
    status = lbs_worker_run(r, worker, route->conf, url, route->proxyhost,
                            route->proxyport);
    lbs_backend_end(before);
    req->attempt.forwarding = 0;
    /* What others sent there meanwhile can only make us cautious. */
    if (!lbs_worker_is_watched(worker)
        && lbs_worker_bytes_sent(worker) != sent) {
        req->attempt.backend.sent = 1;
    }
    return status;
}

static int run(request_rec *r, lbs_request_t *req, const route_t *route,
               char *url)
{
    lbs_member_t *m = &req->pool->member[req->choice.member];
    apr_uint32_t busy;
    int status, fresh;

    busy = lbs_atomic_add32_relaxed(&m->busy, 1);
    /* An administrator may want it for all requests. */
    fresh = wants_fresh(req, busy)
            && apr_table_get(r->subprocess_env, FRESH) == NULL;
    if (fresh) {
        apr_table_setn(r->subprocess_env, FRESH, "1");
    }
    lbs_hop_header_mark(r, req, url);
    lbs_worker_ready(r, m->worker, route->conf);
    /* On a kept-alive connection of the client mod_proxy_http would answer a
     * reset by closing it without a word; it must look new to get a status.
     * lbs_forward_answering() puts the number back before it is counted. */
    req->attempt.keepalives = r->connection->keepalives;
    r->connection->keepalives = 0;
    status = run_scheme(r, req, route, url);
    lbs_forward_answering(r, req);
    if (fresh) {
        apr_table_unset(r->subprocess_env, FRESH);
    }
    busy = lbs_atomic_sub32_relaxed(&m->busy, 1) - 1;
    lbs_atomic_store64_relaxed(used_at(m, busy),
                               (apr_uint64_t)lbs_runtime_now());
    return status;
}

static apr_status_t leave(void *baton)
{
    lbs_request_t *req = baton;
    lbs_runtime_t *rt = lbs_runtime();

    lbs_inflight_leave(&rt->rows, &rt->row,
                       req->pool->member[req->choice.member].gauge,
                       &req->attempt.flight);
    return APR_SUCCESS;
}

/* Where no connection was opened, what was read of the body went nowhere. */
static void count_bytes(lbs_request_t *req, lbs_cause_t cause)
{
    if (req->attempt.backend.refused) {
        /* Nothing was sent on this connection, so it was no attempt. */
        req->attempts--;
        lbs_member_record_unsent(req->pool->member[req->choice.member].record);
    }
    else {
        lbs_verdict_bytes(
            req, cause == LBS_CAUSE_CONNECT ? 0 : lbs_body_bytes(req->body),
            req->attempt.bytes_out);
    }
}

static lbs_cause_t attempt(request_rec *r, lbs_request_t *req,
                           const route_t *route, char *url, int *status)
{
    const lbs_member_t *m = &req->pool->member[req->choice.member];
    apr_status_t rv;
    lbs_cause_t cause;

    req->attempt = (lbs_attempt_t){.keepalives = -1};
    rv = lbs_admit(r, req);
    if (rv != APR_SUCCESS) {
        *status = HTTP_SERVICE_UNAVAILABLE;
        return rv == APR_EBUSY ? LBS_CAUSE_FULL : LBS_CAUSE_CLOSED;
    }
    req->attempts++;
    req->attempt.sent_at = lbs_runtime_now();
    lbs_member_record_sent(m->record, (apr_uint64_t)req->attempt.sent_at);
    *status = run(r, req, route, url);
    if (!req->attempt.answered && is_overridden(r)
        && lbs_forward_answered(r, req)) {
        lbs_learn_late(r, req);
    }
    cause = find_cause(r, req, *status);
    if (cause == LBS_CAUSE_NONE && !req->attempt.answered
        && *status != DECLINED) {
        (void)lbs_forward_answered(r, req); /* a tunnel, and it is over */
    }
    if (cause != LBS_CAUSE_NONE) {
        lbs_verdict_failed(r, req, cause);
    }
    else if (req->attempt.answered) {
        lbs_verdict_sound(req);
    }
    if (req->attempt.unmeasured) {
        req->attempt.bytes_out = (apr_uint64_t)r->bytes_sent;
    }
    count_bytes(req, cause);
    if (*status == SUSPENDED) {
        apr_pool_cleanup_register(r->pool, req, leave, apr_pool_cleanup_null);
    }
    else {
        (void)leave(req);
    }
    return cause;
}

/* All attempts
 * --------------------------------------------------------------------- */

/* Take back what an attempt without an answer left in the request. */
static void forget_answer(request_rec *r, lbs_request_t *req,
                          const route_t *route)
{
    static const char *const notes[] = {"error-notes", "verbose-error-to",
                                        "proxy_timedout", "proxy-status",
                                        "proxy-error-override"};
    unsigned i;

    for (i = 0; i < sizeof(notes) / sizeof(notes[0]); i++) {
        apr_table_unset(r->notes, notes[i]);
    }
    r->headers_out = apr_table_copy(r->pool, route->headers_out);
    r->status = HTTP_OK;
    r->status_line = NULL;
    r->content_type = NULL;
    r->content_encoding = NULL;
    req->attempt.discarding = 0;
}

/* Aim the next attempt. @return 1: go on; 0: *status is the answer */
static int go_on(request_rec *r, lbs_request_t *req, const route_t *route,
                 lbs_cause_t cause, char **url, int *status)
{
    int other;

    /* A stale connection says nothing of the member: once more, on a new
     * one. What was refused was not sent, so that is no repetition. */
    if (cause == LBS_CAUSE_STALE && !req->fresh
        && (req->attempt.backend.refused || lbs_retry_is_repeatable(req))) {
        req->fresh = 1;
    }
    else {
        other = req->next != LBS_NO_MEMBER ? OK : find_next(r, req, cause);
        if (other != OK) {
            *status = other == DECLINED ? *status : refused(r, req, other);
            return 0;
        }
        req->choice.member = req->next;
        req->next = LBS_NO_MEMBER;
        req->fresh = 0;
    }
    if (req->attempt.backend.sent || cause == LBS_CAUSE_STALE) {
        lbs_body_rewind(r, req->body);
    }
    forget_answer(r, req, route);
    *status = lbs_worker_aim(r, req->pool->member[req->choice.member].worker,
                             req->from, url);
    return *status == OK;
}

static int send_along(request_rec *r, lbs_request_t *req, const route_t *route,
                      char *url)
{
    lbs_cause_t cause;
    int status;

    do {
        cause = attempt(r, req, route, url, &status);
    } while (cause != LBS_CAUSE_NONE
             && go_on(r, req, route, cause, &url, &status));
    if (cause == LBS_CAUSE_TIMEOUT
        && (status == HTTP_BAD_GATEWAY
            || status == HTTP_SERVICE_UNAVAILABLE)) {
        status = HTTP_GATEWAY_TIME_OUT;
    }
    return status;
}

/* Where a member's name is not found mod_proxy's page would show it. */
static void hide_member(request_rec *r, const lbs_request_t *req)
{
    const char *text = apr_table_get(r->notes, "error-notes");

    if (text != NULL && req->choice.member != LBS_NO_MEMBER
        && strstr(text, lbs_worker_place(
                            req->pool->member[req->choice.member].worker)
                            .host)
               != NULL) {
        apr_table_unset(r->notes, "error-notes");
    }
}

/* A request that LBStickyLocal serves may still be sent to somebody else, by
 * a RewriteRule with [P] in its <Directory>. */
static int is_for(const lbs_request_t *req, const proxy_worker *worker)
{
    return req->choice.member != LBS_NO_MEMBER
           && req->pool->member[req->choice.member].worker == worker;
}

/* Instead of the scheme's own handler, which lbs_worker_run() reaches. */
static int scheme_handler(request_rec *r, proxy_worker *worker,
                          proxy_server_conf *conf, char *url,
                          const char *proxyhost, apr_port_t proxyport)
{
    lbs_request_t *req = lbs_request_of(r);
    route_t route = {conf, proxyhost, proxyport, NULL};
    lbs_headers_t saved;
    int status;

    if (req == NULL || req->attempt.forwarding || !is_for(req, worker)) {
        return DECLINED;
    }
    lbs_budget_request(&req->pool->record->budget,
                       (apr_uint64_t)lbs_runtime_now());
    route.headers_out = apr_table_copy(r->pool, r->headers_out);
    req->body = lbs_body_attach(
        r, req->pool->set.retry->on ? req->pool->set.retry->body : 0);
    lbs_learn_attach(r);
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
 * was closed meanwhile and maxattempts= is written: all was tried by then. */
static int pre_request(proxy_worker **worker, proxy_balancer **balancer,
                       request_rec *r, proxy_server_conf *conf, char **url)
{
    lbs_pool_t *pool = lbs_pools_of_url(r->server, *url);
    lbs_request_t *req;

    (void)conf;
    if (pool == NULL) {
        return DECLINED;
    }
    req = lbs_request_of(r);
    if (req != NULL && req->pool == pool && req->attempts > 0) {
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
    *balancer = pool->balancer;
    *worker = pool->member[req->choice.member].worker;
    return lbs_worker_aim(r, *worker, req->from, url);
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
