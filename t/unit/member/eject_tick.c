/* SPDX-License-Identifier: Apache-2.0 */
/* Half-open: what probes say, and visitors. */
#include "src/member/lbs_eject.h"
#include "t/unit/tap.h"

#define MS APR_UINT64_C(1000)
#define SEC APR_UINT64_C(1000000)

static const lbs_eject_conf_t defaults = {
    3, 50, 10 * SEC, SEC, 60 * SEC, LBS_STALL_AUTO, 0};

static lbs_eject_t record;
static lbs_gauge_t gauge;
static lbs_eject_pool_t pool;
static lbs_eject_on_t on;
static apr_uint64_t now;
static lbs_eject_why_t why;

static void start(void)
{
    memset(&record, 0, sizeof(record));
    memset(&pool, 0, sizeof(pool));
    lbs_gauge_init(&gauge);
    on = (lbs_eject_on_t){&record, &gauge, &pool, &defaults};
    lbs_eject_recount(&pool, 4, 4, 0);
    now = 1000 * SEC;
}

static lbs_eject_turn_t fail(void)
{
    lbs_eject_attempt_t attempt = {.began = now};

    return lbs_eject_failed(&on, &attempt, now, &why);
}

static lbs_eject_turn_t trial(int good)
{
    lbs_eject_attempt_t attempt = {.began = now, .trial = 1};

    return good ? lbs_eject_answered(&on, &attempt, now)
                : lbs_eject_failed(&on, &attempt, now, &why);
}

static apr_uint32_t flags(void)
{
    return gauge.flags & (LBS_F_EJECTED | LBS_F_HALF_OPEN);
}

/* A tick with what a probe found that began so long ago. */
static lbs_eject_turn_t tick_found(lbs_probe_found_t found, apr_uint64_t ago)
{
    lbs_stall_news_t news = {.probe = {.found = found,
                                       .asked_at = now - ago,
                                       .began_at = now - ago,
                                       .found_at = now}};

    return lbs_eject_tick(&on, &news, now, &why);
}

static void eject(void)
{
    start();
    fail(), fail();
    is_int(fail(), LBS_EJECT_EJECTED, "ejected");
}

static void probed_before_a_trial(void)
{
    eject();
    now += SEC;
    is_int(tick_found(LBS_PROBE_UNKNOWN, 0), LBS_EJECT_HALF_OPEN,
           "the hold is over, nobody asked yet: half-open");
    is_int(flags(), LBS_F_EJECTED, "but closed to visitors");
    is_int(lbs_eject_until(&record), 0, "and no longer held");
    is_int(trial(1), LBS_EJECT_NONE, "an attempt is no trial now");
    is_int(tick_found(LBS_PROBE_WELL, SEC), LBS_EJECT_NONE,
           "a probe from before the end of the hold is old");
    now += 100 * MS;
    is_int(tick_found(LBS_PROBE_SILENT, 50 * MS), LBS_EJECT_EJECTED,
           "a new one is not answered: held again");
    is_str(lbs_eject_reason(why), "failed when tried again", "it says why");
    is_int(lbs_eject_until(&record) - now, 2 * SEC, "for twice as long");
    now += 2 * SEC;
    is_int(tick_found(LBS_PROBE_UNKNOWN, 0), LBS_EJECT_HALF_OPEN, "over");
    now += 100 * MS;
    is_int(tick_found(LBS_PROBE_ERROR, 50 * MS), LBS_EJECT_NONE, "answered");
    is_int(flags(), LBS_F_HALF_OPEN, "now visitors may try");
    is_int(trial(1), LBS_EJECT_UP, "and one does");
}

static void the_probe_is_the_trial_when_nobody_comes(void)
{
    eject();
    now += SEC;
    is_int(tick_found(LBS_PROBE_WELL, 500 * MS), LBS_EJECT_HALF_OPEN,
           "known to answer when the hold ends");
    is_int(flags(), LBS_F_HALF_OPEN, "visitors may try at once");
    now += LBS_EJECT_DOUBT_US;
    is_int(tick_found(LBS_PROBE_WELL, 500 * MS), LBS_EJECT_NONE,
           "nobody wants to: no hurry");
    lbs_eject_turn_away(&record);
    now -= MS;
    is_int(tick_found(LBS_PROBE_WELL, 500 * MS), LBS_EJECT_NONE, "wait");
    now += MS;
    gauge.trial = 7;
    is_int(tick_found(LBS_PROBE_WELL, 500 * MS), LBS_EJECT_NONE,
           "a trial under way is waited for");
    gauge.trial = 0;
    is_int(tick_found(LBS_PROBE_WELL, 500 * MS), LBS_EJECT_UP,
           "nobody does but a POST: open");
    eject();
    now += SEC;
    (void)tick_found(LBS_PROBE_WELL, 500 * MS);
    now += 5 * SEC - MS;
    is_int(tick_found(LBS_PROBE_WELL, 500 * MS), LBS_EJECT_NONE, "no visitor");
    now += MS;
    is_int(tick_found(LBS_PROBE_WELL, 500 * MS), LBS_EJECT_UP,
           "for five seconds: open");
}

static void dead_ones_are_held_again_at_once(void)
{
    eject();
    (void)lbs_gauge_set(&gauge, LBS_F_DOWN);
    now += SEC;
    is_int(tick_found(LBS_PROBE_SILENT, 500 * MS), LBS_EJECT_HALF_OPEN,
           "the hold is over");
    now += 100 * MS;
    is_int(tick_found(LBS_PROBE_SILENT, 600 * MS), LBS_EJECT_EJECTED,
           "it refuses connections: held again");
}

/* A page that takes longer than a probe waits must not keep it out. */
static void probes_may_be_wrong(void)
{
    int i;

    eject();
    for (i = 0; i < 3; i++) {
        now = lbs_eject_until(&record);
        (void)tick_found(LBS_PROBE_UNKNOWN, 0);
        now += 100 * MS;
        is_int(tick_found(LBS_PROBE_SILENT, 50 * MS), LBS_EJECT_EJECTED,
               "not answered: held again");
    }
    now = lbs_eject_until(&record);
    (void)tick_found(LBS_PROBE_UNKNOWN, 0);
    now += 100 * MS;
    is_int(tick_found(LBS_PROBE_SILENT, 50 * MS), LBS_EJECT_NONE,
           "after eight seconds");
    is_int(flags(), LBS_F_HALF_OPEN, "a visitor may try");
    is_int(trial(0), LBS_EJECT_EJECTED, "and fail");
}

static void nobody_asks(void)
{
    eject();
    now += SEC;
    is_int(tick_found(LBS_PROBE_UNKNOWN, 0), LBS_EJECT_HALF_OPEN, "over");
    now += 5 * SEC;
    is_int(tick_found(LBS_PROBE_UNKNOWN, 0), LBS_EJECT_NONE, "no result");
    is_int(flags(), LBS_F_HALF_OPEN, "after five seconds visitors may try");
}

static void a_recovery_ends_the_hold(void)
{
    int i;

    eject();
    now += SEC;
    (void)tick_found(LBS_PROBE_SILENT, SEC / 2);
    now += MS;
    (void)tick_found(LBS_PROBE_SILENT, 0);
    is_int(lbs_eject_until(&record) - now, 2 * SEC, "held for 2 s");
    now += 500 * MS;
    is_int(tick_found(LBS_PROBE_WELL, 50 * MS), LBS_EJECT_NONE,
           "it answers again, but the least hold is not over");
    now += 500 * MS;
    is_int(tick_found(LBS_PROBE_WELL, 50 * MS), LBS_EJECT_HALF_OPEN,
           "then the hold is");
    is_int(flags(), LBS_F_HALF_OPEN, "and visitors may try");
    is_int(trial(0), LBS_EJECT_EJECTED, "they fail");
    is_int(lbs_eject_until(&record) - now, 4 * SEC, "held for 4 s");
    for (i = 0; i < 39; i++, now += 100 * MS) {
        is_int(tick_found(LBS_PROBE_WELL, 50 * MS), LBS_EJECT_NONE,
               "a probe that never failed shortens nothing");
    }
}

static void who_is_asked(void)
{
    const lbs_stall_news_t calm = {.stall_us = (apr_int64_t)SEC};
    lbs_stall_news_t news = {.waiting = 3, .stall_us = (apr_int64_t)SEC};

    start();
    is_int(lbs_eject_asks(&on, &calm, now), 0, "well: nobody asks");
    now += 300 * MS;
    news.others_heard = now;
    is_int(lbs_eject_asks(&on, &news, now), 250 * (apr_int64_t)MS,
           "in doubt: at once");
    fail(), fail(), fail();
    is_int(lbs_eject_asks(&on, &calm, now), 0,
           "held for the least time: left in peace");
    now += 950 * MS;
    is_int(lbs_eject_asks(&on, &calm, now), LBS_EJECT_ASK_US,
           "before that ends: every second");
    on.conf = NULL;
    is_int(lbs_eject_asks(&on, &news, now), 0, "ejection is off");
}

int main(void)
{
    probed_before_a_trial();
    the_probe_is_the_trial_when_nobody_comes();
    dead_ones_are_held_again_at_once();
    probes_may_be_wrong();
    nobody_asks();
    a_recovery_ends_the_hold();
    who_is_asked();
    return done_testing();
}
