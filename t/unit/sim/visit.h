/* SPDX-License-Identifier: Apache-2.0 */
/* visit.h - a visitor's request in the world, and what must be true of it. */
#ifndef LBS_SIM_VISIT_H
#define LBS_SIM_VISIT_H

#include "t/unit/sim/world.h"

static apr_time_t slack_of(const visitor_t *v)
{
    return v->has_cookie ? TOKEN_SLACK : UNIT_SLACK;
}

/* Is what a move is told for true? */
static int is_true(const world_t *w, const visitor_t *v, lbs_reason_t reason,
                   const flying_t *f)
{
    const truth_t *m = &w->member[v->owner];

    switch (reason) {
    case LBS_REASON_REMOVED:
        return !m->configured;
    case LBS_REASON_DISABLED:
        return m->disabled;
    case LBS_REASON_DRAINED:
        return m->draining
               && ((m->deadline != 0 && m->deadline <= w->now)
                   || (m->drain_idle != 0
                       && w->now - v->used > m->drain_idle - slack_of(v)));
    case LBS_REASON_EJECTED:
        return lbs_eject_out(&record_of(w, m->slot)->eject);
    case LBS_REASON_FULL: /* found so by this request's own attempt */
        return f->ntried != 0;
    default:
        return 0;
    }
}

/* May a session stay with its owner? */
static int may_stay(const world_t *w, const visitor_t *v)
{
    const truth_t *m = &w->member[v->owner];
    int over =
        m->draining && m->deadline != 0 && m->deadline + 2 * TICK < w->now;

    return m->configured && !m->disabled && !over;
}

static void judge_known(world_t *w, const visitor_t *v, const decided_t *d,
                        const flying_t *f)
{
    apr_uint32_t reasons = lbs_decision_reasons(d->decision);

    switch (d->decision) {
    case LBS_DECISION_KEPT:
        MUST(w, w->letter[d->index] == v->owner, "kept at %c, was at %c",
             'a' + w->letter[d->index], 'a' + v->owner);
        MUST(w, may_stay(w, v), "kept at %c, which is closed", 'a' + v->owner);
        break;
    case LBS_DECISION_MOVED:
        MUST(w, (reasons >> d->reason & 1) != 0 && is_true(w, v, d->reason, f),
             "moved from %c, said %s, which is not so", 'a' + v->owner,
             lbs_reason_name(d->reason));
        break;
    case LBS_DECISION_NEW:
        MUST(w, 0, "the session at %c is lost: new, %s", 'a' + v->owner,
             lbs_reason_name(d->reason));
        break;
    default:
        break;
    }
}

/* What a decision says against what is true. */
static void judge(world_t *w, const visitor_t *v, const decided_t *d,
                  const flying_t *f)
{
    apr_uint32_t i;

    if (v->owner >= 0 && w->now < v->used + IDLE) {
        judge_known(w, v, d, f);
    }
    else if (v->owner < 0 || w->now > v->used + IDLE + slack_of(v)) {
        MUST(w,
             d->decision == LBS_DECISION_NEW
                 || d->decision == LBS_DECISION_REFUSED,
             "%s, %s, although its session has ended",
             lbs_decision_name(d->decision), lbs_reason_name(d->reason));
    }
    if (d->decision == LBS_DECISION_REFUSED) {
        for (i = 0; i < w->count && f->ntried == 0; i++) {
            MUST(w,
                 !lbs_gauge_open_new(&w->gauges[w->member[w->letter[i]].slot]),
                 "refused although %c is open", 'a' + w->letter[i]);
        }
    }
    else if (d->decision != LBS_DECISION_KEPT) {
        MUST(w,
             lbs_gauge_open_new(
                 &w->gauges[w->member[w->letter[d->index]].slot]),
             "%c was picked and is not open", 'a' + w->letter[d->index]);
    }
}

/* Decide twice, the first time without a trace. */
static decided_t decide_both(world_t *w, visitor_t *v, flying_t *f)
{
    lbs_rand_t copy = f->rand;
    decided_t told = decide(w, v, f, 1, &copy);
    decided_t done = decide(w, v, f, 0, &f->rand);

    MUST(w,
         told.decision == done.decision && told.reason == done.reason
             && told.index == done.index,
         "explained as %s, %s, decided %s, %s",
         lbs_decision_name(told.decision), lbs_reason_name(told.reason),
         lbs_decision_name(done.decision), lbs_reason_name(done.reason));
#if SIM_BROKEN == 2
    if (done.decision == LBS_DECISION_KEPT && w->count > 1
        && lbs_rand_below(&f->rand, 8) == 0) {
        done.index = (done.index + 1) % w->count;
    }
#endif
    judge(w, v, &done, f);
    if (done.decision == LBS_DECISION_KEPT && !done.by_token) {
        v->used = w->now;
    }
    w->by_token += done.decision == LBS_DECISION_KEPT && done.by_token;
    w->decisions[done.decision]++;
    w->moves[done.decision == LBS_DECISION_MOVED ? done.reason : 0]++;
    return done;
}

static apr_time_t lasts(lbs_rand_t *rand, health_t health)
{
    switch (health) {
    case SLOW:
        return SECOND + lbs_rand_below(rand, 2000000);
    case REFUSES:
        return 1000;
    default:
        return 5000 + lbs_rand_below(rand, 80000);
    }
}

/* How many wait at the member, of living children; before that ticket. */
TAP_FUNC apr_uint32_t waiting_at(const world_t *w, apr_uint32_t slot,
                                 apr_uint64_t ticket)
{
    apr_uint32_t sum = 0;
    int i;

    for (i = 0; i < FLIGHTS; i++) {
        const flying_t *f = &w->flying[i];

        sum += f->used && f->waits && f->slot == slot && f->ticket < ticket
               && w->now < f->gives_up;
    }
    return sum;
}

static apr_status_t enter(world_t *w, flying_t *f, apr_uint64_t ticket)
{
    truth_t *m = &w->member[f->letter];
    lbs_gauge_t *gauge = &w->gauges[f->slot];
    apr_status_t rv = lbs_inflight_enter(w->rows, &w->child[f->child].row,
                                         f->slot, gauge, &f->flight);

    if (rv == APR_SUCCESS) {
        MUST(w, m->configured && m->slot == f->slot,
             "sent to %c, which is not there", 'a' + f->letter);
        MUST(w, lbs_gauge_inflight(gauge) <= LIMIT, "%c is above its limit",
             'a' + f->letter);
        MUST(w,
             lbs_gauge_inflight(gauge) + waiting_at(w, f->slot, ticket)
                 <= LIMIT,
             "overtakes who waits for %c", 'a' + f->letter);
        m->flying++;
        f->began = w->now;
        f->ends = w->now + lasts(&f->rand, m->health);
    }
    return rv;
}

/* As lbs_admit() of src/httpd/request. @return 1: it is there, or waits */
static int admit(world_t *w, flying_t *f)
{
    lbs_queue_t *queue = &record_of(w, f->slot)->queue;
    apr_status_t rv =
        lbs_queue_empty(queue) ? enter(w, f, APR_UINT64_MAX) : APR_EBUSY;

    if (rv != APR_EBUSY || f->waited) {
        return rv == APR_SUCCESS;
    }
    f->waited = 1;
    if (lbs_queue_join(queue, PLACES, &w->child[f->child].row, WAIT,
                       (apr_uint64_t)w->now, &f->ticket)
        != APR_SUCCESS) {
        return 0;
    }
    f->waits = 1;
    f->gives_up = (w->now + WAIT) / 1000 * 1000; /* the queue's unit */
    f->ends = w->now + NAP;
    w->queued++;
    return 1;
}

/* Send a request: at most TRIES members. f: with those tried before. */
TAP_FUNC void send_out(world_t *w, flying_t *f)
{
    while (f->ntried < TRIES) {
        decided_t d = decide_both(w, &w->visitor[f->visitor], f);

        if (d.index == LBS_REGISTRY_NONE || w->rule != NULL) {
            break;
        }
        f->letter = w->letter[d.index];
        f->slot = w->member[f->letter].slot;
        f->tried[f->ntried++] = (apr_uint16_t)d.index;
        if (admit(w, f)) {
            return;
        }
    }
    f->used = 0;
}

TAP_FUNC void visit(world_t *w, apr_uint32_t visitor, apr_uint32_t child,
                    apr_uint64_t draw)
{
    int i;

    if (w->child[child].dead) {
        return;
    }
    for (i = 0; i < FLIGHTS; i++) {
        flying_t *f = &w->flying[i];

        if (!f->used) {
            *f = (flying_t){.used = 1,
                            .visitor = (int)visitor,
                            .child = (int)child,
                            .rand = {draw}};
            lbs_budget_request(&w->pool->budget, (apr_uint64_t)w->now);
            w->requests[(w->now - START) / SECOND]++;
            send_out(w, f);
            return;
        }
    }
}

/* At most so many repetitions of the requests of ten seconds. */
static void judge_budget(world_t *w)
{
    apr_time_t second = (w->now - START) / SECOND;
    apr_uint32_t requests = 0, repeats = 0;
    int i;

    for (i = 0; i < LBS_BUDGET_SECONDS && second - i >= 0; i++) {
        requests += w->requests[second - i];
        repeats += w->repeats[second - i];
    }
    MUST(w, repeats <= LBS_BUDGET_LEAST || repeats * 100 <= requests * BUDGET,
         "%u repetitions of %u requests", repeats, requests);
}

/* What turns is judged when it turns. */
TAP_FUNC void turned(world_t *w, apr_uint32_t slot, lbs_eject_turn_t turn)
{
    apr_uint32_t out = 0;
    int i;

    if (turn == LBS_EJECT_UP) {
        lbs_evidence_begin_anew(&record_of(w, slot)->eject.evidence,
                                (apr_uint64_t)w->now);
        lbs_ramp_start(&record_of(w, slot)->ramp, &w->gauges[slot], SECOND,
                       lbs_plan_median(w->plan), (apr_uint64_t)w->now);
    }
    else if (turn == LBS_EJECT_EJECTED) {
        for (i = 0; i < LETTERS; i++) {
            out += w->member[i].configured
                   && lbs_eject_out(&record_of(w, w->member[i].slot)->eject);
        }
        MUST(w, out <= (apr_uint32_t)w->pool->eject.ejected,
             "%u are out, %u are counted", out,
             (apr_uint32_t)w->pool->eject.ejected);
    }
}

/* @return 1: the request may go on elsewhere */
static int verdict(world_t *w, flying_t *f, const truth_t *m)
{
    lbs_eject_on_t on = on_of(w, f->slot);
    lbs_eject_attempt_t attempt = {(apr_uint64_t)f->began, f->flight.trial, 0};
    lbs_evidence_t *evidence = &record_of(w, f->slot)->eject.evidence;
    apr_uint64_t now = (apr_uint64_t)w->now;
    lbs_eject_why_t why = LBS_EJECT_FOR_STREAK;
    lbs_eject_turn_t turn;
    int errs = m->health == ERRS;

    if (m->health == REFUSES) {
        lbs_ewma_charge(&w->gauges[f->slot], lbs_plan_failure(w->plan, 1),
                        now);
        turned(w, f->slot, lbs_eject_failed(&on, &attempt, now, &why));
        return 1;
    }
    lbs_atomic_store64_relaxed(&w->gauges[f->slot].heard_at, now);
    lbs_inflight_heard(w->rows, &w->child[f->child].row, &f->flight);
    lbs_ewma_update(&w->gauges[f->slot], now - (apr_uint64_t)f->began, now);
    lbs_evidence_answer(evidence, eject_conf.window_us, errs, now);
    if (errs) {
        lbs_evidence_visitor(evidence, eject_conf.window_us,
                             w->visitor[f->visitor].key, now);
        turn = lbs_eject_erred(&on, &attempt, now, &why);
        if (turn != LBS_EJECT_NONE) {
            turned(w, f->slot, turn);
            return 0;
        }
    }
    else {
        lbs_evidence_met(evidence, eject_conf.window_us,
                         w->visitor[f->visitor].key, now);
    }
    turned(w, f->slot, lbs_eject_answered(&on, &attempt, now));
    return 0;
}

static void remember(world_t *w, const flying_t *f)
{
    visitor_t *v = &w->visitor[f->visitor];

    if (lbs_table_bind(w->table, v->key, f->slot, w->now, IDLE, NULL)
        == APR_SUCCESS) {
        v->owner = f->letter;
        v->used = w->now;
        give_token(w, v, f->letter);
    }
}

/* Who waits asks whether it is its turn. */
static void ask(world_t *w, flying_t *f)
{
    lbs_queue_t *queue = &record_of(w, f->slot)->queue;
    const lbs_gauge_t *gauge = &w->gauges[f->slot];
    apr_uint64_t now = (apr_uint64_t)w->now;
    apr_status_t rv = APR_TIMEUP;

    MUST(w, w->now < f->gives_up + NAP, "waits for %c for ever",
         'a' + f->letter);
    if (w->member[f->letter].slot == f->slot) {
        rv = lbs_queue_turn(queue, gauge, now, f->ticket);
        if (rv != APR_TIMEUP && !lbs_gauge_open_kept(gauge)) {
            rv = APR_TIMEUP;
        }
        if (rv == APR_SUCCESS) {
            rv = enter(w, f, f->ticket);
            rv = rv == APR_EAGAIN  ? APR_TIMEUP
                 : rv == APR_EBUSY ? APR_EAGAIN
                                   : rv;
        }
        if (rv == APR_EAGAIN) {
            f->ends = w->now + NAP;
            return;
        }
        lbs_queue_leave(queue, now, f->ticket);
    }
    f->waits = 0;
    if (rv != APR_SUCCESS) {
        send_out(w, f);
    }
}

/* An attempt, or a nap, has come to its end. */
TAP_FUNC void land(world_t *w, flying_t *f)
{
    truth_t *m = &w->member[f->letter];
    int again;

    if (f->waits) {
        ask(w, f);
        return;
    }
    again = verdict(w, f, m);
    if (!again) {
        remember(w, f);
    }
    lbs_inflight_leave(w->rows, &w->child[f->child].row, &w->gauges[f->slot],
                       &f->flight);
    m->flying--;
    if (again && f->ntried < TRIES
        && lbs_budget_take(&w->pool->budget, BUDGET, (apr_uint64_t)w->now)
               == APR_SUCCESS) {
        w->repeats[(w->now - START) / SECOND]++;
        judge_budget(w);
        send_out(w, f);
        return;
    }
    f->used = 0;
}

#endif
