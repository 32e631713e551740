/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_in_use.h - the sessions of a request are not idle while it lasts.
 *
 * From the decision until the last byte of the answer is sent, be it a
 * WebSocket, a stream or an upload, the sessions of a request are renewed
 * (lbs_ongoing.h); when it ends their idle time begins anew.
 */
#ifndef LBS_IN_USE_H
#define LBS_IN_USE_H

#include "src/httpd/request/lbs_request.h"

/** A request was decided: the sessions that it shows are in use until its pool
 * goes. */
void lbs_in_use_begin(lbs_request_t *req);

/**
 * Another session of the request.
 *
 * @param key  its hash, and its name in the store
 * @param now  monotonic microseconds
 */
void lbs_in_use_add(lbs_request_t *req, const lbs_key_t *key, apr_time_t now);

#endif
