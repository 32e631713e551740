/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_learn.h - remember which member answered, and tell the visitor.
 *
 * Two output filters see the answer of a member. LBS_ANSWER stands where the
 * member's bytes come in: it notes that there is an answer and counts. And
 * LBS_LEARN stands last before the protocol: what the application sets there
 * is what the client will show, so sessions are learned there, before the
 * client can send its next request, and our cookie is added there, behind
 * mod_cache, which therefore never stores it. A 101 goes past all filters: it
 * is looked at where the member's connection is read (lbs_backend.h).
 */
#ifndef LBS_LEARN_H
#define LBS_LEARN_H

#include <httpd.h>

#include "src/httpd/request/lbs_request.h"

/** Register the filters. Once, in the module's register_hooks. */
void lbs_learn_register(void);

/** Put both filters into a request that is about to be sent to a member. */
void lbs_learn_attach(request_rec *r);

/**
 * The member answered but its answer did not pass the filters: an error page
 * of httpd's takes its place. Learn now, for what that page may ask of members
 * itself; the page carries the cookie.
 */
void lbs_learn_late(request_rec *r, lbs_request_t *req);

#endif
