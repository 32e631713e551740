/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_health.c - see lbs_health.h. */
#include "src/httpd/health/lbs_health.h"

#include "src/httpd/health/lbs_series.h"
#include "src/httpd/proxy/lbs_log.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/member/lbs_ewma.h"
#include "src/member/lbs_latency.h"
#include "src/member/lbs_hint.h"

/* Pools with up to this many members exchange evidence at every tick, larger
 * ones once a second.
 */
#define EVIDENCE_NOW 64

/* Ticks in which all members are looked at, in turn: whether mod_proxy's
 * record was changed; and all else. The plots have steps of five seconds. */
#define FOLLOW_EVERY 10
#define TICK_EVERY 50

lbs_eject_on_t lbs_health_eject_on(const lbs_pool_t *pool,
                                   const lbs_member_t *m)
{
    lbs_eject_on_t on = {&m->record->eject, m->gauge, &pool->record->eject,
                         pool->set.eject->on ? &pool->eject_conf : NULL};

    return on;
}

void lbs_health_begin_anew(const lbs_pool_t *pool, const lbs_member_t *m)
{
    apr_uint64_t now = (apr_uint64_t)lbs_clock_now();

    lbs_evidence_begin_anew(&m->record->eject.evidence, now);
    lbs_ewma_restart(m->gauge, lbs_plan_median(pool->plan), now);
}

void lbs_health_warm_up(const lbs_pool_t *pool, const lbs_member_t *m)
{
    lbs_health_begin_anew(pool, m);
    lbs_ramp_start(&m->record->ramp, m->gauge, *pool->set.slowstart,
                   lbs_plan_median(pool->plan), (apr_uint64_t)lbs_clock_now());
}

/* The new state, its time and the count of turns are there before the event
 * that tells of them. */
static void tell(const lbs_pool_t *pool, const lbs_member_t *m,
                 lbs_event_kind_t kind, const char *reason)
{
    lbs_clock_t now = lbs_clock_both();

    lbs_member_record_tick(m->record, m->gauge, (apr_uint64_t)now.mono);
    lbs_registry_tell(lbs_runtime()->registry, &now, pool->slot, m->slot, kind,
                      reason);
}

void lbs_health_turned(const lbs_pool_t *pool, const lbs_member_t *m,
                       lbs_eject_turn_t turn, lbs_eject_why_t why)
{
    switch (turn) {
    case LBS_EJECT_EJECTED:
        tell(pool, m, LBS_EVENT_EJECTED, lbs_eject_reason(why));
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, pool->server,
                     LBSNO(1600) "pool %s: member %s ejected: %s", pool->name,
                     *m->route ? m->route : m->name, lbs_eject_reason(why));
        break;
    case LBS_EJECT_HALF_OPEN:
        tell(pool, m, LBS_EVENT_HALF_OPEN, "the hold is over");
        break;
    case LBS_EJECT_UP:
        lbs_health_warm_up(pool, m);
        tell(pool, m, LBS_EVENT_UP, "it answers again");
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, pool->server,
                     LBSNO(1601) "pool %s: member %s answers again",
                     pool->name, *m->route ? m->route : m->name);
        break;
    default:
        break;
    }
}

/* A member that kept serving through a panic needs no slow start. */
static void warm_up_unless_panic(const lbs_pool_t *pool, const lbs_member_t *m)
{
    if ((lbs_atomic_load32_relaxed(&m->gauge->flags) & LBS_F_PANIC) == 0) {
        lbs_health_warm_up(pool, m);
    }
}

void lbs_health_checked(const lbs_pool_t *pool, const lbs_member_t *m,
                        lbs_check_turn_t turn, const char *text)
{
    const char *name = *m->route ? m->route : m->name;

    if (turn == LBS_CHECK_UP) {
        warm_up_unless_panic(pool, m);
        tell(pool, m, LBS_EVENT_UP, text);
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, pool->server,
                     LBSNO(1602) "pool %s: member %s is up: %s", pool->name,
                     name, text);
    }
    else if (turn == LBS_CHECK_DOWN) {
        tell(pool, m, LBS_EVENT_DOWN, text);
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, pool->server,
                     LBSNO(1603) "pool %s: member %s is down: %s%s",
                     pool->name, name, text, lbs_hint_of_check(text));
    }
}

/* The tick -------------------------------------------------------------------
 */

/* The two latest signs of life in the pool, so that for each member the
 * latest of the others is at hand. */
typedef struct heard_t {
    apr_uint64_t latest;
    apr_size_t who;
    apr_uint64_t second;
} heard_t;

static void hear(heard_t *heard, apr_size_t who, apr_uint64_t at)
{
    if (at > heard->latest) {
        heard->second = heard->latest;
        heard->latest = at;
        heard->who = who;
    }
    else if (at > heard->second) {
        heard->second = at;
    }
}

static heard_t find_heard(const lbs_pool_t *pool)
{
    heard_t heard = {0, 0, 0};
    apr_size_t i;

    for (i = 0; i < pool->count; i++) {
        hear(&heard, i, lbs_atomic_load64_relaxed(&pool->gauges[i]->heard_at));
    }
    return heard;
}

/* The time since when a quiet member has said nothing: evidence is older than
 * its window. */
static apr_uint64_t quiet_since(const lbs_pool_t *pool, apr_uint64_t now)
{
    apr_uint64_t old =
        (apr_uint64_t)pool->eject_conf.window_us + APR_USEC_PER_SEC;

    return now > old ? now - old : 0;
}

void lbs_health_look(const lbs_pool_t *pool, const lbs_health_round_t *round)
{
    apr_uint64_t since = quiet_since(pool, (apr_uint64_t)lbs_clock_now());
    apr_size_t i;

    for (i = 0; i < pool->count; i++) {
        apr_uint32_t turn = (apr_uint32_t)i + round->number;

        if (!lbs_pools_is_there(pool, i)) {
            pool->due[i] = 0;
        }
        else if (round->all || pool->roster != NULL || turn % TICK_EVERY == 0
                 || !lbs_gauge_is_quiet(pool->gauges[i], since)) {
            pool->due[i] = LBS_POOLS_DUE_FOLLOW | LBS_POOLS_DUE_TICK;
        }
        else {
            pool->due[i] = turn % FOLLOW_EVERY == 0 ? LBS_POOLS_DUE_FOLLOW : 0;
        }
    }
}

/* Nothing but ejection keeps new visitors from it. */
static int is_available(const lbs_gauge_t *g)
{
    return (lbs_gauge_flags(g) & LBS_F_CLOSED_NEW & ~LBS_F_EJECTED) == 0
           && lbs_atomic_load32_relaxed(&g->weight) != 0;
}

/* By the flags, which follow the record at once. */
static int is_out(const lbs_gauge_t *g)
{
    return (lbs_atomic_load32_relaxed(&g->flags)
            & (LBS_F_EJECTED | LBS_F_HALF_OPEN))
           != 0;
}

void lbs_health_recount(const lbs_pool_t *pool)
{
    apr_uint32_t there = 0, available = 0, ejected = 0;
    apr_size_t i;

    for (i = 0; i < pool->count; i++) {
        if (!lbs_pools_is_there(pool, i)) {
            continue;
        }
        there++;
        available += (apr_uint32_t)is_available(pool->gauges[i]);
        ejected += (apr_uint32_t)is_out(pool->gauges[i]);
    }
    lbs_eject_recount(&pool->record->eject, there, available, ejected);
}

/* @return if all available members are ejected, the one whose hold ends first;
 * NULL: another member is there, or none is available */
static const lbs_member_t *find_last(const lbs_pool_t *pool)
{
    const lbs_member_t *last = NULL;
    apr_size_t i;

    for (i = 0; i < pool->count; i++) {
        const lbs_member_t *m = pool->member[i];

        if (!is_available(pool->gauges[i])) {
            continue;
        }
        if (!is_out(pool->gauges[i])) {
            return NULL;
        }
        if (last == NULL
            || lbs_eject_until(&m->record->eject)
                   < lbs_eject_until(&last->record->eject)) {
            last = m;
        }
    }
    return last;
}

/* Others were there when it was ejected, and were closed since. */
static void lift_last(const lbs_pool_t *pool, apr_uint64_t now)
{
    const lbs_member_t *m = find_last(pool);
    lbs_eject_on_t on;

    if (m == NULL) {
        return;
    }
    on = lbs_health_eject_on(pool, m);
    if (lbs_eject_lift(&on, now)) {
        lbs_health_begin_anew(pool, m);
        tell(pool, m, LBS_EVENT_UP, "nobody else is left");
        ap_log_error(
            APLOG_MARK, APLOG_NOTICE, 0, pool->server,
            LBSNO(1604) "pool %s: member %s serves again before its time, "
                        "because all other members were closed or went "
                        "down; look at those",
            pool->name, *m->route ? m->route : m->name);
    }
}

/* A member that failed lately, or answered 5xx, gets another chance. */
static void end_charge(const lbs_pool_t *pool, const lbs_member_t *m,
                       apr_uint64_t now)
{
    apr_uint32_t median = lbs_plan_median(pool->plan);

    if (lbs_evidence_is_over(&m->record->eject.evidence, now)) {
        apr_uint32_t time = lbs_ewma_read(m->gauge, now);

        lbs_ewma_restart(m->gauge, time < median ? time : median, now);
    }
}

/* @return 1 when the member is to be asked how it is */
static int tick_member(const lbs_pool_t *pool, const lbs_member_t *m,
                       const lbs_stall_news_t *news, apr_uint64_t now)
{
    lbs_eject_on_t on = lbs_health_eject_on(pool, m);
    lbs_eject_why_t why = LBS_EJECT_FOR_STALL;
    lbs_eject_turn_t turn = lbs_eject_tick(&on, news, now, &why);
    apr_int64_t every;

    lbs_health_turned(pool, m, turn, why);
    every = lbs_eject_asks(&on, news, now);
    lbs_probe_want(&m->record->probe, every);
    end_charge(pool, m, now);
    (void)lbs_ramp_tick(&m->record->ramp, m->gauge, *pool->set.slowstart, now);
    lbs_member_record_tick(m->record, m->gauge, now);
    if (pool->set.limit->inflight == LBS_SET_LIMIT_AUTO) {
        lbs_member_record_limit(m->record, m->gauge, now);
    }
    return every != 0;
}

/* Answers of all members, in the latest parts of the window. */
static void add_parts(lbs_window_sum_t *all, const lbs_window_sum_t *more)
{
    int i;

    for (i = 0; i < LBS_WINDOW_CELLS; i++) {
        all[i].all += more[i].all;
        all[i].bad += more[i].bad;
    }
}

/* A count that grew since all were added makes a difference below 0. */
static void take_parts(lbs_window_sum_t *others, const lbs_window_sum_t *all,
                       const lbs_window_sum_t *own)
{
    int i;

    for (i = 0; i < LBS_WINDOW_CELLS; i++) {
        others[i].all = own[i].all < all[i].all ? all[i].all - own[i].all : 0;
        others[i].bad = own[i].bad < all[i].bad ? all[i].bad - own[i].bad : 0;
    }
}

/* Judge each member by the answers of the others. In a large pool once a
 * second is soon enough. */
static void weigh_evidence(const lbs_pool_t *pool, apr_uint64_t now)
{
    apr_int64_t window = pool->eject_conf.window_us;
    apr_uint64_t since = quiet_since(pool, now);
    lbs_window_sum_t all[LBS_WINDOW_CELLS] = {{0, 0}};
    lbs_window_sum_t own[LBS_WINDOW_CELLS], others[LBS_WINDOW_CELLS];
    apr_size_t i;

    for (i = 0; i < pool->count; i++) {
        if (lbs_gauge_is_quiet(pool->gauges[i], since)) {
            continue; /* it has no evidence */
        }
        lbs_evidence_parts(&pool->member[i]->record->eject.evidence, window,
                           now, own);
        add_parts(all, own);
    }
    for (i = 0; i < pool->count; i++) {
        const lbs_member_t *m = pool->member[i];
        lbs_eject_on_t on = lbs_health_eject_on(pool, m);
        lbs_eject_why_t why = LBS_EJECT_FOR_ERRORS;

        if (!lbs_pools_is_there(pool, i)
            || lbs_gauge_is_quiet(pool->gauges[i], since)) {
            continue;
        }
        lbs_evidence_parts(&m->record->eject.evidence, window, now, own);
        take_parts(others, all, own);
        lbs_evidence_others(&m->record->eject.evidence, others);
        lbs_health_turned(pool, m, lbs_eject_judge(&on, now, &why), why);
    }
}

/* Two at once, the one that ticks and the one that checks, are of one process
 * and see the same; whoever is first to eject tells of it. */
void lbs_health_judge(const lbs_pool_t *pool)
{
    weigh_evidence(pool, (apr_uint64_t)lbs_clock_now());
}

/* For a member with nothing in flight the rows need not be read. */
static apr_uint32_t waiting_for(const lbs_member_t *m)
{
    return lbs_gauge_inflight(m->gauge) == 0
               ? 0
               : lbs_rows_waiting(&lbs_runtime()->rows, m->slot);
}

int lbs_health_tick(const lbs_pool_t *pool)
{
    apr_uint64_t now = (apr_uint64_t)lbs_clock_now();
    heard_t heard = find_heard(pool);
    lbs_stall_news_t news = {.stall_us = pool->live->stall_us};
    int asked = 0;
    apr_size_t i;

    lift_last(pool, now);
    lbs_health_recount(pool);
    if (pool->count <= EVIDENCE_NOW) {
        weigh_evidence(pool, now);
    }
    lbs_atomic_store64_relaxed(&pool->record->eject.stall_us,
                               (apr_uint64_t)news.stall_us);
    for (i = 0; i < pool->count; i++) {
        const lbs_member_t *m = pool->member[i];

        if ((pool->due[i] & LBS_POOLS_DUE_TICK) == 0) {
            continue;
        }
        news.waiting = waiting_for(m);
        lbs_probe_view(&m->record->probe, &news.probe);
        news.others_heard = i == heard.who ? heard.second : heard.latest;
        asked += tick_member(pool, m, &news, now);
    }
    return asked;
}

/* Once a second -------------------------------------------------------------
 */

void lbs_health_second(lbs_pool_t *pool)
{
    apr_time_t now = lbs_clock_now();
    lbs_latency_recent_t all = {0};
    apr_size_t i;

    lbs_series_feed(pool, now, &all);
    for (i = 0; i < pool->count; i++) {
        if ((pool->due[i] & LBS_POOLS_DUE_TICK) != 0) {
            lbs_queue_tick(&pool->member[i]->record->queue, (apr_uint64_t)now);
        }
    }
    if (pool->count > EVIDENCE_NOW) {
        weigh_evidence(pool, (apr_uint64_t)now);
    }
    pool->live->stall_us = lbs_stall_after(pool->eject_conf.stall_us,
                                           lbs_latency_percentile(&all, 990));
}
