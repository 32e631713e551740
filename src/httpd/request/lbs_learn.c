/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_learn.c - see lbs_learn.h. */
#include "src/httpd/request/lbs_learn.h"

#include <apr_strings.h>
#include <http_protocol.h>
#include <http_request.h>
#include <util_filter.h>

#include "src/httpd/decide/lbs_fields.h"
#include "src/httpd/decide/lbs_asked.h"
#include "src/httpd/decide/lbs_extract.h"
#include "src/httpd/decide/lbs_sessions.h"
#include "src/httpd/request/lbs_cookie_out.h"
#include "src/httpd/request/lbs_in_use.h"
#include "src/httpd/request/lbs_taught.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/store/lbs_store.h"

static ap_filter_rec_t *learn_filter;

/* Keys
 * ----------------------------------------------------------------------------
 */

/* A visitor with an unknown value whose request is refused may have come to
 * the wrong member: nothing is learned from that. */
static int is_refused(const request_rec *r, lbs_source_kind_e kind,
                      const lbs_key_t *key)
{
    return !key->known && r->status >= HTTP_BAD_REQUEST
           && (kind == LBS_SOURCE_SESSION || kind == LBS_SOURCE_HEADER
               || kind == LBS_SOURCE_QUERY || kind == LBS_SOURCE_PATH);
}

static void learn_key(lbs_request_t *req, int index, const lbs_key_t *key,
                      apr_time_t now)
{
    lbs_sessions_remember(req->pool, &req->visit, &req->choice, index, key,
                          now);
    lbs_in_use_add(req, key, now);
}

/* Learn by a source whose keys answers hand out. The key that the client shows
 * stays learned beside the new one, unless that takes its place. */
static void learn_taught(request_rec *r, lbs_request_t *req, int index,
                         apr_time_t now)
{
    lbs_source_kind_e kind = req->pool->set.sticky->source[index].kind;
    lbs_key_t *key = &req->visit.key[index];
    const lbs_key_t shown = *key;
    lbs_taught_t taught;
    unsigned i;

    lbs_taught_by(r, req->pool, index, &taught);
    if (taught.ends) {
        if (key->present) {
            lbs_sessions_end(req->pool, key, &req->visit.wait);
        }
        key->present = 0;
    }
    else if (key->present && !taught.replaces && !is_refused(r, kind, key)) {
        learn_key(req, index, key, now);
    }
    for (i = 0; i < taught.count; i++) {
        lbs_slice_t value = taught.value[i];
        lbs_key_t given = {
            .present = 1,
            .slot = -1,
            .other = -1,
            .hash = lbs_extract_hash(req->pool, index, value.p, value.n),
            .name = lbs_store_name(r, req->pool, index, value.p, value.n),
        };

        if (shown.present && shown.hash == given.hash) {
            given = shown;
            if (kind == LBS_SOURCE_HEADER) {
                continue; /* an echo: it was the client's word */
            }
        }
        learn_key(req, index, &given, now);
        *key = given;
    }
}

/* Learning
 * ----------------------------------------------------------------------------
 */

/* Has another answer ended the session meanwhile? */
static int is_released(const lbs_request_t *req, int index, apr_time_t now)
{
    return req->visit.has_token
           && lbs_asked_released(req->pool, req->visit.key[index].hash, now);
}

static void learn_keys(request_rec *r, lbs_request_t *req, apr_time_t now)
{
    const lbs_set_sticky_t *sticky = req->pool->set.sticky;
    int i;

    for (i = 0; i < sticky->count; i++) {
        const lbs_key_t *key = &req->visit.key[i];

        switch (sticky->source[i].kind) {
        case LBS_SOURCE_SESSION:
        case LBS_SOURCE_HEADER:
            learn_taught(r, req, i, now);
            continue;
        case LBS_SOURCE_COOKIE:
            if (is_released(req, i, now)) {
                continue;
            }
            lbs_cookie_out_renew(r, req, i, lbs_taught_own(r, req), now);
            break;
        default:
            break;
        }
        if (key->present && !is_refused(r, sticky->source[i].kind, key)) {
            learn_key(req, i, key, now);
        }
    }
}

static void learn(request_rec *r, lbs_request_t *req)
{
    apr_time_t now = lbs_clock_now();

    req->learned = 1;
    if (!req->control.releases) {
        learn_keys(r, req, now);
    }
    lbs_fields_note(req->pool, &req->visit, req->choice.member, &req->control,
                    now);
    if (req->control.releases && req->visit.has_token) {
        lbs_cookie_out_end(r, req);
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
    const lbs_request_t *req = lbs_request_of(r);

    if (req != NULL && req->pool->set.sticky->count == 0) {
        return; /* there is nothing to learn */
    }
    ap_add_output_filter_handle(learn_filter, NULL, r, r->connection);
}

void lbs_learn_register(void)
{
    learn_filter = ap_register_output_filter("LBS_LEARN", learn_out, NULL,
                                             AP_FTYPE_PROTOCOL - 1);
    ap_hook_insert_filter(insert_filter, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_insert_error_filter(insert_filter, NULL, NULL, APR_HOOK_MIDDLE);
}
