/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_retry.c - see lbs_retry.h. */
#include "src/httpd/request/lbs_retry.h"

#include <http_protocol.h>

#include "src/httpd/shared/lbs_runtime.h"
#include "src/member/lbs_budget.h"

int lbs_retry_is_idempotent(const request_rec *r)
{
    switch (r->method_number) {
    case M_GET: /* HEAD too */
    case M_PUT:
    case M_DELETE:
    case M_OPTIONS:
    case M_TRACE:
        return 1;
    default:
        return apr_table_get(r->headers_in, "Idempotency-Key") != NULL;
    }
}

int lbs_retry_is_repeatable(const lbs_request_t *req)
{
    return req->idempotent && lbs_body_is_whole(req->body);
}

int lbs_retry_stays_repeatable(const lbs_request_t *req)
{
    return req->idempotent && lbs_body_stays_whole(req->body);
}

/* What LBStickyRetry on= calls it; 0: never repeated. */
static apr_uint32_t cause_bit(lbs_cause_t cause)
{
    switch (cause) {
    case LBS_CAUSE_CONNECT:
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

int lbs_retry_is_unseen(lbs_cause_t cause)
{
    return cause == LBS_CAUSE_FULL || cause == LBS_CAUSE_CLOSED
           || cause == LBS_CAUSE_CONNECT;
}

int lbs_retry_expected(const request_rec *r, const lbs_request_t *req,
                       lbs_cause_t cause)
{
    const lbs_set_retry_t *set = req->pool->set.retry;

    if (r->connection->aborted || req->attempt.answered) {
        return 0;
    }
    if (cause == LBS_CAUSE_FULL || cause == LBS_CAUSE_CLOSED) {
        return 1;
    }
    /* A stall is ours to mend: LBStickyEject asked for it. */
    if (!set->on
        || (cause != LBS_CAUSE_STALL && cause != LBS_CAUSE_STATUS
            && (set->causes & cause_bit(cause)) == 0)) {
        return 0;
    }
    return lbs_retry_is_unseen(cause)
           || (req->repeated < set->tries && lbs_retry_is_repeatable(req));
}

int lbs_retry_take(lbs_request_t *req, lbs_cause_t cause)
{
    lbs_pool_record_t *record = req->pool->record;

    if (lbs_retry_is_unseen(cause)) {
        return 1;
    }
    if (lbs_budget_take(&record->budget, req->pool->set.retry->budget,
                        (apr_uint64_t)lbs_runtime_now())
        != APR_SUCCESS) {
        /* Who waits at a member that hangs asks again and again. */
        if (!req->denied) {
            req->denied = 1;
            lbs_atomic_add64_relaxed(&record->retries_denied, 1);
        }
        return 0;
    }
    lbs_atomic_add64_relaxed(&record->retries, 1);
    req->repeated++;
    return 1;
}
