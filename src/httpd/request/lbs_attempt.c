/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_attempt.c - see lbs_attempt.h. */
#include "src/httpd/request/lbs_attempt.h"

#include "src/httpd/proxy/lbs_lent.h"
#include "src/base/lbs_clear.h"
#include "src/httpd/request/lbs_admit.h"
#include "src/httpd/request/lbs_answer.h"
#include "src/httpd/request/lbs_hop_header.h"
#include "src/httpd/request/lbs_learn.h"
#include "src/httpd/request/lbs_verdict.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/httpd/wire/lbs_wire_deaf.h"

/* A connection given back so recently is taken to be alive; a little less
 * than what lbs_wire_out.c trusts. */
#define RECENT apr_time_from_msec(900)

/* A client that takes nothing for so long keeps the member from sending: that
 * the member then breaks off is not its failure. */
#define SLOW apr_time_from_sec(1)

/* Set for mod_proxy_http: open a new connection for this attempt. */
#define FRESH "proxy-initial-not-pooled"

/* Set for mod_proxy_scgi: leave the answer its Content-Length. */
#define LENGTH "ap_trust_cgilike_cl"

static proxy_worker *worker_of(const lbs_request_t *req)
{
    return req->pool->member[req->choice.member]->worker;
}

/* mod_proxy takes the place of the member's error page (ProxyErrorOverride),
 * or a CGI's answer leaves httpd to say the rest: the member has answered all
 * the same. mod_proxy_uwsgi returns what it overrides and nothing else. */
static int is_answered_late(const request_rec *r, const lbs_request_t *req,
                            int status)
{
    const proxy_worker *worker = worker_of(req);

    return apr_table_get(r->notes, "proxy-error-override") != NULL
           || (status >= 400 && req->attempt.backend.headed
               && lbs_worker_is_unwritten(worker))
           || (lbs_worker_speaks(worker, "scgi")
               && (status == HTTP_PRECONDITION_FAILED
                   || lbs_cause_said(status) == LBS_SAID_ANSWER));
}

/* mod_proxy refuses a Transfer-Encoding other than chunked, mod_proxy_uwsgi
 * some paths. It says so like a failure, before anything is sent. */
static int is_rejected(const request_rec *r, const lbs_request_t *req,
                       int status)
{
    const char *coding = apr_table_get(r->headers_in, "Transfer-Encoding");

    return status == HTTP_INTERNAL_SERVER_ERROR && !req->attempt.backend.sent
           && apr_table_get(r->notes, "error-notes") == NULL
           && (lbs_worker_is_unwritten(worker_of(req))
               || (coding != NULL && ap_cstr_casecmp(coding, "chunked") != 0));
}

/* mod_proxy_http2 and mod_proxy_ajp hand an answer on with its first data. Its
 * head is known to be there before, and a head that is not of an interim
 * answer is the answer's begin. */
static int is_headed(const request_rec *r, const lbs_backend_t *seen)
{
    return seen->heads > 0 && !ap_is_HTTP_INFO(r->status);
}

static lbs_facts_t facts_of(const request_rec *r, const lbs_request_t *req,
                            int status)
{
    const lbs_attempt_t *a = &req->attempt;
    const lbs_backend_t *seen = &a->backend;
    const proxy_worker *worker = worker_of(req);
    int ignored;
    lbs_facts_t facts = {
        .said = lbs_cause_said(status),
        /* mod_http2 aborts streams that it was told to reset. */
        .gone = (a->cut ? a->gone : (int)r->connection->aborted) != 0,
        .unread = lbs_body_has_failed(req->body, &ignored) != 0,
        .slow = a->held_up >= SLOW,
        .answered = a->answered != 0,
        .cut = a->cut != 0,
        .discarded = a->discarding != 0,
        .tunnel = a->tunnel || seen->received,
        .limit = seen->over_limit != 0,
        .watched = lbs_worker_is_watched(worker) != 0,
        .seen = seen->seen != 0,
        .fresh = seen->connected || seen->heads > 0,
        .sent = seen->sent != 0,
        .received = seen->received || is_headed(r, seen),
        .lost = seen->lost && !is_headed(r, seen),
        .unshaken = seen->unshaken != 0,
        .mistrusted = seen->refused != 0,
        .abandoned = seen->broken_off != 0,
        .unprocessed = seen->unprocessed != 0,
        .quiet = seen->quiet || APR_STATUS_IS_TIMEUP(seen->told)
                 || apr_table_get(r->notes, "proxy_timedout") != NULL,
        .exhausted = lbs_worker_pool_empty(worker) != 0,
        .rejected = is_rejected(r, req, status) != 0,
    };

    return facts;
}

/* May the attempt use a kept connection, with the part of the body read by
 * now? A body that cannot be read again cannot go to another connection
 * either. */
static int trusts(void *baton)
{
    const lbs_request_t *req = baton;

    return lbs_request_stays_repeatable(req) || !lbs_body_is_kept(req->body);
}

/* From now on the attempt is no sign of a stall, whatever comes of it: a
 * WebSocket may be silent for hours. An interim answer takes that back. */
static void on_first(void *baton, apr_time_t now)
{
    lbs_request_t *req = baton;
    lbs_runtime_t *rt = lbs_runtime();

    req->attempt.first_at = now;
    lbs_atomic_store64_relaxed(
        &req->pool->member[req->choice.member]->gauge->heard_at,
        (apr_uint64_t)req->attempt.first_at);
    lbs_inflight_heard(&rt->rows, &rt->row, &req->attempt.flight);
}

/* The client has sent all of the request: from now on the attempt waits for
 * the member, unless it has answered already. */
static void on_whole(void *baton)
{
    lbs_request_t *req = baton;
    lbs_runtime_t *rt = lbs_runtime();

    req->attempt.whole_at = lbs_clock_now();
    if (req->attempt.first_at == 0 && !req->attempt.answered) {
        lbs_inflight_unheard(&rt->rows, &rt->row, &req->attempt.flight);
    }
}

/* An attempt enters as one that waits for the member. */
static void begin_waiting(lbs_request_t *req)
{
    lbs_runtime_t *rt = lbs_runtime();

    if (lbs_body_is_read(req->body)) {
        req->attempt.whole_at = req->attempt.sent_at;
        return;
    }
    lbs_inflight_heard(&rt->rows, &rt->row, &req->attempt.flight);
    lbs_body_on_read(req->body, on_whole, req);
}

/* Is it useless to wait for the member? It is when the member was ejected, and
 * for the trial afterwards when it has lasted as long as a stall. A member
 * that is disabled, drained, removed or fails its check takes no more
 * requests, but those that wait there already may well be answered. */
static int is_hopeless(const lbs_request_t *req)
{
    apr_uint32_t flags =
        lbs_gauge_flags(req->pool->member[req->choice.member]->gauge);
    apr_uint64_t stall =
        lbs_atomic_load64_relaxed(&req->pool->record->eject.stall_us);

    if (req->attempt.flight.trial) {
        return stall != 0 && req->attempt.whole_at != 0
               && (apr_uint64_t)(lbs_clock_now() - req->attempt.whole_at)
                      >= stall;
    }
    return (flags & (LBS_F_EJECTED | LBS_F_HALF_OPEN)) != 0;
}

/* Requests that wait for such a member go to another one, where they may. */
static int is_out(void *baton)
{
    lbs_request_t *req = baton;

    return is_hopeless(req)
           && lbs_retry_next(req->r, req, LBS_CAUSE_STALL) == OK;
}

/* The client sends its body only after a 100, and mod_proxy waits for the
 * member to say it. With ping= mod_proxy itself asks for a 100. */
static int expects(void *baton)
{
    const lbs_request_t *req = baton;

    return req->r->expecting_100 && !lbs_worker_is_pinged(worker_of(req));
}

static void on_deaf(void *baton)
{
    lbs_body_fill(((const lbs_request_t *)baton)->body, LBS_BODY_LENGTH);
}

/* A handler that writes to a socket by itself is about to write a part of the
 * body. mod_proxy_fcgi waits for what is sent and for what comes at once, and
 * would say the body's end to a member that is gone. */
static void on_part(void *baton)
{
    const lbs_request_t *req = baton;
    apr_socket_t *socket = lbs_lent_opened();

    if (socket != NULL && lbs_wire_deaf(socket)) {
        lbs_body_fill(req->body, lbs_worker_speaks(worker_of(req), "fcgi")
                                     ? LBS_BODY_NOTHING
                                     : LBS_BODY_END);
    }
}

static int restart(void *baton)
{
    const lbs_request_t *req = baton;

    return lbs_body_rewind(req->r, req->body, 1);
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
    lbs_member_t *m = req->pool->member[req->choice.member];

    return req->tries.fresh
           || (!lbs_request_stays_repeatable(req)
               && lbs_clock_now()
                          - (apr_time_t)lbs_atomic_load64_relaxed(
                              used_at(m, busy))
                      > RECENT);
}

static void watch(lbs_request_t *req)
{
    static const lbs_backend_asks_t asks = {
        .trusts = trusts,
        .is_out = is_out,
        .on_first = on_first,
        .expects = expects,
        .on_deaf = on_deaf,
        .restart = restart,
    };
    const proxy_worker *worker = worker_of(req);
    lbs_backend_t *backend = &req->attempt.backend; /* zeroed */

    backend->repeatable = lbs_request_is_repeatable(req);
    backend->secured = lbs_worker_is_tls(worker);
    backend->framed = lbs_worker_is_framed(worker);
    backend->unwritten = lbs_worker_is_unwritten(worker);
    backend->most = lbs_worker_most_line(worker);
    backend->asks = &asks;
    backend->baton = req;
}

/* mod_proxy_ajp counts the bytes of bodies alone: a failure that it reports of
 * a connection came after it had sent. For the head of an answer it makes a
 * new table, by which the head is known to be there. */
static void look_at_ajp(const request_rec *r, lbs_backend_t *seen,
                        const apr_table_t *headers_out)
{
    seen->sent |= seen->told != APR_SUCCESS;
    seen->heads += r->headers_out != headers_out;
}

/* Handlers that use a socket by themselves open it where no filter sees it.
 * mod_proxy's pool of connections tells what they will get, and FRESH means
 * nothing to them. */
static void look_at_socket(const request_rec *r, lbs_request_t *req, int fresh)
{
    proxy_worker *worker = worker_of(req);

    if (!lbs_worker_is_watched(worker) && !lbs_worker_is_unwritten(worker)) {
        req->attempt.backend.seen = 1;
        req->attempt.backend.connected = !lbs_worker_reuses(r, worker, fresh);
    }
}

/* The scheme's handler, under observation. */
static int run_scheme(request_rec *r, lbs_request_t *req,
                      const lbs_route_t *route, char *url)
{
    proxy_worker *worker = worker_of(req);
    apr_off_t sent = lbs_worker_bytes_sent(worker);
    const apr_table_t *headers_out = r->headers_out;
    lbs_backend_t *before;
    lbs_lent_t lent, *lent_before;
    int status;

    req->attempt.proxied = 1;
    req->attempt.forwarding = 1;
    lbs_body_on_part(req->body, lbs_lent_pushes(worker) ? on_part : NULL, req);
    before = lbs_backend_begin(&req->attempt.backend);
    lent_before = lbs_lent_begin(worker, &lent);
    status = lbs_worker_run(r, worker, route->conf, url, route->proxyhost,
                            route->proxyport);
    lbs_lent_end(lent_before);
    lbs_backend_end(before);
    lbs_answer_ends(r, req, status);
    req->attempt.forwarding = 0;
    /* Bytes that other requests sent there meanwhile can only make us
     * cautious. */
    if (!lbs_worker_is_watched(worker) && !req->attempt.backend.unopened
        && lbs_worker_bytes_sent(worker) != sent) {
        req->attempt.backend.sent = 1;
    }
    if (lbs_worker_speaks(worker, "ajp")) {
        look_at_ajp(r, &req->attempt.backend, headers_out);
    }
    return status;
}

/* mod_proxy takes the name for TLS from r->hostname when Host is kept. The
 * member's certificate has the member's name. lbs_answer_answering() puts
 * the visitor's back. */
static void name_member(request_rec *r, lbs_request_t *req)
{
    const proxy_worker *worker = req->pool->member[req->choice.member]->worker;

    if (req->host_kept && lbs_worker_is_tls(worker)) {
        req->attempt.hostname = r->hostname;
        req->attempt.renamed = 1;
        r->hostname = lbs_worker_place(worker).host;
    }
}

/* The end of an SCGI connection is the end of the answer, whoever made it.
 * Only its Content-Length tells that something is missing; lbs_answer.c takes
 * it out again, as mod_proxy_scgi would have. */
static void keep_length(request_rec *r, lbs_request_t *req)
{
    if (lbs_worker_speaks(worker_of(req), "scgi")
        && apr_table_get(r->subprocess_env, LENGTH) == NULL) {
        apr_table_setn(r->subprocess_env, LENGTH, "1");
        req->attempt.trusting = 1;
    }
}

static int run(request_rec *r, lbs_request_t *req, const lbs_route_t *route,
               char *url)
{
    lbs_member_t *m = req->pool->member[req->choice.member];
    apr_uint32_t busy;
    int status, wants, fresh;

    busy = lbs_atomic_add32_relaxed(&m->busy, 1);
    wants = wants_fresh(req, busy);
    /* An administrator may want it for all requests. */
    fresh = wants && apr_table_get(r->subprocess_env, FRESH) == NULL;
    if (fresh) {
        apr_table_setn(r->subprocess_env, FRESH, "1");
    }
    lbs_hop_header_mark(r, req, url);
    lbs_worker_ready(r, m->worker, route->conf);
    /* On a kept-alive connection of the client mod_proxy_http would answer a
     * reset by closing it without a word; it must look new to get a status.
     * lbs_answer_answering() puts the number back before it is counted. */
    req->attempt.keepalives = r->connection->keepalives;
    r->connection->keepalives = 0;
    name_member(r, req);
    keep_length(r, req);
    watch(req);
    look_at_socket(r, req, wants);
    status = run_scheme(r, req, route, url);
    lbs_answer_answering(r, req);
    if (req->attempt.trusting) {
        apr_table_unset(r->subprocess_env, LENGTH);
    }
    if (fresh) {
        apr_table_unset(r->subprocess_env, FRESH);
    }
    busy = lbs_atomic_sub32_relaxed(&m->busy, 1) - 1;
    lbs_atomic_store64_relaxed(used_at(m, busy),
                               (apr_uint64_t)lbs_clock_now());
    return status;
}

static apr_status_t leave(void *baton)
{
    lbs_request_t *req = baton;
    lbs_runtime_t *rt = lbs_runtime();

    lbs_inflight_leave(&rt->rows, &rt->row,
                       req->pool->member[req->choice.member]->gauge,
                       &req->attempt.flight);
    return APR_SUCCESS;
}

/* Where no connection was opened, the part of the body read was not sent. */
static void count_bytes(lbs_request_t *req, lbs_cause_t cause)
{
    if (req->attempt.backend.refused) {
        /* Nothing was sent on this connection, so it was no attempt. */
        req->tries.count--;
        lbs_member_record_unsent(
            req->pool->member[req->choice.member]->record);
    }
    else {
        lbs_verdict_bytes(
            req, cause == LBS_CAUSE_CONNECT ? 0 : lbs_body_bytes(req->body),
            req->attempt.bytes_out);
    }
}

/* A client that hung up gets no answer and no ErrorDocument: the status is for
 * the log. */
static lbs_cause_t not_admitted(request_rec *r, apr_status_t rv, int *status)
{
    *status = HTTP_SERVICE_UNAVAILABLE;
    if (rv == APR_ECONNABORTED) {
        r->status = HTTP_SERVICE_UNAVAILABLE;
        *status = DONE;
        return LBS_CAUSE_CLIENT;
    }
    return rv == APR_EBUSY ? LBS_CAUSE_FULL : LBS_CAUSE_CLOSED;
}

/* mod_proxy has put 200 into the request, so that the ErrorDocument is found;
 * the member's own status is what counts and what is learned from. */
static void answer_overridden(request_rec *r, lbs_request_t *req, int status)
{
    int before = r->status;

    r->status = status >= 100 ? status : before;
    if (lbs_answer_begins(r, req)) {
        lbs_learn_late(r, req);
    }
    r->status = before;
}

/* Judge the attempt by the handler's return. */
static lbs_cause_t conclude(request_rec *r, lbs_request_t *req, int status)
{
    lbs_facts_t facts;
    lbs_cause_t cause;

    if (!req->attempt.answered && !req->attempt.discarding
        && is_answered_late(r, req, status)) {
        answer_overridden(r, req, status);
    }
    /* As a rule it came to its end, and then nothing else matters. */
    if (req->attempt.complete) {
        cause = LBS_CAUSE_NONE;
    }
    else {
        facts = facts_of(r, req, status);
        cause = lbs_cause_find(&facts);
    }
    if (cause == LBS_CAUSE_NONE && !req->attempt.answered
        && status != DECLINED) {
        /* A tunnel, and it is over; or mod_proxy_fcgi has sent httpd's page
         * in place of the member's. */
        lbs_answer_stands(r, req);
    }
    if (cause != LBS_CAUSE_NONE) {
        lbs_verdict_failed(r, req, cause);
    }
    else if (req->attempt.answered) {
        lbs_verdict_sound(req);
    }
    count_bytes(req, cause);
    return cause;
}

/* The status for mod_proxy. Once the client has a part of the answer nothing
 * may be added to it; a fault of the client's body gets its own status. */
static int status_for(const lbs_request_t *req, int status)
{
    int own = status;

    if (req->attempt.passed) {
        return status == SUSPENDED ? status : DONE;
    }
    (void)lbs_body_has_failed(req->body, &own);
    return own;
}

lbs_cause_t lbs_attempt_make(request_rec *r, lbs_request_t *req,
                             const lbs_route_t *route, char *url, int *status)
{
    const lbs_member_t *m = req->pool->member[req->choice.member];
    apr_status_t rv;
    lbs_cause_t cause;

    lbs_clear(&req->attempt, sizeof(req->attempt));
    req->attempt.keepalives = -1;
    req->attempt.error = r->status;
    req->attempt.error_line = r->status_line;
    rv = lbs_admit(r, req);
    if (rv != APR_SUCCESS) {
        return not_admitted(r, rv, status);
    }
    req->tries.count++;
    req->attempt.sent_at = lbs_clock_now();
    lbs_member_record_sent(m->record, (apr_uint64_t)req->attempt.sent_at);
    begin_waiting(req);
    *status = run(r, req, route, url);
    cause = conclude(r, req, *status);
    *status = status_for(req, *status);
    if (*status == SUSPENDED) {
        apr_pool_cleanup_register(r->pool, req, leave, apr_pool_cleanup_null);
    }
    else {
        (void)leave(req);
    }
    return cause;
}
