/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_learn.c - see lbs_learn.h. */
#include "src/httpd/request/lbs_learn.h"

#include <apr_strings.h>
#include <http_protocol.h>
#include <http_request.h>
#include <util_filter.h>

#include "src/affinity/lbs_setcookie.h"
#include "src/httpd/decide/lbs_place.h"
#include "src/httpd/decide/lbs_extract.h"
#include "src/httpd/request/lbs_cookie_out.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/httpd/store/lbs_store.h"

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
            lbs_cookie_out_renew(r, req, i);
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
    if (lbs_cookie_out_pending(r)) {
        ap_add_output_filter_handle(learn_filter, NULL, r, r->connection);
    }
}

static apr_status_t learn_out(ap_filter_t *f, apr_bucket_brigade *bb)
{
    lbs_request_t *req = lbs_request_of(f->r);

    if (req != NULL && req->attempt.answered && !req->learned) {
        learn(f->r, req);
    }
    lbs_cookie_out_write(f->r);
    ap_remove_output_filter(f);
    return ap_pass_brigade(f->next, bb);
}

void lbs_learn_attach(request_rec *r)
{
    ap_add_output_filter_handle(learn_filter, NULL, r, r->connection);
}

void lbs_learn_register(void)
{
    learn_filter = ap_register_output_filter("LBS_LEARN", learn_out, NULL,
                                             AP_FTYPE_PROTOCOL - 1);
    ap_hook_insert_filter(insert_filter, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_insert_error_filter(insert_filter, NULL, NULL, APR_HOOK_MIDDLE);
}
