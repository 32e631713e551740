/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_sessions.c - see lbs_sessions.h. */
#include "src/httpd/decide/lbs_sessions.h"

#include "src/httpd/decide/lbs_asked.h"
#include "src/httpd/decide/lbs_place.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/httpd/store/lbs_store.h"
#include "src/table/lbs_sweep.h"

/* Remembering ------------------------------------------------------------ */

/* One key of a request that was answered. */
typedef struct session_t {
    const lbs_pool_t *pool;
    lbs_visit_t *visit;
    const lbs_choice_t *choice;
    const lbs_key_t *key;
    int index; /* of its source */
    apr_time_t now;
} session_t;

/* How long LBStickyTimeout max= lets a session live from now on. What servers
 * tell each other of its begin are seconds, so each of them, also the first,
 * goes by the end of that second: they end it in the same moment. */
static apr_interval_time_t rest_of(const session_t *s)
{
    apr_interval_time_t max = s->pool->set.timeout->max;
    apr_time_t now = apr_time_now();
    apr_interval_time_t past;

    if (s->pool->set.sticky->source[s->index].kind == LBS_SOURCE_COOKIE) {
        past = lbs_runtime_wall_now()
               - apr_time_from_sec(s->visit->token.created);
    }
    else if (s->key->stored != 0) {
        past = now - apr_time_from_sec((apr_int64_t)s->key->stored);
    }
    else if (s->pool->store != NULL) {
        past = apr_time_usec(now);
    }
    else {
        return max;
    }
    past = past > 0 ? past - APR_USEC_PER_SEC : -APR_USEC_PER_SEC;
    return past < max ? max - past : 1;
}

/* A word of an end is left of an earlier session with the same key, which was
 * idle for too long, when it was said before this one can have begun. */
static int is_earlier_end(const session_t *s, apr_time_t end,
                          apr_interval_time_t rest)
{
    apr_interval_time_t max = s->pool->set.timeout->max;
    apr_time_t since = s->key->known
                           ? s->now - (max - rest) - 2 * APR_USEC_PER_SEC
                           : s->visit->asked;

    return end - max < since;
}

/* When a session ends is said once, as it begins, or as it is used for the
 * first time since max= is in force: what is over by the time of an answer
 * must not begin anew. */
static void say_end(const session_t *s)
{
    lbs_table_t *table = lbs_runtime()->table;
    apr_uint64_t hash = lbs_place_max(s->key->hash);
    apr_uint32_t slot = (apr_uint32_t)s->pool->max_slot;
    apr_interval_time_t rest;
    lbs_table_hit_t hit;

    if (s->pool->max_slot < 0
        || (s->key->known && s->key->stored == 0 && !s->key->endless)) {
        return;
    }
    rest = rest_of(s);
    if (lbs_table_claim(table, hash, slot, s->now, rest, &hit) == APR_EEXIST
        && is_earlier_end(s, hit.expires_us, rest)) {
        (void)lbs_table_bind(table, hash, slot, s->now, rest, NULL);
    }
}

/* The store is told where a session is while it is away, as it goes and twice
 * in an idle time. was: the word until now. */
static void tell_away(const session_t *s, const lbs_table_hit_t *was)
{
    if (s->pool->store != NULL
        && (was->slot != s->pool->member[s->choice->member]->slot
            || s->key->is_away == LBS_KEY_HOME
            || lbs_store_is_due(s->pool, was->expires_us))) {
        lbs_store_write_away(s->pool, s->choice->member, s->key,
                             &s->visit->wait);
    }
}

/* Servers that share the store are to ask it for the sessions of a member that
 * one of them has just left (lbs_board.h). */
static void note_moved(const session_t *s, int from)
{
    if (s->pool->store != NULL && from != LBS_NO_MEMBER) {
        lbs_atomic_store64_relaxed(&s->pool->member[from]->record->moved_at,
                                   (apr_uint64_t)s->now);
    }
}

/* The session's own word stays, and another one says where it is. One that is
 * elsewhere for this request only, because its home is full, has no such
 * word. */
static void remember_away(const session_t *s)
{
    apr_interval_time_t idle = s->pool->set.timeout->idle;
    lbs_table_t *table = lbs_runtime()->table;
    apr_uint32_t slot = s->pool->member[s->choice->member]->slot;
    apr_uint32_t home = slot;
    lbs_table_hit_t hit = {.slot = LBS_TABLE_NONE};

    if (s->pool->set.failback->mode != LBS_FAILBACK_STAY
        && s->choice->reason != LBS_REASON_FULL) {
        (void)lbs_table_bind(table, lbs_place_away(s->key->hash), slot, s->now,
                             idle, &hit);
        tell_away(s, &hit);
        if (s->choice->home != LBS_NO_MEMBER) {
            home = s->pool->member[s->choice->home]->slot;
        }
    }
    if (s->key->left && s->choice->home != LBS_NO_MEMBER) {
        (void)lbs_table_bind(table, s->key->hash, home, s->now, idle, NULL);
    }
    else if (lbs_table_renew(table, s->key->hash, s->now, idle, &hit)
                 != APR_SUCCESS
             && !s->key->known) {
        (void)lbs_table_bind(table, s->key->hash, home, s->now, idle, NULL);
        say_end(s);
    }
}

static void come_home(const session_t *s)
{
    lbs_table_hit_t hit;

    if (lbs_table_forget(lbs_runtime()->table, lbs_place_away(s->key->hash),
                         s->now, &hit)
        == APR_SUCCESS) {
        note_moved(s, lbs_pools_member_at(s->pool, hit.slot));
    }
    if (s->pool->store != NULL) {
        lbs_store_forget_away(s->pool, s->key, &s->visit->wait);
    }
}

static void remember_here(const session_t *s)
{
    apr_uint32_t slot = s->pool->member[s->choice->member]->slot;
    lbs_table_t *table = lbs_runtime()->table;
    lbs_table_hit_t old = {.slot = slot};

    /* A bind that loses to others is one session that is picked anew. */
    (void)lbs_table_bind(table, s->key->hash, slot, s->now,
                         s->pool->set.timeout->idle, &old);
    if (old.slot != slot) {
        lbs_runtime_count_sessions(slot);
    }
    say_end(s);
    if (s->choice->reason == LBS_REASON_ASKED) {
        lbs_asked_left(s->pool, s->key->hash, s->choice->from, s->now);
    }
    if (s->choice->reason == LBS_REASON_FAILBACK
        || s->choice->reason == LBS_REASON_ASKED) {
        come_home(s);
    }
}

/* The store is told when a session began, which the word of its end tells, so
 * that max= ends it in the same moment at every server. */
static void tell_store(const session_t *s)
{
    lbs_key_t told = *s->key;
    lbs_table_hit_t hit;

    if (s->pool->store == NULL || told.name == NULL) {
        return;
    }
    if (s->pool->max_slot >= 0 && told.known && told.stored == 0
        && lbs_table_find(lbs_runtime()->table, lbs_place_max(told.hash),
                          s->now, &hit)
               == APR_SUCCESS) {
        told.stored = (apr_uint64_t)apr_time_sec(
            apr_time_now() - s->pool->set.timeout->max - APR_USEC_PER_SEC
            + (hit.expires_us - s->now));
    }
    lbs_store_write(s->pool, s->choice->member, &told, &s->visit->wait);
}

/* The application writes routes: only a member that took a session from one
 * that is gone is remembered. */
static void remember_route(const session_t *s)
{
    const lbs_choice_t *choice = s->choice;

    if (choice->source == s->index && choice->decision == LBS_DECISION_MOVED
        && choice->reason != LBS_REASON_FULL) {
        (void)lbs_table_bind(lbs_runtime()->table, s->key->hash,
                             s->pool->member[choice->member]->slot, s->now,
                             s->pool->set.timeout->idle, NULL);
    }
}

void lbs_sessions_remember(const lbs_pool_t *pool, lbs_visit_t *visit,
                           const lbs_choice_t *choice, int index,
                           const lbs_key_t *key, apr_time_t now)
{
    const session_t s = {
        .pool = pool,
        .visit = visit,
        .choice = choice,
        .key = key,
        .index = index,
        .now = now,
    };

    if (choice->decision == LBS_DECISION_MOVED
        && choice->reason != LBS_REASON_FULL
        && choice->reason != LBS_REASON_FAILBACK) {
        note_moved(&s, choice->home);
    }
    if (pool->set.sticky->source[index].kind == LBS_SOURCE_ROUTE) {
        remember_route(&s);
    }
    else if (choice->temporary) {
        remember_away(&s);
    }
    else {
        remember_here(&s);
        tell_store(&s);
    }
}

/* Forgetting ------------------------------------------------------------- */

void lbs_sessions_end(const lbs_pool_t *pool, const lbs_key_t *key,
                      lbs_store_wait_t *wait)
{
    lbs_table_t *table = lbs_runtime()->table;
    apr_time_t now = lbs_clock_now();

    (void)lbs_table_forget(table, lbs_place_away(key->hash), now, NULL);
    (void)lbs_table_forget(table, lbs_place_max(key->hash), now, NULL);
    (void)lbs_table_forget(table, key->hash, now, NULL);
    lbs_store_forget(pool, key, wait);
}

void lbs_sessions_forget(const lbs_pool_t *pool, const lbs_key_t *key)
{
    lbs_store_wait_t wait = {0};

    /* The visitor's token would bring it back, and so would the store. */
    lbs_forgotten_add_session(lbs_runtime()->notes.forgotten, key->hash);
    lbs_sessions_end(pool, key, &wait);
}

static int is_of_slot(void *data, const lbs_table_hit_t *hit)
{
    return hit->slot == *(const apr_uint32_t *)data;
}

void lbs_sessions_forget_all(const lbs_member_t *m, apr_pool_t *memory)
{
    lbs_runtime_t *rt = lbs_runtime();
    apr_uint32_t slot = m->slot;
    lbs_sweep_t *sweep;

    lbs_forgotten_add_member(rt->notes.forgotten, slot,
                             lbs_runtime_token_now());
    lbs_sweep_create(&sweep, rt->table, memory);
    (void)lbs_sweep_run(sweep, 0, lbs_clock_now(), is_of_slot, &slot, NULL);
}
