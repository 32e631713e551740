/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_away.h - the member that stands in for a session's home
 * (LBStickyFailback).
 */
#ifndef LBS_AWAY_H
#define LBS_AWAY_H

#include "src/httpd/decide/lbs_ask.h"
#include "src/pick/lbs_pick.h"

/**
 * Find the member where a session is while its home is away: on each server
 * that has the secret the same one (lbs_stand_in.h).
 *
 * Cost: linear in the number of members. Once for a session that goes away.
 *
 * @param pick  the question as a pick asks it: what was tried, and the time
 * @return LBS_NO_MEMBER: no member is open, or all are full
 */
int lbs_away_choose(const lbs_ask_t *ask, const lbs_visit_t *visit,
                    const lbs_pick_ask_t *pick);

#endif
