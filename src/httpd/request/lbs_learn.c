/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_learn.c - see lbs_learn.h. */
#include "src/httpd/request/lbs_learn.h"

#include <apr_strings.h>
#include <http_protocol.h>
#include <http_request.h>
#include <util_filter.h>

#include "src/affinity/lbs_setcookie.h"
#include "src/httpd/request/lbs_backend.h"
#include "src/httpd/decide/lbs_place.h"
#include "src/httpd/decide/lbs_extract.h"
#include "src/httpd/request/lbs_forward.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/httpd/store/lbs_store.h"
#include "src/httpd/request/lbs_verdict.h"

/* Bytes of an answer after which it counts as one, whatever becomes of it. */
#define SOUND 65536

static ap_filter_rec_t *answer_filter;
static ap_filter_rec_t *learn_filter;

/* The table
 * --------------------------------------------------------------------- */

static void remember(const lbs_request_t *req, apr_uint64_t hash,
                     apr_time_t now)
{
    const lbs_pool_t *pool = req->pool;
    const lbs_set_timeout_t *timeout = pool->set.timeout;
    lbs_table_t *table = lbs_runtime()->table;
    apr_uint32_t slot = pool->member[req->choice.member].slot;
    lbs_table_hit_t hit;
    lbs_table_hit_t old = {.slot = slot};

    if (req->choice.temporary) {
        if (pool->set.failback->mode != LBS_FAILBACK_STAY
            && req->choice.reason != LBS_REASON_FULL) {
            (void)lbs_table_bind(table, lbs_place_away(hash), slot, now,
                                 timeout->idle, NULL);
            (void)lbs_table_renew(table, hash, now, timeout->idle, &hit);
        }
        return;
    }
    /* A bind that loses to others is one session that is picked anew. */
    (void)lbs_table_bind(table, hash, slot, now, timeout->idle, &old);
    if (old.slot != slot) {
        lbs_runtime_count_sessions(slot);
    }
    if (pool->max_slot >= 0) {
        (void)lbs_table_claim(table, lbs_place_max(hash),
                              (apr_uint32_t)pool->max_slot, now, timeout->max,
                              &hit);
    }
    if (req->choice.reason == LBS_REASON_FAILBACK) {
        (void)lbs_table_forget(table, lbs_place_away(hash), now, NULL);
    }
}

/* The application's Set-Cookie
 * ---------------------------------------------------- */

typedef struct setcookie_walk_t {
    lbs_slice_t name;
    apr_time_t now; /* wall clock, for Expires */
    lbs_slice_t value;
    int deletes;
    int found;
} setcookie_walk_t;

/* The last one of a name is what the client keeps: look at every one. */
static int walk_setcookie(void *baton, const char *key, const char *line)
{
    setcookie_walk_t *walk = baton;
    lbs_slice_t value;
    int deletes;

    (void)key;
    if (lbs_setcookie_parse(line, walk->name, walk->now, &value, &deletes)
        == APR_SUCCESS) {
        walk->value = value;
        walk->deletes = deletes;
        walk->found = 1;
    }
    return 1;
}

/* session=NAME: what the answer sets is the key from now on. */
static void look_at_answer(request_rec *r, lbs_request_t *req, int index)
{
    const lbs_source_t *source = &req->pool->set.sticky->source[index];
    lbs_key_t *key = &req->visit.key[index];
    setcookie_walk_t walk = {.name = lbs_slice_of(source->name),
                             .now = apr_time_now()};

    apr_table_do(walk_setcookie, &walk, r->headers_out, "Set-Cookie", NULL);
    apr_table_do(walk_setcookie, &walk, r->err_headers_out, "Set-Cookie",
                 NULL);
    if (!walk.found) {
        return;
    }
    if (walk.deletes) {
        if (key->present) {
            (void)lbs_table_forget(lbs_runtime()->table, key->hash,
                                   lbs_runtime_now(), NULL);
            lbs_store_forget(req->pool, key);
        }
        key->present = 0;
        return;
    }
    key->present = 1;
    key->known = 0;
    key->hash = lbs_extract_hash(req->pool, index, walk.value.p, walk.value.n);
    key->name =
        lbs_store_name(r, req->pool, index, walk.value.p, walk.value.n);
    key->stored = 0;
}

/* Our cookie
 * ------------------------------------------------------------------------ */

static int is_due(const lbs_request_t *req)
{
    const lbs_set_timeout_t *timeout = req->pool->set.timeout;
    apr_int64_t age;

    if (!req->visit.has_token
        || req->visit.token.member
               != req->pool->member[req->choice.member].token_id) {
        return 1;
    }
    age = (apr_int64_t)lbs_runtime_token_now() - req->visit.token.issued;
    return age > apr_time_sec(timeout->idle / 2);
}

/* One field instead of several: what each of them said counts, and what
 * "Header always" added as well. */
static void forbid_shared_caching(request_rec *r)
{
    static const char field[] = "Cache-Control";
    const char *said = apr_table_getm(r->pool, r->headers_out, field);
    const char *always = apr_table_getm(r->pool, r->err_headers_out, field);

    if (said != NULL && always != NULL) {
        said = apr_pstrcat(r->pool, always, ", ", said, NULL);
    }
    apr_table_unset(r->err_headers_out, field);
    apr_table_setn(
        r->headers_out, field,
        lbs_setcookie_private(r->pool, said != NULL ? said : always));
}

/* Write the line that the answer to the client will carry. */
static void issue(request_rec *r, lbs_request_t *req)
{
    const lbs_pool_t *pool = req->pool;
    const lbs_cookie_conf_t *conf = pool->set.cookie;
    char text[LBS_TOKEN_LEN + 1];

    lbs_token_sign(text, &req->visit.token, lbs_runtime()->secret,
                   pool->token_pool);
    req->cookie_line = lbs_setcookie_format(
        r->pool, conf, pool->cookie_name, text,
        lbs_cookie_conf_is_secure(conf, lbs_extract_https(r)));
}

/* The request of this page that has a line for the client: itself, or one
 * whose error document it is. */
static lbs_request_t *find_issued(const request_rec *r)
{
    for (; r != NULL; r = r->prev) {
        lbs_request_t *req = lbs_request_of(r);

        if (req != NULL && req->cookie_line != NULL) {
            return req;
        }
    }
    return NULL;
}

/* Put the line into the answer. It is the last one's that counts. */
static void hand_out(request_rec *r)
{
    lbs_request_t *req = find_issued(r);

    if (req == NULL) {
        return;
    }
    apr_table_addn(r->headers_out, "Set-Cookie", req->cookie_line);
    if (req->pool->set.cookie->nocache) {
        forbid_shared_caching(r);
    }
    for (; req != NULL; req = find_issued(r)) {
        req->cookie_line = NULL;
    }
}

/* A token for the member that answered, keeping who the visitor is. */
static void renew_token(request_rec *r, lbs_request_t *req, int index)
{
    lbs_key_t *key = &req->visit.key[index];
    apr_uint32_t now = lbs_runtime_token_now();

    (void)r;
    if (!req->visit.has_token) {
        req->visit.token.sid = lbs_rand_next(lbs_runtime_rand());
        req->visit.token.created = now;
    }
    req->visit.has_token = 1;
    req->visit.token.issued = now;
    req->visit.token.member = req->pool->member[req->choice.member].token_id;
    key->present = 1;
    key->hash = lbs_extract_hash(req->pool, index, &req->visit.token.sid,
                                 sizeof(req->visit.token.sid));
}

/* Learning
 * ----------------------------------------------------------------------------
 */

static void learn(request_rec *r, lbs_request_t *req)
{
    const lbs_set_sticky_t *sticky = req->pool->set.sticky;
    apr_time_t now = lbs_runtime_now();
    int i;

    req->learned = 1;
    for (i = 0; i < sticky->count; i++) {
        switch (sticky->source[i].kind) {
        case LBS_SOURCE_COOKIE:
            /* A subrequest has no headers of its own to the client. */
            if (!req->choice.temporary && r->main == NULL && is_due(req)) {
                renew_token(r, req, i);
                issue(r, req);
            }
            break;
        case LBS_SOURCE_SESSION:
            look_at_answer(r, req, i);
            break;
        case LBS_SOURCE_ROUTE:
            continue; /* is never stored */
        default:
            break;
        }
        if (req->visit.key[i].present) {
            remember(req, req->visit.key[i].hash, now);
            if (!req->choice.temporary) {
                lbs_store_write(req->pool, req->choice.member,
                                &req->visit.key[i]);
            }
        }
    }
}

void lbs_learn_late(request_rec *r, lbs_request_t *req)
{
    if (!req->learned) {
        learn(r, req);
    }
}

/* A page of httpd's takes the place of an answer that was learned. Not by
 * err_headers_out: mod_cache would store those. */
static void insert_filter(request_rec *r)
{
    if (find_issued(r) != NULL) {
        ap_add_output_filter_handle(learn_filter, NULL, r, r->connection);
    }
}

static apr_status_t learn_out(ap_filter_t *f, apr_bucket_brigade *bb)
{
    lbs_request_t *req = lbs_request_of(f->r);

    if (req != NULL && req->attempt.answered && !req->learned) {
        learn(f->r, req);
    }
    hand_out(f->r);
    ap_remove_output_filter(f);
    return ap_pass_brigade(f->next, bb);
}

/* Where the member's answer comes in
 * --------------------------------------------------- */

static int is_broken(apr_bucket_brigade *bb)
{
    apr_bucket *e;

    for (e = APR_BRIGADE_FIRST(bb); e != APR_BRIGADE_SENTINEL(bb);
         e = APR_BUCKET_NEXT(e)) {
        if (AP_BUCKET_IS_EOC(e) || AP_BUCKET_IS_ERROR(e)) {
            return 1;
        }
    }
    return 0;
}

/* The whole answer, or enough of it. */
static int is_sound(const lbs_request_t *req, apr_bucket_brigade *bb)
{
    return req->attempt.bytes_out >= SOUND
           || (!APR_BRIGADE_EMPTY(bb)
               && APR_BUCKET_IS_EOS(APR_BRIGADE_LAST(bb)));
}

static apr_status_t answer_out(ap_filter_t *f, apr_bucket_brigade *bb)
{
    lbs_request_t *req = lbs_request_of(f->r);
    apr_off_t length = 0;

    if (req == NULL || !req->attempt.forwarding) {
        return ap_pass_brigade(f->next, bb);
    }
    (void)apr_brigade_length(bb, 0, &length);
    req->attempt.bytes_out += length > 0 ? (apr_uint64_t)length : 0;
    req->attempt.unmeasured |= length < 0;
    if (is_broken(bb)) {
        req->attempt.broken = 1;
    }
    else if (!req->attempt.answered && !req->attempt.discarding) {
        (void)lbs_forward_answered(f->r, req);
    }
    if (req->attempt.discarding) {
        apr_brigade_cleanup(bb);
        return APR_SUCCESS;
    }
    if (!req->attempt.broken && is_sound(req, bb)) {
        lbs_verdict_sound(req);
    }
    lbs_forward_answering(f->r, req);
    return ap_pass_brigade(f->next, bb);
}

/* Heads that pass no filter: 1xx
 * ------------------------------------------------------------------------ */

/* The member agrees to what the client asked for. */
static int is_switch(const request_rec *r)
{
    const char *wanted = apr_table_get(r->headers_in, "Upgrade");
    const char *granted = apr_table_get(r->headers_out, "Upgrade");

    return r->status == HTTP_SWITCHING_PROTOCOLS && wanted != NULL
           && granted != NULL && ap_cstr_casecmp(wanted, granted) == 0;
}

/* mod_proxy sends a 101 past all filters, and then there is a tunnel, perhaps
 * for hours: so it is learned here, and headers_out, which mod_proxy will
 * send, gets our cookie. */
static void begin_tunnel(request_rec *r, lbs_request_t *req)
{
    if (lbs_forward_answered(r, req)) {
        lbs_verdict_sound(req);
        lbs_learn_late(r, req);
        hand_out(r);
    }
}

static void look_at_head(void *baton)
{
    lbs_request_t *req = baton;
    lbs_runtime_t *rt = lbs_runtime();
    request_rec *r = req->r;

    if (req->attempt.answered) {
        return;
    }
    if (is_switch(r)) {
        begin_tunnel(r, req);
    }
    else if (ap_is_HTTP_INFO(r->status)
             && r->status != HTTP_SWITCHING_PROTOCOLS) {
        lbs_backend_interim(&req->attempt.backend);
        lbs_inflight_unheard(&rt->rows, &rt->row, &req->attempt.flight);
    }
}

void lbs_learn_attach(request_rec *r)
{
    ap_add_output_filter_handle(learn_filter, NULL, r, r->connection);
    ap_add_output_filter_handle(answer_filter, NULL, r, r->connection);
}

void lbs_learn_register(void)
{
    answer_filter = ap_register_output_filter("LBS_ANSWER", answer_out, NULL,
                                              AP_FTYPE_RESOURCE);
    learn_filter = ap_register_output_filter("LBS_LEARN", learn_out, NULL,
                                             AP_FTYPE_PROTOCOL - 1);
    lbs_backend_on_head(look_at_head);
    ap_hook_insert_filter(insert_filter, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_insert_error_filter(insert_filter, NULL, NULL, APR_HOOK_MIDDLE);
}
