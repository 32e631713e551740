/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_place.h - where a session belongs, by the word that the table, a token,
 * a route or the store has of it. Reads flags and words, writes nothing.
 */
#ifndef LBS_PLACE_H
#define LBS_PLACE_H

#include "src/httpd/pool/lbs_key.h"
#include "src/httpd/pool/lbs_pools.h"
#include "src/state/lbs_decision.h"

/** Where a session belongs that a key names. */
typedef struct lbs_place_t {
    int home;         /* its member; LBS_NO_MEMBER: no longer configured */
    int member;       /* the member that gets the request; LBS_NO_MEMBER: a
                         pick is due */
    int from;         /* where it is, when it is moved: home, or not yet
                         home; LBS_NO_MEMBER */
    int away;         /* member is not its home, and does not become it */
    lbs_reason_t why; /* LBS_REASON_NONE: it stays where it was */
} lbs_place_t;

/**
 * Find where a session belongs now. Whether its member is full is not asked.
 *
 * @param key  of a session, as look-ups leave it: known, hash, slot, other,
 *             expires
 * @param now  monotonic microseconds
 */
void lbs_place_find(const lbs_pool_t *pool, const lbs_key_t *key,
                    apr_time_t now, lbs_place_t *place);

/**
 * Why a session cannot stay with a member. Whether the member is full is not
 * asked.
 *
 * @param key     as above; known, expires and the member's slot are looked at
 * @param member  index; LBS_NO_MEMBER: it is no longer configured
 * @return LBS_REASON_NONE: it can
 */
lbs_reason_t lbs_place_why_not(const lbs_pool_t *pool, const lbs_key_t *key,
                               int member, apr_time_t now);

/* For this long, all requests of a session that lost its member go to the
 * same new member. */
#define LBS_PLACE_MOVING apr_time_from_sec(10)

/** The key of a session that is just moving, among those of first=. */
apr_uint64_t lbs_place_moving(apr_uint64_t hash);

/**
 * The words that stand beside a session's own in the table: where it is while
 * it is away from home (LBStickyFailback), and the one that ends it for good
 * (LBStickyTimeout max=).
 */
apr_uint64_t lbs_place_away(apr_uint64_t hash);
apr_uint64_t lbs_place_max(apr_uint64_t hash);

#endif
