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
#include "src/evidence/lbs_cause.h"

/** Has the handler sent, or lost with a connection, what it has read of the
 * body? */
int lbs_retry_is_spent(const lbs_request_t *req, lbs_cause_t cause);

/**
 * Choose the member for the next attempt, before the answer of the one under
 * way is thrown away: if there is no member, or the budget is spent, that
 * answer stands. What counts as a repetition is taken from the pool's budget
 * and the request's tries.
 *
 * Cost: a pick and a few counters, shared by all processes; no lock.
 *
 * @param cause  why the attempt brings no answer
 * @return OK: req->tries.next is chosen, the decision is for it; DECLINED: no
 * member, all is as it was; else the status of a request that no member can
 * take
 */
int lbs_retry_next(request_rec *r, lbs_request_t *req, lbs_cause_t cause);

#endif
