/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_in_use.c - see lbs_in_use.h. */
#include "src/httpd/request/lbs_in_use.h"

#include <unistd.h>

#include "src/base/lbs_hex.h"
#include "src/httpd/decide/lbs_place.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"

/* A request shorter than that changes nothing that the table can tell. */
#define SHORT(idle) ((idle) / 256)

static lbs_ongoing_t *ongoing(void)
{
    return lbs_runtime()->notes.ongoing;
}

static void renew(void *baton, apr_uint64_t key, apr_interval_time_t idle)
{
    lbs_table_hit_t hit;

    (void)lbs_table_renew(lbs_runtime()->table, key, *(apr_time_t *)baton,
                          idle, &hit);
}

static apr_status_t end(void *baton)
{
    const lbs_request_t *req = baton;
    apr_time_t now;

    if (lbs_runtime() == NULL) {
        return APR_SUCCESS; /* the process ends, and so does its memory */
    }
    now = lbs_clock_now();
    if (now - req->in_use.began > SHORT(req->pool->set.timeout->idle)) {
        lbs_ongoing_each(ongoing(), req->in_use.place, renew, &now);
    }
    lbs_ongoing_leave(ongoing(), req->in_use.place);
    return APR_SUCCESS;
}

/* What a thread keeps between requests. */
typedef struct self_t {
    apr_uint32_t pid;  /* 0: not known yet */
    apr_uint32_t hint; /* where it looks for a place first: at its last one */
} self_t;

static self_t *self(void)
{
    static __thread self_t thread;

    if (thread.pid == 0) {
        thread.pid = (apr_uint32_t)getpid();
        thread.hint = lbs_ongoing_begin(ongoing());
    }
    return &thread;
}

/* @return 1 when the request has a place */
static int enter(lbs_request_t *req, apr_time_t now)
{
    lbs_in_use_t *in_use = &req->in_use;

    if (in_use->began == 0) {
        self_t *thread = self();

        in_use->began = now;
        in_use->entered =
            lbs_ongoing_enter(ongoing(), thread->pid, &thread->hint,
                              in_use->began, req->pool->set.timeout->idle,
                              &in_use->place)
            == APR_SUCCESS;
        if (in_use->entered) {
            apr_pool_cleanup_register(req->r->pool, req, end,
                                      apr_pool_cleanup_null);
        }
    }
    return in_use->entered;
}

/* Where the store has the session, it is told of it while the request is in
 * flight. */
static void add_name(lbs_request_t *req, const lbs_key_t *key)
{
    apr_uint64_t name[LBS_ONGOING_NAME_WORDS];

    if (key->name != NULL && lbs_hex_get(key->name, 16, &name[0])
        && lbs_hex_get(key->name + 16, 16, &name[1])) {
        lbs_ongoing_add_name(ongoing(), req->in_use.place, req->pool->slot,
                             name, req->in_use.began);
    }
}

void lbs_in_use_add(lbs_request_t *req, const lbs_key_t *key, apr_time_t now)
{
    if (!enter(req, now)) {
        return;
    }
    lbs_ongoing_add(ongoing(), req->in_use.place, key->hash);
    if (req->pool->set.failback->mode != LBS_FAILBACK_STAY) {
        lbs_ongoing_add(ongoing(), req->in_use.place,
                        lbs_place_away(key->hash));
    }
    add_name(req, key);
}

void lbs_in_use_begin(lbs_request_t *req)
{
    int i;

    for (i = 0; i < req->pool->set.sticky->count; i++) {
        if (req->visit.key[i].known) {
            lbs_in_use_add(req, &req->visit.key[i], req->decided_at);
        }
    }
}
