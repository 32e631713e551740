/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_headers.c - see lbs_headers.h. */
#include "src/httpd/request/lbs_headers.h"

#include <apr_strings.h>
#include <http_protocol.h>
#include <string.h>

#include "src/affinity/lbs_connection.h"
#include "src/affinity/lbs_cookie.h"
#include "src/httpd/decide/lbs_fields.h"
#include "src/httpd/decide/lbs_client.h"
#include "src/httpd/pool/lbs_received.h"
#include "src/httpd/proxy/lbs_section.h"

typedef void put_t(apr_table_t *table, const char *name, const char *value);

/* Our cookie ------------------------------------------------------------- */

typedef struct strip_t {
    apr_pool_t *pool;
    lbs_slice_t name;
    apr_table_t *headers; /* where the rest of a field goes */
} strip_t;

static int strip_field(void *baton, const char *key, const char *field)
{
    strip_t *strip = baton;
    int found;
    const char *rest =
        lbs_cookie_strip(strip->pool, field, strip->name, &found);

    if (rest != NULL) {
        apr_table_addn(strip->headers, key, rest);
    }
    return 1;
}

/* r->headers_in is a copy of the client's by now, which has `count` fields
 * Cookie. As a rule there is one. */
static void strip_cookie(request_rec *r, const apr_table_t *client,
                         unsigned count, lbs_slice_t name)
{
    strip_t strip = {r->pool, name, r->headers_in};
    const char *field, *rest;
    int found;

    if (count != 1) {
        apr_table_unset(r->headers_in, "Cookie");
        apr_table_do(strip_field, &strip, client, "Cookie", NULL);
        return;
    }
    field = apr_table_get(client, "Cookie");
    rest = lbs_cookie_strip(r->pool, field, name, &found);
    if (rest == NULL) {
        apr_table_unset(r->headers_in, "Cookie");
    }
    else if (rest != field) {
        apr_table_setn(r->headers_in, "Cookie", rest);
    }
}

/* X-Forwarded-*
 * ---------------------------------------------------------------- */

/* What the configuration adds to the client's own takes its place. */
static void set_alone(const request_rec *r, apr_table_t *headers,
                      const char *name, const char *value)
{
    if (value != apr_table_get(headers, name) && !lbs_client_trusted(r)) {
        apr_table_setn(headers, name, value);
    }
}

/* @param none  there are no such fields in the header */
static void set_forwarded(request_rec *r, apr_table_t *headers, int none)
{
    const char *proto = none ? NULL : lbs_client_told(r, LBS_CLIENT_PROTO);
    const char *port = none ? NULL : lbs_client_told(r, LBS_CLIENT_PORT);
    put_t *put = none ? apr_table_addn : apr_table_setn;

    if (port == NULL) {
        put(headers, LBS_CLIENT_PORT,
            apr_itoa(r->pool, lbs_client_port(r, proto)));
    }
    else {
        set_alone(r, headers, LBS_CLIENT_PORT, port);
    }
    if (proto == NULL) {
        put(headers, LBS_CLIENT_PROTO,
            lbs_client_https(r, proto) ? "https" : "http");
    }
    else {
        set_alone(r, headers, LBS_CLIENT_PROTO, proto);
    }
}

/* Fields that clients must not set
 * ---------------------------------------------------------------- */

/* The first characters of two names, where '_' is a '-': an application that
 * gets its header as variables cannot tell the two. */
static int begins(const char *name, const char *prefix)
{
    for (; *prefix != '\0'; name++, prefix++) {
        char c = lbs_slice_lower(*name);

        if ((c == '_' ? '-' : c) != *prefix) {
            return 0;
        }
    }
    return 1;
}

static int is_forged(const lbs_set_forward_t *forward, const char *name)
{
    switch (*name) {
    case 'l':
    case 'L':
        return lbs_control_is_field(name);
    case 'x':
    case 'X':
        return forward->proto && strchr(name, '_') != NULL
               && (begins(name, "x-forwarded-proto")
                   || begins(name, "x-forwarded-port"));
    default:
        return 0;
    }
}

/* Which fields the client's header has. */
typedef struct has_t {
    unsigned cookies;
    unsigned connections;
    unsigned forwarded;  /* that begin with X-Forwarded-P */
    const char *claimed; /* one that begins with LBSticky-; NULL */
} has_t;

static int is_named(const char *name, const char *other)
{
    return ap_cstr_casecmp(name, other) == 0;
}

/* In one walk, take out the fields whose names belong to this module, and
 * other spellings of the fields it sets, which applications take for the same.
 */
static has_t look_through(request_rec *r, const apr_table_t *client,
                          const lbs_set_forward_t *forward)
{
    const apr_array_header_t *all = apr_table_elts(client);
    has_t has = {.claimed = NULL};
    int i;

    for (i = 0; i < all->nelts; i++) {
        const char *name = APR_ARRAY_IDX(all, i, apr_table_entry_t).key;

        switch (*name | 0x20) {
        case 'c':
            has.cookies += (unsigned)is_named(name, "Cookie");
            has.connections += (unsigned)is_named(name, "Connection");
            break;
        case 'x':
            has.forwarded += (unsigned)begins(name, "x-forwarded-p");
            /* fall through */
        case 'l':
            if (is_forged(forward, name)) {
                apr_table_unset(r->headers_in, name);
                has.claimed = lbs_control_is_field(name) ? name : has.claimed;
            }
            break;
        default:
            break;
        }
    }
    return has;
}

typedef struct protect_t {
    const request_rec *r;
    const lbs_pool_t *pool;
} protect_t;

/* The field that a source reads: the member must see the value that
 * decided. */
static int is_source(const lbs_pool_t *pool, lbs_slice_t name)
{
    const lbs_set_sticky_t *sticky = pool->set.sticky;
    int i;

    for (i = 0; i < sticky->count; i++) {
        if (sticky->source[i].kind == LBS_SOURCE_HEADER
            && lbs_slice_caseeq(name, lbs_slice_of(sticky->source[i].name))) {
            return 1;
        }
    }
    return 0;
}

static int is_clients(void *client, const char *key, const char *value)
{
    return apr_table_get(client, key) == value;
}

/* Has the configuration set this field, or added one? Then its value is
 * another pointer than in what the client sent: apr_table_copy() copies
 * pointers, and RequestHeader sets new ones. */
static int is_configured(const request_rec *r, lbs_slice_t name)
{
    const apr_table_t *client = lbs_received_of(r)->headers;
    const char *key;

    if (client == NULL) {
        return 0;
    }
    key = apr_pstrmemdup(r->pool, name.p, name.n);
    return !apr_table_do(is_clients, (void *)client, r->headers_in, key, NULL);
}

/* May Connection not take this field out? mod_proxy adds to X-Forwarded-For
 * and its kin; of a trusted proxy's they stay, a client may take out its own.
 */
static int is_protected(void *baton, lbs_slice_t name)
{
    const protect_t *protect = baton;

    return !lbs_connection_is_usual(name)
           && (lbs_connection_protects(NULL, name)
               || (lbs_connection_is_forwarded(name)
                   && lbs_client_trusted(protect->r))
               || is_source(protect->pool, name)
               || is_configured(protect->r, name));
}

/* mod_proxy takes out of the header what Connection names. */
static void clean_connection(request_rec *r, const lbs_pool_t *pool)
{
    protect_t protect = {r, pool};
    const char *field = apr_table_getm(r->pool, r->headers_in, "Connection");
    const char *clean;

    if (field == NULL) {
        return;
    }
    clean = lbs_connection_clean(r->pool, field, is_protected, &protect);
    if (clean == NULL) {
        apr_table_unset(r->headers_in, "Connection");
    }
    else if (clean != apr_table_get(r->headers_in, "Connection")) {
        apr_table_setn(r->headers_in, "Connection", clean);
    }
}

/* An ErrorDocument is asked for by GET, with the header of the request that
 * failed: a member would wait for that one's body, which was read. */
static void drop_body(request_rec *r)
{
    if (r->prev != NULL && ap_is_HTTP_ERROR(r->status)) {
        apr_table_unset(r->headers_in, "Content-Length");
        apr_table_unset(r->headers_in, "Transfer-Encoding");
    }
}

static void rewrite(request_rec *r, const lbs_request_t *req)
{
    const lbs_set_forward_t *forward = req->pool->set.forward;
    const apr_table_t *client = r->headers_in;
    has_t has;

    r->headers_in = apr_table_copy(r->pool, client);
    drop_body(r);
    has = look_through(r, client, forward);
    if (has.claimed != NULL) {
        lbs_fields_refused(r, req->pool, has.claimed);
    }
    lbs_fields_tell(r, req->pool, &req->visit, &req->choice);
    if (has.connections != 0) {
        clean_connection(r, req->pool);
    }
    if (has.cookies != 0 && req->pool->set.cookie->strip) {
        strip_cookie(r, client, has.cookies, req->pool->cookie_name);
    }
    if (forward->proto) {
        set_forwarded(r, r->headers_in, has.forwarded == 0);
    }
}

lbs_headers_t lbs_headers_forward(request_rec *r, lbs_request_t *req)
{
    lbs_headers_t saved = {r->headers_in, r->per_dir_config};

    rewrite(r, req);
    req->conf = r->per_dir_config;
    req->host_kept = lbs_section_prepare(r, req->pool->section,
                                         req->pool->set.forward->host);
    return saved;
}

/* Does the handler read the body before it writes the head? Those of a CGI and
 * its kin do. */
static int reads_first(const lbs_request_t *req)
{
    const proxy_worker *worker = req->pool->member[req->choice.member]->worker;

    return !lbs_worker_is_watched(worker) && !lbs_worker_speaks(worker, "ajp");
}

static void take_over(request_rec *r, const apr_table_t *tried,
                      const char *name)
{
    const char *value = apr_table_get(tried, name);

    if (value == NULL) {
        apr_table_unset(r->headers_in, name);
    }
    else if (value != apr_table_get(r->headers_in, name)) {
        apr_table_setn(r->headers_in, name, value);
    }
}

/* A content filter rewrites fields when it reads a body, once: mod_deflate
 * takes out the length and the coding of what it inflates. A next attempt
 * gets the body as that filter left it, so its length has to be the filter's,
 * too; of the other fields it gets what a first attempt gets. */
static void keep_filtered(request_rec *r, const lbs_request_t *req,
                          const apr_table_t *tried)
{
    /* mod_proxy_fcgi says the length of what came in chunks. */
    if (apr_table_get(r->headers_in, "Transfer-Encoding") == NULL) {
        take_over(r, tried, "Content-Length");
    }
    if (reads_first(req)) {
        take_over(r, tried, "Content-Encoding");
        take_over(r, tried, "Content-MD5");
        take_over(r, tried, "Content-Type");
    }
    /* A CGI and its kin know a body by nothing but its length. */
    if (lbs_body_is_measured(req->body)
        && apr_table_get(r->headers_in, "Content-Length") == NULL
        && apr_table_get(r->headers_in, "Transfer-Encoding") == NULL) {
        apr_table_setn(r->headers_in, "Content-Length",
                       apr_psprintf(r->pool, "%" APR_UINT64_T_FMT,
                                    lbs_body_bytes(req->body)));
    }
}

void lbs_headers_again(request_rec *r, const lbs_request_t *req,
                       const lbs_headers_t *saved)
{
    const apr_table_t *tried = r->headers_in;

    r->headers_in = saved->headers_in;
    rewrite(r, req);
    if (req->body != NULL) {
        keep_filtered(r, req, tried);
    }
}

void lbs_headers_restore(request_rec *r, const lbs_headers_t *saved)
{
    r->headers_in = saved->headers_in;
    r->per_dir_config = saved->per_dir_config;
}

void lbs_headers_here(request_rec *r, lbs_request_t *req)
{
    if (req->local.client_headers == NULL) {
        req->local.client_headers = r->headers_in;
    }
    rewrite(r, req);
}

void lbs_headers_back(request_rec *r, const lbs_request_t *req)
{
    r->headers_in = req->local.client_headers;
}
