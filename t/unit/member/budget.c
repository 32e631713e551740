/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "src/base/lbs_rand.h"
#include "src/member/lbs_budget.h"
#include "t/unit/member/step.h"

#define SEC APR_UINT64_C(1000000)

static lbs_budget_t *budget;
static apr_uint64_t now;

static void start(void)
{
    memset(budget, 0, sizeof(*budget));
    now = 777777 * SEC;
}

static int take_many(apr_uint32_t percent, int times)
{
    int taken = 0;

    while (times-- > 0) {
        taken += lbs_budget_take(budget, percent, now) == APR_SUCCESS;
    }
    return taken;
}

static void three_are_always_allowed(void)
{
    start();
    is_int(take_many(20, 50), 3, "no requests yet: three");
    now += 9 * SEC;
    is_int(take_many(20, 50), 0, "within ten seconds no more");
    now += SEC;
    is_int(take_many(20, 50), 3, "then three again");
    start();
    is_int(take_many(0, 50), 3, "budget=0: three");
}

static void percent_of_the_requests(void)
{
    int i;

    start();
    for (i = 0; i < 1000; i++) {
        lbs_budget_request(budget, now);
        now += 5000; /* five seconds in all */
    }
    is_int(take_many(20, 1000), 200, "20 %% of 1000 requests: 200");
    is_int(take_many(100, 1000), 800, "100 %%: as many as requests");
    now += 10 * SEC;
    is_int(take_many(20, 1000), 3, "ten seconds later they are forgotten");
}

typedef struct taker_t {
    apr_uint32_t percent;
    int taken;
} taker_t;

static void *taker(void *arg)
{
    taker_t *t = arg;
    int i;

    for (i = 0; i < 2000; i++) {
        t->taken += lbs_budget_take(budget, t->percent, now + (i & 1) * SEC)
                    == APR_SUCCESS;
    }
    return NULL;
}

static void never_more_over_all_threads(void)
{
    pthread_t thread[8];
    taker_t t[8];
    int sum = 0;
    int i;

    start();
    for (i = 0; i < 3000; i++) {
        lbs_budget_request(budget, now);
    }
    for (i = 0; i < 8; i++) {
        t[i] = (taker_t){20, 0};
        pthread_create(&thread[i], NULL, taker, &t[i]);
    }
    for (i = 0; i < 8; i++) {
        pthread_join(thread[i], NULL);
        sum += t[i].taken;
    }
    ok(sum <= 600,
       "8 threads want 16000 of 3000 requests: never above 20 %% "
       "(%d)",
       sum);
    ok(sum > 540, "and hardly below");
    now += SEC;
    is_int(take_many(20, 1000), 600 - sum,
           "the repetition that was given back is there");
}

/* Slow and obvious: a list of moments. */
static void random_operations_against_a_twin(void)
{
    static apr_uint32_t request[4000], repeat[4000];
    lbs_rand_t rand = {9};
    apr_uint32_t second = 500;
    int requests = 0, repeats = 0, wrong = 0;
    int i, j;

    start();
    for (i = 0; i < 4000; i++) {
        apr_uint32_t have = 0, used = 0;

        second += lbs_rand_below(&rand, 40) == 0;
        now = second * SEC + lbs_rand_below(&rand, 1000000);
        if (lbs_rand_below(&rand, 3) != 0) {
            lbs_budget_request(budget, now);
            request[requests++] = second;
            continue;
        }
        for (j = 0; j < requests; j++) {
            have += second - request[j] < 10;
        }
        for (j = 0; j < repeats; j++) {
            used += second - repeat[j] < 10;
        }
        if (used + 1 <= 3 || (used + 1) * 100 <= have * 15) {
            repeat[repeats++] = second;
            wrong += lbs_budget_take(budget, 15, now) != APR_SUCCESS;
        }
        else {
            wrong += lbs_budget_take(budget, 15, now) != APR_EBUSY;
        }
    }
    is_int(wrong, 0, "%d requests and %d repetitions agree with a list",
           requests, repeats);
}

static void take_one(void *unused)
{
    (void)unused;
    (void)lbs_budget_take(budget, 20, now);
}

static int at_most_one_is_lost(void *unused)
{
    int left = take_many(20, 10);

    (void)unused;
    now += 10 * SEC;
    left = left >= 2 && left <= 3 && take_many(20, 10) == 3;
    now -= 10 * SEC;
    return left;
}

static void killed_at_every_instruction(void)
{
    int bad;
    long steps;

    start();
    steps = step_each(take_one, NULL, budget, sizeof(*budget),
                      at_most_one_is_lost, NULL, &bad);
    ok(bad == 0,
       "killed at any of %ld instructions: one repetition is gone "
       "at most, for ten seconds%s",
       steps, steps == STEP_DENIED ? " # SKIP no ptrace" : "");
}

int main(void)
{
    budget = step_shared(sizeof(*budget));
    three_are_always_allowed();
    percent_of_the_requests();
    never_more_over_all_threads();
    random_operations_against_a_twin();
    killed_at_every_instruction();
    return done_testing();
}
