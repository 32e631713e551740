/* SPDX-License-Identifier: Apache-2.0 */
#include "src/pick/lbs_alias.h"
#include "t/unit/pick/pool.h"

/* The member answered in that time; 0: it never did. */
static void set_time(const pool_t *pool, apr_uint32_t i, apr_uint32_t us)
{
    lbs_gauge_t *g = gauge_of(pool, i);

    lbs_ewma_set(g, us, (apr_uint64_t)pool->now);
    g->heard_at = us != 0 ? (apr_uint64_t)pool->now : 0;
}

/* How often each is picked, of 4000. */
static void count_picks(pool_t *pool, int *count)
{
    int i;

    memset(count, 0, pool->n * sizeof(*count));
    for (i = 0; i < 4000; i++) {
        count[pool_pick(pool)]++;
    }
}

static void test_choice(void)
{
    pool_t *pool = pool_create(2, LBS_PICK_LEAST_LOAD);
    int count[2];

    set_time(pool, 0, 10000);
    set_time(pool, 1, 30000);
    pool_rebuild(pool);
    count_picks(pool, count);
    /* One of 16 is a draw, by weight. */
    is_near(count[1], 125, 45, "the faster one, but for a draw now and then");
    pool_set_inflight(pool, 0, 3);
    pool_rebuild(pool);
    count_picks(pool, count);
    is_int(count[0], 0, "not if it has more to do than it is faster");
    pool_set_weight(pool, 0, 400);
    pool_rebuild(pool);
    count_picks(pool, count);
    is_int(count[0], 4000, "unless its weight says that it can take more");
    is_near(lbs_pick_score(&pool->view, 0), 10000, 1,
            "the score is microseconds of waiting per weight");
    is_near(lbs_pick_score(&pool->view, 1), 30000, 1, "of either member");
    pool_destroy(pool);
}

/* Its time is that of its failures, so it would not be chosen for minutes. */
static void test_trial(void)
{
    pool_t *pool = pool_create(20, LBS_PICK_LEAST_LOAD);
    apr_uint32_t i;
    int count[20];

    for (i = 0; i < 20; i++) {
        set_time(pool, i, i == 7 ? LBS_EWMA_FAILURE_US : 10000);
    }
    (void)lbs_gauge_set(gauge_of(pool, 7), LBS_F_HALF_OPEN);
    pool_rebuild(pool);
    is_int(pool_pick(pool), 7, "a half-open member is tried out");
    gauge_of(pool, 7)->trial = 1;
    count_picks(pool, count);
    is_int(count[7], 0, "by one");
    pool_rebuild(pool);
    gauge_of(pool, 7)->trial = 0;
    count_picks(pool, count);
    is_int(count[7], 0, "not until the plan knows that it needs another");
    pool_rebuild(pool);
    is_int(pool_pick(pool), 7, "then again");
    (void)lbs_gauge_clear(gauge_of(pool, 7), LBS_F_HALF_OPEN);
    pool_rebuild(pool);
    count_picks(pool, count);
    is_int(count[7], 0, "an open one is chosen by its time");
    pool_destroy(pool);
}

/* Above the 84th percentile of in flight a member is passed over even if its
 * response time looks best. */
static void test_hot(void)
{
    pool_t *pool = pool_create(20, LBS_PICK_LEAST_LOAD);
    int count[20];
    apr_uint32_t i;

    for (i = 0; i < 20; i++) {
        set_time(pool, i, i == 7 ? 100 : 100000);
        pool_set_inflight(pool, i, i == 7 ? 9 : 2);
    }
    pool_rebuild(pool);
    count_picks(pool, count);
    is_int(count[7], 0, "a quick member with a queue is hot");
    pool_set_inflight(pool, 7, 2);
    count_picks(pool, count);
    ok(count[7] > 600, "and is not as soon as the queue is gone");
    /* All hot, as in a burst between two rebuilds: somebody is taken. */
    for (i = 0; i < 20; i++) {
        pool_set_inflight(pool, i, 50);
    }
    pool_set_inflight(pool, 7, 20);
    count_picks(pool, count);
    ok(count[7] > 600, "when all are hot the least bad is taken");
    for (i = 0; i < 20; i++) {
        gauge_of(pool, i)->ramp = 0;
        pool_set_inflight(pool, i, 2);
    }
    count_picks(pool, count);
    ok(count[7] > 600, "and when no ramp lets anybody through, too");
    pool_destroy(pool);
}

static void test_guards(void)
{
    pool_t *pool = pool_create(9, LBS_PICK_LEAST_LOAD);
    int count[9];
    apr_uint32_t i;

    for (i = 0; i < 8; i++) {
        set_time(pool, i, 40000);
    }
    pool_rebuild(pool);
    is_int(lbs_plan_median(pool->plan), 40000, "the median of those known");
    count_picks(pool, count);
    is_near(count[8], 4000 / 9.0, 110, "one never heard of counts as median");
    lbs_ewma_charge(gauge_of(pool, 8), lbs_plan_failure(pool->plan, 3),
                    (apr_uint64_t)pool->now);
    pool_rebuild(pool);
    count_picks(pool, count);
    ok(count[8] < 10, "one that failed at once does not look fast");
    for (i = 0; i < 1200; i++) {
        pool_rebuild(pool);
    }
    is_int(lbs_plan_median(pool->plan), 40000,
           "two minutes of silence leave the median alone");
    is_near(gauge_of(pool, 8)->ewma >> LBS_EWMA_SHIFT, 20000, 1,
            "and who was slow at half the median, not at nothing");
    is_near(gauge_of(pool, 0)->ewma >> LBS_EWMA_SHIFT, 20000, 1,
            "as everybody else");
    is_int(lbs_plan_failure(pool->plan, 1), 320000,
           "one failure is charged eight times the median");
    is_int(lbs_plan_failure(pool->plan, 2), 1280000, "the second more");
    is_int(lbs_plan_failure(pool->plan, 3), LBS_EWMA_FAILURE_US,
           "the third in a row five seconds");
    is_int(lbs_plan_failure(pool->plan, 100), LBS_EWMA_FAILURE_US,
           "and all that follow");
    is_int(lbs_plan_failure(pool->plan, 0), LBS_EWMA_FAILURE_US,
           "as any when nobody counts them");
    for (i = 0; i < 9; i++) {
        set_time(pool, i, 400000);
    }
    pool_rebuild(pool);
    is_int(lbs_plan_failure(pool->plan, 3), 25600000, "in a slow pool more");
    for (i = 0; i < 9; i++) {
        set_time(pool, i, 4000000);
    }
    pool_rebuild(pool);
    is_int(lbs_plan_failure(pool->plan, 3), LBS_EWMA_MAX_US,
           "but not endlessly");
    pool_destroy(pool);
}

/* Silence decays as lbs_ewma.h says, although it is done in steps. */
static void test_decay(void)
{
    pool_t *pool = pool_create(3, LBS_PICK_LEAST_LOAD);
    int i;

    set_time(pool, 0, 10);
    set_time(pool, 1, 10);
    set_time(pool, 2, 1000000);
    for (i = 0; i < 100; i++) {
        pool_rebuild(pool);
    }
    is_near(gauge_of(pool, 2)->ewma >> LBS_EWMA_SHIFT, 367879, 40000,
            "ten seconds: 1/e is left in the gauge, but for the last step");
    is_near(lbs_ewma_read(gauge_of(pool, 2), (apr_uint64_t)pool->now), 367879,
            4000, "and 1/e is what is read");
    pool_destroy(pool);
}

/* The twin ---------------------------------------------------------------- */

/* Who should win of some members, the cool and accepting alone, where each
 * wait is lengthened by a part of some random bits. Ramps are 0 or full
 * here, so that no random number is drawn between. */
static int slow_pick(const pool_t *pool, const apr_uint32_t *looked,
                     const apr_uint32_t *random, apr_uint32_t n, double hot,
                     double median)
{
    int best = -1;
    double best_wait = 0;
    apr_uint32_t i;

    for (i = 0; i < n; i++) {
        const lbs_gauge_t *g = gauge_of(pool, looked[i]);
        double time = g->ewma != 0 ? g->ewma / 32.0 : median;
        double load = lbs_gauge_inflight(g) / (double)g->weight;
        double wait = (time + 2000) * (lbs_gauge_inflight(g) + 1.0)
                      / (double)g->weight * (1 + (random[i] & 0xff) / 1024.0);

        if (!lbs_gauge_open_new(g) || g->ramp == 0 || load > hot) {
            continue;
        }
        if (best < 0 || wait < best_wait * (1 - 1e-6)) {
            best = (int)looked[i];
            best_wait = wait;
        }
        else if (wait < best_wait * (1 + 1e-6)
                 && looked[i] != (unsigned)best) {
            return -2; /* too close to call with two roundings */
        }
    }
    return best;
}

static int by_value(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;

    return a < b ? -1 : a > b;
}

/* The plan's own numbers, worked out by sorting. */
static double percentile(double *value, apr_uint32_t n, apr_uint32_t k)
{
    qsort(value, n, sizeof(*value), by_value);
    return value[k];
}

static void shake(pool_t *pool, lbs_rand_t *rand)
{
    apr_uint32_t i;

    for (i = 0; i < pool->n; i++) {
        lbs_gauge_t *g = gauge_of(pool, i);

        g->flags = lbs_rand_below(rand, 8) ? 0 : LBS_F_DOWN;
        g->weight = 100 + 50 * lbs_rand_below(rand, 5);
        g->ramp = lbs_rand_below(rand, 6) ? 1000 : 0;
        g->limit = lbs_rand_below(rand, 4) ? 0 : 3;
        pool_set_inflight(pool, i, lbs_rand_below(rand, 6));
        set_time(pool, i,
                 lbs_rand_below(rand, 5) ? 1000 + lbs_rand_below(rand, 100000)
                                         : 0);
    }
}

#define TWIN_MAX 24

/* @return how many are looked at: all of a small front, or four draws. For
 * these all weights must be equal: then the table is the list. */
static apr_uint32_t looked_at(const pool_t *pool, const apr_uint32_t *front,
                              apr_uint32_t n, apr_uint32_t *looked,
                              apr_uint32_t *random)
{
    lbs_rand_t same = pool->rand;
    apr_uint64_t one;
    apr_uint64_t two;
    apr_uint32_t i;

    (void)lbs_rand_next(&same); /* pool_ask() draws a key */
    one = lbs_rand_next(&same);
    two = (one ^ one >> 29) * APR_UINT64_C(0x9e3779b97f4a7c15);
    two ^= two >> 32;
    for (i = 0; n <= 16 && i < n; i++) {
        looked[i] = front[i];
        random[i] = (apr_uint32_t)((i < 8 ? one : two) >> 8 * (i & 7));
    }
    for (i = 0; n > 16 && i < 4; i++) {
        apr_uint32_t bits =
            (apr_uint32_t)((i < 2 ? one : two) >> 32 * (i & 1));

        looked[i] = front[((apr_uint64_t)bits * n) >> 32];
        random[i] = 0;
    }
    return n <= 16 ? n : 4;
}

/* Of an idle pool one pick of 16 is a draw, if the drawn one is fit. */
static int or_drawn(const pool_t *pool, const apr_uint32_t *front,
                    apr_uint32_t n, int want)
{
    lbs_rand_t same = pool->rand;
    apr_uint64_t random;
    const lbs_gauge_t *g;
    apr_uint32_t index;
    int i;

    (void)lbs_rand_next(&same);
    random = lbs_rand_next(&same);
    for (i = 0; i < 2; i++) {
        random = (random ^ random >> 29) * APR_UINT64_C(0x9e3779b97f4a7c15);
        random ^= random >> 32;
    }
    if (n > 16 || want < 0 || random >> 60 != 0
        || lbs_gauge_inflight(gauge_of(pool, (apr_uint32_t)want)) != 0) {
        return want;
    }
    index = front[((random & 0xffffffffu) * n) >> 32];
    g = gauge_of(pool, index);
    return lbs_gauge_open_new(g) && lbs_gauge_inflight(g) == 0 && g->ramp != 0
               ? (int)index
               : want;
}

static int twin_disagrees(pool_t *pool)
{
    double load[TWIN_MAX];
    double time[TWIN_MAX];
    apr_uint32_t front[TWIN_MAX];
    apr_uint32_t looked[TWIN_MAX];
    apr_uint32_t random[TWIN_MAX];
    apr_uint32_t known = 0;
    apr_uint32_t n = 0;
    apr_uint32_t looks;
    apr_uint32_t i;
    double hot;
    int want;

    for (i = 0; i < pool->n; i++) {
        const lbs_gauge_t *g = gauge_of(pool, i);

        if (is_usable(pool, i)) {
            load[n] = lbs_gauge_inflight(g) / (double)g->weight;
            front[n++] = i;
            if (g->heard_at != 0) {
                time[known++] = g->ewma / 32.0;
            }
        }
    }
    if (n == 0 || known == 0) {
        return 0;
    }
    looks = looked_at(pool, front, n, looked, random);
    hot = n > 16 ? percentile(load, n, n * 84 / 100) + 1e-5 : 1e9;
    want = slow_pick(pool, looked, random, looks, hot,
                     percentile(time, known, known / 2));
    want = or_drawn(pool, front, n, want);
    return want >= 0 && pool_pick(pool) != want;
}

static void test_twin(apr_uint32_t members)
{
    lbs_rand_t rand = {77};
    pool_t *pool = pool_create(members, LBS_PICK_LEAST_LOAD);
    int wrong = 0;
    int round;
    apr_uint32_t i;

    for (round = 0; round < 5000; round++) {
        apr_uint32_t weight = 50 + lbs_rand_below(&rand, 300);

        shake(pool, &rand);
        for (i = 0; i < pool->n; i++) {
            pool_set_weight(pool, i, weight);
        }
        pool_rebuild(pool);
        wrong += twin_disagrees(pool);
    }
    is_int(wrong, 0, "5000 random pools of %d: what a slow twin picks",
           (int)members);
    for (round = 0; round < 5000; round++) {
        may_t may;
        int got;

        shake(pool, &rand);
        if (round % 3 == 0) {
            pool_rebuild(pool);
        }
        may = pool_may(pool, NULL);
        got = pool_pick(pool);
        wrong += may.count == 0 ? got != -(int)may.status
                                : got < 0
                                      || !lbs_gauge_open_new(
                                          gauge_of(pool, (apr_uint32_t)got));
    }
    is_int(wrong, 0, "5000 more, weights and old plans: nobody closed");
    pool_destroy(pool);
}

/* The four draws of a pick are made of one number: every pair of them must
 * still meet every pair of members alike. Two members known to be quick are
 * picked if either was drawn, which tells whether draws depend. */
static void test_draws(void)
{
    pool_t *pool = pool_create(20, LBS_PICK_LEAST_LOAD);
    int picked = 0;
    int i;

    for (i = 0; i < 20; i++) {
        set_time(pool, (apr_uint32_t)i, i == 5 || i == 12 ? 1000 : 200000);
    }
    pool_rebuild(pool);
    for (i = 0; i < 40000; i++) {
        int got = pool_pick(pool);

        picked += got == 5 || got == 12;
    }
    /* 1 - (18/20)^4 = 0.3439 of the picks; four standard deviations. */
    is_near(picked, 13756, 380, "four draws are as good as independent");
    pool_destroy(pool);
}

/* A member that was charged for what failed there. */
static void test_charged(void)
{
    pool_t *pool = pool_create(3, LBS_PICK_LEAST_LOAD);
    int count[3];

    set_time(pool, 1, 5000);
    set_time(pool, 2, 90000);
    set_time(pool, 0, 10000);
    pool_rebuild(pool);
    lbs_ewma_charge(gauge_of(pool, 0), 5000000, (apr_uint64_t)pool->now);
    count_picks(pool, count);
    is_int(count[0], 0, "is not chosen even if all draws are it");
    pool_rebuild(pool);
    is_int(lbs_plan_median(pool->plan), 90000,
           "and the median is that of the others");
    pool_set_inflight(pool, 1, 2);
    pool_set_inflight(pool, 2, 2);
    pool_rebuild(pool);
    pool_set_inflight(pool, 1, 3);
    pool_set_inflight(pool, 2, 3);
    count_picks(pool, count);
    is_int(count[0], 0, "nor when the others have more to do than a tick ago");
    (void)lbs_gauge_set(gauge_of(pool, 1), LBS_F_DOWN);
    (void)lbs_gauge_set(gauge_of(pool, 2), LBS_F_DOWN);
    count_picks(pool, count);
    is_int(count[0], 4000, "if nobody else is left it is");
    (void)lbs_gauge_clear(gauge_of(pool, 1), LBS_F_DOWN);
    (void)lbs_gauge_clear(gauge_of(pool, 2), LBS_F_DOWN);
    lbs_ewma_restart(gauge_of(pool, 0), lbs_plan_median(pool->plan),
                     (apr_uint64_t)pool->now);
    set_time(pool, 1, 90000);
    pool_set_inflight(pool, 0, 3);
    pool_rebuild(pool);
    count_picks(pool, count);
    ok(count[0] > 1000, "begun again it has its share");
    pool_destroy(pool);
}

/* A 5xx, as it is told to the estimate. */
static void test_error_charge(void)
{
    pool_t *pool = pool_create(3, LBS_PICK_LEAST_LOAD);

    is_int(lbs_plan_error(pool->plan, 0), 50000, "nothing known of the pool");
    set_time(pool, 0, 20000);
    set_time(pool, 1, 20000);
    set_time(pool, 2, 20000);
    pool_rebuild(pool);
    is_int(lbs_plan_error(pool->plan, 0), 20000, "no blame: the median");
    is_int(lbs_plan_error(pool->plan, 500), 20000 + 63 * 10000, "half");
    is_int(lbs_plan_error(pool->plan, 1000), 64 * 20000, "all: 64 medians");
    set_time(pool, 0, 100);
    set_time(pool, 1, 100);
    set_time(pool, 2, 100);
    pool_rebuild(pool);
    is_int(lbs_plan_error(pool->plan, 1000), 50000,
           "in a quick pool no less than a failure");
    pool_destroy(pool);
}

/* Spread over an idle pool of equals. */
static void test_spread(void)
{
    pool_t *pool = pool_create(10, LBS_PICK_LEAST_LOAD);
    double share[10];
    int count[10];
    double chi;
    int i;

    for (i = 0; i < 10; i++) {
        share[i] = 1;
    }
    pool_rebuild(pool);
    count_picks(pool, count);
    chi = chi_square(count, share, 10);
    ok(chi < 27.9, "an idle pool of equals: chi-square %.1f of 27.9", chi);
    pool_destroy(pool);
}

int main(void)
{
    apr_initialize();
    test_choice();
    test_trial();
    test_hot();
    test_guards();
    test_charged();
    test_error_charge();
    test_decay();
    test_twin(16);
    test_twin(TWIN_MAX);
    test_spread();
    test_draws();
    apr_terminate();
    return done_testing();
}
