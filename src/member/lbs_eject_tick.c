/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_eject_tick.c - what time, stalls and probes do to a member. */
#include "src/member/lbs_eject_int.h"

#define DOUBT_TICK 250000 /* of silence; every tick renews it */
#define FRESH 2000000     /* so long a probe's result counts as new */
#define PATIENCE 5000000  /* for a result, or a visitor, that does not come */
#define STUBBORN 3u /* level from which probes do not keep visitors out */
#define AHEAD 80000 /* so long before a hold may end a member is asked */

/* A trial may be a download of an hour, or a stream of events: what answers
 * and does not break off at once is back. */
static int trial_goes_on(const lbs_eject_on_t *on, apr_uint64_t seen,
                         apr_uint64_t now)
{
    apr_uint64_t heard = lbs_atomic_load64_relaxed(&on->gauge->heard_at);

    return lbs_atomic_load32_relaxed(&on->gauge->trial) != 0
           && heard > TIME_OF(seen) && now >= heard + LBS_EJECT_PROBE_US;
}

/* When a hold began, as the hold's length is now. */
static apr_uint64_t held_at(const lbs_eject_on_t *on, apr_uint64_t seen)
{
    apr_uint64_t length = lbs_eject_hold_us(on->conf, LEVEL_OF(seen));

    return TIME_OF(seen) > length ? TIME_OF(seen) - length : 0;
}

/* A probe that began after that moment has ended lately. */
static int is_new(const lbs_probe_view_t *probe, apr_uint64_t moment,
                  apr_uint64_t now)
{
    return probe->found != LBS_PROBE_UNKNOWN && probe->began_at >= moment
           && probe->found_at + FRESH >= now;
}

static int is_alive(const lbs_probe_view_t *probe, apr_uint64_t moment,
                    apr_uint64_t now)
{
    return probe->kind == LBS_PROBE_NEVER
           || (is_new(probe, moment, now) && probe->found >= LBS_PROBE_ERROR);
}

/* The member is known not to accept connections: waiting longer helps
 * nobody. */
static int is_dead(const lbs_eject_on_t *on, const lbs_probe_view_t *probe,
                   apr_uint64_t now)
{
    return (lbs_atomic_load32_relaxed(&on->gauge->flags) & LBS_F_DOWN) != 0
           && is_new(probe, 0, now) && probe->found == LBS_PROBE_SILENT;
}

/* A probe has seen it fail in this hold, and the last one went better: the
 * fault is over, and waiting on would help nobody. A member whose probes were
 * well all the time has its whole hold. */
static int has_recovered(const lbs_eject_on_t *on,
                         const lbs_probe_view_t *probe, apr_uint64_t since,
                         apr_uint64_t now)
{
    apr_uint32_t worst = lbs_atomic_load32_relaxed(&on->record->worst);

    if (!is_new(probe, since, now)) {
        return 0;
    }
    if (worst == LBS_PROBE_UNKNOWN || (apr_uint32_t)probe->found < worst) {
        lbs_atomic_store32_relaxed(&on->record->worst,
                                   (apr_uint32_t)probe->found);
        return 0;
    }
    return (apr_uint32_t)probe->found > worst
           && now >= since + (apr_uint64_t)on->conf->hold_min_us;
}

static int turn_to(const lbs_eject_on_t *on, apr_uint64_t seen,
                   apr_uint32_t phase, apr_uint64_t when)
{
    if (!lbs_atomic_cas64(&on->record->hold, &seen,
                          lbs_eject_word(phase, LEVEL_OF(seen), when))) {
        return 0;
    }
    lbs_atomic_store32_relaxed(&on->record->wanted, 0);
    lbs_eject_sync(on);
    return 1;
}

static lbs_eject_turn_t tick_held(const lbs_eject_on_t *on,
                                  const lbs_probe_view_t *probe,
                                  apr_uint64_t seen, apr_uint64_t now)
{
    apr_uint64_t since = held_at(on, seen);
    int recovered = has_recovered(on, probe, since, now);
    int turned;

    if (now < TIME_OF(seen) && !recovered) {
        return LBS_EJECT_NONE;
    }
    turned = is_alive(probe, since, now)
                 ? turn_to(on, seen, TRIAL, now)
                 : turn_to(on, seen, HALF_OPEN, TIME_OF(seen));
    return turned ? LBS_EJECT_HALF_OPEN : LBS_EJECT_NONE;
}

static lbs_eject_turn_t tick_half_open(const lbs_eject_on_t *on,
                                       const lbs_probe_view_t *probe,
                                       apr_uint64_t seen, apr_uint64_t now,
                                       lbs_eject_why_t *why)
{
    apr_uint64_t since = TIME_OF(seen) - AHEAD;

    /* Perhaps it answers visitors sooner than what the probe asks for. */
    if (is_alive(probe, since, now) || now >= since + PATIENCE
        || (LEVEL_OF(seen) >= STUBBORN && !is_dead(on, probe, now)
            && is_new(probe, since, now))) {
        (void)turn_to(on, seen, TRIAL, now);
    }
    else if (is_new(probe, since, now) || is_dead(on, probe, now)) {
        lbs_eject_turn_t turn = lbs_eject_hold_again(on, seen, now);

        /* The next hold begins with a failure. */
        lbs_atomic_store32_relaxed(&on->record->worst,
                                   (apr_uint32_t)probe->found);
        *why = LBS_EJECT_FOR_PROBE;
        return turn;
    }
    return LBS_EJECT_NONE;
}

/* No request came that may be a trial: the answered probe counts as one. A
 * connection says less than an answer, so a trial is waited for longer. */
static int is_untried(const lbs_eject_on_t *on, const lbs_probe_view_t *probe,
                      apr_uint64_t seen, apr_uint64_t now)
{
    int soon = probe->kind == LBS_PROBE_HTTP
               && lbs_atomic_load32_relaxed(&on->record->wanted) != 0;

    return lbs_atomic_load32_relaxed(&on->gauge->trial) == 0
           && now >= TIME_OF(seen) + (soon ? LBS_EJECT_DOUBT_US : PATIENCE);
}

void lbs_eject_turn_away(lbs_eject_t *record)
{
    if (lbs_atomic_load32_relaxed(&record->wanted) == 0) {
        lbs_atomic_store32_relaxed(&record->wanted, 1);
    }
}

lbs_eject_turn_t lbs_eject_tick(const lbs_eject_on_t *on,
                                const lbs_stall_news_t *news, apr_uint64_t now,
                                lbs_eject_why_t *why)
{
    apr_uint64_t seen = lbs_atomic_load64_acquire(&on->record->hold);

    lbs_stall_tick(&on->record->stall, news, now);
    if (on->conf == NULL) { /* switched off by a reload */
        if (PHASE_OF(seen) != OPEN) {
            (void)lbs_eject_lift(on, now);
        }
        return LBS_EJECT_NONE;
    }
    lbs_eject_sync(on);
    if (lbs_stall_suspected(&on->record->stall, on->gauge, news, now)) {
        lbs_atomic_store64_relaxed(&on->gauge->doubt_until, now + DOUBT_TICK);
    }
    switch (PHASE_OF(seen)) {
    case HELD:
        return tick_held(on, &news->probe, seen, now);
    case HALF_OPEN:
        return tick_half_open(on, &news->probe, seen, now, why);
    case TRIAL:
        return (trial_goes_on(on, seen, now)
                || is_untried(on, &news->probe, seen, now))
                       && lbs_eject_reopen(on, seen, LEVEL_OF(seen) + 1, now)
                   ? LBS_EJECT_UP
                   : LBS_EJECT_NONE;
    default:
        break;
    }
    if (lbs_stall_found(&on->record->stall, on->gauge, news, now)) {
        *why = LBS_EJECT_FOR_STALL;
        return lbs_eject_hold_open(on, seen, now);
    }
    return LBS_EJECT_NONE;
}

apr_int64_t lbs_eject_asks(const lbs_eject_on_t *on,
                           const lbs_stall_news_t *news, apr_uint64_t now)
{
    apr_uint64_t seen = lbs_atomic_load64_acquire(&on->record->hold);

    if (on->conf == NULL) {
        return 0;
    }
    switch (PHASE_OF(seen)) {
    case HELD:
        return now + AHEAD >= held_at(on, seen)
                                  + (apr_uint64_t)on->conf->hold_min_us
                   ? LBS_EJECT_ASK_US
                   : 0;
    case HALF_OPEN:
        return LBS_EJECT_ASK_US;
    case TRIAL:
        return 0;
    default:
        break;
    }
    return lbs_stall_suspected(&on->record->stall, on->gauge, news, now)
               ? news->stall_us / 4
               : 0;
}
