/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_decide.h - which member gets this request, and why.
 *
 * The order is the contract's: a key that names a member that can take the
 * request keeps it there; a key whose member cannot moves the session by a
 * pick; no usable key is a pick for a new session. Only the cache of first
 * picks is written: the keys of a request are remembered once a member has
 * answered it (lbs_learn.h).
 *
 * No lock is taken, nothing grows with members or sessions, nothing is
 * logged.
 */
#ifndef LBS_DECIDE_H
#define LBS_DECIDE_H

#include "src/httpd/decide/lbs_ask.h"
#include "src/httpd/decide/lbs_choice.h"
#include "src/httpd/decide/lbs_visit.h"

/**
 * Decide for a request.
 *
 * @param visit   zeroed; out: what the visitor shows
 * @param choice  lbs_choice_none(), or with members that are not to be picked;
 *                out: decision, reason, source, home, member, temporary
 * @return OK: choice->member is where to send it; HTTP_SERVICE_UNAVAILABLE: no
 * member can take it, the decision says why
 */
int lbs_decide(const lbs_ask_t *ask, lbs_visit_t *visit, lbs_choice_t *choice);

/**
 * The same for a visitor whose keys were looked up already.
 *
 * @param visit   as look-ups leave it; what it may wait for the store is used
 *                up
 * @param reason  why a pick is due, where choice->source is -1
 */
int lbs_decide_shown(const lbs_ask_t *ask, lbs_visit_t *visit,
                     lbs_reason_t reason, lbs_choice_t *choice);

/**
 * How each member stands with the pick that lbs_decide_shown() would make.
 *
 * Cost: a walk over the pool.
 *
 * @param choice  its tried members are not picked
 * @param stands  out: LBS_PICK_STANDS_*, one per member of the pool
 */
void lbs_decide_survey(const lbs_ask_t *ask, lbs_visit_t *visit,
                       const lbs_choice_t *choice, unsigned char *stands);

/**
 * The chosen member cannot take the request after all: pick another that was
 * not tried.
 *
 * @param reason  why it cannot, for a session that was bound to it
 * @return as lbs_decide()
 */
int lbs_decide_again(const lbs_ask_t *ask, lbs_visit_t *visit,
                     lbs_choice_t *choice, lbs_reason_t reason);

#endif
