/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_decide.c - see lbs_decide.h. */
#include "src/httpd/decide/lbs_decide.h"

#include "src/httpd/request/lbs_admit.h"
#include "src/httpd/decide/lbs_extract.h"
#include "src/httpd/decide/lbs_lookup.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/state/lbs_admin.h"

/* So long the requests of a session that lost its member meet at another. */
#define MOVE_WINDOW apr_time_from_sec(10)

/* Words beside a session's own ------------------------------------------- */

/* A session that was moved for a while (LBStickyFailback return, idle=) has a
 * second word that says where it is away. */
apr_uint64_t lbs_decide_away(apr_uint64_t hash)
{
    return lbs_hash_mix(hash ^ APR_UINT64_C(0x6177617920776f72));
}

/* LBStickyTimeout max= has a word of its own that is never renewed. */
apr_uint64_t lbs_decide_max(apr_uint64_t hash)
{
    return lbs_hash_mix(hash ^ APR_UINT64_C(0x6d61782061676531));
}

/* Where a session that is just moving goes; among those of first=. */
static apr_uint64_t moving(apr_uint64_t hash)
{
    return lbs_hash_mix(hash ^ APR_UINT64_C(0x6d6f76696e672074));
}

/* Members ---------------------------------------------------------------- */

/* A drain may say that sessions idle for so long move at once. */
static int is_idle(const lbs_pool_t *pool, const lbs_key_t *key,
                   apr_uint32_t slot, apr_time_t now)
{
    lbs_admin_drain_t drain;

    lbs_admin_drain(lbs_runtime()->registry, slot, &drain);
    return drain.idle != 0 && key->known
           && pool->set.timeout->idle - (key->expires - now) > drain.idle;
}

/* Why a session cannot stay with its member; LBS_REASON_NONE: it can. */
static lbs_reason_t why_not(const lbs_pool_t *pool, const lbs_key_t *key,
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

static apr_status_t pick(request_rec *r, lbs_request_t *req)
{
    const lbs_pool_t *pool = req->pool;
    lbs_pick_ask_t ask = {
        .rand = lbs_runtime_rand(),
        .now = lbs_runtime_now(),
        .tried = req->choice.tried,
        .ntried = req->choice.ntried,
        .steady = !req->idempotent,
        .bound_centi = pool->set.method->bound_centi,
    };
    apr_uint32_t index;
    apr_status_t rv;

    if (pool->set.method->method == LBS_PICK_HASH) {
        ask.hash = lbs_extract_pick_hash(r, pool, req->visit.pick_value);
    }
    rv = lbs_pick_member(&pool->pick, &ask, &index);
    if (rv == APR_SUCCESS) {
        req->choice.member = (int)index;
    }
    return rv;
}

static int may_share(const lbs_request_t *req, int member)
{
    return member != LBS_NO_MEMBER
           && lbs_gauge_open_new(req->pool->member[member].gauge)
           && !lbs_choice_tried(&req->choice, member);
}

/* Requests of one client at once share one pick. */
static apr_status_t pick_shared(request_rec *r, lbs_request_t *req,
                                apr_uint64_t key, apr_int64_t window)
{
    const lbs_pool_t *pool = req->pool;
    lbs_atomic64_t *words = lbs_runtime()->first;
    apr_time_t now = lbs_runtime_now();
    apr_uint32_t stale = LBS_FIRST_NONE;
    apr_uint32_t slot;
    apr_status_t rv;
    int member;

    if (lbs_first_find(words, key, now, window, &slot) == APR_SUCCESS) {
        member = lbs_pools_member_at(pool, slot);
        if (may_share(req, member)) {
            req->choice.member = member;
            return APR_SUCCESS;
        }
        stale = slot;
    }
    rv = pick(r, req);
    if (rv == APR_SUCCESS) {
        slot = lbs_first_claim(words, key, now, window,
                               pool->member[req->choice.member].slot, stale);
        member = lbs_pools_member_at(pool, slot);
        if (may_share(req, member)) {
            req->choice.member = member;
        }
    }
    return rv;
}

/* Deciding --------------------------------------------------------------- */

static int refuse(lbs_request_t *req, lbs_reason_t reason)
{
    req->choice.decision = LBS_DECISION_REFUSED;
    req->choice.reason = reason;
    req->choice.member = LBS_NO_MEMBER;
    return HTTP_SERVICE_UNAVAILABLE;
}

/* A visitor without a cookie shares the pick, and so does a session that
 * moves: its requests are answered in any order, and the last would decide
 * where it stays. */
static apr_status_t pick_for(request_rec *r, lbs_request_t *req,
                             lbs_decision_t decision, lbs_reason_t reason)
{
    apr_int64_t first = req->pool->set.cookie->first;

    if (decision == LBS_DECISION_NEW && reason == LBS_REASON_FIRST
        && first != 0
        && lbs_settings_has_source(req->pool->set.sticky, LBS_SOURCE_COOKIE)) {
        return pick_shared(r, req, lbs_extract_first(r, req->pool), first);
    }
    if (decision == LBS_DECISION_MOVED && reason != LBS_REASON_FULL
        && req->visit.key[req->choice.source].hash != 0) {
        return pick_shared(r, req,
                           moving(req->visit.key[req->choice.source].hash),
                           MOVE_WINDOW);
    }
    return pick(r, req);
}

/* A pick, under the decision it is made for. */
static int decide_by_pick(request_rec *r, lbs_request_t *req,
                          lbs_decision_t decision, lbs_reason_t reason)
{
    apr_status_t rv = pick_for(r, req, decision, reason);

    if (rv == APR_EBUSY) {
        req->choice.member = lbs_admit_choose(req);
        rv = req->choice.member != LBS_NO_MEMBER ? APR_SUCCESS : rv;
    }
    if (rv != APR_SUCCESS) {
        return refuse(req,
                      rv == APR_EBUSY ? LBS_REASON_FULL : LBS_REASON_DOWN);
    }
    req->choice.decision = decision;
    req->choice.reason = reason;
    return OK;
}

/* The redirect= of a member that cannot take its sessions. */
static int redirected(const lbs_request_t *req)
{
    const lbs_pool_t *pool = req->pool;
    const lbs_member_t *m;
    const char *route;

    if (req->choice.home == LBS_NO_MEMBER) {
        return LBS_NO_MEMBER;
    }
    route = lbs_worker_redirect(pool->member[req->choice.home].worker);
    m = *route ? apr_hash_get(pool->by_route, route, APR_HASH_KEY_STRING)
               : NULL;
    if (m == NULL || !lbs_gauge_open_kept(m->gauge)
        || lbs_choice_tried(&req->choice, lbs_pools_index(pool, m))) {
        return LBS_NO_MEMBER;
    }
    return lbs_pools_index(pool, m);
}

static int move(request_rec *r, lbs_request_t *req, lbs_reason_t reason)
{
    int member = redirected(req);

    req->choice.temporary =
        reason == LBS_REASON_FULL
        || (req->pool->set.failback->mode != LBS_FAILBACK_STAY
            && reason != LBS_REASON_REMOVED);
    if (!req->pool->failover) {
        return refuse(req, reason);
    }
    if (member == LBS_NO_MEMBER) {
        return decide_by_pick(r, req, LBS_DECISION_MOVED, reason);
    }
    req->choice.member = member;
    req->choice.decision = LBS_DECISION_MOVED;
    req->choice.reason = reason;
    return OK;
}

/* Where a session is that was moved away from home for a while. */
static int find_away(const lbs_pool_t *pool, const lbs_key_t *key,
                     apr_time_t now, apr_time_t *idle)
{
    lbs_table_hit_t hit;

    if (pool->set.failback->mode == LBS_FAILBACK_STAY
        || lbs_table_find(lbs_runtime()->table, lbs_decide_away(key->hash),
                          now, &hit)
               != APR_SUCCESS) {
        return LBS_NO_MEMBER;
    }
    *idle = pool->set.timeout->idle - (hit.expires_us - now);
    return lbs_pools_member_at(pool, hit.slot);
}

void lbs_decide_place(const lbs_pool_t *pool, const lbs_key_t *key,
                      apr_time_t now, lbs_place_t *place)
{
    int home = key->slot < 0
                   ? LBS_NO_MEMBER
                   : lbs_pools_member_at(pool, (apr_uint32_t)key->slot);
    lbs_reason_t why = why_not(pool, key, home, now);
    apr_time_t idle = 0;
    int away = find_away(pool, key, now, &idle);

    place->home = home;
    place->away = 0;
    place->why = why;
    place->member = why == LBS_REASON_NONE ? home : LBS_NO_MEMBER;
    if (away == LBS_NO_MEMBER || away == home
        || !lbs_gauge_open_kept(pool->member[away].gauge)) {
        return;
    }
    if (why == LBS_REASON_NONE
        && (pool->set.failback->mode == LBS_FAILBACK_RETURN
            || idle >= pool->set.failback->idle)) {
        place->why = LBS_REASON_FAILBACK;
        return;
    }
    place->away = 1;
    place->why = LBS_REASON_NONE;
    place->member = away;
}

/* A key names a member: keep the session there, or move it. */
static int decide_by_key(request_rec *r, lbs_request_t *req)
{
    lbs_place_t place;

    lbs_decide_place(req->pool, &req->visit.key[req->choice.source],
                     lbs_runtime_now(), &place);
    req->choice.home = place.home;
    if (place.member == LBS_NO_MEMBER) {
        return move(r, req, place.why);
    }
    if (place.away) {
        req->choice.temporary = 1;
    }
    req->choice.member = place.member;
    req->choice.decision =
        place.why == LBS_REASON_NONE ? LBS_DECISION_KEPT : LBS_DECISION_MOVED;
    req->choice.reason = place.why;
    return OK;
}

int lbs_decide(request_rec *r, lbs_request_t *req)
{
    lbs_reason_t reason = lbs_lookup_at_keys(r, req);

    if (req->choice.source >= 0) {
        return decide_by_key(r, req);
    }
    if (req->pool->set.sticky->count == 0) {
        return decide_by_pick(r, req, LBS_DECISION_NONE, LBS_REASON_NONE);
    }
    return decide_by_pick(r, req, LBS_DECISION_NEW, reason);
}

static int pick_again(request_rec *r, lbs_request_t *req, lbs_reason_t reason)
{
    const lbs_pool_t *pool = req->pool;

    lbs_choice_try(&req->choice, req->choice.member);
    if ((pool->max_members != 0
         && req->choice.ntried >= (unsigned)pool->max_members)
        || req->choice.ntried >= LBS_MAX_TRIED) {
        return refuse(req, LBS_REASON_DOWN);
    }
    if (req->choice.decision == LBS_DECISION_KEPT) {
        if (req->choice.home == LBS_NO_MEMBER) {
            req->choice.home = req->choice.member;
        }
        return move(r, req, reason);
    }
    return decide_by_pick(r, req, req->choice.decision, req->choice.reason);
}

int lbs_decide_again(request_rec *r, lbs_request_t *req, lbs_reason_t reason)
{
    int status = pick_again(r, req, reason);

    /* Nobody is left who was not tried: that they were full is why. */
    if (status != OK && reason == LBS_REASON_FULL) {
        req->choice.reason = LBS_REASON_FULL;
    }
    return status;
}
