/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_taught.c - see lbs_taught.h. */
#include "src/httpd/request/lbs_taught.h"

#include <apr_strings.h>
#include <string.h>

#include "src/affinity/lbs_jar.h"
#include "src/affinity/lbs_setcookie.h"
#include "src/httpd/decide/lbs_extract.h"
#include "src/httpd/proxy/lbs_log.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"

#define WARN_EVERY apr_time_from_sec(60)

static void add(lbs_taught_t *taught, lbs_slice_t value)
{
    unsigned i;

    for (i = 0; i < taught->count; i++) {
        if (lbs_slice_eq(taught->value[i], value)) {
            return;
        }
    }
    if (value.n > 0 && taught->count < LBS_TAUGHT_MAX) {
        taught->value[taught->count++] = value;
    }
}

/* All fields of a name, in the order in which httpd will send them, until fn
 * returns 0. */
static void each_field(const request_rec *r, const char *name,
                       apr_table_do_callback_fn_t *fn, void *baton)
{
    if (apr_table_do(fn, baton, r->err_headers_out, name, NULL)) {
        apr_table_do(fn, baton, r->headers_out, name, NULL);
    }
}

/* session= --------------------------------------------------------------- */

typedef struct setcookie_walk_t {
    lbs_slice_t name;
    apr_time_t now; /* wall clock, for Expires */
    lbs_jar_t jar;
} setcookie_walk_t;

static int walk_setcookie(void *baton, const char *key, const char *line)
{
    setcookie_walk_t *walk = baton;
    lbs_setcookie_t set;

    (void)key;
    if (lbs_setcookie_parse(line, walk->name, walk->now, &set)
        == APR_SUCCESS) {
        lbs_jar_add(&walk->jar, &set);
    }
    return 1;
}

/* Different values that a request shows. */
typedef struct shown_t {
    unsigned most; /* no more are counted */
    unsigned count;
    lbs_slice_t value[LBS_JAR_MAX + 1];
} shown_t;

static int count_shown(void *baton, lbs_slice_t value)
{
    shown_t *shown = baton;
    unsigned i;

    for (i = 0; i < shown->count; i++) {
        if (lbs_slice_eq(shown->value[i], value)) {
            return 0;
        }
    }
    shown->value[shown->count++] = value;
    return shown->count == shown->most;
}

/* A browser that shows several cookies of the name keeps those that no line
 * ends; the request does not tell which of them a line ends. */
static int are_all_ended(request_rec *r, const lbs_pool_t *pool, int index,
                         unsigned ended)
{
    shown_t shown = {.most = ended + 1};

    return ended > 0 && !lbs_extract_each(r, pool, index, count_shown, &shown);
}

/* The request that the browser sent: paths are compared with what it knows,
 * not with what the member was asked for. */
static const request_rec *received(const request_rec *r)
{
    while (r->prev != NULL || r->main != NULL) {
        r = r->prev != NULL ? r->prev : r->main;
    }
    return r;
}

static void by_cookies(request_rec *r, const lbs_pool_t *pool, int index,
                       lbs_taught_t *taught)
{
    setcookie_walk_t walk = {
        .name = lbs_slice_of(pool->set.sticky->source[index].name),
        .now = apr_time_now(),
    };
    unsigned i;

    lbs_jar_open(&walk.jar, r->hostname, received(r)->unparsed_uri);
    each_field(r, "Set-Cookie", walk_setcookie, &walk);
    for (i = 0; i < walk.jar.count; i++) {
        if (!walk.jar.cookie[i].deletes) {
            add(taught, walk.jar.cookie[i].value);
        }
    }
    taught->replaces = lbs_jar_replaces(&walk.jar);
    taught->ends = are_all_ended(r, pool, index, lbs_jar_ended(&walk.jar));
}

/* header= ---------------------------------------------------------------- */

static int walk_header(void *baton, const char *key, const char *text)
{
    (void)key;
    add(baton, lbs_extract_header_value(text));
    return 1;
}

void lbs_taught_by(request_rec *r, const lbs_pool_t *pool, int index,
                   lbs_taught_t *taught)
{
    const lbs_source_t *source = &pool->set.sticky->source[index];

    memset(taught, 0, sizeof(*taught));
    if (source->kind == LBS_SOURCE_SESSION) {
        by_cookies(r, pool, index, taught);
    }
    else if (source->kind == LBS_SOURCE_HEADER) {
        each_field(r, source->name, walk_header, taught);
    }
}

/* A cookie of our name --------------------------------------------------- */

typedef struct own_walk_t {
    lbs_slice_t name;
    apr_time_t now;
    int found;
} own_walk_t;

static int walk_own(void *baton, const char *key, const char *line)
{
    own_walk_t *walk = baton;
    lbs_setcookie_t set;

    (void)key;
    walk->found =
        lbs_setcookie_parse(line, walk->name, walk->now, &set) == APR_SUCCESS
        && !set.deletes;
    return !walk->found;
}

int lbs_taught_own(request_rec *r, const lbs_request_t *req)
{
    const lbs_pool_t *pool = req->pool;
    own_walk_t walk = {.name = pool->cookie_name};

    if (apr_table_get(r->headers_out, "Set-Cookie") == NULL
        && apr_table_get(r->err_headers_out, "Set-Cookie") == NULL) {
        return 0;
    }
    walk.now = apr_time_now();
    each_field(r, "Set-Cookie", walk_own, &walk);
    /* With LBStickyLocal self a member is a server like this one, and sets
     * the cookie only where it cannot read this one's markers: LBS2301. */
    if (walk.found && !pool->set.local->self
        && lbs_clock_once(&lbs_runtime()->notes.own_name_at[pool->slot],
                          WARN_EVERY)) {
        ap_log_rerror(
            APLOG_MARK, APLOG_WARNING, 0, r,
            LBSNO(3500) "pool %s: member %s sets the cookie %.*s, whose name "
                        "is this server's, which replaces it at the client; "
                        "if the member balances, too, its visitors are new "
                        "with each request: write another name= into "
                        "LBStickyCookie on one of the two",
            pool->name, pool->member[req->choice.member]->name,
            (int)pool->cookie_name.n, pool->cookie_name.p);
    }
    return walk.found;
}
