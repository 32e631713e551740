/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_place.c - see lbs_place.h. */
#include "src/httpd/decide/lbs_place.h"

#include "src/httpd/shared/lbs_runtime.h"
#include "src/state/lbs_admin.h"

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

/* A drain may have an idle time, after which sessions move at once. */
static int is_idle(const lbs_pool_t *pool, const lbs_key_t *key,
                   apr_uint32_t slot, apr_time_t now)
{
    lbs_admin_drain_t drain;

    lbs_admin_drain(lbs_runtime()->registry, slot, &drain);
    return drain.idle != 0 && key->known
           && pool->set.timeout->idle - (key->expires - now) > drain.idle;
}

lbs_reason_t lbs_place_why_not(const lbs_pool_t *pool, const lbs_key_t *key,
                               int member, apr_time_t now)
{
    apr_uint32_t flags;

    if (member == LBS_NO_MEMBER) {
        return LBS_REASON_REMOVED;
    }
    flags = lbs_gauge_flags(pool->member[member].gauge);
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
    if ((flags & LBS_F_DRAIN)
        && is_idle(pool, key, pool->member[member].slot, now)) {
        return LBS_REASON_DRAINED;
    }
    return LBS_REASON_NONE;
}

/* Where a session is that was moved away from home for a while. */
static int find_away(const lbs_pool_t *pool, const lbs_key_t *key,
                     apr_time_t now, apr_time_t *idle)
{
    lbs_table_hit_t hit;

    if (pool->set.failback->mode == LBS_FAILBACK_STAY
        || lbs_table_find(lbs_runtime()->table, lbs_place_away(key->hash), now,
                          &hit)
               != APR_SUCCESS) {
        return LBS_NO_MEMBER;
    }
    *idle = pool->set.timeout->idle - (hit.expires_us - now);
    return lbs_pools_member_at(pool, hit.slot);
}

/* Half-open: a session that is well elsewhere is no trial of its home. */
static int is_on_trial(const lbs_pool_t *pool, int member)
{
    return (lbs_gauge_flags(pool->member[member].gauge) & LBS_F_HALF_OPEN)
           != 0;
}

/* Where the session is by another word, when the newest will not do. */
static void ask_other(const lbs_pool_t *pool, const lbs_key_t *key,
                      apr_time_t now, lbs_place_t *place)
{
    int other = key->other < 0
                    ? LBS_NO_MEMBER
                    : lbs_pools_member_at(pool, (apr_uint32_t)key->other);

    if (other != LBS_NO_MEMBER
        && lbs_place_why_not(pool, key, other, now) == LBS_REASON_NONE) {
        place->home = other;
        place->member = other;
        place->why = LBS_REASON_NONE;
    }
}

void lbs_place_find(const lbs_pool_t *pool, const lbs_key_t *key,
                    apr_time_t now, lbs_place_t *place)
{
    int home = key->slot < 0
                   ? LBS_NO_MEMBER
                   : lbs_pools_member_at(pool, (apr_uint32_t)key->slot);
    lbs_reason_t why = lbs_place_why_not(pool, key, home, now);
    apr_time_t idle = 0;
    int away = find_away(pool, key, now, &idle);

    place->home = home;
    place->away = 0;
    place->why = why;
    place->member = why == LBS_REASON_NONE ? home : LBS_NO_MEMBER;
    if (away == LBS_NO_MEMBER || away == home
        || !lbs_gauge_open_kept(pool->member[away].gauge)) {
        if (why != LBS_REASON_NONE) {
            ask_other(pool, key, now, place);
        }
        return;
    }
    if (why == LBS_REASON_NONE && !is_on_trial(pool, home)
        && (pool->set.failback->mode == LBS_FAILBACK_RETURN
            || idle >= pool->set.failback->idle)) {
        place->why = LBS_REASON_FAILBACK;
        return;
    }
    place->away = 1;
    place->why = LBS_REASON_NONE;
    place->member = away;
}
