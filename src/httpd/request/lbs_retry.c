/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_retry.c - see lbs_retry.h. */
#include "src/httpd/request/lbs_retry.h"

#include "src/httpd/shared/lbs_clock.h"
#include "src/member/lbs_budget.h"

/* The cause's word in LBStickyRetry on=; 0: never repeated. */
static apr_uint32_t cause_bit(lbs_cause_t cause)
{
    switch (cause) {
    case LBS_CAUSE_CONNECT:
    case LBS_CAUSE_UNTAKEN:
        return LBS_RETRY_CONNECT;
    case LBS_CAUSE_RESET:
    case LBS_CAUSE_STALE: /* for the second time */
        return LBS_RETRY_RESET;
    case LBS_CAUSE_TIMEOUT:
        return LBS_RETRY_TIMEOUT;
    default:
        return 0;
    }
}

int lbs_retry_is_spent(const lbs_request_t *req, lbs_cause_t cause)
{
    return req->attempt.backend.sent || cause == LBS_CAUSE_STALE;
}

static int is_expected(const request_rec *r, const lbs_request_t *req,
                       lbs_cause_t cause)
{
    const lbs_set_retry_t *set = req->pool->set.retry;

    if (r->connection->aborted || req->attempt.answered
        || !lbs_body_can_rewind(req->r, req->body,
                                lbs_retry_is_spent(req, cause))) {
        return 0;
    }
    if (cause == LBS_CAUSE_FULL || cause == LBS_CAUSE_CLOSED) {
        return 1;
    }
    /* LBStickyEject asks for stalls to be mended, whatever on= says. */
    if (!set->on
        || (cause != LBS_CAUSE_STALL && cause != LBS_CAUSE_STATUS
            && (set->causes & cause_bit(cause)) == 0)) {
        return 0;
    }
    return lbs_cause_is_unseen(cause)
           || (req->tries.repeated < set->tries
               && lbs_request_is_repeatable(req));
}

static int take(lbs_request_t *req, lbs_cause_t cause)
{
    lbs_pool_record_t *record = req->pool->record;

    if (lbs_cause_is_unseen(cause)) {
        return 1;
    }
    if (lbs_budget_take(&record->budget, req->pool->set.retry->budget,
                        (apr_uint64_t)lbs_clock_now())
        != APR_SUCCESS) {
        /* A request waiting at a hung member asks repeatedly: count its denial
         * once. */
        if (!req->tries.denied) {
            req->tries.denied = 1;
            lbs_atomic_add64_relaxed(&record->retries_denied, 1);
        }
        return 0;
    }
    lbs_atomic_add64_relaxed(&record->retries, 1);
    req->tries.repeated++;
    return 1;
}

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

int lbs_retry_next(request_rec *r, lbs_request_t *req, lbs_cause_t cause)
{
    const lbs_decision_t decision = req->choice.decision;
    const lbs_reason_t reason = req->choice.reason;
    const int member = req->choice.member;
    const int temporary = req->choice.temporary;
    int status;

    if (!is_expected(r, req, cause)) {
        return DECLINED;
    }
    status = lbs_request_decide_again(req, reason_for(cause));
    if (status != OK && lbs_cause_is_unseen(cause)) {
        return status;
    }
    if (status == OK && take(req, cause)) {
        req->tries.next = req->choice.member;
        req->choice.member = member;
        return OK;
    }
    req->choice.decision = decision;
    req->choice.reason = reason;
    req->choice.member = member;
    req->choice.temporary = temporary;
    return DECLINED;
}
