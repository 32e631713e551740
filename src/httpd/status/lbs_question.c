/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_question.c - what the module knows of one visitor's key. */
#include "src/httpd/status/lbs_question.h"

#include <string.h>

#include <apr_network_io.h>
#include <apr_strings.h>

#include "src/affinity/lbs_keys.h"
#include "src/affinity/lbs_token.h"
#include "src/httpd/decide/lbs_place.h"
#include "src/httpd/decide/lbs_extract.h"
#include "src/httpd/store/lbs_store.h"
#include "src/httpd/shared/lbs_runtime.h"

typedef struct look_t {
    request_rec *r;
    const lbs_pool_t *pool;
    int index; /* of the source */
    lbs_slice_t value;
    lbs_question_t *found;
} look_t;

/* @return 1 when a word of the query string means this source */
static int is_meant(const lbs_source_t *source, const char *word,
                    apr_size_t len)
{
    apr_size_t kind = strcspn(source->spelling, "/=");

    return (strlen(source->spelling) == len
            && strncmp(source->spelling, word, len) == 0)
           || (kind == len && strncmp(source->spelling, word, len) == 0);
}

static int find_source(const lbs_pool_t *pool, const char *word,
                       apr_size_t len)
{
    const lbs_set_sticky_t *sticky = pool->set.sticky;
    int i;

    for (i = 0; i < sticky->count; i++) {
        if (is_meant(&sticky->source[i], word, len)) {
            return i;
        }
    }
    return -1;
}

static void name_slot(look_t *look, apr_uint32_t slot)
{
    look->found->named = 1;
    look->found->member = lbs_pools_member_at(look->pool, slot);
}

/* LBStickyTimeout max= ends a session that is still in use. */
static int is_over(const look_t *look, apr_time_t now)
{
    lbs_table_hit_t hit;

    return look->pool->max_slot >= 0
           && lbs_table_find(lbs_runtime()->table,
                             lbs_place_max(look->found->hash), now, &hit)
                  != APR_SUCCESS;
}

/* What another server learned is in the store. */
static int look_in_store(look_t *look)
{
    const lbs_slice_t *value = &look->found->key;
    lbs_key_t key = {.name = lbs_store_name(look->r, look->pool, look->index,
                                            value->p, value->n)};

    if (!lbs_store_find(look->pool, &key)) {
        return 0;
    }
    look->found->named = 1;
    if (key.slot >= 0) {
        name_slot(look, (apr_uint32_t)key.slot);
    }
    return 1;
}

static void look_in_table(look_t *look, const void *value, apr_size_t len)
{
    apr_time_t now = lbs_runtime_now();
    lbs_question_t *found = look->found;
    lbs_slice_t key = {value, len};
    lbs_table_hit_t hit;
    apr_status_t rv;

    found->has_hash = 1;
    found->key.p = apr_pmemdup(look->r->pool, value, len);
    found->key.n = len;
    found->hash = lbs_extract_hash(look->pool, look->index, value, len);
    found->pick_hash = lbs_extract_pick_hash(NULL, look->pool, key);
    rv = lbs_table_find(lbs_runtime()->table, found->hash, now, &hit);
    if (rv == APR_SUCCESS && is_over(look, now)) {
        rv = APR_TIMEUP;
    }
    if (rv != APR_SUCCESS) {
        if (!look_in_store(look)) {
            found->why =
                rv == APR_TIMEUP ? LBS_REASON_EXPIRED : LBS_REASON_UNKNOWN;
        }
        return;
    }
    found->found = 1;
    found->expires = hit.expires_us;
    name_slot(look, hit.slot);
}

static int is_old(const lbs_pool_t *pool, const lbs_token_t *token)
{
    const lbs_set_timeout_t *timeout = pool->set.timeout;
    apr_int64_t now = lbs_runtime_token_now();

    return now - token->issued > apr_time_sec(timeout->idle)
           || (timeout->max != 0
               && now - token->created > apr_time_sec(timeout->max));
}

/* Where the table does not know the session the token decides. */
static void look_at_token(look_t *look)
{
    const lbs_member_t *member;
    lbs_token_t token;
    apr_status_t rv =
        lbs_token_verify(&token, look->value.p, look->value.n,
                         lbs_runtime()->secret, look->pool->token_pool);

    if (rv != APR_SUCCESS) {
        look->found->why =
            rv == APR_EACCES ? LBS_REASON_FORGED : LBS_REASON_UNKNOWN;
        return;
    }
    look_in_table(look, &token.sid, sizeof(token.sid));
    if (look->found->found) {
        return;
    }
    if (is_old(look->pool, &token)) {
        look->found->why = LBS_REASON_EXPIRED;
        return;
    }
    member = apr_hash_get(look->pool->by_token_id, &token.member,
                          sizeof(token.member));
    if (member != NULL
        && lbs_forgotten_has(&lbs_runtime()->shared->notes->forgotten,
                             member->slot, token.issued, look->found->hash)) {
        look->found->why = LBS_REASON_UNKNOWN;
        return;
    }
    look->found->named = 1;
    if (member != NULL) {
        look->found->member = lbs_pools_index(look->pool, member);
    }
}

static void look_at_route(look_t *look)
{
    const lbs_member_t *member = NULL;
    lbs_slice_t route;

    if (lbs_key_route(look->value, &route) == APR_SUCCESS) {
        member =
            apr_hash_get(look->pool->by_route, route.p, (apr_ssize_t)route.n);
    }
    /* What is kept in reserve or switched off is not for a client to choose;
     * the same rule as in lbs_decide.c. */
    if (member == NULL
        || (lbs_gauge_flags(member->gauge)
            & (LBS_F_STANDBY | LBS_F_SPARE | LBS_F_DISABLED | LBS_F_STOPPED))
               != 0) {
        look->found->why = LBS_REASON_UNKNOWN;
        return;
    }
    look->found->named = 1;
    look->found->member = lbs_pools_index(look->pool, member);
}

/* An address as a request from there would have it. */
static const char *look_at_address(look_t *look)
{
    const lbs_source_t *source = &look->pool->set.sticky->source[look->index];
    const char *text =
        apr_pstrmemdup(look->r->pool, look->value.p, look->value.n);
    unsigned char key[LBS_KEY_IP_LEN];
    apr_sockaddr_t *addr;

    /* A name would be looked up: only addresses may come here. */
    if (strspn(text, "0123456789abcdefABCDEF:.") != look->value.n
        || strpbrk(text, ".:") == NULL
        || apr_sockaddr_info_get(&addr, text, APR_UNSPEC, 0, 0, look->r->pool)
               != APR_SUCCESS) {
        return apr_psprintf(look->r->pool, "%.64s is no address", text);
    }
    look_in_table(look, key,
                  lbs_key_ip(key, addr->ipaddr_ptr, addr->family != APR_INET,
                             source->v4bits, source->v6bits));
    return NULL;
}

static const char *look_up(look_t *look)
{
    switch (look->pool->set.sticky->source[look->index].kind) {
    case LBS_SOURCE_COOKIE:
        look_at_token(look);
        return NULL;
    case LBS_SOURCE_ROUTE:
        look_at_route(look);
        return NULL;
    case LBS_SOURCE_IP:
        return look_at_address(look);
    default:
        look_in_table(look, look->value.p, look->value.n);
        return NULL;
    }
}

static const char *look_with(look_t *look, lbs_question_t *found)
{
    static const lbs_question_t nothing = {.member = LBS_NO_MEMBER};
    lbs_question_t result = nothing;
    const lbs_source_t *source = &look->pool->set.sticky->source[look->index];
    const char *wrong = NULL;

    look->found = &result;
    result.index = look->index;
    result.source = source->spelling;
    if (look->value.n == 0 && source->kind != LBS_SOURCE_IP) {
        /* An empty key is no key: as in a request that has none. */
        result.why = LBS_REASON_FIRST;
    }
    else {
        wrong = look_up(look);
    }
    look->found = NULL; /* result ends here */
    if (wrong == NULL) {
        *found = result;
    }
    return wrong;
}

const char *lbs_question_value(request_rec *r, const lbs_pool_t *pool,
                               const char *source, const char *value,
                               lbs_question_t *found)
{
    look_t look = {r, pool, 0, lbs_slice_of(value), NULL};

    look.index = find_source(pool, source, strlen(source));
    if (look.index < 0) {
        return apr_psprintf(r->pool, "the pool %.255s has no source %.255s",
                            pool->name, source);
    }
    return look_with(&look, found);
}

const char *lbs_question_key(request_rec *r, const lbs_pool_t *pool,
                             const char *key, lbs_question_t *found)
{
    look_t look = {r, pool, -1, {NULL, 0}, NULL};
    const char *colon;

    /* The longest source that fits: an expression holds colons. */
    for (colon = strchr(key, ':'); colon != NULL;
         colon = strchr(colon + 1, ':')) {
        int index = find_source(pool, key, (apr_size_t)(colon - key));

        if (index >= 0) {
            look.index = index;
            look.value = lbs_slice_of(colon + 1);
        }
    }
    if (look.index < 0) {
        return apr_psprintf(r->pool,
                            "key is %.255s, wanted is SOURCE:VALUE with a "
                            "source of the pool %.255s",
                            key, pool->name);
    }
    return look_with(&look, found);
}
