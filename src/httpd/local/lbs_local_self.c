/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_local_self.c - see lbs_local_self.h. */
#include "src/httpd/local/lbs_local_self.h"

#include <apr_strings.h>
#include <http_config.h>

#include "src/httpd/local/lbs_local_map.h"
#include "src/httpd/request/lbs_admit.h"
#include "src/httpd/request/lbs_answer.h"
#include "src/httpd/request/lbs_headers.h"
#include "src/httpd/request/lbs_in_use.h"
#include "src/httpd/request/lbs_learn.h"
#include "src/httpd/request/lbs_verdict.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"

/* Deciding ---------------------------------------------------------------- */

static apr_status_t leave(void *baton)
{
    lbs_request_t *req = baton;
    lbs_runtime_t *rt = lbs_runtime();

    if (req->local.here) {
        lbs_inflight_leave(&rt->rows, &rt->row,
                           req->pool->member[req->choice.member]->gauge,
                           &req->attempt.flight);
    }
    return APR_SUCCESS;
}

/* Decide until another member is chosen or the own member takes the request.
 * @return 1: it has entered the own member's row */
static int enter(request_rec *r, lbs_request_t *req)
{
    int status = lbs_request_decide(req);

    lbs_in_use_begin(req);
    while (status == OK && req->pool->member[req->choice.member]->own) {
        apr_status_t rv = lbs_admit(r, req);

        if (rv == APR_SUCCESS) {
            return 1;
        }
        status = lbs_request_decide_again(
            req, rv == APR_EBUSY ? LBS_REASON_FULL : LBS_REASON_EJECTED);
    }
    return 0;
}

int lbs_local_self_map(request_rec *r, lbs_pool_t *pool)
{
    lbs_local_map_t undo;
    lbs_request_t *req;
    apr_table_t *before = r->headers_in;

    if (r->main != NULL || !pool->own_early || !lbs_local_map_is_same(r)) {
        return 0;
    }
    req = lbs_request_begin(r, pool, r->filename + strlen("proxy:"));
    req->decided = 1;
    if (!enter(r, req)) {
        return 0;
    }
    req->local.here = 1;
    apr_pool_cleanup_register(r->pool, req, leave, apr_pool_cleanup_null);
    /* The rules of this server see the request as a member would get it. */
    lbs_headers_here(r, req);
    if (lbs_local_map_map(r, &undo) == OK) {
        req->tries.count++;
        lbs_request_settle(r, req);
        return 1;
    }
    lbs_local_map_undo(r, &undo);
    r->headers_in = before;
    (void)leave(req);
    req->local.here = 0;
    return 0;
}

/* The attempt ------------------------------------------------------------ */

static void start(lbs_request_t *req)
{
    const lbs_member_t *m = req->pool->member[req->choice.member];

    req->local.started = 1;
    req->attempt.sent_at = lbs_clock_now();
    lbs_member_record_sent(m->record, (apr_uint64_t)req->attempt.sent_at);
}

/* An answer without a body of its own: an error page of httpd's, or nothing
 * at all. @param status  of the answer */
static void answer_late(request_rec *r, lbs_request_t *req, int status)
{
    int before = r->status;

    r->status = status;
    if (!req->attempt.answered && lbs_answer_begins(r, req)) {
        lbs_learn_late(r, req);
    }
    lbs_verdict_sound(req);
    r->status = before;
}

static int run(request_rec *r, lbs_request_t *req)
{
    int status;

    req->body = lbs_body_attach(r, 0);
    lbs_answer_attach(r);
    req->local.serving = r;
    req->attempt.forwarding = 1;
    status = ap_run_handler(r);
    req->attempt.forwarding = 0;
    if (status == DECLINED) {
        status = HTTP_INTERNAL_SERVER_ERROR;
    }
    return status;
}

int lbs_local_self_handler(request_rec *r)
{
    lbs_request_t *req = lbs_request_of(r);
    int status;

    if (req == NULL || !req->local.here) {
        return DECLINED;
    }
    if (req->local.started) {
        /* A handler redirects internally: the answer comes from there, and
         * passes other filters than r's. */
        if (req->attempt.forwarding && req->local.serving != r) {
            lbs_answer_attach(r);
        }
        return DECLINED;
    }
    start(req);
    req->attempt.error = r->status;
    req->attempt.error_line = r->status_line;
    status = run(r, req);
    if (status != SUSPENDED) {
        answer_late(r, req,
                    status == OK || status == DONE ? lbs_answer_status(r, req)
                                                   : status);
        if (req->attempt.unmeasured) {
            req->attempt.bytes_out = (apr_uint64_t)r->bytes_sent;
        }
        lbs_verdict_bytes(req, lbs_body_bytes(req->body),
                          req->attempt.bytes_out);
        (void)leave(req);
        lbs_headers_back(r, req);
    }
    return status;
}

void lbs_local_self_error(request_rec *r)
{
    lbs_request_t *req = lbs_request_of(r);

    if (req == NULL || !req->local.here || req->attempt.answered) {
        return;
    }
    if (!req->local.started) {
        start(req);
    }
    answer_late(r, req, r->status);
    (void)leave(req);
}
