/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_hop_header.c - see lbs_hop_header.h. */
#include "src/httpd/request/lbs_hop_header.h"

#include "src/httpd/pool/lbs_marker.h"
#include "src/httpd/pool/lbs_received.h"
#include "src/httpd/proxy/lbs_log.h"
#include "src/httpd/shared/lbs_clock.h"

/* The member that a marker means, if that is this httpd. */
static int means_us(const lbs_pool_t *pool, const lbs_hop_t *hop)
{
    const lbs_member_t *m = NULL;

    if (hop->pool == pool->token_pool) {
        m = apr_hash_get(pool->by_token_id, &hop->member, sizeof(hop->member));
    }
    return m != NULL && m->own;
}

static void warn_late(request_rec *r, const lbs_pool_t *pool)
{
    static lbs_atomic64_t last;

    if (lbs_clock_once(&last, apr_time_from_sec(60))) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      LBSNO(2300) "pool %s: a request that %s forwarded is "
                                  "dated more than %d s from now; set the "
                                  "clocks of both by NTP. It is served here, "
                                  "for a visitor whose address is not known",
                      pool->name, r->connection->client_ip, LBS_HOP_AGE);
    }
}

static void warn_ring(request_rec *r, const lbs_pool_t *pool)
{
    static lbs_atomic64_t last;

    if (lbs_clock_once(&last, apr_time_from_sec(60))) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      LBSNO(2301) "pool %s: a request that this server or one "
                                  "with its secret forwarded came back from "
                                  "%s, and ends here; give all servers the "
                                  "same LBStickySecret, ServerName and "
                                  "members",
                      pool->name, r->connection->client_ip);
    }
}

lbs_hop_header_t lbs_hop_header_find(request_rec *r, const lbs_pool_t *pool)
{
    const lbs_received_t *received = lbs_received_of(r);

    if (received->from != LBS_RECEIVED_CLIENT
        && means_us(pool, &received->hop)) {
        if (received->from == LBS_RECEIVED_LATE) {
            warn_late(r, pool);
        }
        return LBS_HOP_HEADER_OURS;
    }
    if (received->trail == NULL
        || !lbs_marker_was_here(pool, received->trail, received->method,
                                received->target)) {
        return LBS_HOP_HEADER_NONE;
    }
    warn_ring(r, pool);
    return LBS_HOP_HEADER_RING;
}

void lbs_hop_header_mark(request_rec *r, const lbs_request_t *req,
                         const char *url)
{
    const lbs_pool_t *pool = req->pool;
    const lbs_member_t *m = pool->member[req->choice.member];
    lbs_hop_about_t about = {.method = r->method};
    char *text;

    if (!pool->set.local->self || !lbs_marker_fits(m)) {
        return;
    }
    about.target = lbs_marker_target(url);
    about.proto = apr_table_get(r->headers_in, "X-Forwarded-Proto");
    about.port = apr_table_get(r->headers_in, "X-Forwarded-Port");
    text = apr_palloc(r->pool, LBS_HOP_MAX + 1);
    lbs_marker_sign(pool, m, r->useragent_addr, &about, text);
    apr_table_setn(r->headers_in, LBS_MARKER_HEADER, text);
    apr_table_setn(
        r->headers_in, LBS_MARKER_TRAIL,
        lbs_marker_trail(r, pool, lbs_received_of(r)->trail, about.target));
}
