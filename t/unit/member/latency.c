/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <pthread.h>

#include "src/base/lbs_rand.h"
#include "src/member/lbs_latency.h"
#include "t/unit/tap.h"

#define SEC APR_UINT64_C(1000000)
#define MINUTE (60 * SEC)
#define N 5000

static lbs_latency_t latency;

static apr_uint32_t percentile(apr_uint64_t now, apr_uint32_t permille)
{
    lbs_latency_recent_t recent = {0};

    lbs_latency_collect(&latency, now, &recent);
    return lbs_latency_percentile(&recent, permille);
}

static void buckets(void)
{
    static const apr_uint64_t us[] = {0,     1000,     1001,
                                      30000, 30000000, 30000001};
    lbs_latency_total_t total;
    apr_size_t i;

    memset(&latency, 0, sizeof(latency));
    for (i = 0; i < sizeof(us) / sizeof(us[0]); i++) {
        lbs_latency_record(&latency, us[i], SEC);
    }
    lbs_latency_total(&latency, &total);
    is_int(lbs_latency_bound(0), 1000, "from 1 ms");
    is_int(lbs_latency_bound(LBS_LATENCY_BOUNDS - 1), 30000000, "to 30 s");
    is_int(lbs_latency_bound(LBS_LATENCY_BOUNDS), 0, "and +Inf");
    is_int(total.le[0], 2, "a bound belongs to its bucket");
    is_int(total.le[1], 3, "what is above to the next");
    is_int(total.le[LBS_LATENCY_BOUNDS - 1], 5, "30 s is below +Inf");
    is_int(total.le[LBS_LATENCY_BOUNDS], 6, "+Inf has them all");
    is_int(total.sum_us, 60032002, "and the sum");
    memset(&latency, 0, sizeof(latency));
    total.le[3] = 0; /* a damaged file */
    lbs_latency_load(&latency, &total);
    lbs_latency_total(&latency, &total);
    is_int(total.le[3], 3, "loaded: never falls");
    is_int(total.le[LBS_LATENCY_BOUNDS], 6, "and comes to the same");
}

static int by_size(const void *a, const void *b)
{
    apr_uint64_t x = *(const apr_uint64_t *)a;
    apr_uint64_t y = *(const apr_uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* Slow and obvious: sort them all. */
static void percentiles_against_a_sorted_list(void)
{
    static const apr_uint32_t permille[] = {1, 500, 900, 990, 1000};
    static apr_uint64_t all[N];
    lbs_rand_t rand = {1};
    double worst = 0;
    int round;
    apr_size_t i;

    for (round = 0; round < 20; round++) {
        memset(&latency, 0, sizeof(latency));
        for (i = 0; i < N; i++) { /* 1 ms to 60 s, as many in each decade */
            all[i] = (apr_uint64_t)(1000 * pow(60000, lbs_rand_unit(&rand)));
            lbs_latency_record(&latency, all[i], SEC);
        }
        qsort(all, N, sizeof(all[0]), by_size);
        for (i = 0; i < 5; i++) {
            double want = (double)all[(N * permille[i] + 999) / 1000 - 1];
            double got = percentile(SEC, permille[i]);

            worst = fmax(worst, fabs(got - want) / want);
        }
    }
    ok(worst < 0.07, "percentiles within 7 %% of the sorted list (%.3f)",
       worst);
}

static void edges(void)
{
    memset(&latency, 0, sizeof(latency));
    is_int(percentile(SEC, 500), 0, "no answers, no median");
    lbs_latency_record(&latency, 0, SEC);
    ok(percentile(SEC, 990) < 64, "0 us is very fast");
    memset(&latency, 0, sizeof(latency));
    lbs_latency_record(&latency, ~APR_UINT64_C(0), SEC);
    ok(percentile(SEC, 1) > 100 * SEC, "absurd times go to the last cell");
    is_int(percentile(SEC, 1000), percentile(SEC, 1), "one answer is all");
}

static void old_answers_leave(void)
{
    apr_uint64_t now = 1000 * MINUTE;

    memset(&latency, 0, sizeof(latency));
    lbs_latency_record(&latency, 2 * SEC, now);
    lbs_latency_record(&latency, 2 * SEC, now + 1);
    now += MINUTE;
    lbs_latency_record(&latency, 10000, now);
    ok(percentile(now, 500) > SEC, "a minute later both count");
    now += MINUTE;
    ok(percentile(now, 990) < 20000, "two minutes later the old ones do not");
    lbs_latency_record(&latency, 30000, now);
    ok(percentile(now, 990) < 40000, "nor when their half is used again");
    is_int(percentile(now + 2 * MINUTE, 500), 0, "nothing new: nothing");
    lbs_latency_record(&latency, 5 * SEC, now - MINUTE);
    ok(percentile(now, 1000) > 4 * SEC, "an older clock adds to its minute");
}

static void *recorder(void *arg)
{
    int i;

    for (i = 0; i < 20000; i++) {
        lbs_latency_record(&latency, 5000, (apr_uint64_t)i * 1000);
    }
    return arg;
}

static void counts_are_exact_over_threads(void)
{
    lbs_latency_total_t total;
    pthread_t thread[4];
    int i;

    memset(&latency, 0, sizeof(latency));
    for (i = 0; i < 4; i++) {
        pthread_create(&thread[i], NULL, recorder, NULL);
    }
    for (i = 0; i < 4; i++) {
        pthread_join(thread[i], NULL);
    }
    lbs_latency_total(&latency, &total);
    is_int(total.le[LBS_LATENCY_BOUNDS], 80000, "80000 answers, 4 threads");
    is_int(total.sum_us, 400000000, "and their sum");
}

int main(void)
{
    buckets();
    percentiles_against_a_sorted_list();
    edges();
    old_answers_leave();
    counts_are_exact_over_threads();
    return done_testing();
}
