/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_stand_in.h - the member for a session while its home is away.
 *
 * A session that goes home again (LBStickyFailback return, idle=) is not
 * written down anew where it is meanwhile, so servers that do not share a
 * store cannot tell each other. They all find the same member instead: the one
 * with the highest score, which is a hash of session and member, by weight.
 * Servers that see the same members open agree; where they differ in one
 * member, they agree on all sessions but those of that member.
 */
#ifndef LBS_STAND_IN_H
#define LBS_STAND_IN_H

#include <apr.h>

/**
 * A member's score for a session. The member with the highest one is chosen;
 * each is so for a share of the sessions in proportion to its weight.
 *
 * @param session    keyed hash, the same on every server
 * @param member_id  identity, the same on every server
 * @param weight     hundredths, not 0
 */
apr_uint64_t lbs_stand_in_score(apr_uint64_t session, apr_uint64_t member_id,
                                apr_uint32_t weight);

#endif
