/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_lookup.c - see lbs_lookup.h. */
#include "src/httpd/decide/lbs_lookup.h"

#include "src/affinity/lbs_keys.h"
#include "src/httpd/decide/lbs_asked.h"
#include "src/httpd/decide/lbs_extract.h"
#include "src/httpd/decide/lbs_place.h"
#include "src/httpd/decide/lbs_verified.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/httpd/store/lbs_store.h"
#include "src/sharing/lbs_board.h"

/* Seconds an unexpired date may lie ahead: servers' clocks differ. */
#define TOKEN_AHEAD 86400

/* Seconds ahead that are worth a word: clocks are never quite the same. */
#define NOTED_AHEAD 5

/* Values of one source that the store is asked for: a client may show
 * hundreds, and a browser has one or two. */
#define MOST_ASKED 4

/* A token and a word of the table that are not further apart are equally old:
 * tokens are dated in seconds, and so is the table where sessions are long. */
#define SAME_AGE apr_time_from_sec(2)

/* Bytes from which on a session id belongs to one visitor, whatever
 * application made it. */
#define SESSION_ID_LEN 16

/* One source's walk through the values of a request. */
typedef struct look_t {
    const lbs_ask_t *ask;
    lbs_visit_t *visit;
    int index;                      /* of the source */
    lbs_reason_t worst;             /* why no value was usable so far */
    apr_uint64_t asked[MOST_ASKED]; /* hashes the store was asked for */
    unsigned nasked;
} look_t;

/* The table ----------------------------------------------------------------
 */

/* A key's entry in the table. */
typedef enum word_t {
    WORD_NONE,  /* nothing, or it was idle too long */
    WORD_KNOWN, /* slot of the session's member */
    WORD_OVER   /* LBStickyTimeout max= has ended the session */
} word_t;

/* A session that began before a reload wrote max= has no word of its end; it
 * is given one as it is used. So it is for as long as max= says, after which
 * no such session is left that has not been used. */
static int is_without_end(const lbs_pool_t *pool, apr_time_t now)
{
    apr_time_t since =
        (apr_time_t)lbs_atomic_load64_relaxed(&pool->max_record->since);

    return since != 0 && now - since < pool->set.timeout->max;
}

/* LBStickyTimeout max=. The word that says when a session ends may be lost,
 * where many others begin: then only its token knows. */
static word_t ask_max(const look_t *look, lbs_key_t *key, apr_time_t now)
{
    const lbs_pool_t *pool = look->ask->pool;
    lbs_table_hit_t hit;
    apr_status_t rv;

    if (pool->max_slot < 0) {
        return WORD_KNOWN;
    }
    rv = lbs_table_find(lbs_runtime()->table, lbs_place_max(key->hash), now,
                        &hit);
    if (rv == APR_NOTFOUND
        && pool->set.sticky->source[look->index].kind == LBS_SOURCE_COOKIE) {
        return WORD_NONE;
    }
    if (rv == APR_NOTFOUND && is_without_end(pool, now)) {
        key->endless = 1;
        return WORD_KNOWN;
    }
    return rv == APR_SUCCESS ? WORD_KNOWN : WORD_OVER;
}

static word_t look_up(look_t *look, lbs_key_t *key)
{
    apr_time_t now = look->ask->now;
    lbs_table_hit_t hit;
    apr_status_t rv =
        lbs_table_find(lbs_runtime()->table, key->hash, now, &hit);
    word_t word = rv == APR_SUCCESS ? ask_max(look, key, now) : WORD_NONE;

    if (word == WORD_KNOWN) {
        key->known = 1;
        key->expires = hit.expires_us;
        key->slot = (int)hit.slot;
    }
    else if (look->worst != LBS_REASON_FORGED) {
        look->worst = rv == APR_TIMEUP || word == WORD_OVER
                          ? LBS_REASON_EXPIRED
                          : LBS_REASON_UNKNOWN;
    }
    return word;
}

/* Did this server move the session a moment ago? */
static int is_moving(const lbs_key_t *key)
{
    apr_uint32_t slot;

    return lbs_first_find(lbs_runtime()->first, lbs_place_moving(key->hash),
                          lbs_clock_now(), LBS_PLACE_MOVING, &slot)
           == APR_SUCCESS;
}

/* Another word names another member; the newer one comes first. */
static void add_word(lbs_key_t *key, int slot, int is_newer)
{
    key->other = is_newer ? key->slot : slot;
    key->slot = is_newer ? slot : key->slot;
    key->left = is_newer;
}

/* Values ------------------------------------------------------------------ */

/* The method hash goes by the first value that the request shows. */
static void note_value(look_t *look, const void *bytes, apr_size_t n)
{
    lbs_slice_t *value = &look->visit->pick_value;

    if (value->n == 0) {
        value->p = apr_pmemdup(look->ask->r->pool, bytes, n);
        value->n = n;
    }
}

/* @return 1: the store may be asked for this value, once */
static int may_ask(look_t *look, const lbs_key_t *key)
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
    return 1;
}

/* Another server may know the session of a value that the table does not know.
 * Of one that max= has ended here the store knows nothing new, unless another
 * server has begun it anew. */
static void ask_store(look_t *look, word_t word, lbs_key_t *key,
                      lbs_slice_t value)
{
    const lbs_pool_t *pool = look->ask->pool;
    lbs_key_t shared = *key;
    apr_int64_t age;

    if (!may_ask(look, key)) {
        return;
    }
    shared.name =
        lbs_store_name(look->ask->r, pool, look->index, value.p, value.n);
    if (!lbs_store_find(pool, &shared, &look->visit->wait)) {
        return;
    }
    age = apr_time_sec(apr_time_now()) - (apr_int64_t)shared.stored;
    if (word != WORD_OVER || age < apr_time_sec(pool->set.timeout->max)) {
        *key = shared;
    }
}

/* Has another server perhaps moved the session from a member since it was used
 * here? What was used before this server started counts as old, too: the
 * others went on meanwhile. */
static int may_have_left(const lbs_pool_t *pool, const lbs_key_t *key,
                         int member)
{
    const lbs_runtime_t *rt = lbs_runtime();
    apr_time_t used = key->expires - pool->set.timeout->idle;
    const lbs_member_t *m;
    apr_interval_time_t unit;
    apr_time_t left_at;

    if (member == LBS_NO_MEMBER) {
        return 1;
    }
    m = pool->member[member];
    unit = lbs_table_unit(rt->slots, m->slot);
    left_at = (apr_time_t)lbs_atomic_load64_relaxed(&m->record->left_at);
    return lbs_board_is_old(used, left_at, unit)
           || lbs_board_is_old(used, lbs_registry_started(rt->registry).mono,
                               unit);
}

/* The store's word may be newer than the table's. Two servers that move a
 * session at once write to the store one after the other, and both go by the
 * last write. */
static int is_doubtful(const lbs_pool_t *pool, const lbs_key_t *key)
{
    lbs_table_hit_t hit;

    return lbs_store_is_due(pool, key->expires)
           || may_have_left(pool, key,
                            lbs_pools_member_at(pool, (apr_uint32_t)key->slot))
           || (pool->set.failback->mode != LBS_FAILBACK_STAY
               && lbs_table_find(lbs_runtime()->table,
                                 lbs_place_away(key->hash), lbs_clock_now(),
                                 &hit)
                      == APR_SUCCESS
               && may_have_left(pool, key,
                                lbs_pools_member_at(pool, hit.slot)))
           || is_moving(key);
}

static void ask_away(look_t *look, lbs_key_t *key)
{
    const lbs_pool_t *pool = look->ask->pool;
    apr_status_t rv;

    if (pool->set.failback->mode == LBS_FAILBACK_STAY) {
        return;
    }
    rv = lbs_store_find_away(pool, key, &look->visit->wait, &key->away);
    if (rv == APR_SUCCESS || rv == APR_NOTFOUND) {
        key->is_away = rv == APR_SUCCESS ? LBS_KEY_AWAY : LBS_KEY_HOME;
    }
}

static void agree(look_t *look, lbs_key_t *key)
{
    const lbs_pool_t *pool = look->ask->pool;
    lbs_key_t shared = *key;

    if (key->name == NULL || !is_doubtful(pool, key)) {
        return;
    }
    if (lbs_store_find(pool, &shared, &look->visit->wait) && shared.slot >= 0
        && shared.slot != key->slot) {
        add_word(key, shared.slot, 1);
    }
    ask_away(look, key);
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
        .other = -1,
        .hash = lbs_extract_hash(pool, look->index, value.p, value.n),
    };
    word_t word;

    note_value(look, value.p, value.n);
    word = look_up(look, &candidate);
    if (word != WORD_KNOWN) {
        ask_store(look, word, &candidate, value);
    }
    if (candidate.known || !key->present) {
        *key = candidate;
        key->name =
            lbs_store_name(look->ask->r, pool, look->index, value.p, value.n);
        if (word == WORD_KNOWN) {
            agree(look, key);
        }
        else if (candidate.known) {
            ask_away(look, key);
        }
    }
    return candidate.known;
}

/* Our own cookie -----------------------------------------------------------
 */

static int is_expired(const look_t *look, const lbs_token_t *token)
{
    const lbs_set_timeout_t *timeout = look->ask->pool->set.timeout;
    apr_int64_t now = lbs_runtime_token_at(look->ask->now);

    return now - token->issued > apr_time_sec(timeout->idle)
           || token->issued - now > TOKEN_AHEAD
           || (timeout->max != 0
               && now - token->created > apr_time_sec(timeout->max));
}

/* Which member a token names; -1: one that is no longer there.
 * @return LBS_REASON_NONE; or why the token does not count any more */
static lbs_reason_t read_token(const look_t *look, const lbs_token_t *token,
                               apr_uint64_t hash, int *slot)
{
    const lbs_pool_t *pool = look->ask->pool;
    const lbs_member_t *m =
        apr_hash_get(pool->by_token_id, &token->member, sizeof(token->member));

    if (is_expired(look, token)) {
        return LBS_REASON_EXPIRED;
    }
    if (m != NULL
        && lbs_forgotten_has(lbs_runtime()->notes.forgotten, m->slot,
                             token->issued, hash)) {
        return LBS_REASON_UNKNOWN;
    }
    *slot = m != NULL ? (int)m->slot : -1;
    return LBS_REASON_NONE;
}

/* A client can make tokens up, but many clients with such tokens mean that
 * another server of the site signs with another secret. */
static void note_foreign(const look_t *look)
{
    if (!look->ask->traceless) {
        lbs_recent_add(&lbs_runtime()->notes.foreign[look->ask->pool->slot],
                       (apr_uint64_t)lbs_clock_now());
    }
}

/* One from the future was signed by a server whose clock is ahead. */
static void note_ahead(const look_t *look, const lbs_token_t *token)
{
    apr_int64_t ahead =
        (apr_int64_t)token->issued - lbs_runtime_token_at(look->ask->now);

    if (ahead > NOTED_AHEAD && !look->ask->traceless) {
        lbs_recent_note(lbs_runtime()->notes.ahead, (apr_uint32_t)ahead,
                        (apr_uint64_t)lbs_clock_now());
    }
}

/* Was the token made after the session was last used here? Then it was made by
 * another server: our own are never newer than the table's word, however long
 * a client goes on showing an old one. Of words of about the same age the
 * token's is the newer one, for the session was used here before its client
 * had that token: the other server moved it, perhaps because it cannot use the
 * member that is well here. A word this server has just made itself stands,
 * so that requests that were under way with the old token follow it. */
static int is_newer(const lbs_pool_t *pool, const lbs_token_t *token,
                    const lbs_key_t *key)
{
    lbs_clock_t started = lbs_registry_started(lbs_runtime()->registry);
    apr_time_t made = apr_time_from_sec((apr_time_t)token->issued)
                      - started.wall + started.mono;
    apr_time_t used = key->expires - pool->set.timeout->idle;

    return made > used || (made > used - SAME_AGE && !is_moving(key));
}

/* The table knows the session, and the token may know better. */
static void weigh_token(const look_t *look, const lbs_token_t *token,
                        lbs_key_t *key)
{
    const lbs_pool_t *pool = look->ask->pool;
    int here = lbs_pools_member_at(pool, (apr_uint32_t)key->slot);
    apr_uint64_t ours =
        here != LBS_NO_MEMBER ? pool->member[here]->token_id : 0;
    int slot = -1;

    if (token->member != ours
        && read_token(look, token, key->hash, &slot) == LBS_REASON_NONE
        && slot >= 0) {
        add_word(key, slot, is_newer(pool, token, key));
    }
}

/* The table decides while it knows the session, then the token does. */
static int look_at_token(look_t *look, lbs_slice_t value)
{
    const lbs_pool_t *pool = look->ask->pool;
    lbs_visit_t *visit = look->visit;
    lbs_key_t *key = &visit->key[look->index];
    lbs_reason_t why = LBS_REASON_NONE;
    lbs_token_t token;
    word_t word;
    apr_status_t rv = lbs_verified_token(look->ask->r->connection,
                                         pool->token_pool, value, &token);

    if (rv != APR_SUCCESS) {
        if (rv == APR_EACCES || look->worst == LBS_REASON_NONE) {
            look->worst =
                rv == APR_EACCES ? LBS_REASON_FORGED : LBS_REASON_UNKNOWN;
        }
        if (rv == APR_EACCES) {
            note_foreign(look);
        }
        return 0;
    }
    note_ahead(look, &token);
    note_value(look, &token.sid, sizeof(token.sid));
    *key = (lbs_key_t){
        .hash =
            lbs_extract_hash(pool, look->index, &token.sid, sizeof(token.sid)),
        .slot = -1,
        .other = -1,
    };
    word = look_up(look, key);
    if (word == WORD_KNOWN) {
        weigh_token(look, &token, key);
    }
    else if (word == WORD_OVER) {
        return 0;
    }
    else if (lbs_asked_released(pool, key->hash, look->ask->now)) {
        why = LBS_REASON_RELEASED;
    }
    else {
        why = read_token(look, &token, key->hash, &key->slot);
    }
    if (why != LBS_REASON_NONE) {
        visit->forgotten |=
            why == LBS_REASON_UNKNOWN || why == LBS_REASON_RELEASED;
        look->worst = why;
        return 0;
    }
    visit->has_token = 1;
    visit->token = token;
    key->present = 1;
    return 1;
}

/* Routes -------------------------------------------------------------------
 */

/* The member whose route stands behind a dot of the value. */
static const lbs_member_t *find_route(const lbs_pool_t *pool,
                                      lbs_slice_t value, apr_size_t *id_len)
{
    const lbs_member_t *m = NULL;
    lbs_slice_t route = {NULL, 0};

    while (m == NULL && lbs_key_route_next(value, &route) == APR_SUCCESS) {
        if (route.n < LBS_WORKER_ROUTE_SIZE) {
            m = apr_hash_get(pool->by_route, route.p, (apr_ssize_t)route.n);
        }
    }
    *id_len = m != NULL ? value.n - route.n - 1 : 0;
    return m;
}

/* The hash by which a session is remembered once its member is gone, so that
 * it stays with the next member though the route still names the first. A
 * value that is too short for a session id, as where all visitors of a member
 * show the same one (the ROUTEID of httpd's manual), is completed by the
 * client's address. */
static apr_uint64_t hash_of_route(const look_t *look, lbs_slice_t value,
                                  apr_size_t id_len)
{
    const lbs_pool_t *pool = look->ask->pool;
    apr_uint64_t hash = lbs_extract_hash(pool, look->index, value.p, value.n);

    if (id_len == 0) {
        return 0;
    }
    return id_len >= SESSION_ID_LEN
               ? hash
               : lbs_hash_mix(hash ^ lbs_extract_first(look->ask->r, pool));
}

/* A route the application wrote reaches members that take sessions; what is
 * kept in reserve or switched off is not for a client to choose. */
static int look_at_route(look_t *look, lbs_slice_t value)
{
    lbs_key_t *key = &look->visit->key[look->index];
    lbs_slice_t any = {NULL, 0};
    apr_size_t id_len;
    const lbs_member_t *m = find_route(look->ask->pool, value, &id_len);

    if (m == NULL && lbs_key_route_next(value, &any) != APR_SUCCESS) {
        return 0;
    }
    if (m == NULL
        || (lbs_gauge_flags(m->gauge)
            & (LBS_F_STANDBY | LBS_F_SPARE | LBS_F_DISABLED | LBS_F_STOPPED))
               != 0) {
        look->worst = LBS_REASON_UNKNOWN;
        return 0;
    }
    *key = (lbs_key_t){
        .hash = hash_of_route(look, value, id_len),
        .slot = (int)m->slot,
        .other = -1,
    };
    key->present = key->hash != 0;
    return 1;
}

/* Any of them --------------------------------------------------------------
 */

/* Look up one value of a source. For lbs_extract_each(): 1 when it names a
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
        (int)ask->pool->member[ask->earlier_member]->slot;
    visit->key[look->index].other = -1;
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

/* Complete the key of one source by what another source says of the
 * visitor. */
static int says_more(lbs_reason_t reason, lbs_reason_t before)
{
    return reason != LBS_REASON_NONE
           && (before == LBS_REASON_FIRST || reason == LBS_REASON_FORGED
               || reason == LBS_REASON_RELEASED
               || (reason == LBS_REASON_EXPIRED
                   && before == LBS_REASON_UNKNOWN));
}

lbs_reason_t lbs_lookup_at_keys(const lbs_ask_t *ask, lbs_visit_t *visit,
                                int *source)
{
    lbs_reason_t reason = LBS_REASON_FIRST;
    int i;

    *source = -1;
    visit->asked = ask->now;
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

apr_uint64_t lbs_lookup_first(request_rec *r, const lbs_pool_t *pool,
                              lbs_visit_t *visit)
{
    if (visit->first == 0) {
        visit->first = lbs_extract_first(r, pool);
    }
    return visit->first;
}
