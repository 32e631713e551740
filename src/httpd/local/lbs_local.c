/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_local.c - see lbs_local.h. */
#include "src/httpd/local/lbs_local.h"

#include <http_config.h>
#include <http_protocol.h>
#include <http_request.h>
#include <string.h>

#include "src/httpd/local/lbs_local_files.h"
#include "src/httpd/local/lbs_local_map.h"
#include "src/httpd/local/lbs_local_self.h"
#include "src/httpd/pool/lbs_present.h"
#include "src/httpd/pool/lbs_received.h"
#include "src/httpd/proxy/lbs_log.h"
#include "src/httpd/proxy/lbs_section.h"
#include "src/httpd/request/lbs_headers.h"
#include "src/httpd/request/lbs_hop_header.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"

#define PROXY "proxy:"
#define PROXY_LEN (sizeof(PROXY) - 1)

/* The governed pool that ProxyPass sends a request to, or NULL. */
static lbs_pool_t *pool_of(request_rec *r)
{
    if (lbs_runtime() == NULL || r->proxyreq != PROXYREQ_REVERSE
        || r->filename == NULL
        || strncmp(r->filename, PROXY, PROXY_LEN) != 0) {
        return NULL;
    }
    return lbs_present_pool(
        r, lbs_pools_of_url(r->server, r->filename + PROXY_LEN));
}

/* The request from which this one goes on, if it is served here: an internal
 * redirect, an error page or an include stays where it began. */
static lbs_request_t *find_origin(const request_rec *r, const lbs_pool_t *pool)
{
    while ((r = r->prev != NULL ? r->prev : r->main) != NULL) {
        lbs_request_t *req = lbs_request_of(r);

        if (req != NULL && req->pool == pool
            && (req->local.here || req->local.marked)) {
            return req;
        }
    }
    return NULL;
}

/* One decision for the whole, so an internal redirect shares its record. A
 * subrequest is a part of the page that is being made and has none. */
static int go_on_here(request_rec *r, lbs_request_t *origin)
{
    lbs_local_map_t undo;
    int status = lbs_local_map_map(r, &undo);

    if (status == OK) {
        if (r->main == NULL) {
            lbs_request_share(r, origin);
            lbs_request_settle(r, origin);
        }
        return DECLINED;
    }
    if (status != DECLINED) {
        return status;
    }
    lbs_local_map_undo(r, &undo);
    return DECLINED;
}

static void count_local(request_rec *r, lbs_request_t *req)
{
    req->choice.decision = LBS_DECISION_LOCAL;
    if (r->main == NULL) {
        lbs_request_count(req);
        lbs_request_settle(r, req);
    }
}

static int serve_file(request_rec *r, lbs_pool_t *pool)
{
    const char *from = r->filename + PROXY_LEN;

    if (!lbs_local_files_map(r)) {
        return 0;
    }
    count_local(r, lbs_request_begin(r, pool, from));
    return 1;
}

/* Any visitor can cause it, so it must not fill logs. */
static void warn_rule(request_rec *r, const lbs_pool_t *pool)
{
    static lbs_atomic64_t last;

    if (lbs_clock_once(&last, apr_time_from_sec(60))) {
        ap_log_rerror(
            APLOG_MARK, APLOG_ERR, 0, r,
            LBSNO(2400) "pool %s: a RewriteRule with [P] sends %s to the "
                        "pool, which LBStickyLocal self cannot undo; "
                        "write ProxyPass instead, or "
                        "RewriteCond %%{ENV:no-proxy} ^$ before it",
            pool->name, r->uri);
    }
}

/* A request that this server cannot serve goes nowhere else. */
static int serve_marked(request_rec *r, lbs_request_t *req)
{
    lbs_local_map_t undo;
    int status;

    req->local.marked = 1;
    status = lbs_local_map_map(r, &undo);
    count_local(r, req);
    if (status == OK) {
        return DECLINED;
    }
    if (status != DECLINED) {
        return status;
    }
    warn_rule(r, req->pool);
    return HTTP_LOOP_DETECTED;
}

static int has_own(const lbs_pool_t *pool)
{
    apr_size_t i = 0;

    while (i < pool->configured && !pool->member[i]->own) {
        i++;
    }
    return i < pool->configured;
}

/* A request that came back ends where it was before: with the own member, in
 * any state, if this server is a member at all. The marker of the server that
 * sent it is not signed with our secret, so it is replaced. */
static int end_ring(request_rec *r, lbs_pool_t *pool)
{
    lbs_request_t *req;

    if (!has_own(pool)) {
        return HTTP_LOOP_DETECTED;
    }
    req = lbs_request_begin(r, pool, r->filename + PROXY_LEN);
    lbs_headers_here(r, req);
    return serve_marked(r, req);
}

static int map_here(request_rec *r, lbs_pool_t *pool)
{
    lbs_request_t *origin = find_origin(r, pool);

    if (origin != NULL) {
        return go_on_here(r, origin);
    }
    if (pool->set.local->files && serve_file(r, pool)) {
        return DECLINED;
    }
    if (!pool->set.local->self) {
        return DECLINED;
    }
    switch (lbs_hop_header_find(r, pool)) {
    case LBS_HOP_HEADER_OURS:
        /* A request from a peer is served here. */
        return serve_marked(
            r, lbs_request_begin(r, pool, r->filename + PROXY_LEN));
    case LBS_HOP_HEADER_RING:
        return end_ring(r, pool);
    default:
        (void)lbs_local_self_map(r, pool);
        return DECLINED;
    }
}

/* What is sent to a member gets its <Proxy> section here, as mod_proxy would
 * give it next. */
static int map_to_storage(request_rec *r)
{
    lbs_pool_t *pool = pool_of(r);
    int status;

    if (pool == NULL) {
        return DECLINED;
    }
    if (pool->set.local->files || pool->set.local->self) {
        status = map_here(r, pool);
        if (status != DECLINED || pool_of(r) != pool) {
            return status;
        }
    }
    return lbs_section_map(r, pool->section);
}

void lbs_local_register(void)
{
    /* Later hooks go on with the request as it is after this one. */
    static const char *const before_proxy[] = {"mod_proxy.c", NULL};

    lbs_received_register();
    ap_hook_map_to_storage(map_to_storage, NULL, before_proxy, APR_HOOK_FIRST);
    ap_hook_handler(lbs_local_self_handler, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_insert_error_filter(lbs_local_self_error, NULL, NULL,
                                APR_HOOK_FIRST);
}
