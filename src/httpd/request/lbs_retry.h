/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_retry.h - what may be sent again, and what never.
 *
 * Source: RFC 9110, 9.2.2 (idempotent methods); the Idempotency-Key header
 * field (draft-ietf-httpapi-idempotency-key-header).
 */
#ifndef LBS_RETRY_H
#define LBS_RETRY_H

#include <httpd.h>

#include "src/httpd/request/lbs_request.h"

/* Why an attempt brought no answer. */
typedef enum lbs_cause_t {
    LBS_CAUSE_NONE,    /* it did */
    LBS_CAUSE_FULL,    /* its limit or its connection pool is used up */
    LBS_CAUSE_CLOSED,  /* it was taken out before anything was sent */
    LBS_CAUSE_CONNECT, /* no connection: it never saw the request */
    LBS_CAUSE_STALE,   /* a kept-alive connection had ended */
    LBS_CAUSE_RESET,   /* the connection ended before an answer */
    LBS_CAUSE_STALL,   /* it hangs: we stopped waiting */
    LBS_CAUSE_TIMEOUT, /* the response time-out */
    LBS_CAUSE_STATUS,  /* it answered with a status of LBStickyRetry */
    LBS_CAUSE_GARBAGE, /* it answered something that is no HTTP */
    LBS_CAUSE_BODY,    /* the answer broke off: too late for another */
    LBS_CAUSE_CLIENT   /* the client went away */
} lbs_cause_t;

/**
 * Choose who is asked after the attempt under way, before what that brought
 * is thrown away: if there is nobody, or the budget is spent, it stands. What
 * counts as a repetition is taken from the pool's budget and the request's
 * tries.
 *
 * Cost: a pick and a few counters, shared by all processes; no lock.
 *
 * @param cause  why the attempt brings no answer
 * @return OK: req->next is chosen, the decision is for it; DECLINED: nobody,
 *         all is as it was; else the status of a request nobody can take
 */
int lbs_retry_next(request_rec *r, lbs_request_t *req, lbs_cause_t cause);

#endif
