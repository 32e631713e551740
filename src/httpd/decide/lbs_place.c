/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_place.c - see lbs_place.h. */
#include "src/httpd/decide/lbs_place.h"

#include "src/httpd/decide/lbs_asked.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/state/lbs_admin.h"
#include "src/sharing/lbs_board.h"

/* Words beside a session's own ------------------------------------------- */

/* A session that was moved for a while (LBStickyFailback return, idle=) has a
 * second word that says where it is away. */
apr_uint64_t lbs_place_away(apr_uint64_t hash)
{
    return lbs_hash_mix(hash ^ APR_UINT64_C(0x6177617920776f72));
}

/* LBStickyTimeout max= has a word of its own that is never renewed. */
apr_uint64_t lbs_place_max(apr_uint64_t hash)
{
    return lbs_hash_mix(hash ^ APR_UINT64_C(0x6d61782061676531));
}

apr_uint64_t lbs_place_moving(apr_uint64_t hash)
{
    return lbs_hash_mix(hash ^ APR_UINT64_C(0x6d6f76696e672074));
}

/* Members ---------------------------------------------------------------- */

/* A drain, or leaving, may have an idle time, after which sessions move at
 * once. */
static int is_idle(const lbs_pool_t *pool, const lbs_key_t *key,
                   apr_uint32_t slot, apr_time_t now)
{
    lbs_admin_drain_t drain;

    lbs_admin_drain(lbs_runtime()->registry, slot, &drain);
    return drain.idle != 0 && key->known
           && pool->set.timeout->idle - (key->expires - now) > drain.idle
           && !lbs_asked_holds(pool, key->hash, now);
}

lbs_reason_t lbs_place_why_not(const lbs_pool_t *pool, const lbs_key_t *key,
                               int member, apr_time_t now)
{
    apr_uint32_t flags;

    if (member == LBS_NO_MEMBER) {
        return LBS_REASON_REMOVED;
    }
    flags = lbs_gauge_flags(pool->member[member]->gauge);
    if (flags & LBS_F_REMOVED) {
        return LBS_REASON_REMOVED;
    }
    if (flags & (LBS_F_STOPPED | LBS_F_DISABLED)) {
        return LBS_REASON_DISABLED;
    }
    if (flags & LBS_F_DRAINED) {
        return LBS_REASON_DRAINED;
    }
    if (flags & LBS_F_DOWN) {
        return LBS_REASON_DOWN;
    }
    if (flags & LBS_F_EJECTED) {
        return LBS_REASON_EJECTED;
    }
    if ((flags & (LBS_F_DRAIN | LBS_F_LEAVING))
        && is_idle(pool, key, pool->member[member]->slot, now)) {
        return LBS_REASON_DRAINED;
    }
    return LBS_REASON_NONE;
}

/* Where a session is that was moved away from home for a while,
 * LBStickyFailback. The store's word is the newer one where it was asked. */
typedef struct away_t {
    int member;      /* LBS_NO_MEMBER: it is at home */
    apr_time_t idle; /* so long it was not used there */
    int is_over;     /* another server has sent it home */
} away_t;

static void find_away(const lbs_pool_t *pool, const lbs_key_t *key,
                      apr_time_t now, away_t *away)
{
    lbs_table_hit_t hit;

    *away = (away_t){.member = LBS_NO_MEMBER};
    if (pool->set.failback->mode == LBS_FAILBACK_STAY) {
        return;
    }
    if (lbs_table_find(lbs_runtime()->table, lbs_place_away(key->hash), now,
                       &hit)
        == APR_SUCCESS) {
        away->idle = pool->set.timeout->idle - (hit.expires_us - now);
        away->member = lbs_pools_member_at(pool, hit.slot);
        away->is_over = key->is_away == LBS_KEY_HOME;
    }
    if (key->is_away == LBS_KEY_AWAY && key->away >= 0) {
        away->member = lbs_pools_member_at(pool, (apr_uint32_t)key->away);
    }
}

/* Half-open: a session that is well elsewhere is no trial of its home. */
static int is_on_trial(const lbs_pool_t *pool, int member)
{
    return (lbs_gauge_flags(pool->member[member]->gauge) & LBS_F_HALF_OPEN)
           != 0;
}

/* Another server cannot use the member: it would send the session away again.
 */
static int is_left(const lbs_pool_t *pool, int member, apr_time_t now)
{
    apr_time_t left_at = (apr_time_t)lbs_atomic_load64_relaxed(
        &pool->member[member]->record->left_at);

    return left_at != 0 && now - left_at < LBS_BOARD_LASTS;
}

static int goes_home(const lbs_pool_t *pool, int home, const away_t *away,
                     apr_time_t now)
{
    if (is_on_trial(pool, home)) {
        return 0;
    }
    return away->is_over
           || (!is_left(pool, home, now)
               && (pool->set.failback->mode == LBS_FAILBACK_RETURN
                   || away->idle >= pool->set.failback->idle));
}

/* Where the session is by another word, when the newest will not do. Not where
 * another server has moved it from: it would move it again. */
static void ask_other(const lbs_pool_t *pool, const lbs_key_t *key,
                      apr_time_t now, lbs_place_t *place)
{
    int other = key->other < 0 || key->left
                    ? LBS_NO_MEMBER
                    : lbs_pools_member_at(pool, (apr_uint32_t)key->other);

    if (other != LBS_NO_MEMBER
        && lbs_place_why_not(pool, key, other, now) == LBS_REASON_NONE) {
        place->home = other;
        place->member = other;
        place->why = LBS_REASON_NONE;
    }
}

static void find(const lbs_pool_t *pool, const lbs_key_t *key, apr_time_t now,
                 lbs_place_t *place)
{
    int home = key->slot < 0
                   ? LBS_NO_MEMBER
                   : lbs_pools_member_at(pool, (apr_uint32_t)key->slot);
    lbs_reason_t why = lbs_place_why_not(pool, key, home, now);
    away_t away;

    find_away(pool, key, now, &away);
    place->home = home;
    place->from = home;
    place->away = 0;
    place->why = why;
    place->member = why == LBS_REASON_NONE ? home : LBS_NO_MEMBER;
    if (away.member == LBS_NO_MEMBER || away.member == home
        || !lbs_gauge_open_kept(pool->member[away.member]->gauge)) {
        if (why != LBS_REASON_NONE) {
            ask_other(pool, key, now, place);
        }
        return;
    }
    place->from = away.member;
    if (why == LBS_REASON_NONE && goes_home(pool, home, &away, now)
        && !lbs_asked_holds(pool, key->hash, now)) {
        place->why = LBS_REASON_FAILBACK;
        return;
    }
    place->away = 1;
    place->why = LBS_REASON_NONE;
    place->member = away.member;
}

/* It is where it should be, unless its application wants it elsewhere. */
void lbs_place_find(const lbs_pool_t *pool, const lbs_key_t *key,
                    apr_time_t now, lbs_place_t *place)
{
    find(pool, key, now, place);
    if (place->member != LBS_NO_MEMBER
        && lbs_asked_leaves(pool, key->hash, place->member, now)) {
        place->from = place->member;
        place->member = LBS_NO_MEMBER;
        place->away = 0;
        place->why = LBS_REASON_ASKED;
    }
}
