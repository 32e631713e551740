/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "src/base/lbs_rand.h"
#include "src/member/lbs_eject.h"
#include "t/unit/tap.h"

#define MS APR_UINT64_C(1000)
#define SEC APR_UINT64_C(1000000)
#define MEMBERS 10

static const lbs_eject_conf_t defaults = {
    3, 50, 10 * SEC, SEC, 60 * SEC, LBS_STALL_AUTO, 1};

static lbs_eject_t record[MEMBERS];
static lbs_gauge_t gauge[MEMBERS];
static lbs_eject_pool_t pool;
static lbs_eject_on_t on[MEMBERS];
/* Nothing waits, and the member cannot be asked. */
static const lbs_stall_news_t no_news = {.probe = {.kind = LBS_PROBE_NEVER}};
static apr_uint64_t now;
static lbs_eject_why_t why;

static void start(const lbs_eject_conf_t *conf, apr_uint32_t members)
{
    int i;

    memset(record, 0, sizeof(record));
    memset(&pool, 0, sizeof(pool));
    for (i = 0; i < MEMBERS; i++) {
        lbs_gauge_init(&gauge[i]);
        on[i] = (lbs_eject_on_t){&record[i], &gauge[i], &pool, conf};
    }
    lbs_eject_recount(&pool, members, members, 0);
    now = 1000 * SEC;
}

static lbs_eject_turn_t fail(int i)
{
    lbs_eject_attempt_t attempt = {now, 0, 0};

    return lbs_eject_failed(&on[i], &attempt, now, &why);
}

static lbs_eject_turn_t answer(int i)
{
    lbs_eject_attempt_t attempt = {now, 0, 0};

    return lbs_eject_answered(&on[i], &attempt, now);
}

static lbs_eject_turn_t trial(int i, int good)
{
    lbs_eject_attempt_t attempt = {now, 1, 0};

    return good ? lbs_eject_answered(&on[i], &attempt, now)
                : lbs_eject_failed(&on[i], &attempt, now, &why);
}

static lbs_eject_turn_t tick(int i)
{
    return lbs_eject_tick(&on[i], &no_news, now, &why);
}

static apr_uint32_t flags(int i)
{
    return gauge[i].flags & (LBS_F_EJECTED | LBS_F_HALF_OPEN);
}

static void failures_in_a_row(void)
{
    start(&defaults, 4);
    is_int(fail(0), LBS_EJECT_NONE, "one failure");
    is_int(fail(0), LBS_EJECT_NONE, "two");
    is_int(answer(0), LBS_EJECT_NONE, "an answer between");
    is_int(fail(0), LBS_EJECT_NONE, "begins the row anew");
    is_int(fail(0), LBS_EJECT_NONE, "two");
    is_int(fail(0), LBS_EJECT_EJECTED, "three in a row eject");
    is_str(lbs_eject_reason(why), "failures in a row", "and say why");
    is_int(flags(0), LBS_F_EJECTED, "the flag is set");
    is_int(lbs_eject_until(&record[0]), now + SEC, "held for the minimum");
    is_int(fail(0), LBS_EJECT_NONE, "the fourth tells nothing new");
    is_int(flags(1), 0, "others stay");
}

static void one_failure_per_hour(void)
{
    int turns = 0;
    int i;

    start(&defaults, 4);
    for (i = 0; i < 1000; i++) {
        now += 3600 * SEC;
        turns += fail(0) != LBS_EJECT_NONE;
    }
    is_int(turns, 0, "1000 failures, one per hour and no answer between: up");
    start(&defaults, 4);
    for (i = 0; i < 3; i++) {
        now += 9 * SEC;
        turns += fail(0) == LBS_EJECT_EJECTED;
    }
    is_int(turns, 1, "but three within the window of each other eject");
}

static void half_of_the_requests(void)
{
    int turn = LBS_EJECT_NONE;
    int i;

    start(&defaults, 4);
    for (i = 0; i < 4; i++) {
        answer(0);
        turn |= (int)fail(0);
    }
    is_int(turn, LBS_EJECT_NONE, "4 of 8 are too few to judge");
    answer(0);
    is_int(fail(0), LBS_EJECT_EJECTED, "5 of 10 eject");
    is_str(lbs_eject_reason(why), "half of the requests failed", "for that");

    start(&defaults, 4);
    for (i = 0; i < 100; i++) {
        answer(0);
        answer(0);
        turn |= (int)fail(0);
        now += 100 * MS;
    }
    is_int(turn, LBS_EJECT_NONE, "a third never does");

    start(&defaults, 4);
    for (i = 0; i < 4; i++) {
        answer(0);
        turn |= (int)fail(0);
    }
    now += 11 * SEC;
    answer(0);
    is_int(fail(0), LBS_EJECT_NONE,
           "failures that left the window count no more");
}

static void hold_is_over_in_time(void)
{
    start(&defaults, 4);
    fail(0), fail(0), fail(0);
    now += 999 * MS;
    is_int(tick(0), LBS_EJECT_NONE, "not tried again before the hold is over");
    is_int(flags(0), LBS_F_EJECTED, "still out");
    now += 101 * MS;
    is_int(tick(0), LBS_EJECT_HALF_OPEN, "0.1 s after its end: half-open");
    is_int(tick(0), LBS_EJECT_NONE, "told once");
    is_int(flags(0), LBS_F_HALF_OPEN, "one flag gives way to the other");
    is_int(lbs_eject_until(&record[0]), 0, "not held");
    is_int(lbs_eject_out(&record[0]), 1, "but not open");
    is_int(fail(0), LBS_EJECT_NONE, "an old attempt's failure says nothing");
    is_int(answer(0), LBS_EJECT_NONE, "nor does its answer");
    is_int(trial(0, 1), LBS_EJECT_UP, "the trial's answer opens");
    is_int(trial(0, 1), LBS_EJECT_NONE, "once");
    is_int(flags(0), 0, "no flag is left");
    is_int((apr_uint32_t)pool.ejected, 0, "nor counted as ejected");
}

static void holds_double(void)
{
    apr_uint64_t want = 1;
    int i;

    start(&defaults, 4);
    fail(0), fail(0), fail(0);
    for (i = 0; i < 10; i++) {
        is_int(lbs_eject_until(&record[0]) - now, want * SEC,
               "hold %d is %d s", i + 1, (int)want);
        now = lbs_eject_until(&record[0]);
        tick(0);
        is_int(trial(0, 0), LBS_EJECT_EJECTED, "the trial fails");
        want = want * 2 > 60 ? 60 : want * 2;
    }
    is_str(lbs_eject_reason(why), "failed when tried again", "it says why");
    is_int(lbs_eject_count(&record[0]), 11, "11 holds are counted");
    is_int((apr_uint32_t)pool.ejected, 1, "but one member");
}

static void eject_and_return(apr_uint64_t want_hold, const char *what)
{
    fail(0), fail(0), fail(0);
    is_int(lbs_eject_until(&record[0]) - now, want_hold, "%s", what);
    now = lbs_eject_until(&record[0]);
    tick(0);
    trial(0, 1);
}

static void holds_start_anew_after_a_good_while(void)
{
    start(&defaults, 4);
    eject_and_return(SEC, "first hold");
    now += 59 * SEC;
    eject_and_return(2 * SEC, "again within a minute: doubled");
    now += 60 * SEC;
    eject_and_return(SEC, "after a good minute: the minimum");
    now += SEC;
    lbs_eject_lift(&on[0], now);
    eject_and_return(SEC, "after an operator's reset: the minimum");
}

static void late_failures_of_the_old_attempts(void)
{
    lbs_eject_attempt_t old;
    int turns = 0;
    int i;

    start(&defaults, 4);
    old = (lbs_eject_attempt_t){now, 0, 0};
    fail(0), fail(0), fail(0);
    now += SEC;
    tick(0);
    trial(0, 1);
    now += 30 * SEC;
    for (i = 0; i < 50; i++) {
        turns += lbs_eject_failed(&on[0], &old, now, &why) != 0;
    }
    is_int(turns, 0, "50 that were sent before it came back: judged already");
}

static void cap_holds(void)
{
    int out = 0;
    int capped = 0;
    int i, n;

    start(&defaults, 4);
    for (n = 0; n < 20; n++) {
        for (i = 0; i < 4; i++) {
            lbs_eject_turn_t turn = fail(i);

            out += turn == LBS_EJECT_EJECTED;
            capped += turn == LBS_EJECT_CAPPED;
        }
    }
    is_int(out, 2, "all four fail: two of four are ejected");
    ok(capped > 0, "the others are told to deserve it");

    start(&defaults, 1);
    fail(0), fail(0);
    is_int(fail(0), LBS_EJECT_CAPPED, "the only member stays");

    start(&defaults, 2);
    fail(0), fail(0);
    is_int(fail(0), LBS_EJECT_EJECTED, "one of two goes");
    lbs_eject_recount(&pool, 2, 1, 1);
    fail(1), fail(1);
    is_int(fail(1), LBS_EJECT_CAPPED, "the other one does not");
}

static void last_open_member_stays(void)
{
    static const lbs_eject_conf_t all = {3,        100, 10 * SEC, SEC,
                                         60 * SEC, 0,   0};
    int out = 0;
    int i;

    start(&all, 5);
    for (i = 0; i < 5; i++) {
        fail(i), fail(i);
        out += fail(i) == LBS_EJECT_EJECTED;
    }
    is_int(out, 4, "a cap of 100 %% leaves one of five");
    start(&all, 5);
    lbs_eject_recount(&pool, 5, 2, 0); /* three are down or disabled */
    for (i = 0, out = 0; i < 5; i++) {
        fail(i), fail(i);
        out += fail(i) == LBS_EJECT_EJECTED;
    }
    is_int(out, 1, "of the two that are open, one stays");
}

/* An answer that is a stream of events has no end that could be waited for. */
static void a_probe_that_goes_on(void)
{
    start(&defaults, 4);
    (void)fail(0);
    (void)fail(0);
    is_int(fail(0), LBS_EJECT_EJECTED, "held");
    now += SEC;
    is_int(tick(0), LBS_EJECT_HALF_OPEN, "half-open");
    gauge[0].trial = 7;
    now += 3 * SEC;
    is_int(tick(0), LBS_EJECT_NONE, "a trial without an answer");
    gauge[0].heard_at = now;
    now += SEC - MS;
    is_int(tick(0), LBS_EJECT_NONE, "an answer that may break off yet");
    now += MS;
    is_int(tick(0), LBS_EJECT_UP, "and one that goes on");
    is_int(flags(0), 0, "open");
    is_int(tick(0), LBS_EJECT_NONE, "once");
}

static void stall_is_found(void)
{
    lbs_stall_news_t news = {.waiting = 3, .stall_us = (apr_int64_t)SEC};
    apr_uint64_t from;
    int i;

    start(&defaults, 4);
    from = now;
    gauge[0].heard_at = now - 100 * SEC; /* idle for long */
    for (i = 0; i < 10; i++) {
        news.others_heard = now;
        news.probe.asked_at = i < 4 ? 0 : from + 300 * MS;
        if (lbs_eject_tick(&on[0], &news, now, &why) != LBS_EJECT_NONE) {
            break;
        }
        now += 100 * MS;
    }
    is_int(i, 10, "three that wait for less than a second: no stall");
    is_int(lbs_eject_tick(&on[0], &news, now, &why), LBS_EJECT_EJECTED,
           "none answered for a second while others did: ejected");
    is_str(lbs_eject_reason(why), "stalled while others answered", "for that");
    is_int(now - from, SEC, "after exactly that time");
}

static int is_doubtful(apr_uint64_t at)
{
    return gauge[0].doubt_until > at;
}

/* Nothing that would be lost is sent where it is doubtful. */
static void silence_is_doubtful(void)
{
    lbs_stall_news_t news = {.stall_us = (apr_int64_t)SEC};
    int i;

    start(&defaults, 4);
    gauge[0].heard_at = now;
    for (i = 0; i < 6; i++, now += 100 * MS) {
        news.waiting = i == 0 ? 0 : i < 3 ? 1 : 3;
        news.others_heard = now;
        is_int(lbs_eject_tick(&on[0], &news, now, &why), LBS_EJECT_NONE,
               "no turn, after %d ms", i * 100);
        is_int(is_doubtful(now), i >= 3, "doubt from a quarter of a stall on");
    }
    is_int(answer(0), LBS_EJECT_NONE, "an answer");
    is_int(is_doubtful(now), 0, "ends it");
}

static void what_is_lost_is_doubtful(void)
{
    lbs_eject_attempt_t lost = {0, 0, 1};

    start(&defaults, 4);
    lost.began = now;
    fail(0);
    is_int(is_doubtful(now), 0, "no connection: nothing was lost");
    lbs_eject_failed(&on[0], &lost, now, &why);
    is_int(is_doubtful(now + LBS_EJECT_DOUBT_US - 1), 1,
           "a request was lost: doubtful");
    is_int(is_doubtful(now + LBS_EJECT_DOUBT_US), 0, "for a while");
    answer(0);
    is_int(is_doubtful(now), 0, "or until an answer");

    is_int(lbs_gauge_risk(&gauge[0], now, now + SEC), 1, "no doubt: anybody");
    is_int(lbs_gauge_risk(&gauge[0], now, now + SEC), 1, "and everybody");
    lbs_eject_doubt(&on[0], now);
    is_int(lbs_gauge_risk(&gauge[0], now, now + SEC), 0, "doubt: nobody");
    now += LBS_EJECT_DOUBT_US;
    is_int(lbs_gauge_risk(&gauge[0], now, now + SEC), 1, "then one");
    is_int(lbs_gauge_risk(&gauge[0], now, now + SEC), 0, "not two");
    is_int(lbs_gauge_risk(&gauge[0], now + SEC, 0), 1,
           "but one after the other");

    start(NULL, 4);
    lbs_eject_failed(&on[0], &lost, now, &why);
    is_int(is_doubtful(now), 0, "never without ejection");
}

static void switched_off(void)
{
    start(&defaults, 4);
    fail(0), fail(0), fail(0);
    on[0].conf = NULL;
    is_int(fail(0), LBS_EJECT_NONE, "off: failures turn nothing");
    is_int(answer(0), LBS_EJECT_NONE, "nor do answers");
    is_int(tick(0), LBS_EJECT_NONE, "the tick");
    is_int(flags(0), 0,
           "lifts an ejection when a reload has switched ejection off");
    is_int((apr_uint32_t)pool.ejected, 0, "and its count");
}

static void lifted_by_order(void)
{
    start(&defaults, 4);
    is_int(lbs_eject_lift(&on[0], now), 0, "open already");
    fail(0), fail(0), fail(0);
    is_int(lbs_eject_lift(&on[0], now), 1, "lifted");
    is_int(flags(0), 0, "open");
    is_int(fail(0), LBS_EJECT_NONE, "with nothing held against it");
    is_int((apr_uint32_t)pool.ejected, 0, "and not counted");
}

/* Killed between the count and the hold, or between the hold and the flag. */
static void what_the_dead_leave_is_repaired(void)
{
    start(&defaults, 4);
    pool.ejected = 1;
    lbs_eject_recount(&pool, 4, 4, 0);
    is_int((apr_uint32_t)pool.ejected, 1, "one look may be a race");
    lbs_eject_recount(&pool, 4, 4, 0);
    is_int((apr_uint32_t)pool.ejected, 0, "a second equal one is not");
    fail(0), fail(0), fail(0);
    gauge[0].flags = 0;
    tick(0);
    is_int(flags(0), LBS_F_EJECTED, "a flag that was not set is set");
}

/* A reload takes an ejected member out, and another one brings it back. */
static void what_comes_back_is_counted(void)
{
    start(&defaults, 4);
    fail(0), fail(0), fail(0);
    lbs_eject_recount(&pool, 2, 2, 0);
    lbs_eject_recount(&pool, 2, 2, 0);
    is_int((apr_uint32_t)pool.ejected, 0, "a removed member is not counted");
    fail(1), fail(1), fail(1);
    gauge[0].flags |= LBS_F_REMOVED;
    (void)lbs_eject_lift(&on[0], now);
    is_int((apr_uint32_t)pool.ejected, 1, "nor given back when it opens");
    gauge[0].flags &= ~LBS_F_REMOVED;
    lbs_eject_recount(&pool, 4, 4, 2);
    is_int((apr_uint32_t)pool.ejected, 2, "what comes back counts at once");
    fail(2), fail(2);
    is_int(fail(2), LBS_EJECT_CAPPED, "so that not one more goes");
}

static void saved_and_loaded(void)
{
    lbs_eject_saved_t saved;

    start(&defaults, 4);
    fail(0), fail(0), fail(0);
    now += 300 * MS;
    lbs_eject_save(&record[0], now, &saved);
    start(&defaults, 4);
    now += 5 * SEC;
    lbs_eject_load(&on[0], &saved, now);
    is_int(flags(0), LBS_F_EJECTED, "out after a restart");
    is_int(lbs_eject_until(&record[0]), now + 700 * MS, "for what was left");
    is_int(lbs_eject_count(&record[0]), 1, "and counted");
    saved.left_us = ~APR_UINT64_C(0);
    lbs_eject_load(&on[0], &saved, now);
    is_int(lbs_eject_until(&record[0]), now + 60 * SEC,
           "an absurd file holds for the maximum");
    saved.out = 0;
    lbs_eject_load(&on[0], &saved, now);
    is_int(flags(0), 0, "open is open");
}

typedef struct client_t {
    pthread_barrier_t *go;
    int trial;
    int good;
    int turns;
} client_t;

static void *client(void *arg)
{
    client_t *c = arg;
    lbs_eject_attempt_t attempt = {now, c->trial, 0};
    lbs_eject_why_t reason;

    pthread_barrier_wait(c->go);
    c->turns = c->good ? lbs_eject_answered(&on[0], &attempt, now) != 0
                       : lbs_eject_failed(&on[0], &attempt, now, &reason)
                             == LBS_EJECT_EJECTED;
    return NULL;
}

static int fifty(int is_probe, int good)
{
    pthread_barrier_t go;
    pthread_t thread[50];
    client_t c[50];
    int turns = 0;
    int i;

    pthread_barrier_init(&go, NULL, 50);
    for (i = 0; i < 50; i++) {
        c[i] = (client_t){&go, is_probe, good, 0};
        pthread_create(&thread[i], NULL, client, &c[i]);
    }
    for (i = 0; i < 50; i++) {
        pthread_join(thread[i], NULL);
        turns += c[i].turns;
    }
    pthread_barrier_destroy(&go);
    return turns;
}

static void fifty_at_once_make_one_turn(void)
{
    start(&defaults, 4);
    is_int(fifty(0, 0), 1, "50 failures at once: ejected exactly once");
    is_int(lbs_eject_until(&record[0]), now + SEC, "not doubled 50 times");
    is_int((apr_uint32_t)pool.ejected, 1, "counted once");
    now += SEC;
    tick(0);
    is_int(fifty(1, 1), 1, "50 answers at once: up exactly once");
    is_int((apr_uint32_t)pool.ejected, 0, "given back once");
}

/* A twin that knows phases and times as plain variables. */
static void random_operations_against_a_twin(void)
{
    static const lbs_eject_conf_t conf = {3,       100, 10 * SEC, SEC,
                                          8 * SEC, 0,   0};
    lbs_rand_t rand = {3};
    apr_uint64_t until = 0, since = 0, last = 0, open_at = 0;
    int phase = 0, level = 0, row = 0, bad = 0;
    int i;

    start(&conf, 4);
    for (i = 0; i < 200000; i++) {
        apr_uint32_t what = lbs_rand_below(&rand, 8);
        int out = 0;

        now += 1 + lbs_rand_below(&rand, what == 7 ? 30 * SEC : SEC);
        if (what == 0 || what == 1) {
            trial(0, 1);
            row = 0;
            if (phase == 2) {
                phase = 0, since = now, level++;
            }
        }
        else if (what <= 4) {
            lbs_eject_turn_t turn = trial(0, 0);

            row = phase == 0 && now - last / 1000 * 1000 < 10001 * MS ? row + 1
                                                                      : 1;
            last = now;
            out = (phase == 0 && row >= 3) || phase == 2;
            /* Half of ten is out of the twin's sight: take its word. */
            out |= turn == LBS_EJECT_EJECTED && why == LBS_EJECT_FOR_SHARE;
            level = phase == 2 ? level + 1 : level;
            level = phase == 0 && out && now >= since + 8 * SEC ? 0 : level;
            bad += (turn == LBS_EJECT_EJECTED) != out;
        }
        else {
            lbs_eject_turn_t turn = tick(0);

            if (turn == LBS_EJECT_HALF_OPEN) {
                bad += phase != 1 || now < until;
                phase = 2, open_at = now + 5 * SEC;
            }
            else if (turn == LBS_EJECT_UP) { /* nobody tried it */
                bad += phase != 2 || now < open_at;
                phase = 0, since = now, level++, row = 0;
            }
            else {
                bad += phase == 1 && now >= until;
            }
        }
        if (out) {
            phase = 1, row = 0;
            until = now + (level > 3 ? 8 : APR_UINT64_C(1) << level) * SEC;
            bad += lbs_eject_until(&record[0]) != until;
        }
        bad += lbs_eject_out(&record[0]) != (phase != 0);
        bad += (apr_uint32_t)pool.ejected != (phase != 0);
    }
    is_int(bad, 0, "200000 random operations agree with the twin");
}

int main(void)
{
    failures_in_a_row();
    one_failure_per_hour();
    half_of_the_requests();
    hold_is_over_in_time();
    holds_double();
    holds_start_anew_after_a_good_while();
    late_failures_of_the_old_attempts();
    cap_holds();
    last_open_member_stays();
    a_probe_that_goes_on();
    stall_is_found();
    silence_is_doubtful();
    what_is_lost_is_doubtful();
    switched_off();
    lifted_by_order();
    what_the_dead_leave_is_repaired();
    what_comes_back_is_counted();
    saved_and_loaded();
    fifty_at_once_make_one_turn();
    random_operations_against_a_twin();
    return done_testing();
}
