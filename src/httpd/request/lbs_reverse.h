/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_reverse.h - ProxyPassReverse for members that see the visitor's host.
 *
 * ProxyPassReverse names members, and mod_proxy looks for their names in the
 * URLs of an answer. A member that is sent the visitor's Host writes that
 * instead, with its own path behind it: https://www.example.com/app/login
 * where visitors have to ask for /shop/login. So mod_proxy's own mapping is
 * put off until the answer is complete (lbs_section_prepare()), and a URL with
 * the visitor's host is then mapped as if it had the member's.
 */
#ifndef LBS_REVERSE_H
#define LBS_REVERSE_H

#include "src/httpd/request/lbs_request.h"

/**
 * Map Location, Content-Location, URI and Destination of a member's answer.
 * Once for each answer, before anything else reads its head.
 *
 * Cost: nothing where no ProxyPassReverse is in force.
 */
void lbs_reverse_map(request_rec *r, const lbs_request_t *req);

#endif
