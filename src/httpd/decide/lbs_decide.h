/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_decide.h - which member gets this request, and why.
 *
 * The order is the contract's: a key that names a member who can take the
 * request keeps it there; a key whose member cannot moves the session by a
 * pick; no usable key is a pick for a new session. Nothing is written but the
 * cache of first picks: what a request shows is only remembered once a member
 * has answered it (lbs_learn.h).
 *
 * No lock is taken, nothing grows with members or sessions, nothing is
 * logged.
 */
#ifndef LBS_DECIDE_H
#define LBS_DECIDE_H

#include <httpd.h>

#include "src/httpd/request/lbs_request.h"

/**
 * Decide for a request: fills decision, reason, source, home and member.
 *
 * @return OK: req->choice.member is where to send it;
 * HTTP_SERVICE_UNAVAILABLE: nobody can take it, the decision says why
 */
int lbs_decide(request_rec *r, lbs_request_t *req);

/** Where a session belongs that a key names. */
typedef struct lbs_place_t {
    int home;         /* its member; LBS_NO_MEMBER: no longer configured */
    int member;       /* who gets the request; LBS_NO_MEMBER: a pick is due */
    int away;         /* member is not its home, and does not become it */
    lbs_reason_t why; /* LBS_REASON_NONE: it stays where it was */
} lbs_place_t;

/**
 * Find where a session belongs now. Whether its member is full is not asked.
 *
 * @param key  of a session, as look-ups leave it: known, hash, slot, expires
 * @param now  monotonic microseconds
 */
void lbs_decide_place(const lbs_pool_t *pool, const lbs_key_t *key,
                      apr_time_t now, lbs_place_t *place);

/**
 * The chosen member cannot take the request after all: pick another that was
 * not tried.
 *
 * @param reason  why it cannot, for a session that was bound to it
 * @return as lbs_decide()
 */
int lbs_decide_again(request_rec *r, lbs_request_t *req, lbs_reason_t reason);

/**
 * The words that stand beside a session's own in the table: where it is while
 * it is away from home (LBStickyFailback), and the one that ends it for good
 * (LBStickyTimeout max=).
 */
apr_uint64_t lbs_decide_away(apr_uint64_t hash);
apr_uint64_t lbs_decide_max(apr_uint64_t hash);

#endif
