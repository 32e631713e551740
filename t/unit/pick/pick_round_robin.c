/* SPDX-License-Identifier: Apache-2.0 */
#include "t/unit/pick/pool.h"

static void test_exact(void)
{
    static const apr_uint32_t weight[] = {125, 100, 250, 1000, 75};
    pool_t *pool = pool_create(5, LBS_PICK_ROUND_ROBIN);
    int count[5] = {0};
    int i;

    for (i = 0; i < 5; i++) {
        pool_set_weight(pool, (apr_uint32_t)i, weight[i]);
    }
    pool_rebuild(pool);
    /* The sum is 15.50 and the unit 0.25: a period of 62. */
    for (i = 0; i < 62 * 10; i++) {
        count[pool_pick(pool)]++;
    }
    for (i = 0; i < 5; i++) {
        is_int(count[i], weight[i] * 10 / 25, "weight %.2f, ten periods",
               weight[i] / 100.0);
    }
    pool_destroy(pool);
}

/* A member went down and the plan does not know yet: its turns go to all
 * others alike, not to the next in line. */
static void test_no_piling(void)
{
    pool_t *pool = pool_create(5, LBS_PICK_ROUND_ROBIN);
    int count[5] = {0};
    int i;

    pool_rebuild(pool);
    gauge_of(pool, 2)->flags = LBS_F_DOWN;
    for (i = 0; i < 4000; i++) {
        count[pool_pick(pool)]++;
    }
    is_int(count[2], 0, "nothing goes to the member that is down");
    for (i = 0; i < 5; i++) {
        if (i != 2) {
            is_int(count[i], 1000, "member %d gets its part of it", i);
        }
    }
    pool_destroy(pool);
}

/* Against nginx's algorithm, run over whoever is up, from where the last
 * period ended. */
static void test_twin(void)
{
    lbs_rand_t rand = {21};
    int wrong = 0;
    int round;

    for (round = 0; round < 300; round++) {
        apr_uint32_t n = 2 + lbs_rand_below(&rand, 12);
        pool_t *pool = pool_create(n, LBS_PICK_ROUND_ROBIN);
        apr_int64_t current[16] = {0};
        apr_int64_t total = 0;
        apr_uint32_t i;
        int step;

        for (i = 0; i < n; i++) {
            apr_uint32_t weight = 50 * lbs_rand_below(&rand, 6);

            pool_set_weight(pool, i, weight);
            if (lbs_rand_below(&rand, 4) == 0) {
                gauge_of(pool, i)->flags = LBS_F_EJECTED;
            }
            total += is_usable(pool, i) ? weight : 0;
        }
        pool_rebuild(pool);
        for (step = 0; step < 60 && total != 0; step++) {
            int best = -1;

            for (i = 0; i < n; i++) {
                apr_uint32_t weight = gauge_of(pool, i)->weight;

                if (!is_usable(pool, i)) {
                    continue;
                }
                current[i] += weight;
                if (best < 0 || current[i] > current[best]
                    || (current[i] == current[best]
                        && weight
                               > gauge_of(pool, (apr_uint32_t)best)->weight)) {
                    best = (int)i;
                }
            }
            current[best] -= total;
            wrong += pool_pick(pool) != best;
        }
        pool_destroy(pool);
    }
    is_int(wrong, 0, "300 random pools: the order nginx would give");
}

int main(void)
{
    apr_initialize();
    test_exact();
    test_no_piling();
    test_twin();
    apr_terminate();
    return done_testing();
}
