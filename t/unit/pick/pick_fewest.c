/* SPDX-License-Identifier: Apache-2.0 */
/* least-busy and least-sessions. */
#include "t/unit/pick/pool.h"

static apr_uint32_t count_of(const pool_t *pool, apr_uint32_t i)
{
    const lbs_gauge_t *g = gauge_of(pool, i);

    return pool->view.method == LBS_PICK_LEAST_SESSIONS
               ? g->sessions
               : lbs_gauge_inflight(g);
}

/* 1 if a has fewer per weight than b; for sessions, in flight among equals */
static int is_less(const pool_t *pool, apr_uint32_t a, apr_uint32_t b)
{
    apr_uint64_t wa = gauge_of(pool, a)->weight;
    apr_uint64_t wb = gauge_of(pool, b)->weight;
    apr_uint64_t left = count_of(pool, a) * wb;
    apr_uint64_t right = count_of(pool, b) * wa;

    if (left != right || pool->view.method == LBS_PICK_LEAST_BUSY) {
        return left < right;
    }
    return lbs_gauge_inflight(gauge_of(pool, a)) * wb
           < lbs_gauge_inflight(gauge_of(pool, b)) * wa;
}

static void shake(pool_t *pool, lbs_rand_t *rand)
{
    static const apr_uint32_t flags[] = {
        0, 0, 0, LBS_F_DOWN, LBS_F_SPARE, LBS_F_DRAIN, LBS_F_STANDBY};
    apr_uint32_t i = lbs_rand_below(rand, pool->n);
    lbs_gauge_t *g = gauge_of(pool, i);

    g->flags = flags[lbs_rand_below(rand, 7)];
    g->weight = 50 * lbs_rand_below(rand, 5);
    g->sessions = lbs_rand_below(rand, 5);
    g->limit = lbs_rand_below(rand, 3) ? 0 : 2;
    pool_set_inflight(pool, i, lbs_rand_below(rand, 5));
}

/* Random changes; the answer must be one that nobody allowed beats. */
static void test_twin(lbs_pick_method_t method)
{
    lbs_rand_t rand = {31};
    int wrong = 0;
    int round;

    for (round = 0; round < 40; round++) {
        pool_t *pool = pool_create(1 + lbs_rand_below(&rand, 16), method);
        int step;
        apr_uint32_t i;

        for (i = 0; i < pool->n; i++) {
            pool->member[i].lbset = lbs_rand_below(&rand, 2);
        }
        pool_format(pool);
        for (step = 0; step < 250; step++) {
            may_t may;
            int got;

            shake(pool, &rand);
            pool_rebuild(pool);
            may = pool_may(pool, NULL);
            got = pool_pick(pool);
            if (may.count == 0) {
                wrong += got != -(int)may.status;
                continue;
            }
            if (got < 0 || !may.pick[got]) {
                wrong++;
                continue;
            }
            for (i = 0; i < pool->n; i++) {
                wrong += may.pick[i] && is_less(pool, i, (apr_uint32_t)got);
            }
        }
        pool_destroy(pool);
    }
    is_int(wrong, 0, "%s: 10000 random states, nobody allowed had fewer",
           lbs_pick_method_name(method));
}

/* An idle pool spreads by weight; 2000 members are sampled. */
static void test_idle(lbs_pick_method_t method, apr_uint32_t n)
{
    pool_t *pool = pool_create(n, method);
    double share[4] = {1, 2, 1.25, 3};
    int count[4] = {0};
    double chi;
    apr_uint32_t i;

    for (i = 0; i < n; i++) {
        pool_set_weight(pool, i, (apr_uint32_t)(share[i % 4] * 100));
    }
    pool_rebuild(pool);
    for (i = 0; i < 20000; i++) {
        count[pool_pick(pool) % 4]++;
    }
    chi = chi_square(count, share, 4);
    ok(chi < 16.3, "%s, %u idle members: spread by weight, chi-square %.1f",
       lbs_pick_method_name(method), n, chi);
    pool_destroy(pool);
}

/* Many members: sampling finds a good one, if not always the best. */
static void test_many(lbs_pick_method_t method)
{
    pool_t *pool = pool_create(1000, method);
    int bad = 0;
    apr_uint32_t i;

    for (i = 0; i < 1000; i++) {
        gauge_of(pool, i)->sessions = i;
        pool_set_inflight(pool, i, i);
    }
    pool_rebuild(pool);
    for (i = 0; i < 2000; i++) {
        bad += pool_pick(pool) >= 300;
    }
    /* All 16 beyond the first 300: 0.7^16 of the picks, 0.33 %. */
    ok(bad < 20, "%s: 16 of 1000, %d of 2000 picks not among the best 300",
       lbs_pick_method_name(method), bad);
    pool_destroy(pool);
}

/* Sixteen arrivals of which nobody has ended yet. */
static void test_burst(void)
{
    pool_t *pool = pool_create(4, LBS_PICK_LEAST_SESSIONS);
    int i;

    pool_rebuild(pool);
    for (i = 0; i < 16; i++) {
        apr_uint32_t got = (apr_uint32_t)pool_pick(pool);

        pool_set_inflight(pool, got,
                          lbs_gauge_inflight(gauge_of(pool, got)) + 1);
    }
    for (i = 0; i < 4; i++) {
        is_int(lbs_gauge_inflight(gauge_of(pool, (apr_uint32_t)i)), 4,
               "least-sessions: a burst of first visits spreads, member %d",
               i);
    }
    pool_destroy(pool);
}

int main(void)
{
    static const lbs_pick_method_t method[] = {LBS_PICK_LEAST_BUSY,
                                               LBS_PICK_LEAST_SESSIONS};
    int i;

    apr_initialize();
    for (i = 0; i < 2; i++) {
        test_twin(method[i]);
        test_idle(method[i], 4);
        test_idle(method[i], 2000);
        test_many(method[i]);
    }
    test_burst();
    apr_terminate();
    return done_testing();
}
