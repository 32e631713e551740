/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_adoption.h - LBStickyForeign: a visitor without a key that counts stays
 * with the member that the former balancer's cookie names.
 *
 * Such a cookie is unsigned and old, so it says less than anything of ours: it
 * is only asked where a pick would follow, chooses only among members that a
 * pick may choose, and brings nobody back whose session the operator ended.
 */
#ifndef LBS_ADOPTION_H
#define LBS_ADOPTION_H

#include "src/httpd/decide/lbs_ask.h"
#include "src/httpd/decide/lbs_visit.h"

/**
 * Ask the readers of the pool, in the order written, which member the request
 * names. The first that is open counts.
 *
 * Cost: one pass over the Cookie fields for each reader; nothing without
 * LBStickyForeign.
 *
 * @param visit  as the look at keys leaves it; out: named
 */
void lbs_adoption_look(const lbs_ask_t *ask, lbs_visit_t *visit);

/**
 * The same for one value of one reader, whether its member is open or not.
 *
 * @param visit  out: named
 */
void lbs_adoption_look_at(const lbs_pool_t *pool, const lbs_reader_t *reader,
                          lbs_slice_t value, lbs_visit_t *visit);

/** @return 1 when a pick could choose the member now: it is open to new
 * sessions, no spare, no standby, and its lbset is in demand */
int lbs_adoption_is_open(const lbs_pool_t *pool, int member);

#endif
