/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_verdict.h - judges a member by the end of an attempt.
 *
 * Called at the end of every attempt, before it leaves the member's row:
 * counts, moves the estimate of the response time, and lets ejection judge.
 * A change of state is told once, in the events and in the log.
 */
#ifndef LBS_VERDICT_H
#define LBS_VERDICT_H

#include <httpd.h>

#include "src/httpd/request/lbs_request.h"
#include "src/httpd/request/lbs_retry.h"

/** The member answered with req->attempt.status. Whether the answer is a good
 * one is known when there is more of it: lbs_verdict_sound(). */
void lbs_verdict_answered(request_rec *r, lbs_request_t *req);

/** So much of the answer came that the member does its work. Calling it again
 * does nothing. */
void lbs_verdict_sound(lbs_request_t *req);

/** The attempt ended without an answer. Not every cause is a failure of the
 * member: a client that hung up, a full pool, a stale connection are none. A
 * failure after the request was sent waits for lbs_verdict_close(). */
void lbs_verdict_failed(request_rec *r, lbs_request_t *req, lbs_cause_t cause);

/**
 * The request is over. A request that failed at two members and was answered
 * by none is itself at fault: then no member is blamed.
 *
 * @param answered  a member answered in the end
 */
void lbs_verdict_close(lbs_request_t *req, int answered);

/** Count the bytes of an attempt when it is over. */
void lbs_verdict_bytes(lbs_request_t *req, apr_uint64_t in, apr_uint64_t out);

#endif
