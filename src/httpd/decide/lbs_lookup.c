/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_lookup.c - see lbs_lookup.h. */
#include "src/httpd/decide/lbs_lookup.h"

#include "src/affinity/lbs_keys.h"
#include "src/httpd/decide/lbs_extract.h"
#include "src/httpd/decide/lbs_place.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/httpd/store/lbs_store.h"

/* Seconds an unexpired date may lie ahead: servers' clocks differ. */
#define TOKEN_AHEAD 86400

/* Values of one source that the store is asked for: a client may show
 * hundreds, and a browser has one or two. */
#define MOST_ASKED 4

/* One source's walk through the values of a request. */
typedef struct look_t {
    const lbs_ask_t *ask;
    lbs_visit_t *visit;
    int index;                      /* of the source */
    lbs_reason_t worst;             /* why no value was usable so far */
    apr_uint64_t asked[MOST_ASKED]; /* hashes the store was asked for */
    unsigned nasked;
} look_t;

static int is_too_old(const lbs_pool_t *pool, apr_uint64_t hash,
                      apr_time_t now)
{
    lbs_table_hit_t hit;

    return pool->max_slot >= 0
           && lbs_table_find(lbs_runtime()->table, lbs_place_max(hash), now,
                             &hit)
                  != APR_SUCCESS;
}

/* Ask the table. @return 1 when the key names a session it knows */
static int look_up(look_t *look, lbs_key_t *key)
{
    apr_time_t now = lbs_runtime_now();
    lbs_table_hit_t hit;
    apr_status_t rv =
        lbs_table_find(lbs_runtime()->table, key->hash, now, &hit);

    if (rv == APR_SUCCESS && is_too_old(look->ask->pool, key->hash, now)) {
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

/* The method hash goes by the first value that the request shows. */
static void note_value(look_t *look, const void *bytes, apr_size_t n)
{
    lbs_slice_t *value = &look->visit->pick_value;

    if (value->n == 0) {
        value->p = apr_pmemdup(look->ask->r->pool, bytes, n);
        value->n = n;
    }
}

/* @return 1 when the store knows the session of a value that the table does
 *         not know */
static int ask_store(look_t *look, lbs_key_t *key, lbs_slice_t value)
{
    unsigned i;

    for (i = 0; i < look->nasked; i++) {
        if (look->asked[i] == key->hash) {
            return 0;
        }
    }
    if (look->ask->pool->store == NULL || look->nasked == MOST_ASKED) {
        return 0;
    }
    look->asked[look->nasked++] = key->hash;
    key->name = lbs_store_name(look->ask->r, look->ask->pool, look->index,
                               value.p, value.n);
    return lbs_store_find(look->ask->pool, key, &look->visit->wait);
}

/* Any key but ours: the first value is the one to learn, the first that the
 * table knows is the one that counts. */
static int look_at_value(look_t *look, lbs_slice_t value)
{
    const lbs_pool_t *pool = look->ask->pool;
    lbs_key_t *key = &look->visit->key[look->index];
    lbs_key_t candidate = {
        .present = 1,
        .slot = -1,
        .hash = lbs_extract_hash(pool, look->index, value.p, value.n),
    };

    note_value(look, value.p, value.n);
    if (look_up(look, &candidate) || ask_store(look, &candidate, value)
        || !key->present) {
        *key = candidate;
        key->name = lbs_store_name(look->ask->r, look->ask->pool, look->index,
                                   value.p, value.n);
    }
    return candidate.known;
}

static int is_expired(const lbs_pool_t *pool, const lbs_token_t *token)
{
    const lbs_set_timeout_t *timeout = pool->set.timeout;
    apr_int64_t now = lbs_runtime_token_now();

    return now - token->issued > apr_time_sec(timeout->idle)
           || token->issued - now > TOKEN_AHEAD
           || (timeout->max != 0
               && now - token->created > apr_time_sec(timeout->max));
}

/* Which member a token names, of a session that the table does not know; -1:
 * one that is no longer there. @return 0: the token does not count any more */
static int ask_token(look_t *look, const lbs_token_t *token, apr_uint64_t hash,
                     int *slot)
{
    const lbs_pool_t *pool = look->ask->pool;
    const lbs_member_t *m =
        apr_hash_get(pool->by_token_id, &token->member, sizeof(token->member));

    if (is_expired(pool, token)) {
        look->worst = LBS_REASON_EXPIRED;
        return 0;
    }
    if (m != NULL
        && lbs_forgotten_has(&lbs_runtime()->shared->notes->forgotten, m->slot,
                             token->issued, hash)) {
        look->worst = LBS_REASON_UNKNOWN;
        return 0;
    }
    *slot = m != NULL ? (int)m->slot : -1;
    return 1;
}

/* Our own cookie: the table decides while it knows the session, then the
 * token does. */
static int look_at_token(look_t *look, lbs_slice_t value)
{
    const lbs_pool_t *pool = look->ask->pool;
    lbs_visit_t *visit = look->visit;
    lbs_key_t *key = &visit->key[look->index];
    lbs_token_t token;
    apr_status_t rv = lbs_token_verify(
        &token, value.p, value.n, lbs_runtime()->secret, pool->token_pool);

    if (rv != APR_SUCCESS) {
        if (rv == APR_EACCES || look->worst == LBS_REASON_NONE) {
            look->worst =
                rv == APR_EACCES ? LBS_REASON_FORGED : LBS_REASON_UNKNOWN;
        }
        return 0;
    }
    note_value(look, &token.sid, sizeof(token.sid));
    key->hash =
        lbs_extract_hash(pool, look->index, &token.sid, sizeof(token.sid));
    key->slot = -1;
    if (!look_up(look, key)
        && !ask_token(look, &token, key->hash, &key->slot)) {
        return 0;
    }
    visit->has_token = 1;
    visit->token = token;
    key->present = 1;
    return 1;
}

/* A route the application wrote reaches members that take sessions; what is
 * kept in reserve or switched off is not for a client to choose. */
static int look_at_route(look_t *look, lbs_slice_t value)
{
    lbs_key_t *key = &look->visit->key[look->index];
    const lbs_member_t *m;
    lbs_slice_t route;

    if (lbs_key_route(value, &route) != APR_SUCCESS) {
        return 0;
    }
    m = apr_hash_get(look->ask->pool->by_route, route.p, (apr_ssize_t)route.n);
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

/* What one value of a source means. For lbs_extract_each(): 1 when it names a
 * session. */
static int look_at(void *baton, lbs_slice_t value)
{
    look_t *look = baton;

    switch (look->ask->pool->set.sticky->source[look->index].kind) {
    case LBS_SOURCE_COOKIE:
        return look_at_token(look, value);
    case LBS_SOURCE_ROUTE:
        return look_at_route(look, value);
    default:
        return look_at_value(look, value);
    }
}

/* A page that httpd puts together from several requests of its own (an error
 * document, an include) is one visitor's: once one of them was answered and
 * given a token, the others keep it though the client has not shown it yet. */
static int carry_token(look_t *look)
{
    const lbs_ask_t *ask = look->ask;
    lbs_visit_t *visit = look->visit;

    if (ask->earlier == NULL
        || ask->pool->set.sticky->source[look->index].kind
               != LBS_SOURCE_COOKIE) {
        return 0;
    }
    visit->has_token = 1;
    visit->token = ask->earlier->token;
    visit->key[look->index] = ask->earlier->key[look->index];
    visit->key[look->index].slot =
        (int)ask->pool->member[ask->earlier_member].slot;
    return 1;
}

int lbs_lookup_value(const lbs_ask_t *ask, int index, lbs_slice_t value,
                     lbs_visit_t *visit, lbs_reason_t *why)
{
    look_t look = {
        .ask = ask, .visit = visit, .index = index, .worst = LBS_REASON_NONE};

    if (value.n == 0) {
        *why = LBS_REASON_FIRST;
        return 0;
    }
    if (look_at(&look, value)) {
        return 1;
    }
    *why = look.worst != LBS_REASON_NONE ? look.worst : LBS_REASON_FIRST;
    return 0;
}

/* Of two sources, what one says of the visitor that the other does not. */
static int says_more(lbs_reason_t reason, lbs_reason_t before)
{
    return reason != LBS_REASON_NONE
           && (before == LBS_REASON_FIRST || reason == LBS_REASON_FORGED
               || (reason == LBS_REASON_EXPIRED
                   && before == LBS_REASON_UNKNOWN));
}

lbs_reason_t lbs_lookup_at_keys(const lbs_ask_t *ask, lbs_visit_t *visit,
                                int *source)
{
    lbs_reason_t reason = LBS_REASON_FIRST;
    int i;

    *source = -1;
    for (i = 0; i < ask->pool->set.sticky->count; i++) {
        look_t look = {
            .ask = ask, .visit = visit, .index = i, .worst = LBS_REASON_NONE};
        int found = carry_token(&look)
                    || lbs_extract_each(ask->r, ask->pool, i, look_at, &look);

        if (found && *source < 0) {
            *source = i;
        }
        if (!found && says_more(look.worst, reason)) {
            reason = look.worst;
        }
    }
    return reason;
}
