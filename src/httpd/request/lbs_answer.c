/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_answer.c - see lbs_answer.h. */
#include "src/httpd/request/lbs_answer.h"

#include <http_protocol.h>
#include <util_filter.h>

#include "src/httpd/request/lbs_backend.h"
#include "src/httpd/request/lbs_cookie_out.h"
#include "src/httpd/request/lbs_learn.h"
#include "src/httpd/request/lbs_retry.h"
#include "src/httpd/request/lbs_reverse.h"
#include "src/httpd/request/lbs_verdict.h"
#include "src/httpd/shared/lbs_runtime.h"

/* Bytes of an answer after which it counts as one, whatever becomes of it. */
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

int lbs_answer_begins(request_rec *r, lbs_request_t *req)
{
    if (lbs_statuses_has(&req->pool->set.retry->status, r->status)
        && lbs_retry_next(r, req, LBS_CAUSE_STATUS) == OK) {
        req->attempt.discarding = 1;
        return 0;
    }
    req->attempt.answered = 1;
    lbs_answer_answering(r, req);
    lbs_reverse_map(r, req);
    lbs_backend_answered(&req->attempt.backend);
    lbs_verdict_answered(r, req);
    lbs_request_count(req);
    lbs_request_settle(r, req);
    return 1;
}

/* Where the member's answer comes in
 * --------------------------------------------------- */

static int is_broken(apr_bucket_brigade *bb)
{
    apr_bucket *e;

    for (e = APR_BRIGADE_FIRST(bb); e != APR_BRIGADE_SENTINEL(bb);
         e = APR_BUCKET_NEXT(e)) {
        if (AP_BUCKET_IS_EOC(e) || AP_BUCKET_IS_ERROR(e)) {
            return 1;
        }
    }
    return 0;
}

/* The whole answer, or enough of it. */
static int is_sound(const lbs_request_t *req, apr_bucket_brigade *bb)
{
    return req->attempt.bytes_out >= SOUND
           || (!APR_BRIGADE_EMPTY(bb)
               && APR_BUCKET_IS_EOS(APR_BRIGADE_LAST(bb)));
}

static apr_status_t answer_out(ap_filter_t *f, apr_bucket_brigade *bb)
{
    lbs_request_t *req = lbs_request_of(f->r);
    apr_off_t length = 0;

    if (req == NULL || !req->attempt.forwarding) {
        return ap_pass_brigade(f->next, bb);
    }
    (void)apr_brigade_length(bb, 0, &length);
    req->attempt.bytes_out += length > 0 ? (apr_uint64_t)length : 0;
    req->attempt.unmeasured |= length < 0;
    if (is_broken(bb)) {
        req->attempt.broken = 1;
    }
    else if (!req->attempt.answered && !req->attempt.discarding) {
        (void)lbs_answer_begins(f->r, req);
    }
    if (req->attempt.discarding) {
        apr_brigade_cleanup(bb);
        return APR_SUCCESS;
    }
    if (!req->attempt.broken && is_sound(req, bb)) {
        lbs_verdict_sound(req);
    }
    lbs_answer_answering(f->r, req);
    return ap_pass_brigade(f->next, bb);
}

/* Heads that pass no filter: 1xx
 * ------------------------------------------------------------------------ */

/* The member agrees to what the client asked for. */
static int is_switch(const request_rec *r)
{
    const char *wanted = apr_table_get(r->headers_in, "Upgrade");
    const char *granted = apr_table_get(r->headers_out, "Upgrade");

    return r->status == HTTP_SWITCHING_PROTOCOLS && wanted != NULL
           && granted != NULL && ap_cstr_casecmp(wanted, granted) == 0;
}

/* mod_proxy sends a 101 past all filters, and then there is a tunnel, perhaps
 * for hours: so it is learned here, and headers_out, which mod_proxy will
 * send, gets our cookie. */
static void begin_tunnel(request_rec *r, lbs_request_t *req)
{
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

    if (req->attempt.answered) {
        return;
    }
    if (is_switch(r)) {
        begin_tunnel(r, req);
    }
    else if (ap_is_HTTP_INFO(r->status)
             && r->status != HTTP_SWITCHING_PROTOCOLS) {
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
    answer_filter = ap_register_output_filter("LBS_ANSWER", answer_out, NULL,
                                              AP_FTYPE_RESOURCE);
    lbs_backend_on_head(look_at_head);
}
