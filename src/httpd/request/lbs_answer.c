/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_answer.c - see lbs_answer.h. */
#include "src/httpd/request/lbs_answer.h"

#include <apr_strings.h>
#include <http_protocol.h>
#include <util_filter.h>

#include "src/httpd/decide/lbs_fields.h"
#include "src/httpd/request/lbs_circle.h"
#include "src/httpd/request/lbs_cookie_out.h"
#include "src/httpd/request/lbs_learn.h"
#include "src/httpd/request/lbs_retry.h"
#include "src/httpd/request/lbs_reverse.h"
#include "src/httpd/request/lbs_upgrade.h"
#include "src/httpd/request/lbs_verdict.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/httpd/wire/lbs_wire_in.h"

/* Bytes of an answer after which the member counts as having answered; as many
 * are read of an answer that is thrown away. */
#define SOUND 65536

static ap_filter_rec_t *answer_filter;

void lbs_answer_answering(request_rec *r, lbs_request_t *req)
{
    if (req->attempt.keepalives >= 0) {
        r->connection->keepalives = req->attempt.keepalives;
        req->attempt.keepalives = -1;
    }
    if (req->attempt.renamed) {
        r->hostname = req->attempt.hostname;
        req->attempt.renamed = 0;
    }
}

/* The length of the body that the head announces. */
static apr_uint64_t announced_by(const request_rec *r)
{
    const char *text = apr_table_get(r->headers_out, "Content-Length");
    apr_off_t length;
    char *end;

    if (text == NULL || r->header_only || r->status == HTTP_NO_CONTENT
        || r->status == HTTP_NOT_MODIFIED
        || apr_strtoff(&length, text, &end, 10) != APR_SUCCESS || *end != '\0'
        || length < 0) {
        return APR_UINT64_MAX;
    }
    return (apr_uint64_t)length;
}

/* A member that was ejected for its 5xx gives one more, to the request that
 * tries it out. The visitor of that request need not see it. */
static int is_failed_trial(const request_rec *r, const lbs_request_t *req)
{
    const lbs_member_t *m = req->pool->member[req->choice.member];

    return req->attempt.flight.trial && !req->local.here
           && ap_is_HTTP_SERVER_ERROR(r->status)
           && lbs_evidence_accused(&m->record->eject.evidence);
}

int lbs_answer_begins(request_rec *r, lbs_request_t *req)
{
    if ((lbs_statuses_has(&req->pool->set.retry->status, r->status)
         || is_failed_trial(r, req))
        && lbs_retry_next(r, req, LBS_CAUSE_STATUS) == OK) {
        req->attempt.status = r->status;
        req->attempt.discarding = 1;
        return 0;
    }
    lbs_answer_stands(r, req);
    return 1;
}

void lbs_answer_stands(request_rec *r, lbs_request_t *req)
{
    req->attempt.status = r->status;
    req->attempt.answered = 1;
    /* HTTP's handlers compare length and head themselves. */
    req->attempt.announced =
        lbs_worker_is_watched(req->pool->member[req->choice.member]->worker)
            ? APR_UINT64_MAX
            : announced_by(r);
    if (req->attempt.trusting) {
        apr_table_unset(r->headers_out, "Content-Length");
    }
    lbs_answer_answering(r, req);
    lbs_fields_take(r, req->pool, req->choice.member, &req->control);
    lbs_reverse_map(r, req);
    lbs_backend_answered(&req->attempt.backend);
    lbs_verdict_answered(r, req);
    lbs_circle_look(r, req);
    lbs_upgrade_look(r, req);
    lbs_request_count(req);
    lbs_request_settle(r, req);
}

int lbs_answer_status(const request_rec *r, const lbs_request_t *req)
{
    return ap_is_HTTP_ERROR(r->status) && r->status == req->attempt.error
                   && r->status_line == req->attempt.error_line
               ? HTTP_OK
               : r->status;
}

/* The member is judged by its own status. */
static void begin(request_rec *r, lbs_request_t *req)
{
    int shown = r->status;

    r->status = lbs_answer_status(r, req);
    (void)lbs_answer_begins(r, req);
    r->status = shown;
}

/* What may come in ---------------------------------------------------------
 */

static apr_bucket *find_error(apr_bucket_brigade *bb)
{
    apr_bucket *e;

    for (e = APR_BRIGADE_FIRST(bb); e != APR_BRIGADE_SENTINEL(bb);
         e = APR_BUCKET_NEXT(e)) {
        if (AP_BUCKET_IS_EOC(e) || AP_BUCKET_IS_ERROR(e)) {
            return e;
        }
    }
    return NULL;
}

static int has_flush(const apr_bucket_brigade *bb)
{
    apr_bucket *e;

    for (e = APR_BRIGADE_FIRST(bb); e != APR_BRIGADE_SENTINEL(bb);
         e = APR_BUCKET_NEXT(e)) {
        if (APR_BUCKET_IS_FLUSH(e)) {
            return 1;
        }
    }
    return 0;
}

static int has_end(const apr_bucket_brigade *bb)
{
    return !APR_BRIGADE_EMPTY(bb) && APR_BUCKET_IS_EOS(APR_BRIGADE_LAST(bb));
}

/* Handing on --------------------------------------------------------------
 */

/* Has the whole body come that the head announces? */
static int is_whole(const lbs_request_t *req)
{
    return req->attempt.proxied && !req->attempt.unmeasured
           && req->attempt.bytes_out >= req->attempt.announced;
}

static apr_status_t end(ap_filter_t *f, lbs_request_t *req,
                        apr_bucket_brigade *bb)
{
    req->attempt.complete = 1;
    lbs_verdict_sound(req);
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(bb->bucket_alloc));
    return ap_pass_brigade(f->next, bb);
}

/* The member broke off. One kind of error makes httpd's chunks and mod_http2's
 * streams show that to the client; any other would end the answer as if it
 * were whole. A connection that is lost behind the last byte has cut nothing:
 * a member that has not read the whole request resets it. */
static apr_status_t cut(ap_filter_t *f, lbs_request_t *req,
                        apr_bucket_brigade *bb)
{
    request_rec *r = f->r;
    apr_bucket_alloc_t *alloc = r->connection->bucket_alloc;

    if (is_whole(req)) {
        return end(f, req, bb);
    }
    req->attempt.cut = 1;
    req->attempt.gone = r->connection->aborted != 0;
    r->no_cache = 1;
    if (r->main != NULL) {
        r->main->no_cache = 1;
    }
    APR_BRIGADE_INSERT_TAIL(
        bb, ap_bucket_error_create(HTTP_BAD_GATEWAY, NULL, r->pool, alloc));
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(alloc));
    return ap_pass_brigade(f->next, bb);
}

/* Has the answer ended with fewer bytes than its head announced? Some handlers
 * do not compare the two. */
static int is_short(const lbs_request_t *req)
{
    return req->attempt.proxied && req->attempt.announced != APR_UINT64_MAX
           && req->attempt.bytes_out < req->attempt.announced;
}

/* Hand a part on, and measure how long the client takes for it: so long the
 * member waits to send the next one. */
static apr_status_t pass_in_time(ap_filter_t *f, lbs_request_t *req,
                                 apr_bucket_brigade *bb)
{
    apr_time_t began = lbs_clock_now();
    apr_status_t rv = ap_pass_brigade(f->next, bb);
    apr_time_t took = lbs_clock_now() - began;

    if (took > req->attempt.held_up) {
        req->attempt.held_up = took;
    }
    return rv;
}

/* @param length  of the part handed on; -1: not known */
static apr_status_t hand_on(ap_filter_t *f, lbs_request_t *req,
                            apr_bucket_brigade *bb, apr_off_t length)
{
    req->attempt.bytes_out += length > 0 ? (apr_uint64_t)length : 0;
    req->attempt.unmeasured |= length < 0;
    req->attempt.passed = 1;
    if (has_end(bb)) {
        lbs_fields_strip(f->r->trailers_out);
        if (is_short(req)) {
            apr_bucket_delete(APR_BRIGADE_LAST(bb));
            return cut(f, req, bb);
        }
        req->attempt.complete = 1;
    }
    if (req->attempt.complete || req->attempt.bytes_out >= SOUND) {
        lbs_verdict_sound(req);
    }
    return req->attempt.complete ? ap_pass_brigade(f->next, bb)
                                 : pass_in_time(f, req, bb);
}

/* mod_proxy_scgi hands on the socket. It is read here, where a failure is
 * known to be the member's. */
static apr_status_t hand_on_socket(ap_filter_t *f, lbs_request_t *req,
                                   apr_bucket_brigade *bb)
{
    apr_bucket_brigade *part =
        apr_brigade_create(f->r->pool, bb->bucket_alloc);
    apr_read_type_e block = APR_NONBLOCK_READ;
    apr_status_t rv = APR_SUCCESS;

    while (rv == APR_SUCCESS && !APR_BRIGADE_EMPTY(bb)) {
        apr_bucket *e = APR_BRIGADE_FIRST(bb);
        const char *data;
        apr_size_t n;

        if (APR_BUCKET_IS_METADATA(e)) {
            APR_BUCKET_REMOVE(e);
        }
        else {
            rv = apr_bucket_read(e, &data, &n, block);
            if (APR_STATUS_IS_EAGAIN(rv) && block == APR_NONBLOCK_READ) {
                block = APR_BLOCK_READ;
                rv = APR_SUCCESS;
                e = apr_bucket_flush_create(bb->bucket_alloc);
            }
            else if (rv != APR_SUCCESS) {
                req->attempt.backend.told = rv;
                apr_brigade_cleanup(bb);
                return cut(f, req, part);
            }
            else {
                block = APR_NONBLOCK_READ;
                APR_BUCKET_REMOVE(e);
            }
        }
        APR_BRIGADE_INSERT_TAIL(part, e);
        rv = hand_on(f, req, part, (apr_off_t)e->length);
        apr_brigade_cleanup(part);
    }
    return rv;
}

/* An answer that is thrown away is read as long as that costs nothing: to its
 * end, if it is short and there, so that its connection can be kept. */
static apr_status_t throw_away(lbs_request_t *req, apr_bucket_brigade *bb)
{
    int ends = has_end(bb);
    int pauses = has_flush(bb);
    apr_off_t length = 0;

    (void)apr_brigade_length(bb, 0, &length);
    req->attempt.bytes_out += length > 0 ? (apr_uint64_t)length : 0;
    apr_brigade_cleanup(bb);
    return ends || (!pauses && req->attempt.bytes_out < SOUND)
               ? APR_SUCCESS
               : APR_ECONNABORTED;
}

/* An error stands in place of the answer or of its rest. Before a member has
 * answered it is httpd's word to its client, and left to httpd's filters. */
static apr_status_t take_error(ap_filter_t *f, lbs_request_t *req,
                               apr_bucket_brigade *bb, apr_bucket *error)
{
    if (lbs_body_is_reading(req->body)) {
        lbs_body_refuse(req->body);
    }
    if (req->attempt.discarding && !lbs_body_is_reading(req->body)) {
        apr_brigade_cleanup(bb);
        return APR_ECONNABORTED;
    }
    if (!req->attempt.passed) {
        lbs_answer_answering(f->r, req);
        return ap_pass_brigade(f->next, bb);
    }
    while (APR_BRIGADE_LAST(bb) != error) {
        apr_bucket_delete(APR_BRIGADE_LAST(bb));
    }
    apr_bucket_delete(error);
    return cut(f, req, bb);
}

static apr_status_t answer_out(ap_filter_t *f, apr_bucket_brigade *bb)
{
    lbs_request_t *req = lbs_request_of(f->r);
    apr_bucket *error;
    apr_off_t length = 0;

    if (req == NULL || !req->attempt.forwarding) {
        return ap_pass_brigade(f->next, bb);
    }
    if (req->attempt.cut) {
        apr_brigade_cleanup(bb);
        return APR_ECONNABORTED;
    }
    error = find_error(bb);
    if (error != NULL) {
        return take_error(f, req, bb, error);
    }
    if (!req->attempt.answered && !req->attempt.discarding) {
        begin(f->r, req);
    }
    if (req->attempt.discarding) {
        return throw_away(req, bb);
    }
    req->attempt.out = f;
    lbs_answer_answering(f->r, req);
    (void)apr_brigade_length(bb, 0, &length);
    return length < 0 && req->attempt.proxied ? hand_on_socket(f, req, bb)
                                              : hand_on(f, req, bb, length);
}

void lbs_answer_ends(request_rec *r, lbs_request_t *req, int status)
{
    lbs_attempt_t *a = &req->attempt;

    if (!a->passed || a->complete || a->cut || r->connection->aborted
        || status == SUSPENDED) {
        return;
    }
    /* mod_proxy_http2 leaves the end of an answer to httpd. */
    if (status == OK && !is_short(req)) {
        a->complete = 1;
        return;
    }
    (void)cut(a->out, req,
              apr_brigade_create(r->pool, r->connection->bucket_alloc));
}

/* Heads that pass no filter: 1xx
 * ------------------------------------------------------------------------ */

/* The member agrees to the client's upgrade. */
static int is_switch(const request_rec *r)
{
    const char *wanted, *granted;

    if (r->status != HTTP_SWITCHING_PROTOCOLS) {
        return 0;
    }
    wanted = apr_table_get(r->headers_in, "Upgrade");
    granted = apr_table_get(r->headers_out, "Upgrade");
    return wanted != NULL && granted != NULL
           && ap_cstr_casecmp(wanted, granted) == 0;
}

/* mod_proxy sends a 101 past all filters, and then there is a tunnel, perhaps
 * for hours: so the session is learned here, and headers_out, which mod_proxy
 * will send, gets our cookie. */
static void begin_tunnel(request_rec *r, lbs_request_t *req)
{
    req->attempt.tunnel = 1;
    if (lbs_answer_begins(r, req)) {
        lbs_verdict_sound(req);
        lbs_learn_late(r, req);
        lbs_cookie_out_write(r);
    }
}

static void look_at_head(void *baton)
{
    lbs_request_t *req = baton;
    lbs_runtime_t *rt = lbs_runtime();
    request_rec *r = req->r;

    if (req->attempt.answered || !ap_is_HTTP_INFO(r->status)) {
        return;
    }
    if (is_switch(r)) {
        begin_tunnel(r, req);
    }
    else if (r->status != HTTP_SWITCHING_PROTOCOLS) {
        lbs_fields_strip(r->headers_out);
        lbs_backend_interim(&req->attempt.backend);
        if (lbs_body_is_read(req->body)) { /* else it waits for the client */
            lbs_inflight_unheard(&rt->rows, &rt->row, &req->attempt.flight);
        }
    }
}

void lbs_answer_attach(request_rec *r)
{
    lbs_learn_attach(r);
    ap_add_output_filter_handle(answer_filter, NULL, r, r->connection);
}

void lbs_answer_register(void)
{
    /* Before all content filters, whatever they are. */
    answer_filter =
        ap_register_output_filter("LBS_ANSWER", answer_out, NULL,
                                  (ap_filter_type)(AP_FTYPE_RESOURCE - 1));
    lbs_wire_in_on_head(look_at_head);
}
