/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_limit.c - see lbs_limit.h.
 *
 * A step is a fifth. Beyond the number of workers one step up has 0.83 of the
 * power, below it 1.2 times as much, so the thresholds lie between: a window
 * of 64 answers errs by a quarter, the mean of some windows by a tenth.
 */
#include "src/member/lbs_limit.h"

#define SECOND APR_UINT64_C(1000000)
#define WINDOW SECOND
#define ANSWERS 64u          /* in a window */
#define LONGEST (3 * SECOND) /* of a window with fewer */
#define LEAST 8u             /* answers that say something */
#define PAUSE (10 * SECOND)  /* the tick was away: begin anew */
#define FRESH (20 * SECOND)  /* so long a measurement counts */
#define CALM (60 * SECOND)   /* without load a limit is kept so long */
#define REST (10 * SECOND)   /* after a trial that found nothing */
#define RESTS_MAX 5u         /* doublings of it */
#define YOUNG 20u            /* windows in which the base is not known */
#define DRAIN (10 * SECOND)  /* to get down to the limit */
#define STREAMS 3.0          /* times as many in flight as wait: streams */
#define CYCLE 6u             /* windows in which both neighbours are tried */
#define SCALE 100000000.0

static const apr_uint32_t most[LBS_LIMIT_STEPS] = {
    1,   2,   3,   4,   5,   6,   8,   10,  12,  14,  17,
    20,  24,  29,  35,  42,  50,  60,  72,  86,  103, 124,
    149, 178, 214, 257, 308, 370, 444, 532, 639, 767};

/* One window, measured. */
typedef struct window_t {
    apr_uint64_t answers;
    double atonce;  /* requests in flight, on the average */
    double waiting; /* of these for an answer, by Little's law */
    double mean_us; /* latency */
    double power;
    int is_full; /* the limit was reached in half of the ticks */
} window_t;

/* The step of so many requests. */
static apr_uint32_t step_of(double atonce)
{
    apr_uint32_t step = 1;

    while (step < LBS_LIMIT_STEPS && atonce > most[step - 1] * 1.05) {
        step++;
    }
    return step;
}

static int is_fresh(const lbs_limit_t *l, apr_uint32_t step, apr_uint64_t now)
{
    apr_uint64_t at = lbs_atomic_load64_relaxed(&l->seen_at[step - 1]);

    return at != 0 && now < at + FRESH;
}

static double power_at(const lbs_limit_t *l, apr_uint32_t step)
{
    return (double)lbs_atomic_load64_relaxed(&l->power[step - 1]);
}

static void forget_powers(lbs_limit_t *l)
{
    int i;

    for (i = 0; i < LBS_LIMIT_STEPS; i++) {
        lbs_atomic_store64_relaxed(&l->seen_at[i], 0);
    }
}

/* The mean with what is known. What differs by half is another member: one
 * that became slow, or quick again. */
static void note(lbs_limit_t *l, apr_uint32_t step, double power,
                 apr_uint64_t now)
{
    double known = power_at(l, step);

    if (is_fresh(l, step, now) && power * 3 > known && power < known * 3) {
        power = (2 * known + power) / 3;
    }
    else if (is_fresh(l, step, now)) {
        forget_powers(l);
    }
    lbs_atomic_store64_relaxed(&l->power[step - 1], (apr_uint64_t)power);
    lbs_atomic_store64_relaxed(&l->seen_at[step - 1], now);
}

static void begin(lbs_limit_t *l, const lbs_limit_news_t *news,
                  apr_uint64_t now)
{
    lbs_atomic_store64_relaxed(&l->answers, news->answers);
    lbs_atomic_store64_relaxed(&l->sum_us, news->sum_us);
    lbs_atomic_store32_relaxed(&l->ticks, 0);
    lbs_atomic_store32_relaxed(&l->full, 0);
    lbs_atomic_store64_relaxed(&l->load, 0);
    lbs_atomic_store64_relaxed(&l->began_at, now);
}

/* @return 1 when the window is over and says something */
static int measure(lbs_limit_t *l, const lbs_limit_news_t *news,
                   apr_uint64_t now, window_t *window)
{
    apr_uint64_t began = lbs_atomic_load64_relaxed(&l->began_at);
    apr_uint64_t answers =
        news->answers - lbs_atomic_load64_relaxed(&l->answers);
    double sum =
        (double)(news->sum_us - lbs_atomic_load64_relaxed(&l->sum_us));
    apr_uint32_t ticks = lbs_atomic_load32_relaxed(&l->ticks);
    double load = (double)lbs_atomic_load64_relaxed(&l->load);
    double time, rate;

    if (now < began + WINDOW || (answers < ANSWERS && now < began + LONGEST)) {
        return 0;
    }
    time = (double)(now - began);
    window->is_full =
        ticks != 0 && 2 * lbs_atomic_load32_relaxed(&l->full) >= ticks;
    begin(l, news, now);
    if (answers < LEAST || sum <= 0) {
        lbs_atomic_store32_relaxed(&l->windows, 0);
        lbs_atomic_store32_relaxed(&l->trial, 0);
        return 0;
    }
    window->answers = answers;
    window->mean_us = sum / (double)answers;
    window->waiting = sum / time;
    window->atonce = ticks == 0 ? 0 : load / (double)ticks;
    if (window->atonce < 1) {
        window->atonce = 1;
    }
    /* Throughput by latency, which is throughput squared by what is in flight:
     * answers that waited before the limit was there do not count. */
    rate = (double)answers * SCALE / time;
    window->power = rate * rate / window->atonce;
    return 1;
}

/* The least mean latency; it forgets slowly. @return 1: this one is high */
static int is_slow(lbs_limit_t *l, const window_t *window)
{
    double base = (double)lbs_atomic_load64_relaxed(&l->base_us) * 1.01;

    if (base < 1 || window->mean_us < base) {
        base = window->mean_us;
    }
    lbs_atomic_store64_relaxed(&l->base_us, (apr_uint64_t)base);
    return window->mean_us > base * 1.5;
}

/* No limit yet: is there more power two steps down? */
static void look_for_one(lbs_limit_t *l, const window_t *window, int slow,
                         apr_uint64_t now)
{
    apr_uint32_t step = step_of(window->atonce);
    apr_uint32_t failed = lbs_atomic_load32_relaxed(&l->failed);
    int young = failed == 0 && lbs_atomic_load32_relaxed(&l->windows) < YOUNG;

    note(l, step, window->power, now);
    if (!slow && failed > 1
        && now >= lbs_atomic_load64_relaxed(&l->rest_until)) {
        lbs_atomic_store32_relaxed(&l->failed, 1);
    }
    if (step > 3 && (slow || young)
        && window->atonce < STREAMS * window->waiting
        && now >= lbs_atomic_load64_relaxed(&l->rest_until)) {
        lbs_atomic_store32_relaxed(&l->trial, step - 2);
    }
}

/* The next trial has time. */
static void rest(lbs_limit_t *l, apr_uint64_t now)
{
    apr_uint32_t failed = lbs_atomic_load32_relaxed(&l->failed);

    lbs_atomic_store64_relaxed(&l->rest_until, now + (REST << failed));
    lbs_atomic_store32_relaxed(&l->failed,
                               failed < RESTS_MAX ? failed + 1 : failed);
}

/* The trial is over that may find the first limit. */
static void judge_first(lbs_limit_t *l, const window_t *window,
                        apr_uint32_t trial, apr_uint64_t now)
{
    double before = is_fresh(l, trial + 2, now) ? power_at(l, trial + 2) : 0;

    lbs_atomic_store32_relaxed(&l->trial, 0);
    if (window->is_full && before > 0 && window->power > before * 1.15) {
        forget_powers(l);
        note(l, trial, window->power, now);
        lbs_atomic_store32_relaxed(&l->step, trial);
        lbs_atomic_store32_relaxed(&l->falling, 1);
        lbs_atomic_store32_relaxed(&l->trial, trial > 2 ? trial - 2 : 0);
        lbs_atomic_store32_relaxed(&l->failed, 0);
        lbs_atomic_store64_relaxed(&l->loaded_at, now);
        return;
    }
    rest(l, now);
}

/* A limit was found, and it may be far too high: two steps down again. */
static void fall(lbs_limit_t *l, const window_t *window, apr_uint32_t step,
                 apr_uint32_t trial, apr_uint64_t now)
{
    if (trial != 0 && window->power > power_at(l, step) * 1.15) {
        note(l, trial, window->power, now);
        lbs_atomic_store32_relaxed(&l->step, trial);
        lbs_atomic_store32_relaxed(&l->trial, trial > 2 ? trial - 2 : 0);
        return;
    }
    lbs_atomic_store32_relaxed(&l->falling, 0);
    lbs_atomic_store32_relaxed(&l->trial, 0);
    lbs_atomic_store32_relaxed(&l->windows, 0);
}

/* Where more power was measured. */
static apr_uint32_t climb(const lbs_limit_t *l, apr_uint32_t step,
                          apr_uint64_t now)
{
    double here = is_fresh(l, step, now) ? power_at(l, step) : 0;

    if (step > 1 && is_fresh(l, step - 1, now)
        && power_at(l, step - 1) > here * 1.08) {
        return step - 1;
    }
    if (step < LBS_LIMIT_STEPS && is_fresh(l, step + 1, now)
        && power_at(l, step + 1) > here * 0.98) {
        return step + 1;
    }
    return step;
}

/* The next window: mostly at the limit, now and then beside it. */
static void plan(lbs_limit_t *l, apr_uint32_t step)
{
    apr_uint32_t turn = lbs_atomic_load32_relaxed(&l->windows) % CYCLE;
    apr_uint32_t trial = 0;

    if (turn == CYCLE / 2 && step < LBS_LIMIT_STEPS) {
        trial = step + 1;
    }
    else if (turn == CYCLE - 1 && step > 1) {
        trial = step - 1;
    }
    lbs_atomic_store32_relaxed(&l->trial, trial);
}

/* Nobody needs the limit: it gives way. */
static void relax(lbs_limit_t *l, apr_uint32_t step, apr_uint64_t now)
{
    lbs_atomic_store32_relaxed(&l->trial, 0);
    if (now >= lbs_atomic_load64_relaxed(&l->loaded_at) + CALM) {
        lbs_atomic_store32_relaxed(&l->step,
                                   step < LBS_LIMIT_STEPS ? step + 1 : 0);
    }
}

static void use(lbs_limit_t *l, const window_t *window, apr_uint64_t now)
{
    apr_uint32_t step = lbs_atomic_load32_relaxed(&l->step);
    apr_uint32_t trial = lbs_atomic_load32_relaxed(&l->trial);
    int slow = is_slow(l, window);

    lbs_atomic_add32_relaxed(&l->windows, 1);
    if (step == 0 && trial == 0) {
        look_for_one(l, window, slow, now);
    }
    else if (step == 0) {
        judge_first(l, window, trial, now);
    }
    else if (!window->is_full) {
        relax(l, step, now);
    }
    else {
        lbs_atomic_store64_relaxed(&l->loaded_at, now);
        if (lbs_atomic_load32_relaxed(&l->falling)) {
            fall(l, window, step, trial, now);
            return;
        }
        note(l, trial != 0 ? trial : step, window->power, now);
        step = climb(l, step, now);
        lbs_atomic_store32_relaxed(&l->step, step);
        plan(l, step);
    }
}

apr_uint32_t lbs_limit_now(const lbs_limit_t *l)
{
    apr_uint32_t trial = lbs_atomic_load32_relaxed(&l->trial);
    apr_uint32_t step =
        trial != 0 ? trial : lbs_atomic_load32_relaxed(&l->step);

    return step == 0 || step > LBS_LIMIT_STEPS ? 0 : most[step - 1];
}

/* A limit that was lowered is measured when no more than that are in flight.
 * Where all members are full they take more than their limits: those stay as
 * they are. */
static int drains(lbs_limit_t *l, const lbs_limit_news_t *news,
                  apr_uint32_t limit, apr_uint64_t now)
{
    apr_uint64_t since = lbs_atomic_load64_relaxed(&l->drain_at);

    if (limit == 0 || news->inflight <= limit) {
        lbs_atomic_store64_relaxed(&l->drain_at, 0);
        return 0;
    }
    if (since == 0) {
        lbs_atomic_store64_relaxed(&l->drain_at, now);
    }
    else if (now > since + DRAIN
             && lbs_atomic_load32_relaxed(&l->trial) != 0) {
        lbs_atomic_store32_relaxed(&l->trial, 0);
        lbs_atomic_store64_relaxed(&l->drain_at, 0);
    }
    return 1;
}

apr_uint32_t lbs_limit_tick(lbs_limit_t *l, const lbs_limit_news_t *news,
                            apr_uint64_t now)
{
    apr_uint64_t began = lbs_atomic_load64_relaxed(&l->began_at);
    apr_uint32_t limit = lbs_limit_now(l);
    window_t window;

    if (began == 0 || now > began + PAUSE
        || news->answers < lbs_atomic_load64_relaxed(&l->answers)) {
        begin(l, news, now);
        return limit;
    }
    if (drains(l, news, limit, now)) {
        begin(l, news, now);
        return lbs_limit_now(l);
    }
    lbs_atomic_add32_relaxed(&l->ticks, 1);
    lbs_atomic_add64_relaxed(&l->load, news->inflight);
    if (limit != 0 && news->inflight >= limit - limit / 4) {
        lbs_atomic_add32_relaxed(&l->full, 1);
    }
    if (measure(l, news, now, &window)) {
        use(l, &window, now);
    }
    else if (limit != 0 && news->inflight == 0
             && now >= lbs_atomic_load64_relaxed(&l->loaded_at) + 5 * CALM) {
        lbs_atomic_store32_relaxed(&l->step, 0);
        lbs_atomic_store32_relaxed(&l->trial, 0);
    }
    return lbs_limit_now(l);
}
