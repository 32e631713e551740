/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_cookie_out.h - this module's own cookie, on its way to the client.
 *
 * The line is made when the member has answered and waits in the request until
 * an answer of httpd's leaves: the member's, or a page that takes its place.
 */
#ifndef LBS_COOKIE_OUT_H
#define LBS_COOKIE_OUT_H

#include <httpd.h>

#include "src/httpd/request/lbs_request.h"

/**
 * Where the visitor has no token for the member that answered, or an old one:
 * make one and the line that brings it.
 *
 * @param index  of the source `cookie` in the pool
 * @param again  send it also where it is not due: the member's answer sets
 *               another one of this name
 */
void lbs_cookie_out_renew(request_rec *r, lbs_request_t *req, int index,
                          int again, apr_time_t now);

/** The session is over: make the line that takes the visitor's token away. */
void lbs_cookie_out_end(request_rec *r, lbs_request_t *req);

/** @return 1 while a line waits for an answer: of this request, or of one
 * whose error document it is */
int lbs_cookie_out_pending(const request_rec *r);

/** Put the line into r->headers_out, once; nothing where none waits. */
void lbs_cookie_out_write(request_rec *r);

#endif
