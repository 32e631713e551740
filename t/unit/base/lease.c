/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "src/base/lbs_lease.h"
#include "t/unit/tap.h"

#define MS APR_INT64_C(1000)
#define THREADS 8
#define ROUNDS 20000

static lbs_lease_t lease;

static void one_holds_it(void)
{
    apr_time_t now = 5000 * MS;

    is_int(lbs_lease_hold(&lease, 7, now), 1, "taken");
    is_int(lbs_lease_hold(&lease, 8, now), 0, "not by another one");
    now += LBS_LEASE_US;
    is_int(lbs_lease_hold(&lease, 8, now), 0, "silent, but not for too long");
    is_int(lbs_lease_hold(&lease, 7, now), 1, "still there");
    now += LBS_LEASE_US + MS;
    is_int(lbs_lease_hold(&lease, 8, now), 1, "silent for too long: taken");
    is_int(lbs_lease_hold(&lease, 7, now), 0,
           "a process that wakes up late has lost it");
}

static void given_up(void)
{
    apr_time_t now = 90000 * MS;

    is_int(lbs_lease_hold(&lease, 8, now), 1, "held");
    lbs_lease_drop(&lease, 7);
    is_int(lbs_lease_hold(&lease, 9, now), 0, "others cannot give it up");
    lbs_lease_drop(&lease, 8);
    is_int(lbs_lease_hold(&lease, 9, now), 1, "free at once");
    lbs_lease_drop(&lease, 9);
    lbs_lease_drop(&lease, 9);
    is_int(lbs_lease_hold(&lease, 7, now), 1, "giving up nothing is nothing");
    lbs_lease_drop(&lease, 7);
}

static void clock_wraps(void)
{
    apr_time_t wrap = (APR_INT64_C(1) << 32) * MS;

    is_int(lbs_lease_hold(&lease, 7, wrap - 100 * MS), 1, "before the wrap");
    is_int(lbs_lease_hold(&lease, 8, wrap + 100 * MS), 0, "still held");
    is_int(lbs_lease_hold(&lease, 8, wrap + 1000 * MS), 1, "then silent");
    lbs_lease_drop(&lease, 8);
}

/* Of all who want it at the same moment one gets it. */
static lbs_atomic32_t taken[ROUNDS];
static pthread_barrier_t barrier;

static void *want(void *number)
{
    apr_uint32_t pid = *(apr_uint32_t *)number;
    int i;

    pthread_barrier_wait(&barrier);
    for (i = 0; i < ROUNDS; i++) {
        apr_time_t now = 1000 * MS + i * 2 * LBS_LEASE_US;

        if (lbs_lease_hold(&lease, pid, now)) {
            lbs_atomic_add32_relaxed(&taken[i], 1);
        }
    }
    return NULL;
}

static void one_of_many(void)
{
    apr_uint32_t pids[THREADS];
    pthread_t threads[THREADS];
    int i, twice = 0;

    pthread_barrier_init(&barrier, NULL, THREADS);
    for (i = 0; i < THREADS; i++) {
        pids[i] = (apr_uint32_t)i + 1;
        pthread_create(&threads[i], NULL, want, &pids[i]);
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    for (i = 0; i < ROUNDS; i++) {
        twice += taken[i] > 1;
    }
    is_int(twice, 0, "%d threads: never held by two at one time", THREADS);
}

int main(void)
{
    one_holds_it();
    given_up();
    clock_wraps();
    one_of_many();
    return done_testing();
}
