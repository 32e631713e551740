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

/** May the request be processed twice? Method and Idempotency-Key say so. */
int lbs_retry_is_idempotent(const request_rec *r);

/** May it be sent again as things stand: idempotent, body at hand? */
int lbs_retry_is_repeatable(const lbs_request_t *req);

/** Will that be so still when all of it was sent? What will not has to go
 * where it is not lost. */
int lbs_retry_stays_repeatable(const lbs_request_t *req);

/** Did the member not see the request? Then going on is no repetition. */
int lbs_retry_is_unseen(lbs_cause_t cause);

/**
 * May an attempt that ended this way be followed by another one, on another
 * member? Asks, takes nothing.
 *
 * @return 1: yes, if there is such a member and lbs_retry_take() agrees; 0:
 *         what the attempt brought is the answer
 */
int lbs_retry_expected(const request_rec *r, const lbs_request_t *req,
                       lbs_cause_t cause);

/**
 * Take a repetition from the pool's budget and from the request's tries; what
 * is no repetition takes nothing.
 *
 * Cost: a few counters, shared by all processes; no lock.
 *
 * @return 1: go on; 0: the budget is spent
 */
int lbs_retry_take(lbs_request_t *req, lbs_cause_t cause);

#endif
