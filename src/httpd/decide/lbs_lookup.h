/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_lookup.h - the keys that a request shows, and the sessions they name.
 *
 * Where lbs_extract.h finds values, this asks what they mean: the session
 * table, the token of our own cookie, a route that the application wrote, the
 * store that servers share.
 */
#ifndef LBS_LOOKUP_H
#define LBS_LOOKUP_H

#include "src/httpd/decide/lbs_ask.h"
#include "src/httpd/decide/lbs_visit.h"
#include "src/state/lbs_decision.h"

/**
 * Find what one value of one source means, as a request that shows it does.
 *
 * Cost: one look-up; with LBStickyStore, a call to it for a value that the
 * table does not know.
 *
 * @param index  of the source in the pool's LBSticky
 * @param value  as lbs_extract_each() gives it
 * @param visit  zeroed; out: key, pick_value and token
 * @param why    out, when 0 is returned: LBS_REASON_FIRST (no value, or one
 *               that is none of this source's), UNKNOWN, EXPIRED, FORGED
 * @return 1 when it names a session
 */
int lbs_lookup_value(const lbs_ask_t *ask, int index, lbs_slice_t value,
                     lbs_visit_t *visit, lbs_reason_t *why);

/**
 * Look at every source of the pool. The first that names a session decides,
 * all of them are remembered for learning.
 *
 * Cost: one look-up per value shown; with LBStickyStore, a call to it for each
 * that the table does not know.
 *
 * @param visit   zeroed; out: key, pick_value and token
 * @param source  out: index of the source that decides; -1: none does
 * @return why no value names a session: LBS_REASON_FIRST, UNKNOWN, EXPIRED or
 *         FORGED; of no meaning when a source decides
 */
lbs_reason_t lbs_lookup_at_keys(const lbs_ask_t *ask, lbs_visit_t *visit,
                                int *source);

/**
 * lbs_extract_first() of the request, hashed once: the pick of a visitor
 * without a cookie asks for it, and what its answer is evidence for.
 */
apr_uint64_t lbs_lookup_first(request_rec *r, const lbs_pool_t *pool,
                              lbs_visit_t *visit);

#endif
