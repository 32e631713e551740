/* SPDX-License-Identifier: Apache-2.0 */
#include "src/member/lbs_member_record.h"

#define UNSEEN_US 60000000 /* a tick takes a tenth of a second */

static const char *const fail_names[LBS_FAILS] = {"connect", "reset",
                                                  "timeout", "status", "body"};

static void count(lbs_member_record_t *m, int what, apr_uint64_t more)
{
    lbs_atomic_add64_relaxed(&m->counts[what], more);
}

static apr_uint64_t counted(const lbs_member_record_t *m, int what)
{
    return lbs_atomic_load64_relaxed(&m->counts[what]);
}

const char *lbs_fail_name(lbs_fail_t kind)
{
    return (unsigned)kind < LBS_FAILS ? fail_names[kind] : "";
}

void lbs_member_record_sent(lbs_member_record_t *m, apr_uint64_t now)
{
    count(m, LBS_COUNT_REQUESTS, 1);
    lbs_atomic_store64_relaxed(&m->last_use, now);
}

void lbs_member_record_unsent(lbs_member_record_t *m)
{
    count(m, LBS_COUNT_REQUESTS, ~(apr_uint64_t)0); /* one less */
}

void lbs_member_record_answered(lbs_member_record_t *m, lbs_gauge_t *g,
                                int status, apr_uint64_t latency_us,
                                apr_uint64_t charge_us, apr_uint64_t now)
{
    if (status >= 100 && status <= 599) {
        count(m, LBS_COUNT_RESPONSES + status / 100 - 1, 1);
    }
    lbs_latency_record(&m->latency, latency_us, now);
    if (charge_us > latency_us) {
        lbs_ewma_charge(g, charge_us, now);
    }
    else if (charge_us != 0) {
        lbs_ewma_update(g, charge_us, now);
    }
    lbs_atomic_store64_relaxed(&g->heard_at, now);
}

void lbs_member_record_failed(lbs_member_record_t *m, lbs_gauge_t *g,
                              lbs_fail_t kind, apr_uint32_t charge_us,
                              apr_uint64_t now)
{
    count(m, LBS_COUNT_FAILURES + (int)kind, 1);
    if (charge_us != 0) {
        lbs_ewma_charge(g, charge_us, now);
    }
    if (kind != LBS_FAIL_STATUS) {
        lbs_atomic_store64_relaxed(&m->lost_at, now);
    }
}

void lbs_member_record_limit(lbs_member_record_t *m, lbs_gauge_t *g,
                             apr_uint64_t now)
{
    lbs_limit_news_t news = {.inflight = lbs_gauge_inflight(g)};
    apr_uint32_t most;

    news.answers = lbs_latency_sums(&m->latency, &news.sum_us);
    most = lbs_limit_tick(&m->limit, &news, now);
    if (most != lbs_atomic_load32_relaxed(&g->limit)) {
        lbs_atomic_store32_relaxed(&g->limit, most);
    }
}

int lbs_member_record_in_doubt(const lbs_member_record_t *m,
                               const lbs_gauge_t *g)
{
    apr_uint64_t lost = lbs_atomic_load64_relaxed(&m->lost_at);
    lbs_check_view_t check;

    if ((lbs_atomic_load32_relaxed(&g->flags) & LBS_F_DOWN) != 0) {
        return 1;
    }
    if (lost == 0 || lbs_atomic_load64_relaxed(&g->heard_at) >= lost
        || lbs_atomic_load64_relaxed(&m->probe.alive_at) >= lost) {
        return 0;
    }
    lbs_check_view(&m->check, &check);
    return !check.connected || check.at < lost;
}

void lbs_member_record_bytes(lbs_member_record_t *m, apr_uint64_t in,
                             apr_uint64_t out)
{
    if (in != 0) {
        count(m, LBS_COUNT_BYTES_IN, in);
    }
    if (out != 0) {
        count(m, LBS_COUNT_BYTES_OUT, out);
    }
}

/* The state whose changes are noted: without the limit. */
static lbs_state_t lasting(const lbs_gauge_t *g)
{
    return lbs_state_of(lbs_atomic_load32_relaxed(&g->flags), 0, 0,
                        lbs_atomic_load32_relaxed(&g->ramp));
}

static apr_uint32_t noted(const lbs_gauge_t *g)
{
    return 1 + (apr_uint32_t)lasting(g);
}

/* Several processes may come here at once: the one that moves the mark counts
 * the time up to it. A process killed in between loses one tick's time. Time
 * in which no process looked is not counted: the member may have been removed
 * from the configuration meanwhile. */
static void count_failing(lbs_member_record_t *m, int fails, apr_uint64_t now)
{
    apr_uint64_t seen = lbs_atomic_load64_relaxed(&m->failing);

    if (fails ? now <= seen : seen == 0) {
        return;
    }
    if (!lbs_atomic_cas64(&m->failing, &seen, fails ? now : 0)) {
        return;
    }
    if (seen == 0) {
        count(m, LBS_COUNT_TURNS, 1);
    }
    else if (now > seen && now - seen <= UNSEEN_US) {
        count(m, LBS_COUNT_DOWN_US, now - seen);
    }
}

void lbs_member_record_tick(lbs_member_record_t *m, const lbs_gauge_t *g,
                            apr_uint64_t now)
{
    apr_uint32_t state = noted(g);

    count_failing(m, lbs_state_fails(lasting(g)), now);
    if (lbs_atomic_load32_relaxed(&m->shown) == state) {
        return;
    }
    lbs_atomic_store32_relaxed(&m->shown, state);
    lbs_atomic_store64_relaxed(&m->since, now);
}

void lbs_member_record_second(lbs_member_record_t *m, apr_uint64_t now)
{
    lbs_lately_feed(&m->lately, &m->counts[LBS_COUNT_RESPONSES], now);
}

static void view_gauge(const lbs_gauge_t *g, lbs_member_record_view_t *view)
{
    apr_uint32_t ramp = lbs_atomic_load32_relaxed(&g->ramp);

    apr_uint32_t flags = lbs_atomic_load32_relaxed(&g->flags);

    view->flags = lbs_gauge_flags(g);
    view->ignored = (flags & LBS_F_DOWN) != 0 && (flags & LBS_F_PANIC) != 0;
    view->weight = lbs_atomic_load32_relaxed(&g->weight);
    view->effective_weight = 0;
    if ((view->flags & LBS_F_CLOSED_NEW) == 0) {
        view->effective_weight =
            (apr_uint32_t)((apr_uint64_t)view->weight * ramp / LBS_RAMP_FULL);
    }
    view->sessions = lbs_atomic_load32_relaxed(&g->sessions);
    view->inflight = lbs_gauge_inflight(g);
    view->limit = lbs_atomic_load32_relaxed(&g->limit);
    view->state = lbs_state_of(flags, view->inflight, view->limit, ramp);
    view->mean_us = lbs_atomic_load32_relaxed(&g->mean) >> LBS_EWMA_SHIFT;
}

static void view_counts(const lbs_member_record_t *m,
                        lbs_member_record_view_t *view)
{
    int i;

    view->requests = counted(m, LBS_COUNT_REQUESTS);
    view->failures = 0;
    for (i = 0; i < LBS_FAILS; i++) {
        view->failures_by[i] = counted(m, LBS_COUNT_FAILURES + i);
        view->failures += view->failures_by[i];
    }
    for (i = 0; i < LBS_RESPONSES; i++) {
        view->responses[i] = counted(m, LBS_COUNT_RESPONSES + i);
    }
    view->bytes_in = counted(m, LBS_COUNT_BYTES_IN);
    view->bytes_out = counted(m, LBS_COUNT_BYTES_OUT);
    view->down_us = counted(m, LBS_COUNT_DOWN_US);
    view->turns = counted(m, LBS_COUNT_TURNS);
}

static void view_latency(const lbs_member_record_t *m, apr_uint64_t now,
                         lbs_member_record_view_t *view)
{
    lbs_latency_recent_t recent = {0};

    lbs_latency_collect(&m->latency, now, &recent);
    view->p50_us = lbs_latency_percentile(&recent, 500);
    view->p90_us = lbs_latency_percentile(&recent, 900);
    view->p99_us = lbs_latency_percentile(&recent, 990);
    lbs_latency_total(&m->latency, &view->latency);
}

void lbs_member_record_view(const lbs_member_record_t *m, const lbs_gauge_t *g,
                            apr_uint64_t now, lbs_member_record_view_t *view)
{
    apr_uint32_t shown;

    view_gauge(g, view);
    view_counts(m, view);
    view_latency(m, now, view);
    lbs_lately_read(&m->lately, &m->counts[LBS_COUNT_RESPONSES], now,
                    &view->lately);
    shown = lbs_atomic_load32_relaxed(&m->shown);
    view->since = shown != 0 && shown != noted(g)
                      ? now
                      : lbs_atomic_load64_relaxed(&m->since);
    view->last_use = lbs_atomic_load64_relaxed(&m->last_use);
    lbs_check_view(&m->check, &view->check);
    view->eject_until = lbs_eject_until(&m->eject);
    view->eject_count = lbs_eject_count(&m->eject);
}

void lbs_member_record_save(const lbs_member_record_t *m, apr_uint64_t now,
                            lbs_member_saved_t *saved)
{
    int i;

    for (i = 0; i < LBS_COUNTS; i++) {
        saved->counts[i] = counted(m, i);
    }
    lbs_latency_total(&m->latency, &saved->latency);
    lbs_eject_save(&m->eject, now, &saved->eject);
}

void lbs_member_record_load(lbs_member_record_t *m, const lbs_eject_on_t *on,
                            const lbs_member_saved_t *saved, apr_uint64_t now)
{
    int i;

    for (i = 0; i < LBS_COUNTS; i++) {
        lbs_atomic_store64_relaxed(&m->counts[i], saved->counts[i]);
    }
    lbs_atomic_store64_relaxed(&m->since, 0);
    lbs_latency_load(&m->latency, &saved->latency);
    lbs_eject_load(on, &saved->eject, now);
    lbs_atomic_store64_relaxed(&m->failing,
                               lbs_state_fails(lasting(on->gauge)) ? now : 0);
}
