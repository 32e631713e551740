/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_hop_header.c - see lbs_hop_header.h. */
#include "src/httpd/request/lbs_hop_header.h"

#include <string.h>

#include "src/httpd/pool/lbs_marker.h"
#include "src/httpd/request/lbs_headers.h"
#include "src/httpd/proxy/lbs_log.h"
#include "src/httpd/shared/lbs_runtime.h"

/* In r->notes: the marker, and the headers it covers as they came in. */
#define NOTE_HOP "lbsticky-hop"
#define NOTE_PROTO "lbsticky-hop-proto"
#define NOTE_PORT "lbsticky-hop-port"

/* A request without a right marker is balanced so many times; then it is
 * served wherever it is. */
#define MOST_HOPS 3

static void keep(request_rec *r, const char *note, const char *header)
{
    const char *value = apr_table_get(r->headers_in, header);

    if (value != NULL) {
        apr_table_setn(r->notes, note, value);
    }
}

int lbs_hop_header_take(request_rec *r)
{
    if (apr_table_get(r->headers_in, LBS_MARKER_HEADER) != NULL
        && lbs_runtime() != NULL) {
        keep(r, NOTE_HOP, LBS_MARKER_HEADER);
        keep(r, NOTE_PROTO, "X-Forwarded-Proto");
        keep(r, NOTE_PORT, "X-Forwarded-Port");
        apr_table_unset(r->headers_in, LBS_MARKER_HEADER);
    }
    return DECLINED;
}

/* Path and query of a URL with scheme and host, or of a request line. */
static const char *target_of(const char *url)
{
    const char *host = strstr(url, "://");
    const char *path;

    if (*url == '/' || host == NULL) {
        return url;
    }
    path = strchr(host + 3, '/');
    return path != NULL ? path : "/";
}

/* The first request of a chain of internal redirects has what came in. */
static const request_rec *received(const request_rec *r)
{
    while (r->prev != NULL || r->main != NULL) {
        r = r->prev != NULL ? r->prev : r->main;
    }
    return r;
}

/* One warning a minute and process: what a client sends must not fill logs.
 */
static int may_warn(void)
{
    static lbs_atomic64_t last;
    apr_uint64_t now = (apr_uint64_t)lbs_runtime_now();
    apr_uint64_t before = lbs_atomic_load64_relaxed(&last);

    if (before != 0 && now - before < (apr_uint64_t)apr_time_from_sec(60)) {
        return 0;
    }
    lbs_atomic_store64_relaxed(&last, now);
    return 1;
}

static apr_status_t verify(const request_rec *first, const lbs_pool_t *pool,
                           const char *text)
{
    const lbs_secret_t *secret = lbs_runtime()->secret;
    apr_uint32_t now = (apr_uint32_t)apr_time_sec(apr_time_now());
    apr_status_t rv = APR_EACCES;
    apr_size_t i, k;

    for (i = 0; i < pool->count && rv == APR_EACCES; i++) {
        lbs_hop_about_t about = {
            pool->token_pool,
            pool->member[i].token_id,
            first->method,
            target_of(first->unparsed_uri),
            apr_table_get(first->notes, NOTE_PROTO),
            apr_table_get(first->notes, NOTE_PORT),
        };

        for (k = 0;
             pool->member[i].own && k < secret->count && rv == APR_EACCES;
             k++) {
            lbs_hash_key_t key;

            lbs_secret_key(&key, secret, k, LBS_MARKER_PURPOSE);
            rv = lbs_hop_verify(text, &key, &about, now);
        }
    }
    return rv;
}

lbs_hop_header_t lbs_hop_header_find(request_rec *r, const lbs_pool_t *pool)
{
    const request_rec *first = received(r);
    const char *text = apr_table_get(first->notes, NOTE_HOP);
    apr_status_t rv;

    if (text == NULL) {
        return LBS_HOP_HEADER_NONE;
    }
    rv = verify(first, pool, text);
    if (rv == APR_SUCCESS) {
        return LBS_HOP_HEADER_OURS;
    }
    if (rv == APR_TIMEUP && may_warn()) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      LBSNO(2300) "pool %s: a request that %s forwarded is "
                                  "dated more than %d s from now; set the "
                                  "clocks of both by NTP. It is balanced once "
                                  "more",
                      pool->name, r->connection->client_ip, LBS_HOP_AGE);
    }
    if (lbs_hop_count(text) < MOST_HOPS) {
        return LBS_HOP_HEADER_NONE;
    }
    if (may_warn()) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      LBSNO(2301) "pool %s: a request from %s was forwarded "
                                  "%u times already and is served here; give "
                                  "all servers the same LBStickySecret, "
                                  "ServerName and members",
                      pool->name, r->connection->client_ip,
                      lbs_hop_count(text));
    }
    return LBS_HOP_HEADER_RING;
}

void lbs_hop_header_mark(request_rec *r, const lbs_request_t *req,
                         const char *url)
{
    const char *before = apr_table_get(received(r)->notes, NOTE_HOP);
    lbs_hop_about_t about = {
        .method = r->method,
        .target = target_of(url),
        .proto = apr_table_get(r->headers_in, "X-Forwarded-Proto"),
        .port = apr_table_get(r->headers_in, "X-Forwarded-Port"),
    };
    char *text;

    if (!req->pool->set.local->self) {
        return;
    }
    text = apr_palloc(r->pool, LBS_HOP_LEN + 1);
    lbs_marker_sign(req->pool, &req->pool->member[req->choice.member], about,
                    before != NULL ? lbs_hop_count(before) + 1 : 1, text);
    apr_table_setn(r->headers_in, LBS_MARKER_HEADER, text);
    lbs_headers_protect(r, r->headers_in, LBS_MARKER_HEADER);
}
