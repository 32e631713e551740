/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_verdict.c - see lbs_verdict.h. */
#include "src/httpd/request/lbs_verdict.h"

#include "src/httpd/decide/lbs_lookup.h"
#include "src/httpd/health/lbs_health.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/httpd/shared/lbs_thread_rand.h"
#include "src/member/lbs_member_record.h"

static const lbs_member_t *member_of(const lbs_request_t *req)
{
    return req->pool->member[req->choice.member];
}

static lbs_eject_attempt_t attempt_of(const lbs_request_t *req)
{
    lbs_eject_attempt_t attempt = {(apr_uint64_t)req->attempt.sent_at,
                                   req->attempt.flight.trial, 0};

    return attempt;
}

/* The response time for which a failure counts; 0: for none, as the attempt
 * began before the member came back. */
static apr_uint32_t charge_failure(const lbs_request_t *req,
                                   const lbs_member_t *m, apr_uint64_t began,
                                   apr_uint64_t now)
{
    lbs_eject_t *eject = &m->record->eject;

    if (!lbs_evidence_is_recent(&eject->evidence, began)) {
        return 0;
    }
    lbs_evidence_charged(&eject->evidence, began, now);
    return lbs_plan_failure(req->pool->plan, lbs_eject_in_row(eject));
}

static void book(lbs_request_t *req, int index, lbs_fail_t kind,
                 const lbs_eject_attempt_t *attempt)
{
    const lbs_member_t *m = req->pool->member[index];
    apr_uint64_t now = (apr_uint64_t)lbs_clock_now();
    lbs_eject_on_t on = lbs_health_eject_on(req->pool, m);
    lbs_eject_why_t why = LBS_EJECT_FOR_STREAK;
    lbs_eject_turn_t turn = lbs_eject_failed(&on, attempt, now, &why);

    lbs_member_record_failed(m->record, m->gauge, kind,
                             charge_failure(req, m, attempt->began, now), now);
    lbs_health_turned(req->pool, m, turn, why);
}

static void fail(lbs_request_t *req, lbs_fail_t kind)
{
    lbs_eject_attempt_t attempt = attempt_of(req);

    attempt.lost = kind != LBS_FAIL_CONNECT && kind != LBS_FAIL_STATUS;
    book(req, req->choice.member, kind, &attempt);
}

/* What was sent to a member and failed there may fail at the next one, too.
 * Until that is known the member is in doubt. A trial is judged at once: the
 * next one begins when it is over. */
static void suspect(lbs_request_t *req, lbs_fail_t kind)
{
    lbs_eject_on_t on = lbs_health_eject_on(req->pool, member_of(req));
    lbs_blame_t *blame;

    if (req->attempt.flight.trial) {
        fail(req, kind);
        return;
    }
    if (req->tries.blame == NULL) {
        req->tries.blame =
            apr_array_make(req->r->pool, 2, sizeof(lbs_blame_t));
    }
    blame = apr_array_push(req->tries.blame);
    blame->member = req->choice.member;
    blame->kind = (int)kind;
    blame->sent_at = req->attempt.sent_at;
    lbs_eject_doubt(&on, (apr_uint64_t)lbs_clock_now());
}

void lbs_verdict_close(lbs_request_t *req, int answered)
{
    int i;

    if (req->tries.blame == NULL
        || (req->tries.blame->nelts > 1 && !answered)) {
        return;
    }
    for (i = 0; i < req->tries.blame->nelts; i++) {
        const lbs_blame_t *blame =
            &APR_ARRAY_IDX(req->tries.blame, i, lbs_blame_t);
        lbs_eject_attempt_t attempt = {.began = (apr_uint64_t)blame->sent_at,
                                       .lost = 1};

        book(req, blame->member, (lbs_fail_t)blame->kind, &attempt);
    }
    req->tries.blame = NULL;
}

/* A kept connection was closed. The member may have closed it for being idle,
 * or may be down: until that is known, no request that would be lost goes
 * there. */
static void doubt(const lbs_request_t *req)
{
    lbs_eject_on_t on = lbs_health_eject_on(req->pool, member_of(req));

    if (!lbs_request_is_repeatable(req) && !req->attempt.backend.refused) {
        lbs_eject_doubt(&on, (apr_uint64_t)lbs_clock_now());
    }
}

/* To the first byte, where it was seen. */
static apr_uint64_t time_of(const lbs_request_t *req, apr_uint64_t now)
{
    apr_uint64_t end =
        req->attempt.first_at != 0 ? (apr_uint64_t)req->attempt.first_at : now;

    return end - (apr_uint64_t)req->attempt.sent_at;
}

/* Whose answer it is, as far as one client cannot pretend to be several: the
 * session, if it is known; else the client's address and User-Agent. Where
 * clients without a cookie are not told apart, each request is one. */
static apr_uint64_t visitor_of(request_rec *r, lbs_request_t *req)
{
    const lbs_set_sticky_t *sticky = req->pool->set.sticky;
    int i;

    for (i = 0; i < sticky->count; i++) {
        const lbs_key_t *key = &req->visit.key[i];
        int is_ours = sticky->source[i].kind == LBS_SOURCE_COOKIE;

        if (key->hash != 0
            && (key->known || (is_ours && req->visit.has_token))) {
            return key->hash;
        }
        if (is_ours && req->pool->set.cookie->first == 0) {
            return lbs_rand_next(lbs_thread_rand());
        }
    }
    return lbs_lookup_first(r, req->pool, &req->visit);
}

/* Note the visitor who got a 5xx. The first 5xx in a row makes the member a
 * suspect, and the process that checks has to see that soon. */
static void note_error(request_rec *r, lbs_request_t *req, apr_uint64_t now)
{
    lbs_eject_t *eject = &member_of(req)->record->eject;
    apr_int64_t window = req->pool->eject_conf.window_us;
    apr_uint64_t visitor = visitor_of(r, req);

    lbs_evidence_visitor(&eject->evidence, window, visitor, now);
    if (lbs_suspect_erred(&eject->suspect, window, visitor, now)) {
        lbs_atomic_add64_relaxed(&req->pool->record->eject.suspects, 1);
    }
}

/* The time that an answer counts for. A 5xx was not quick, however soon it
 * came.
 *
 * @return microseconds; 0: it is of a time before the member came back */
static apr_uint64_t weigh(request_rec *r, lbs_request_t *req, int error,
                          apr_uint64_t took, apr_uint64_t now)
{
    lbs_eject_t *eject = &member_of(req)->record->eject;
    lbs_evidence_t *evidence = &eject->evidence;
    apr_uint64_t began = (apr_uint64_t)req->attempt.sent_at;
    apr_int64_t window = req->pool->eject_conf.window_us;
    apr_uint64_t charge;

    if (!lbs_evidence_is_recent(evidence, began)) {
        return 0;
    }
    lbs_evidence_answer(evidence, window, error, now);
    if (!error) {
        lbs_evidence_answered_well(evidence);
        lbs_evidence_met(evidence, window, visitor_of(r, req), now);
        lbs_suspect_answered_well(&eject->suspect);
        return took;
    }
    note_error(r, req, now);
    lbs_evidence_charged(evidence, began, now);
    charge = lbs_plan_error(req->pool->plan,
                            lbs_evidence_blame(evidence, window, now));
    return took > charge ? took : charge;
}

/* A 5xx that is no failure by itself; the tick weighs the evidence. */
static void err(lbs_request_t *req, apr_uint64_t now)
{
    const lbs_member_t *m = member_of(req);
    lbs_eject_attempt_t attempt = attempt_of(req);
    lbs_eject_on_t on = lbs_health_eject_on(req->pool, m);
    lbs_eject_why_t why = LBS_EJECT_FOR_ERRORS;
    lbs_eject_turn_t turn = lbs_eject_erred(&on, &attempt, now, &why);

    if (turn == LBS_EJECT_EJECTED) {
        req->attempt.judged = 1;
        lbs_health_turned(req->pool, m, turn, why);
    }
}

void lbs_verdict_answered(request_rec *r, lbs_request_t *req)
{
    lbs_runtime_t *rt = lbs_runtime();
    const lbs_member_t *m = member_of(req);
    apr_uint64_t now = (apr_uint64_t)lbs_clock_now();
    apr_uint64_t took = time_of(req, now);
    int status = req->attempt.status;
    int error = ap_is_HTTP_SERVER_ERROR(status);

    req->attempt.answered_at = (apr_time_t)now;
    lbs_inflight_heard(&rt->rows, &rt->row, &req->attempt.flight);
    lbs_member_record_answered(m->record, m->gauge, status, took,
                               weigh(r, req, error, took, now), now);
    if (lbs_statuses_has(&req->pool->eject_status, status)) {
        req->attempt.judged = 1;
        fail(req, LBS_FAIL_STATUS);
    }
    else if (error) {
        err(req, now);
    }
}

void lbs_verdict_sound(lbs_request_t *req)
{
    const lbs_member_t *m = member_of(req);
    lbs_eject_attempt_t attempt = attempt_of(req);
    lbs_eject_on_t on = lbs_health_eject_on(req->pool, m);

    if (!req->attempt.judged) {
        req->attempt.judged = 1;
        lbs_health_turned(
            req->pool, m,
            lbs_eject_answered(&on, &attempt, (apr_uint64_t)lbs_clock_now()),
            LBS_EJECT_FOR_PROBE);
    }
}

static lbs_fail_t kind_of(lbs_cause_t cause)
{
    switch (cause) {
    case LBS_CAUSE_BODY:
        return LBS_FAIL_BODY;
    case LBS_CAUSE_TIMEOUT:
        return LBS_FAIL_TIMEOUT;
    default:
        return LBS_FAIL_RESET;
    }
}

void lbs_verdict_failed(request_rec *r, lbs_request_t *req, lbs_cause_t cause)
{
    if (lbs_cause_is_failure(cause)) {
        suspect(req, kind_of(cause));
        return;
    }
    switch (cause) {
    case LBS_CAUSE_CONNECT:
        fail(req, LBS_FAIL_CONNECT);
        break;
    case LBS_CAUSE_STALL:
        /* The stall was found already, except by a trial. */
        if (req->attempt.flight.trial) {
            fail(req, LBS_FAIL_TIMEOUT);
        }
        break;
    case LBS_CAUSE_STALE:
        doubt(req);
        break;
    case LBS_CAUSE_STATUS:
        /* It answered, only not what the administrator wants to see. */
        lbs_verdict_answered(r, req);
        lbs_verdict_sound(req);
        break;
    default:
        break;
    }
}

void lbs_verdict_bytes(lbs_request_t *req, apr_uint64_t in, apr_uint64_t out)
{
    lbs_member_record_bytes(member_of(req)->record, in, out);
}
