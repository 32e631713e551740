/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_admit.c - see lbs_admit.h. */
#include "src/httpd/request/lbs_admit.h"

#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_hangup.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/member/lbs_queue.h"

/* How long a waiting request sleeps between two looks. */
#define NAP apr_time_from_msec(2)

/* Naps between two looks at the client's connection. */
#define NAPS_PER_LOOK 8

/* Does another member take this request? */
static int has_other(const lbs_request_t *req)
{
    const lbs_pool_t *pool = req->pool;
    apr_size_t i;

    for (i = 0; i < pool->count; i++) {
        if ((int)i != req->choice.member
            && lbs_gauge_open_new(pool->member[i]->gauge)
            && !lbs_choice_tried(&req->choice, (int)i)) {
            return pool->failover;
        }
    }
    return 0;
}

/* Is there no use in waiting any more?
 *
 * @param naps  taken so far
 * @return APR_SUCCESS: there is; APR_ECONNABORTED: the client is gone;
 *         APR_EBUSY: httpd stops, and must not be kept by requests that
 *         wait */
static apr_status_t look_around(const request_rec *r, unsigned naps)
{
    if (naps % NAPS_PER_LOOK != 0) {
        return APR_SUCCESS;
    }
    if (lbs_hangup_seen(r)) {
        return APR_ECONNABORTED;
    }
    return lbs_hangup_server_stops() ? APR_EBUSY : APR_SUCCESS;
}

/* While a member is in doubt, repeatable requests go ahead and find out. The
 * others wait, at most as long as detecting a stall takes, and go elsewhere if
 * the member turns out to hang. If no repeatable request comes to find out,
 * one of the waiting requests is sent.
 *
 * @return APR_SUCCESS: send it; else as lbs_admit() */
static apr_status_t wait_for_sign(const request_rec *r,
                                  const lbs_request_t *req)
{
    lbs_gauge_t *g = req->pool->member[req->choice.member]->gauge;
    apr_status_t rv = APR_SUCCESS;
    apr_uint64_t now, stall, end;
    unsigned naps = 0;

    if (lbs_atomic_load64_relaxed(&g->doubt_until) == 0
        || lbs_request_stays_repeatable(req)) {
        return APR_SUCCESS;
    }
    now = (apr_uint64_t)lbs_clock_now();
    stall = lbs_atomic_load64_relaxed(&req->pool->record->eject.stall_us);
    end = now + (stall > LBS_EJECT_DOUBT_US ? stall : LBS_EJECT_DOUBT_US);
    while (rv == APR_SUCCESS
           && !lbs_gauge_risk(g, now, now + LBS_EJECT_DOUBT_US) && now < end) {
        apr_sleep(NAP);
        now = (apr_uint64_t)lbs_clock_now();
        rv = lbs_gauge_open_kept(g) ? look_around(r, ++naps) : APR_EAGAIN;
    }
    return rv;
}

/* A request that cannot be repeated never is the trial of a half-open member:
 * it goes elsewhere. If no other request comes, the probe that the member has
 * answered counts as the trial.
 *
 * @return reasons that do not keep the request out */
static apr_uint32_t ignored_for(const lbs_request_t *req, int *is_too_dear)
{
    const lbs_member_t *m = req->pool->member[req->choice.member];

    *is_too_dear = 0;
    if (req->choice.anyway) {
        return LBS_F_EJECTED | LBS_F_HALF_OPEN | LBS_F_DOWN;
    }
    if ((lbs_gauge_flags(m->gauge) & LBS_F_HALF_OPEN) == 0
        || lbs_request_stays_repeatable(req)) {
        return 0;
    }
    lbs_eject_turn_away(&m->record->eject);
    *is_too_dear = has_other(req);
    return LBS_F_HALF_OPEN;
}

/* The slot has another member by now. A request of minutes may have pinned
 * the pool as it was; counted in, it keeps the slot from being given away. */
static int is_past(const lbs_member_t *m)
{
    return m->seat != NULL && lbs_roster_is_past(m->seat, m->turn);
}

static apr_status_t enter(lbs_request_t *req)
{
    lbs_runtime_t *rt = lbs_runtime();
    const lbs_member_t *m = req->pool->member[req->choice.member];
    int is_too_dear;
    apr_uint32_t ignored = ignored_for(req, &is_too_dear);
    apr_status_t rv;

    if (is_too_dear) {
        return APR_EAGAIN;
    }
    ignored |= req->choice.over ? LBS_INFLIGHT_OVER : 0;
    rv = ignored == 0 ? lbs_inflight_enter(&rt->rows, &rt->row, m->slot,
                                           m->gauge, &req->attempt.flight)
                      : lbs_inflight_enter_anyway(&rt->rows, &rt->row, m->slot,
                                                  m->gauge, ignored,
                                                  &req->attempt.flight);
    if (rv == APR_SUCCESS && is_past(m)) {
        lbs_inflight_leave(&rt->rows, &rt->row, m->gauge,
                           &req->attempt.flight);
        return APR_EAGAIN;
    }
    return rv;
}

/* @return as lbs_admit(); the ticket is given back by the caller */
static apr_status_t wait_for_turn(const request_rec *r, lbs_request_t *req,
                                  apr_uint64_t ticket)
{
    const lbs_member_t *m = req->pool->member[req->choice.member];
    unsigned naps = 0;
    apr_status_t rv, over;

    for (;; naps++) {
        rv = lbs_queue_turn(&m->record->queue, m->gauge,
                            (apr_uint64_t)lbs_clock_now(), ticket);
        if (APR_STATUS_IS_TIMEUP(rv)) {
            return APR_EBUSY;
        }
        if (!lbs_gauge_open_kept(m->gauge) && !req->choice.anyway) {
            return APR_EAGAIN;
        }
        /* A request whose client will not take its answer is not sent. */
        over = look_around(r, rv == APR_SUCCESS ? 0 : naps);
        if (over != APR_SUCCESS) {
            return over;
        }
        if (rv == APR_SUCCESS) {
            rv = enter(req);
            if (rv != APR_EBUSY) {
                return rv;
            }
        }
        apr_sleep(NAP);
    }
}

/* A session whose half-open home still serves trials alone goes elsewhere: the
 * home is told that it was wanted. */
static void want_home(const lbs_request_t *req)
{
    const lbs_member_t *home;

    if (req->choice.home == LBS_NO_MEMBER
        || req->choice.home == req->choice.member) {
        return;
    }
    home = req->pool->member[req->choice.home];
    if ((lbs_gauge_flags(home->gauge) & LBS_F_HALF_OPEN) != 0) {
        lbs_eject_turn_away(&home->record->eject);
    }
}

apr_status_t lbs_admit(request_rec *r, lbs_request_t *req)
{
    const lbs_set_limit_t *set = req->pool->set.limit;
    lbs_queue_t *queue = &req->pool->member[req->choice.member]->record->queue;
    apr_uint64_t now, ticket;
    apr_status_t rv;

    if (r->connection->aborted) {
        return APR_ECONNABORTED;
    }
    want_home(req);
    rv = req->choice.anyway ? APR_SUCCESS : wait_for_sign(r, req);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = APR_EBUSY;
    if (set->inflight == 0 || req->choice.over || set->queue == 0
        || lbs_queue_empty(queue)) {
        rv = enter(req);
    }
    if (rv != APR_EBUSY || set->queue == 0 || req->tries.waited) {
        return rv;
    }
    req->tries.waited = 1;
    now = (apr_uint64_t)lbs_clock_now();
    rv = lbs_queue_join(queue, set->queue, &lbs_runtime()->row, set->wait, now,
                        &ticket);
    if (rv != APR_SUCCESS) {
        return APR_EBUSY;
    }
    rv = wait_for_turn(r, req, ticket);
    lbs_queue_leave(queue, (apr_uint64_t)lbs_clock_now(), ticket);
    return rv;
}
