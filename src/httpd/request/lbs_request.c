/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_request.c - see lbs_request.h. */
#include "src/httpd/request/lbs_request.h"

#include <apr_strings.h>
#include <http_config.h>
#include <string.h>

#include "src/base/lbs_clear.h"
#include "src/httpd/decide/lbs_decide.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/httpd/shared/lbs_thread_rand.h"

extern module AP_MODULE_DECLARE_DATA lbsticky_module;

/* Key of what is kept with a client's request. */
#define WAIT "mod_lbsticky: wait"

lbs_request_t *lbs_request_of(const request_rec *r)
{
    return ap_get_module_config(r->request_config, &lbsticky_module);
}

static int is_idempotent(const request_rec *r)
{
    switch (r->method_number) {
    case M_GET: /* HEAD too */
    case M_PUT:
    case M_DELETE:
    case M_OPTIONS:
    case M_TRACE:
        return 1;
    default:
        return apr_table_get(r->headers_in, "Idempotency-Key") != NULL;
    }
}

int lbs_request_is_repeatable(const lbs_request_t *req)
{
    return req->idempotent && lbs_body_is_whole(req->body);
}

int lbs_request_stays_repeatable(const lbs_request_t *req)
{
    return req->idempotent && lbs_body_stays_whole(req->body);
}

/* What a client's request waits for the store, with its includes and its error
 * document. */
static lbs_store_wait_t *wait_of(const request_rec *r, const lbs_pool_t *pool)
{
    void *wait = NULL;

    if (pool->store == NULL) {
        return NULL;
    }
    while (r->prev != NULL || r->main != NULL) {
        r = r->prev != NULL ? r->prev : r->main;
    }
    (void)apr_pool_userdata_get(&wait, WAIT, r->pool);
    if (wait == NULL) {
        wait = apr_pcalloc(r->pool, sizeof(lbs_store_wait_t));
        (void)apr_pool_userdata_setn(wait, WAIT, NULL, r->pool);
    }
    return wait;
}

lbs_request_t *lbs_request_begin(request_rec *r, lbs_pool_t *pool,
                                 const char *from)
{
    lbs_request_t *req =
        lbs_clear(apr_palloc(r->pool, sizeof(*req)), sizeof(*req));

    req->r = r;
    req->pool = pool;
    req->idempotent = is_idempotent(r);
    req->from = from;
    req->visit.wait.whole = wait_of(r, pool);
    lbs_choice_none(&req->choice);
    req->attempt.keepalives = -1;
    req->tries.next = LBS_NO_MEMBER;
    ap_set_module_config(r->request_config, &lbsticky_module, req);
    return req;
}

void lbs_request_share(request_rec *r, lbs_request_t *req)
{
    ap_set_module_config(r->request_config, &lbsticky_module, req);
}

lbs_request_t *lbs_request_decided(request_rec *r, const lbs_pool_t *pool,
                                   const char *url)
{
    lbs_request_t *req = lbs_request_of(r);

    if (req == NULL || !req->decided || req->local.here || req->pool != pool) {
        return NULL;
    }
    req->decided = 0;
    req->from = url;
    return req;
}

/* An earlier part of the same page, from the same pool, that was given a
 * token. */
static const lbs_request_t *find_earlier(const lbs_request_t *req)
{
    const request_rec *r = req->r;

    while ((r = r->prev != NULL ? r->prev : r->main) != NULL) {
        const lbs_request_t *other = lbs_request_of(r);

        if (other != NULL && other->pool == req->pool && other->learned
            && other->visit.has_token && !other->choice.temporary) {
            return other;
        }
    }
    return NULL;
}

static lbs_ask_t ask_for(const lbs_request_t *req)
{
    lbs_ask_t ask = {
        .r = req->r,
        .pool = req->pool,
        .now = lbs_clock_now(),
        .idempotent = req->idempotent,
        .waited = req->tries.waited,
    };

    return ask;
}

int lbs_request_decide(lbs_request_t *req)
{
    const lbs_request_t *earlier = find_earlier(req);
    lbs_ask_t ask = ask_for(req);

    req->decided_at = ask.now;
    if (earlier != NULL) {
        ask.earlier = &earlier->visit;
        ask.earlier_member = earlier->choice.member;
    }
    return lbs_decide(&ask, &req->visit, &req->choice);
}

int lbs_request_decide_again(lbs_request_t *req, lbs_reason_t reason)
{
    lbs_ask_t ask = ask_for(req);

    return lbs_decide_again(&ask, &req->visit, &req->choice, reason);
}

/* What decided: a source, or a reader of LBStickyForeign. */
static const char *source_of(const lbs_request_t *req)
{
    if (req->choice.source >= 0) {
        return req->pool->set.sticky->source[req->choice.source].spelling;
    }
    return req->choice.reason == LBS_REASON_ADOPTED
               ? req->visit.named.reader->word.spelling
               : "";
}

static const char *member_of(const lbs_request_t *req)
{
    const lbs_member_t *m;

    if (req->choice.member == LBS_NO_MEMBER) {
        return "";
    }
    m = req->pool->member[req->choice.member];
    return *m->route ? m->route : m->name;
}

static lbsticky_answer_t answer_of(const lbs_request_t *req)
{
    return (lbsticky_answer_t){
        .pool = req->pool->name,
        .member = member_of(req),
        .decision = lbs_decision_name(req->choice.decision),
        .reason = lbs_reason_name(req->choice.reason),
        .source = source_of(req),
        .attempts = req->tries.count,
    };
}

int lbs_request_answer(request_rec *r, lbsticky_answer_t *answer,
                       apr_size_t size)
{
    const lbs_request_t *req = lbs_request_of(r);
    lbsticky_answer_t known;

    if (req == NULL) {
        return DECLINED;
    }
    known = answer_of(req);
    memset(answer, 0, size);
    memcpy(answer, &known, size < sizeof(known) ? size : sizeof(known));
    return OK;
}

/* Counting ------------------------------------------------------------------
 */

/* One request in so many is looked at: does one key make most of them? */
static void note_key(const lbs_request_t *req)
{
    const lbs_key_t *key = NULL;
    int i;

    if (lbs_rand_below(lbs_thread_rand(), LBS_BUSY_ONE_IN) != 0) {
        return;
    }
    for (i = 0; i < req->pool->set.sticky->count && key == NULL; i++) {
        key = req->visit.key[i].hash != 0 ? &req->visit.key[i] : NULL;
    }
    if (key != NULL) {
        lbs_busy_note(&lbs_runtime()->notes.busy[req->pool->slot], key->hash,
                      (apr_uint64_t)lbs_clock_now());
    }
}

/* Of a request that is not answered: now. */
static apr_time_t answered_at(const lbs_request_t *req)
{
    return req->attempt.answered_at != 0 ? req->attempt.answered_at
                                         : lbs_clock_now();
}

void lbs_request_count(lbs_request_t *req)
{
    if (!req->counted) {
        note_key(req);
        req->counted = 1;
        lbs_pool_record_decided(req->pool->record, req->choice.decision,
                                req->choice.reason, answered_at(req));
        if (req->choice.reason == LBS_REASON_ADOPTED) {
            lbs_readers_count(req->visit.named.reader, req->r->request_time);
        }
    }
}

/* The environment ----------------------------------------------------------
 */

typedef void put_t(apr_table_t *env, const char *name, const char *value);

/* As a rule nothing of that name stands there yet, and it can be added
 * without a look at all that does: that look costs more than the rest. */
static put_t *find_put(const apr_table_t *env)
{
    const apr_array_header_t *all = apr_table_elts(env);
    int i;

    for (i = 0; i < all->nelts; i++) {
        const char *name = APR_ARRAY_IDX(all, i, apr_table_entry_t).key;

        if (ap_cstr_casecmpn(name, "LBSTICKY_", 9) == 0
            || ap_cstr_casecmpn(name, "BALANCER_", 9) == 0) {
            return apr_table_setn;
        }
    }
    return apr_table_addn;
}

/* A variable without a value is not set, and unset if it was. */
static void put_or_unset(apr_table_t *env, const char *name, const char *value,
                         put_t *put)
{
    if (value != NULL && *value != '\0') {
        put(env, name, value);
    }
    else if (put == apr_table_setn) {
        apr_table_unset(env, name);
    }
}

/* As mod_proxy_balancer: the visitor shows no route, or another one than that
 * of the member that answers. The ROUTEID recipe sets its cookie by this. */
static int is_route_new(const lbs_request_t *req)
{
    return req->choice.decision == LBS_DECISION_MOVED
           || req->choice.decision == LBS_DECISION_NEW;
}

/* BALANCER_* as mod_proxy_balancer documents them. */
static void put_balancer(apr_table_t *env, const lbs_request_t *req,
                         put_t *put)
{
    const lbs_pool_t *pool = req->pool;
    const lbs_member_t *m, *home;

    put(env, "BALANCER_NAME", lbs_worker_pool_url(pool->balancer));
    if (req->choice.member == LBS_NO_MEMBER) {
        return;
    }
    m = pool->member[req->choice.member];
    home = req->choice.source >= 0 && req->choice.home != LBS_NO_MEMBER
               ? pool->member[req->choice.home]
               : NULL;
    put(env, "BALANCER_WORKER_NAME", m->name);
    put_or_unset(env, "BALANCER_WORKER_ROUTE", m->route, put);
    put_or_unset(env, "BALANCER_SESSION_STICKY",
                 req->choice.source >= 0
                     ? pool->set.sticky->source[req->choice.source].spelling
                     : NULL,
                 put);
    put_or_unset(env, "BALANCER_SESSION_ROUTE",
                 home != NULL ? home->route : NULL, put);
    put_or_unset(env, "BALANCER_ROUTE_CHANGED", is_route_new(req) ? "1" : NULL,
                 put);
}

/* In the place to which the environment points, which is as new as that. */
static void write_tries(lbs_request_t *req)
{
    req->settled.attempts = req->tries.count;
    if (req->tries.count >= 0 && req->tries.count < 10) {
        req->settled.tries[0] = (char)('0' + req->tries.count);
        req->settled.tries[1] = '\0';
    }
    else {
        (void)apr_snprintf(req->settled.tries, sizeof(req->settled.tries),
                           "%d", req->tries.count);
    }
}

static void put_all(request_rec *r, const lbs_request_t *req)
{
    apr_table_t *env = r->subprocess_env;
    put_t *put = find_put(env);
    lbsticky_answer_t answer = answer_of(req);

    put(env, "LBSTICKY_POOL", answer.pool);
    put(env, "LBSTICKY_MEMBER", answer.member);
    put(env, "LBSTICKY_DECISION", answer.decision);
    put(env, "LBSTICKY_REASON", answer.reason);
    put(env, "LBSTICKY_SOURCE", answer.source);
    put(env, "LBSTICKY_TRIES", req->settled.tries);
    put_balancer(env, req, put);
}

void lbs_request_settle(request_rec *r, lbs_request_t *req)
{
    lbs_settled_t *was = &req->settled;
    const lbs_choice_t *is = &req->choice;

    if (was->env == NULL || was->attempts != req->tries.count) {
        write_tries(req);
    }
    if (was->env == r->subprocess_env && was->decision == is->decision
        && was->reason == is->reason && was->source == is->source
        && was->home == is->home && was->member == is->member) {
        return;
    }
    put_all(r, req);
    was->env = r->subprocess_env;
    was->decision = is->decision;
    was->reason = is->reason;
    was->source = is->source;
    was->home = is->home;
    was->member = is->member;
}
