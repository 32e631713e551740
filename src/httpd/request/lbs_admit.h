/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_admit.h - into a member, or into its queue: LBStickyLimit. */
#ifndef LBS_ADMIT_H
#define LBS_ADMIT_H

#include <httpd.h>

#include "src/httpd/request/lbs_request.h"

/**
 * Begin an attempt at req->choice.member. Where the member is full and its
 * pool has queues, waits for its turn first, in the order of arrival, for up
 * to LBStickyLimit wait=; once per request. A request that cannot be repeated
 * also waits while the member is in doubt, at most for a stall's time.
 *
 * @return APR_SUCCESS: entered, lbs_inflight_leave() is due; APR_EBUSY: full,
 * or the time was over, or httpd stops; APR_EAGAIN: closed meanwhile;
 * APR_ECONNABORTED: the client has hung up, no member is to be asked
 */
apr_status_t lbs_admit(request_rec *r, lbs_request_t *req);

#endif
