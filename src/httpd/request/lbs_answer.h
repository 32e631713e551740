/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_answer.h - where the answer of a member comes in.
 *
 * The output filter LBS_ANSWER stands before all others: it notes that there
 * is an answer, decides whether it is the one that the client gets, and
 * counts. A 101 passes no filter: it is looked at where the member's
 * connection is read (lbs_backend.h).
 */
#ifndef LBS_ANSWER_H
#define LBS_ANSWER_H

#include <httpd.h>

#include "src/httpd/request/lbs_request.h"

/** Register the filter. Once, in the module's register_hooks. */
void lbs_answer_register(void);

/** Put the filters into a request that is about to be sent to a member: this
 * one and that of lbs_learn.h. */
void lbs_answer_attach(request_rec *r);

/** Something is about to go to the client: put back, once, what lbs_attempt.c
 * has hidden of its connection and of the visitor's Host. */
void lbs_answer_answering(request_rec *r, lbs_request_t *req);

/**
 * The member's answer begins to come in.
 *
 * @return 1: hand it on; 0: throw it away, another member will be asked
 */
int lbs_answer_begins(request_rec *r, lbs_request_t *req);

/** The same where it is too late to ask another member. */
void lbs_answer_stands(request_rec *r, lbs_request_t *req);

/** @return the status that the member gave. An ErrorDocument that was answered
 * well has the status of the error, for the client: with ProxyErrorOverride
 * mod_proxy puts it back, and this httpd's own handlers leave it */
int lbs_answer_status(const request_rec *r, const lbs_request_t *req);

/** The handler has returned this status. An answer that it has not brought to
 * an end is cut off so that the client sees it; nothing is added to it. */
void lbs_answer_ends(request_rec *r, lbs_request_t *req, int status);

#endif
