/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_upgrade.h - a WebSocket that was never passed on.
 *
 * mod_proxy_http removes Upgrade from a request unless the member says
 * upgrade=. The member then sees a plain GET, which it
 * refuses, and nothing in any log says why.
 */
#ifndef LBS_UPGRADE_H
#define LBS_UPGRADE_H

#include "src/httpd/request/lbs_request.h"

/**
 * Say in the log what to write, if this answer refuses such a request: once
 * an hour and pool, of all processes. Cost: one look-up of a header, of an
 * answer that is an error.
 *
 * @param r  the request, with the member's answer in it
 */
void lbs_upgrade_look(request_rec *r, const lbs_request_t *req);

#endif
