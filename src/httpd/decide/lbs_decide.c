/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_decide.c - see lbs_decide.h. */
#include "src/httpd/decide/lbs_decide.h"

#include "src/httpd/decide/lbs_adoption.h"
#include "src/httpd/decide/lbs_asked.h"
#include "src/httpd/decide/lbs_away.h"
#include "src/httpd/decide/lbs_extract.h"
#include "src/httpd/decide/lbs_last_resort.h"
#include "src/httpd/decide/lbs_lookup.h"
#include "src/httpd/decide/lbs_place.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/httpd/shared/lbs_thread_rand.h"
#include "src/httpd/store/lbs_store.h"
#include "src/member/lbs_queue.h"
#include "src/pick/lbs_least.h"

typedef struct decide_t {
    const lbs_ask_t *ask;
    lbs_visit_t *visit;
    lbs_choice_t *choice;
} decide_t;

/* @return the member of a slot, if it takes a session that is its own */
static int can_take(const decide_t *d, int slot)
{
    int member = slot < 0
                     ? LBS_NO_MEMBER
                     : lbs_pools_member_at(d->ask->pool, (apr_uint32_t)slot);

    return member != LBS_NO_MEMBER
                   && lbs_gauge_open_kept(d->ask->pool->member[member]->gauge)
                   && !lbs_choice_tried(d->choice, member)
               ? member
               : LBS_NO_MEMBER;
}

static void note_tried(const decide_t *d, int member)
{
    lbs_choice_try(d->choice, member, d->ask->pool->count, d->ask->r->pool);
}

/* Picks ------------------------------------------------------------------ */

static lbs_pick_ask_t pick_ask(const decide_t *d)
{
    const lbs_pool_t *pool = d->ask->pool;
    lbs_pick_ask_t ask = {
        .rand = lbs_thread_rand(),
        .now = d->ask->now,
        .tried = d->choice->tried,
        .ntried = d->choice->ntried,
        .tried_set = d->choice->tried_set,
        .steady = !d->ask->idempotent,
        .traceless = d->ask->traceless,
        .bound_centi = pool->set.method->bound_centi,
    };

    if (pool->set.method->method == LBS_PICK_HASH) {
        ask.hash =
            lbs_extract_pick_hash(d->ask->r, pool, d->visit->pick_value);
    }
    return ask;
}

static apr_status_t pick(const decide_t *d)
{
    const lbs_pool_t *pool = d->ask->pool;
    lbs_pick_ask_t ask = pick_ask(d);
    apr_uint32_t index;
    apr_status_t rv = lbs_pick_member(&pool->pick, &ask, &index);

    if (rv == APR_SUCCESS) {
        d->choice->member = (int)index;
        d->choice->drawn = lbs_pick_method_draws(pool->set.method->method);
    }
    return rv;
}

static int may_share(const decide_t *d, int member)
{
    return member != LBS_NO_MEMBER
           && lbs_gauge_open_new(d->ask->pool->member[member]->gauge)
           && !lbs_choice_tried(d->choice, member);
}

/* Requests of one client at once share one pick. */
static apr_status_t pick_shared(const decide_t *d, apr_uint64_t key,
                                apr_int64_t window)
{
    const lbs_pool_t *pool = d->ask->pool;
    lbs_atomic64_t *words = lbs_runtime()->first;
    apr_time_t now = d->ask->now;
    apr_uint32_t stale = LBS_FIRST_NONE;
    apr_uint32_t slot;
    apr_status_t rv;
    int member;

    if (lbs_first_find(words, key, now, window, &slot) == APR_SUCCESS) {
        member = lbs_pools_member_at(pool, slot);
        if (may_share(d, member)) {
            d->choice->member = member;
            return APR_SUCCESS;
        }
        stale = slot;
    }
    rv = pick(d);
    if (rv == APR_SUCCESS && !d->ask->traceless) {
        slot = lbs_first_claim(words, key, now, window,
                               pool->member[d->choice->member]->slot, stale);
        member = lbs_pools_member_at(pool, slot);
        if (may_share(d, member)) {
            d->choice->member = member;
        }
    }
    return rv;
}

/* A route that the application wrote goes on naming a member that is gone: the
 * member that took the session then still has it. */
static int find_remembered(const decide_t *d)
{
    const lbs_pool_t *pool = d->ask->pool;
    const lbs_key_t *key = &d->visit->key[d->choice->source];
    lbs_table_hit_t hit;

    if (pool->set.sticky->source[d->choice->source].kind != LBS_SOURCE_ROUTE
        || lbs_table_find(lbs_runtime()->table, key->hash, lbs_clock_now(),
                          &hit)
               != APR_SUCCESS) {
        return LBS_NO_MEMBER;
    }
    return can_take(d, (int)hit.slot);
}

/* One that goes home again is where every other server would have it, too. */
static int find_stand_in(const decide_t *d)
{
    lbs_pick_ask_t ask = pick_ask(d);

    return d->choice->temporary ? lbs_away_choose(d->ask, d->visit, &ask)
                                : LBS_NO_MEMBER;
}

/* The requests of a session that moves are answered in any order, and the last
 * would decide where it stays: they share the pick. */
static apr_status_t pick_for_moved(const decide_t *d)
{
    apr_uint64_t hash = d->visit->key[d->choice->source].hash;
    int member = hash != 0 ? find_remembered(d) : LBS_NO_MEMBER;

    if (member == LBS_NO_MEMBER) {
        member = find_stand_in(d);
    }
    if (member != LBS_NO_MEMBER) {
        d->choice->member = member;
        return APR_SUCCESS;
    }
    return hash != 0 ? pick_shared(d, lbs_place_moving(hash), LBS_PLACE_MOVING)
                     : pick(d);
}

/* A visitor without a cookie shares the pick, too. */
static apr_status_t pick_for(const decide_t *d, lbs_decision_t decision,
                             lbs_reason_t reason)
{
    const lbs_pool_t *pool = d->ask->pool;
    apr_int64_t first = pool->set.cookie->first;

    if (decision == LBS_DECISION_NEW && reason == LBS_REASON_FIRST
        && first != 0
        && lbs_settings_has_source(pool->set.sticky, LBS_SOURCE_COOKIE)) {
        return pick_shared(
            d,
            lbs_hash_mix(lbs_lookup_first(d->ask->r, pool, d->visit)
                         + lbs_atomic_load32_relaxed(&pool->record->changes)),
            first);
    }
    return decision == LBS_DECISION_MOVED && reason != LBS_REASON_FULL
               ? pick_for_moved(d)
               : pick(d);
}

/* Queues ----------------------------------------------------------------- */

/* Open to new sessions, but for its limit. */
static int is_worth_waiting(const lbs_gauge_t *g)
{
    return (lbs_gauge_flags(g) & LBS_F_CLOSED_NEW) == 0
           && lbs_atomic_load32_relaxed(&g->weight) != 0
           && !lbs_gauge_probed(g);
}

/* The queue of a member, unless it is full. */
static int weigh_queue(void *baton, apr_size_t index, apr_uint64_t *weight)
{
    const decide_t *d = baton;
    const lbs_member_t *m = d->ask->pool->member[index];

    if (!is_worth_waiting(m->gauge)
        || lbs_choice_tried(d->choice, (int)index)) {
        return 0;
    }
    *weight = lbs_queue_waiting(&m->record->queue, (apr_uint64_t)d->ask->now);
    return *weight < d->ask->pool->set.limit->queue;
}

/* How full a member is. */
static int weigh_load(void *baton, apr_size_t index, apr_uint64_t *weight)
{
    const decide_t *d = baton;
    const lbs_gauge_t *g = d->ask->pool->member[index]->gauge;
    apr_uint64_t limit = lbs_atomic_load32_relaxed(&g->limit);

    *weight =
        ((apr_uint64_t)lbs_gauge_inflight(g) << 20) / (limit == 0 ? 1 : limit);
    return is_worth_waiting(g) && !lbs_choice_tried(d->choice, (int)index);
}

/* All members are full: the least of them. The pick has walked the pool
 * before it found them so; this walk begins at a place of its own, so that
 * equal members are used equally. */
static int find_least(const decide_t *d, lbs_least_fn *weigh)
{
    const lbs_pool_t *pool = d->ask->pool;
    decide_t asked = *d;

    return lbs_least_find(
        pool->count,
        lbs_rand_below(lbs_thread_rand(), (apr_uint32_t)pool->count), weigh,
        &asked);
}

/* A member to wait for. */
static int find_queue(const decide_t *d)
{
    return d->ask->waited ? LBS_NO_MEMBER : find_least(d, weigh_queue);
}

/* Deciding --------------------------------------------------------------- */

static int refuse(const decide_t *d, lbs_reason_t reason)
{
    d->choice->decision = LBS_DECISION_REFUSED;
    d->choice->reason = reason;
    d->choice->member = LBS_NO_MEMBER;
    return HTTP_SERVICE_UNAVAILABLE;
}

static int settle_on(const decide_t *d, int member, lbs_decision_t decision,
                     lbs_reason_t reason)
{
    d->choice->member = member;
    d->choice->decision = decision;
    d->choice->reason = reason;
    d->choice->anyway = 0;
    d->choice->over = 0;
    return OK;
}

/* A limit that was found out refuses nobody: it only says where there is room.
 */
static int is_soft(const decide_t *d)
{
    return d->ask->pool->set.limit->inflight == LBS_SET_LIMIT_AUTO;
}

/* No trusted member is left. */
static int settle_on_last(const decide_t *d, lbs_decision_t decision,
                          lbs_reason_t reason, lbs_reason_t refusal)
{
    int member = lbs_last_resort_find(d->ask->pool, d->choice);

    if (member == LBS_NO_MEMBER) {
        return refuse(d, refusal);
    }
    if (decision == LBS_DECISION_MOVED && member == d->choice->home) {
        decision = LBS_DECISION_KEPT; /* the session is at home again */
        reason = LBS_REASON_NONE;
        d->choice->temporary = 0;
    }
    (void)settle_on(d, member, decision, reason);
    d->choice->anyway = 1;
    return OK;
}

/* The session may not move; its member refused connections a moment ago. */
static int stay_or_refuse(const decide_t *d, lbs_reason_t reason)
{
    int home = d->choice->home;

    if (home == LBS_NO_MEMBER || lbs_choice_tried(d->choice, home)
        || !lbs_last_resort_is_down(d->ask->pool->member[home])) {
        return refuse(d, reason);
    }
    (void)settle_on(d, home, LBS_DECISION_KEPT, LBS_REASON_NONE);
    d->choice->anyway = 1;
    return OK;
}

/* A pick, under the decision it is made for. */
static int decide_by_pick(const decide_t *d, lbs_decision_t decision,
                          lbs_reason_t reason)
{
    apr_status_t rv = pick_for(d, decision, reason);

    if (rv == APR_EBUSY) {
        d->choice->member = find_queue(d);
        rv = d->choice->member != LBS_NO_MEMBER ? APR_SUCCESS : rv;
    }
    if (rv == APR_EBUSY && is_soft(d)) {
        int member = find_least(d, weigh_load);

        if (member != LBS_NO_MEMBER) {
            (void)settle_on(d, member, decision, reason);
            d->choice->over = 1;
            return OK;
        }
    }
    if (rv != APR_SUCCESS) {
        return settle_on_last(d, decision, reason,
                              rv == APR_EBUSY ? LBS_REASON_FULL
                                              : LBS_REASON_DOWN);
    }
    return settle_on(d, d->choice->member, decision, reason);
}

/* The redirect= of a member that cannot take its sessions. */
static int redirected(const decide_t *d)
{
    const lbs_pool_t *pool = d->ask->pool;
    const lbs_member_t *m;
    const char *route;

    if (d->choice->home == LBS_NO_MEMBER) {
        return LBS_NO_MEMBER;
    }
    route = lbs_worker_redirect(pool->member[d->choice->home]->worker);
    m = *route ? apr_hash_get(pool->by_route, route, APR_HASH_KEY_STRING)
               : NULL;
    if (m == NULL || !lbs_gauge_open_kept(m->gauge)
        || lbs_choice_tried(d->choice, (int)m->index)) {
        return LBS_NO_MEMBER;
    }
    return (int)m->index;
}

static int goes_home_again(const decide_t *d, lbs_reason_t reason)
{
    return d->ask->pool->set.failback->mode != LBS_FAILBACK_STAY
           && reason != LBS_REASON_REMOVED;
}

/* Before a known session is moved: another server may have moved it already,
 * which the token says, or the store. */
static int moved_by_others(const decide_t *d, lbs_reason_t reason)
{
    const lbs_pool_t *pool = d->ask->pool;
    lbs_key_t key = d->visit->key[d->choice->source];
    int member = LBS_NO_MEMBER;

    if (reason == LBS_REASON_FULL) {
        return LBS_NO_MEMBER;
    }
    if (!key.left) {
        member = can_take(d, key.other);
    }
    if (member == LBS_NO_MEMBER && key.known && key.stored == 0
        && lbs_store_find(pool, &key, &d->visit->wait)) {
        member = can_take(d, key.slot);
    }
    if (member != LBS_NO_MEMBER) {
        d->choice->temporary = 0;
    }
    else if (key.known && key.is_away == LBS_KEY_UNASKED
             && goes_home_again(d, reason)
             && lbs_store_find_away(pool, &key, &d->visit->wait, &key.away)
                    == APR_SUCCESS) {
        member = can_take(d, key.away);
        d->choice->temporary = member != LBS_NO_MEMBER;
    }
    return member;
}

/* Another server has moved the session from a member that is well here, to one
 * that is not: the next one is neither, if there is a third. */
static int move_on(const decide_t *d, lbs_reason_t reason)
{
    lbs_choice_t *choice = d->choice;
    const lbs_key_t *key = &d->visit->key[choice->source];
    int other = key->left ? can_take(d, key->other) : LBS_NO_MEMBER;
    int status;

    if (other == LBS_NO_MEMBER) {
        return decide_by_pick(d, LBS_DECISION_MOVED, reason);
    }
    note_tried(d, other);
    status = decide_by_pick(d, LBS_DECISION_MOVED, reason);
    lbs_choice_untry(choice, other);
    return status == OK && !choice->anyway
               ? status
               : settle_on(d, other, LBS_DECISION_KEPT, LBS_REASON_NONE);
}

static int move(const decide_t *d, lbs_reason_t reason)
{
    const lbs_pool_t *pool = d->ask->pool;
    int member = redirected(d);

    d->choice->temporary =
        reason == LBS_REASON_FULL || goes_home_again(d, reason);
    if (!pool->failover) {
        return stay_or_refuse(d, reason);
    }
    if (member == LBS_NO_MEMBER) {
        return move_on(d, reason);
    }
    return settle_on(d, member, LBS_DECISION_MOVED, reason);
}

/* The application wants the session elsewhere: LBStickyControl. It stays where
 * nobody else is open. */
static int move_as_asked(const decide_t *d)
{
    int from = d->choice->from;
    int member = lbs_asked_target(
        d->ask->pool, d->visit->key[d->choice->source].hash, d->ask->now);
    int status;

    if (may_share(d, member) && member != from) {
        return settle_on(d, member, LBS_DECISION_MOVED, LBS_REASON_ASKED);
    }
    note_tried(d, from);
    status = decide_by_pick(d, LBS_DECISION_MOVED, LBS_REASON_ASKED);
    lbs_choice_untry(d->choice, from);
    return status == OK && !d->choice->anyway
               ? status
               : settle_on(d, from, LBS_DECISION_KEPT, LBS_REASON_NONE);
}

/* A key names a member: keep the session there, or move it. */
static int decide_by_key(const decide_t *d)
{
    lbs_place_t place;

    lbs_place_find(d->ask->pool, &d->visit->key[d->choice->source],
                   d->ask->now, &place);
    d->choice->home = place.home;
    d->choice->from = place.from;
    if (place.why == LBS_REASON_ASKED) {
        return move_as_asked(d);
    }
    if (place.member == LBS_NO_MEMBER) {
        int member = moved_by_others(d, place.why);

        if (member == LBS_NO_MEMBER) {
            return move(d, place.why);
        }
        if (!d->choice->temporary) {
            d->choice->home = member;
        }
        return settle_on(d, member, LBS_DECISION_KEPT, LBS_REASON_NONE);
    }
    if (place.away) {
        d->choice->temporary = 1;
    }
    return settle_on(d, place.member,
                     place.why == LBS_REASON_NONE ? LBS_DECISION_KEPT
                                                  : LBS_DECISION_MOVED,
                     place.why);
}

/* No key names a session: the visitor stays where the former balancer had it,
 * or is new here. */
static int decide_new(const decide_t *d, lbs_reason_t reason)
{
    lbs_named_t *named = &d->visit->named;

    named->instead = reason;
    if (named->reader != NULL && !lbs_choice_tried(d->choice, named->member)
        && lbs_adoption_is_open(d->ask->pool, named->member)) {
        return settle_on(d, named->member, LBS_DECISION_NEW,
                         LBS_REASON_ADOPTED);
    }
    return decide_by_pick(d, LBS_DECISION_NEW, reason);
}

int lbs_decide_shown(const lbs_ask_t *ask, lbs_visit_t *visit,
                     lbs_reason_t reason, lbs_choice_t *choice)
{
    const decide_t d = {ask, visit, choice};

    if (choice->source >= 0) {
        return decide_by_key(&d);
    }
    if (ask->pool->set.sticky->count == 0) {
        return decide_by_pick(&d, LBS_DECISION_NONE, LBS_REASON_NONE);
    }
    return decide_new(&d, reason);
}

int lbs_decide(const lbs_ask_t *ask, lbs_visit_t *visit, lbs_choice_t *choice)
{
    lbs_reason_t reason = lbs_lookup_at_keys(ask, visit, &choice->source);

    if (choice->source < 0) {
        lbs_adoption_look(ask, visit);
    }
    return lbs_decide_shown(ask, visit, reason, choice);
}

static int pick_again(const decide_t *d, lbs_reason_t reason)
{
    const lbs_pool_t *pool = d->ask->pool;
    lbs_choice_t *choice = d->choice;
    int member;

    note_tried(d, choice->member);
    if (pool->max_members != 0
        && choice->ntried >= (unsigned)pool->max_members) {
        return refuse(d, LBS_REASON_DOWN);
    }
    if (choice->decision == LBS_DECISION_KEPT) {
        choice->from = choice->member;
        if (choice->home == LBS_NO_MEMBER) {
            choice->home = choice->member;
        }
        member = moved_by_others(d, reason);
        if (member != LBS_NO_MEMBER && pool->failover) {
            return settle_on(d, member, LBS_DECISION_MOVED, reason);
        }
        return move(d, reason);
    }
    return decide_by_pick(d, choice->decision,
                          choice->reason == LBS_REASON_ADOPTED
                              ? d->visit->named.instead
                              : choice->reason);
}

int lbs_decide_again(const lbs_ask_t *ask, lbs_visit_t *visit,
                     lbs_choice_t *choice, lbs_reason_t reason)
{
    const decide_t d = {ask, visit, choice};
    const lbs_choice_t before = *choice;
    int status = pick_again(&d, reason);

    /* Only a limit that was found out kept it from there: it goes in. */
    if (reason == LBS_REASON_FULL && is_soft(&d) && !before.over
        && (status != OK || choice->anyway || choice->over)) {
        *choice = before;
        choice->over = 1;
        return OK;
    }
    /* Every member was tried; all were full, so that is the reason. */
    if (status != OK && reason == LBS_REASON_FULL) {
        choice->reason = LBS_REASON_FULL;
    }
    return status;
}

void lbs_decide_survey(const lbs_ask_t *ask, lbs_visit_t *visit,
                       const lbs_choice_t *choice, unsigned char *stands)
{
    lbs_choice_t asked = *choice;
    const decide_t d = {ask, visit, &asked};
    lbs_pick_ask_t pick = pick_ask(&d);

    lbs_pick_survey(&ask->pool->pick, &pick, stands);
}
