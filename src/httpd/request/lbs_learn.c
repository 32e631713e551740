/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_learn.c - see lbs_learn.h. */
#include "src/httpd/request/lbs_learn.h"

#include <apr_strings.h>
#include <http_protocol.h>
#include <http_request.h>
#include <util_filter.h>

#include "src/affinity/lbs_setcookie.h"
#include "src/httpd/decide/lbs_extract.h"
#include "src/httpd/decide/lbs_sessions.h"
#include "src/httpd/request/lbs_cookie_out.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/httpd/store/lbs_store.h"

static ap_filter_rec_t *learn_filter;

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
            lbs_sessions_remember(req->pool, &req->visit, &req->choice, i);
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
