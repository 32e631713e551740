/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_lookup.h - the keys that a request shows, and the sessions they name.
 *
 * Where lbs_extract.h finds values, this asks what they mean: the session
 * table, the token of our own cookie, a route that the application wrote, the
 * store that servers share.
 */
#ifndef LBS_LOOKUP_H
#define LBS_LOOKUP_H

#include <httpd.h>

#include "src/httpd/request/lbs_request.h"

/**
 * Look at every source of the pool. The first that names a session decides,
 * all of them are remembered for learning: fills source, key, pick_value and
 * token.
 *
 * Cost: one look-up per value shown; with LBStickyStore, a call to it for each
 * that the table does not know.
 *
 * @return why no value names a session: LBS_REASON_FIRST, UNKNOWN, EXPIRED or
 *         FORGED; of no meaning when req->choice.source is not negative
 */
lbs_reason_t lbs_lookup_at_keys(request_rec *r, lbs_request_t *req);

#endif
