/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_decide.c - see lbs_decide.h. */
#include "src/httpd/lbs_decide.h"

#include <string.h>

#include "src/affinity/lbs_keys.h"
#include "src/httpd/lbs_admit.h"
#include "src/httpd/lbs_extract.h"
#include "src/httpd/lbs_runtime.h"
#include "src/httpd/lbs_peers.h"
#include "src/state/lbs_admin.h"

/* Seconds an unexpired date may lie ahead: servers' clocks differ. */
#define TOKEN_AHEAD 86400

/* Looking at keys -------------------------------------------------------- */

/* One source's walk through the values of a request. */
typedef struct look_t {
    request_rec *r;
    lbs_request_t *req;
    int index;          /* of the source */
    lbs_reason_t worst; /* why no value was usable so far */
} look_t;

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

static int is_too_old(const lbs_request_t *req, apr_uint64_t hash,
                      apr_time_t now)
{
    lbs_table_hit_t hit;

    return req->pool->max_slot >= 0
           && lbs_table_find(lbs_runtime()->table, lbs_decide_max(hash), now,
                             &hit)
                  != APR_SUCCESS;
}

/* Ask the table. @return 1 when the key names a session it knows */
static int look_up(look_t *look, lbs_hkey_t *key)
{
    apr_time_t now = lbs_runtime_now();
    lbs_table_hit_t hit;
    apr_status_t rv =
        lbs_table_find(lbs_runtime()->table, key->hash, now, &hit);

    if (rv == APR_SUCCESS && is_too_old(look->req, key->hash, now)) {
        rv = APR_TIMEUP;
    }
    if (rv == APR_SUCCESS) {
        key->known = 1;
        key->expires = hit.expires_us;
        key->slot = (int)hit.slot;
        return 1;
    }
    if (look->worst != LBS_REASON_FORGED) {
        look->worst =
            rv == APR_TIMEUP ? LBS_REASON_EXPIRED : LBS_REASON_UNKNOWN;
    }
    return 0;
}

/* Any key but ours: the first value is the one to learn, the first that the
 * table knows is the one that counts. */
static int look_at_value(void *baton, lbs_slice_t value)
{
    look_t *look = baton;
    lbs_hkey_t *key = &look->req->key[look->index];
    lbs_hkey_t candidate = {
        .present = 1,
        .slot = -1,
        .hash =
            lbs_extract_hash(look->req->pool, look->index, value.p, value.n),
    };

    if (look->req->pick_value.n == 0) {
        look->req->pick_value.p = apr_pmemdup(look->r->pool, value.p, value.n);
        look->req->pick_value.n = value.n;
    }
    candidate.name = lbs_peers_name(look->r, look->req->pool, look->index,
                                    value.p, value.n);
    if (look_up(look, &candidate)
        || lbs_peers_find(look->req->pool, &candidate) || !key->present) {
        *key = candidate;
    }
    return candidate.known;
}

static int is_expired(const lbs_request_t *req, const lbs_token_t *token)
{
    const lbs_set_timeout_t *timeout = req->pool->set.timeout;
    apr_int64_t now = lbs_runtime_token_now();

    return now - token->issued > apr_time_sec(timeout->idle)
           || token->issued - now > TOKEN_AHEAD
           || (timeout->max != 0
               && now - token->created > apr_time_sec(timeout->max));
}

/* Our own cookie: the table decides while it knows the session, then the
 * token does. */
static int look_at_token(void *baton, lbs_slice_t value)
{
    look_t *look = baton;
    lbs_request_t *req = look->req;
    lbs_hkey_t *key = &req->key[look->index];
    const lbs_hmember_t *m;
    lbs_token_t token;
    apr_status_t rv =
        lbs_token_verify(&token, value.p, value.n, lbs_runtime()->secret,
                         req->pool->token_pool);

    if (rv != APR_SUCCESS) {
        if (rv == APR_EACCES || look->worst == LBS_REASON_NONE) {
            look->worst =
                rv == APR_EACCES ? LBS_REASON_FORGED : LBS_REASON_UNKNOWN;
        }
        return 0;
    }
    if (req->pick_value.n == 0) {
        req->pick_value.p =
            apr_pmemdup(look->r->pool, &token.sid, sizeof(token.sid));
        req->pick_value.n = sizeof(token.sid);
    }
    key->hash = lbs_extract_hash(req->pool, look->index, &token.sid,
                                 sizeof(token.sid));
    key->slot = -1;
    if (!look_up(look, key)) {
        if (is_expired(req, &token)) {
            look->worst = LBS_REASON_EXPIRED;
            return 0;
        }
        m = apr_hash_get(req->pool->by_token_id, &token.member,
                         sizeof(token.member));
        if (m != NULL
            && lbs_forgotten_has(&lbs_runtime()->shared->notes->forgotten,
                                 m->slot, token.issued, key->hash)) {
            look->worst = LBS_REASON_UNKNOWN;
            return 0;
        }
        key->slot = m != NULL ? (int)m->slot : -1;
    }
    req->has_token = 1;
    req->token = token;
    key->present = 1;
    return 1;
}

/* A route the application wrote reaches members that take sessions; what is
 * kept in reserve or switched off is not for a client to choose. */
static int look_at_route(void *baton, lbs_slice_t value)
{
    look_t *look = baton;
    lbs_hkey_t *key = &look->req->key[look->index];
    const lbs_hmember_t *m;
    lbs_slice_t route;

    if (lbs_key_route(value, &route) != APR_SUCCESS) {
        return 0;
    }
    m = apr_hash_get(look->req->pool->by_route, route.p, (apr_ssize_t)route.n);
    if (m == NULL
        || (lbs_gauge_flags(m->gauge)
            & (LBS_F_STANDBY | LBS_F_SPARE | LBS_F_DISABLED | LBS_F_STOPPED))
               != 0) {
        look->worst = LBS_REASON_UNKNOWN;
        return 0;
    }
    key->slot = (int)m->slot;
    return 1;
}

/* A page that httpd puts together from several requests of its own (an error
 * document, an include) is one visitor's: once one of them was answered and
 * given a token, the others keep it though the client has not shown it yet. */
static const lbs_request_t *find_earlier(const request_rec *r,
                                         const lbs_hpool_t *pool)
{
    const request_rec *other = r;

    while ((other = other->prev != NULL ? other->prev : other->main) != NULL) {
        const lbs_request_t *req = lbs_request_of(other);

        if (req != NULL && req->pool == pool && req->learned && req->has_token
            && !req->temporary) {
            return req;
        }
    }
    return NULL;
}

static int carry_token(look_t *look)
{
    lbs_request_t *req = look->req;
    const lbs_request_t *earlier = find_earlier(look->r, req->pool);

    if (earlier == NULL) {
        return 0;
    }
    req->has_token = 1;
    req->token = earlier->token;
    req->key[look->index] = earlier->key[look->index];
    req->key[look->index].slot = (int)req->pool->member[earlier->member].slot;
    return 1;
}

static lbs_extract_fn *look_for(const lbs_source_t *source)
{
    switch (source->kind) {
    case LBS_SOURCE_COOKIE:
        return look_at_token;
    case LBS_SOURCE_ROUTE:
        return look_at_route;
    default:
        return look_at_value;
    }
}

/* Look at every source: the first that names a session decides, all of them
 * are remembered for learning. */
static lbs_reason_t look_at_keys(request_rec *r, lbs_request_t *req)
{
    const lbs_set_sticky_t *sticky = req->pool->set.sticky;
    lbs_reason_t reason = LBS_REASON_FIRST;
    int i;

    for (i = 0; i < sticky->count; i++) {
        look_t look = {r, req, i, LBS_REASON_NONE};
        int found =
            sticky->source[i].kind == LBS_SOURCE_COOKIE && carry_token(&look);

        if (!found) {
            found = lbs_extract_each(r, req->pool, i,
                                     look_for(&sticky->source[i]), &look);
        }

        if (found && req->source < 0) {
            req->source = i;
        }
        if (!found && look.worst != LBS_REASON_NONE
            && (reason == LBS_REASON_FIRST || look.worst == LBS_REASON_FORGED
                || (look.worst == LBS_REASON_EXPIRED
                    && reason == LBS_REASON_UNKNOWN))) {
            reason = look.worst;
        }
    }
    return reason;
}

/* Members ---------------------------------------------------------------- */

/* A drain may say that sessions idle for so long move at once. */
static int is_idle(const lbs_hpool_t *pool, const lbs_hkey_t *key,
                   apr_uint32_t slot, apr_time_t now)
{
    lbs_admin_drain_t drain;

    lbs_admin_drain(lbs_runtime()->registry, slot, &drain);
    return drain.idle != 0 && key->known
           && pool->set.timeout->idle - (key->expires - now) > drain.idle;
}

/* Why a session cannot stay with its member; LBS_REASON_NONE: it can. */
static lbs_reason_t why_not(const lbs_hpool_t *pool, const lbs_hkey_t *key,
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
    const lbs_hpool_t *pool = req->pool;
    lbs_pick_ask_t ask = {
        .rand = lbs_runtime_rand(),
        .now = lbs_runtime_now(),
        .tried = req->tried,
        .ntried = req->ntried,
        .steady = !req->idempotent,
        .bound_centi = pool->set.method->bound_centi,
    };
    apr_uint32_t index;
    apr_status_t rv;

    if (pool->set.method->method == LBS_PICK_HASH) {
        ask.hash = lbs_extract_pick_hash(r, pool, req->pick_value);
    }
    rv = lbs_pick_member(&pool->pick, &ask, &index);
    if (rv == APR_SUCCESS) {
        req->member = (int)index;
    }
    return rv;
}

static int may_share(const lbs_request_t *req, int member)
{
    return member != LBS_NO_MEMBER
           && lbs_gauge_open_new(req->pool->member[member].gauge)
           && !lbs_request_tried(req, member);
}

/* A client without a cookie: share the pick with its parallel requests. */
static apr_status_t pick_first(request_rec *r, lbs_request_t *req)
{
    const lbs_hpool_t *pool = req->pool;
    lbs_atomic64_t *words = lbs_runtime()->first;
    apr_int64_t window = pool->set.cookie->first;
    apr_time_t now = lbs_runtime_now();
    apr_uint32_t stale = LBS_FIRST_NONE;
    apr_uint64_t key = lbs_extract_first(r, pool);
    apr_uint32_t slot;
    apr_status_t rv;
    int member;

    if (lbs_first_find(words, key, now, window, &slot) == APR_SUCCESS) {
        member = lbs_pools_member_at(pool, slot);
        if (may_share(req, member)) {
            req->member = member;
            return APR_SUCCESS;
        }
        stale = slot;
    }
    rv = pick(r, req);
    if (rv == APR_SUCCESS) {
        slot = lbs_first_claim(words, key, now, window,
                               pool->member[req->member].slot, stale);
        member = lbs_pools_member_at(pool, slot);
        if (may_share(req, member)) {
            req->member = member;
        }
    }
    return rv;
}

static int has_cookie_source(const lbs_hpool_t *pool)
{
    int i;

    for (i = 0; i < pool->set.sticky->count; i++) {
        if (pool->set.sticky->source[i].kind == LBS_SOURCE_COOKIE) {
            return 1;
        }
    }
    return 0;
}

/* Deciding --------------------------------------------------------------- */

static int refuse(lbs_request_t *req, lbs_reason_t reason)
{
    req->decision = LBS_DECISION_REFUSED;
    req->reason = reason;
    req->member = LBS_NO_MEMBER;
    return HTTP_SERVICE_UNAVAILABLE;
}

/* A pick, under the decision it is made for. */
static int decide_by_pick(request_rec *r, lbs_request_t *req,
                          lbs_decision_t decision, lbs_reason_t reason)
{
    apr_status_t rv;

    if (reason == LBS_REASON_FIRST && decision == LBS_DECISION_NEW
        && req->pool->set.cookie->first != 0 && has_cookie_source(req->pool)) {
        rv = pick_first(r, req);
    }
    else {
        rv = pick(r, req);
    }
    if (rv == APR_EBUSY) {
        req->member = lbs_admit_choose(req);
        rv = req->member != LBS_NO_MEMBER ? APR_SUCCESS : rv;
    }
    if (rv != APR_SUCCESS) {
        return refuse(req,
                      rv == APR_EBUSY ? LBS_REASON_FULL : LBS_REASON_DOWN);
    }
    req->decision = decision;
    req->reason = reason;
    return OK;
}

/* The redirect= of a member that cannot take its sessions. */
static int redirected(const lbs_request_t *req)
{
    const lbs_hpool_t *pool = req->pool;
    const lbs_hmember_t *m;
    const char *route;

    if (req->home == LBS_NO_MEMBER) {
        return LBS_NO_MEMBER;
    }
    route = lbs_worker_redirect(pool->member[req->home].worker);
    m = *route ? apr_hash_get(pool->by_route, route, APR_HASH_KEY_STRING)
               : NULL;
    if (m == NULL || !lbs_gauge_open_kept(m->gauge)
        || lbs_request_tried(req, lbs_pools_index(pool, m))) {
        return LBS_NO_MEMBER;
    }
    return lbs_pools_index(pool, m);
}

static int move(request_rec *r, lbs_request_t *req, lbs_reason_t reason)
{
    int member = redirected(req);

    req->temporary = reason == LBS_REASON_FULL
                     || (req->pool->set.failback->mode != LBS_FAILBACK_STAY
                         && reason != LBS_REASON_REMOVED);
    if (!req->pool->failover) {
        return refuse(req, reason);
    }
    if (member == LBS_NO_MEMBER) {
        return decide_by_pick(r, req, LBS_DECISION_MOVED, reason);
    }
    req->member = member;
    req->decision = LBS_DECISION_MOVED;
    req->reason = reason;
    return OK;
}

/* Where a session is that was moved away from home for a while. */
static int find_away(const lbs_hpool_t *pool, const lbs_hkey_t *key,
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

void lbs_decide_place(const lbs_hpool_t *pool, const lbs_hkey_t *key,
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

    lbs_decide_place(req->pool, &req->key[req->source], lbs_runtime_now(),
                     &place);
    req->home = place.home;
    if (place.member == LBS_NO_MEMBER) {
        return move(r, req, place.why);
    }
    if (place.away) {
        req->temporary = 1;
    }
    req->member = place.member;
    req->decision =
        place.why == LBS_REASON_NONE ? LBS_DECISION_KEPT : LBS_DECISION_MOVED;
    req->reason = place.why;
    return OK;
}

int lbs_decide(request_rec *r, lbs_request_t *req)
{
    lbs_reason_t reason = look_at_keys(r, req);

    if (req->source >= 0) {
        return decide_by_key(r, req);
    }
    if (req->pool->set.sticky->count == 0) {
        return decide_by_pick(r, req, LBS_DECISION_NONE, LBS_REASON_NONE);
    }
    return decide_by_pick(r, req, LBS_DECISION_NEW, reason);
}

static int pick_again(request_rec *r, lbs_request_t *req, lbs_reason_t reason)
{
    const lbs_hpool_t *pool = req->pool;

    lbs_request_try(req, req->member);
    if ((pool->max_members != 0 && req->ntried >= (unsigned)pool->max_members)
        || req->ntried >= LBS_MAX_TRIED) {
        return refuse(req, LBS_REASON_DOWN);
    }
    if (req->decision == LBS_DECISION_KEPT) {
        if (req->home == LBS_NO_MEMBER) {
            req->home = req->member;
        }
        return move(r, req, reason);
    }
    return decide_by_pick(r, req, req->decision, req->reason);
}

int lbs_decide_again(request_rec *r, lbs_request_t *req, lbs_reason_t reason)
{
    int status = pick_again(r, req, reason);

    /* Nobody is left who was not tried: that they were full is why. */
    if (status != OK && reason == LBS_REASON_FULL) {
        req->reason = LBS_REASON_FULL;
    }
    return status;
}
