/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_extract.c - see lbs_extract.h. */
#include "src/httpd/decide/lbs_extract.h"

#include <ap_expr.h>
#include <apr_strings.h>
#include <http_protocol.h>
#include <string.h>

#include "src/affinity/lbs_cookie.h"
#include "src/affinity/lbs_keys.h"
#include "src/httpd/proxy/lbs_log.h"
#include "src/httpd/shared/lbs_runtime.h"

/* Cookies ---------------------------------------------------------------- */

typedef struct cookie_walk_t {
    lbs_slice_t name;
    lbs_extract_fn *fn;
    void *baton;
    int done;
} cookie_walk_t;

/* For apr_table_do(): returns 0 to stop. */
static int walk_cookie_field(void *baton, const char *key, const char *field)
{
    cookie_walk_t *walk = baton;
    lbs_cookie_iter_t it;
    lbs_slice_t name, value;

    (void)key;
    lbs_cookie_start(&it, field);
    while (lbs_cookie_next(&it, &name, &value)) {
        if (value.n != 0 && lbs_slice_eq(name, walk->name)
            && walk->fn(walk->baton, value)) {
            walk->done = 1;
            return 0;
        }
    }
    return 1;
}

int lbs_extract_cookies(request_rec *r, lbs_slice_t name, lbs_extract_fn *fn,
                        void *baton)
{
    cookie_walk_t walk = {name, fn, baton, 0};

    apr_table_do(walk_cookie_field, &walk, r->headers_in, "Cookie", NULL);
    return walk.done;
}

/* The other sources ------------------------------------------------------ */

static lbs_slice_t of_address(request_rec *r, const lbs_source_t *source,
                              unsigned char out[LBS_KEY_IP_LEN])
{
    const apr_sockaddr_t *addr = r->useragent_addr;
    lbs_slice_t value = {(const char *)out, 0};

    if (addr->family == APR_INET) {
        value.n = lbs_key_ip(out, addr->ipaddr_ptr, 0, source->v4bits,
                             source->v6bits);
    }
#if APR_HAVE_IPV6
    else if (addr->family == APR_INET6) {
        value.n = lbs_key_ip(out, addr->ipaddr_ptr, 1, source->v4bits,
                             source->v6bits);
    }
#endif
    return value;
}

lbs_slice_t lbs_extract_header_value(const char *text)
{
    static const char between[] = ", \t";
    lbs_slice_t value =
        lbs_slice_of(text != NULL ? text + strspn(text, between) : NULL);

    while (value.n != 0 && strchr(between, value.p[value.n - 1]) != NULL) {
        value.n--;
    }
    return value;
}

/* The bytes as they stand in the request line: nothing decoded. */
static lbs_slice_t of_url(request_rec *r, const lbs_source_t *source)
{
    const char *mark = strchr(r->unparsed_uri, '?');
    lbs_slice_t value = {NULL, 0};

    if (source->kind == LBS_SOURCE_PATH) {
        (void)lbs_key_path(r->unparsed_uri, lbs_slice_of(source->name),
                           &value);
    }
    else if (mark != NULL) {
        (void)lbs_key_query(mark + 1, lbs_slice_of(source->name), &value);
    }
    return value;
}

static lbs_slice_t of_expr(request_rec *r, const lbs_pool_t *pool, int index)
{
    const lbs_set_sticky_t *set = pool->set.sticky;
    const char *error = NULL;
    const char *text = ap_expr_str_exec(r, set->expr[index], &error);

    if (error != NULL) {
        ap_log_rerror(
            APLOG_MARK, APLOG_DEBUG, 0, r,
            LBSNO(1200) "pool %s: LBSticky %s gives no key, so this "
                        "request is one without: %s; write an expression "
                        "that can be evaluated for every request",
            pool->name, set->source[index].spelling, error);
        text = NULL;
    }
    return lbs_slice_of(text);
}

int lbs_extract_path(request_rec *r, const char *name, lbs_extract_fn *fn,
                     void *baton)
{
    lbs_slice_t value = {NULL, 0};

    return lbs_key_path(r->unparsed_uri, lbs_slice_of(name), &value)
               == APR_SUCCESS
           && fn(baton, value);
}

int lbs_extract_each(request_rec *r, const lbs_pool_t *pool, int index,
                     lbs_extract_fn *fn, void *baton)
{
    const lbs_source_t *source = &pool->set.sticky->source[index];
    unsigned char address[LBS_KEY_IP_LEN];
    lbs_slice_t value = {NULL, 0};

    switch (source->kind) {
    case LBS_SOURCE_COOKIE:
        return lbs_extract_cookies(r, pool->cookie_name, fn, baton);
    case LBS_SOURCE_SESSION:
        return lbs_extract_cookies(r, lbs_slice_of(source->name), fn, baton);
    case LBS_SOURCE_ROUTE:
        return lbs_extract_cookies(r, lbs_slice_of(source->name), fn, baton)
               || lbs_extract_path(r, source->name, fn, baton);
    case LBS_SOURCE_IP:
        value = of_address(r, source, address);
        break;
    case LBS_SOURCE_HEADER:
        value = lbs_extract_header_value(
            apr_table_get(r->headers_in, source->name));
        break;
    case LBS_SOURCE_QUERY:
    case LBS_SOURCE_PATH:
        value = of_url(r, source);
        break;
    case LBS_SOURCE_EXPR:
        value = of_expr(r, pool, index);
        break;
    }
    return value.n != 0 && fn(baton, value);
}

/* Hashes ----------------------------------------------------------------- */

/* A client without a cookie: the pool, its address, and its User-Agent, of
 * which the usual lengths are hashed in one piece with the others. */
#define FIRST_HEAD (sizeof(apr_uint64_t) + LBS_KEY_IP_LEN)
#define FIRST_AGENT 200

apr_uint64_t lbs_extract_hash(const lbs_pool_t *pool, int index,
                              const void *value, apr_size_t len)
{
    apr_uint64_t sid;

    /* No client can choose the contents of our token; the pool's keyed hash
     * spreads it. */
    if (pool->set.sticky->source[index].kind == LBS_SOURCE_COOKIE) {
        memcpy(&sid, value, sizeof(sid));
        return lbs_hash_mix(pool->key_head[index].hash ^ sid);
    }
    return lbs_hash_tail(lbs_registry_table_key(lbs_runtime()->registry),
                         pool->key_head[index], value, len);
}

apr_uint64_t lbs_extract_first(request_rec *r, const lbs_pool_t *pool)
{
    static const lbs_source_t whole = {
        .kind = LBS_SOURCE_IP, .v4bits = 32, .v6bits = 64};
    const lbs_hash_key_t *key =
        lbs_registry_table_key(lbs_runtime()->registry);
    lbs_slice_t agent =
        lbs_slice_of(apr_table_get(r->headers_in, "User-Agent"));
    unsigned char text[FIRST_HEAD + FIRST_AGENT];

    memset(text, 0, FIRST_HEAD);
    memcpy(text, &pool->first_prefix, sizeof(pool->first_prefix));
    (void)of_address(r, &whole, text + sizeof(pool->first_prefix));
    if (agent.n > FIRST_AGENT) {
        return lbs_hash_two(key, text, FIRST_HEAD, agent.p, agent.n);
    }
    memcpy(text + FIRST_HEAD, agent.n != 0 ? agent.p : "", agent.n);
    return lbs_hash_bytes(key, text, FIRST_HEAD + agent.n);
}

apr_uint64_t lbs_extract_pick_hash(request_rec *r, const lbs_pool_t *pool,
                                   lbs_slice_t value)
{
    static const lbs_source_t whole = {
        .kind = LBS_SOURCE_IP, .v4bits = 32, .v6bits = 64};
    unsigned char address[LBS_KEY_IP_LEN];

    if (value.n == 0) {
        value = of_address(r, &whole, address);
    }
    return lbs_hash_two(&lbs_runtime()->pick_key, pool->name,
                        strlen(pool->name), value.p, value.n);
}
