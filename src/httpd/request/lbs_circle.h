/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_circle.h - a redirect to the very URL that was asked for.
 *
 * A site that wants https and is not told that the visitor has it sends all
 * visitors to where they are, for ever, and nothing in any log says why.
 */
#ifndef LBS_CIRCLE_H
#define LBS_CIRCLE_H

#include "src/httpd/request/lbs_request.h"

/**
 * Say in the log what to write, if this answer is such a redirect: once an
 * hour and pool, of all processes; and count it, for the alert. Cost: a
 * comparison; of a redirect, one URL is parsed.
 *
 * @param r  the request, with the member's answer in it as the visitor gets it
 */
void lbs_circle_look(request_rec *r, const lbs_request_t *req);

#endif
