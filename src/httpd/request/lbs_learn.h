/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_learn.h - remember which member answered, and tell the visitor.
 *
 * The output filter LBS_LEARN stands last before the protocol: what the
 * application sets there is what the client will show, so sessions are learned
 * there, before the client can send its next request, and our cookie is added
 * there, behind mod_cache, which therefore never stores it.
 */
#ifndef LBS_LEARN_H
#define LBS_LEARN_H

#include <httpd.h>

#include "src/httpd/request/lbs_request.h"

/** Register the filter. Once, in the module's register_hooks. */
void lbs_learn_register(void);

/** Put the filter into a request that is about to be sent to a member. */
void lbs_learn_attach(request_rec *r);

/**
 * The member answered but its answer did not pass the filters: an error page
 * of httpd's takes its place. Learn now, for what that page may ask of members
 * itself; the page carries the cookie.
 */
void lbs_learn_late(request_rec *r, lbs_request_t *req);

#endif
