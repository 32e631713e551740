/* SPDX-License-Identifier: Apache-2.0 */
#include "src/state/lbs_ring.h"

#include "src/base/lbs_rand.h"
#include "t/unit/tap.h"

#define STEP LBS_RING_STEP

static lbs_ring_t ring;
static lbs_ring_sample_t recent[LBS_RING_SHORT];
static lbs_ring_sample_t day[LBS_RING_LONG];

static void feed(apr_time_t now, apr_uint64_t requests, apr_uint64_t errors,
                 apr_uint32_t p50)
{
    lbs_ring_totals_t totals = {requests, errors, p50, 10 * p50};

    lbs_ring_feed(&ring, &totals, now);
}

static int known(const lbs_ring_sample_t *samples, int count)
{
    int i, n = 0;

    for (i = 0; i < count; i++) {
        n += samples[i].known;
    }
    return n;
}

/* The sample before the last but `back`. */
static const lbs_ring_sample_t *last(int back)
{
    return &recent[LBS_RING_SHORT - 1 - back];
}

static void one_step_after_another(void)
{
    apr_time_t now = 1000 * STEP;
    int i;

    memset(&ring, 0, sizeof(ring));
    lbs_ring_recent(&ring, now, recent);
    is_int(known(recent, LBS_RING_SHORT), 0, "a new ring knows nothing");
    for (i = 0; i <= 10; i++) {
        feed(now + i * STEP / 5, (apr_uint64_t)(100 + 3 * i), (apr_uint64_t)i,
             70);
    }
    is_int(lbs_ring_recent(&ring, now + 2 * STEP, recent), now + 2 * STEP,
           "two steps are over");
    is_int(known(recent, LBS_RING_SHORT), 2, "two samples");
    is_int(last(1)->requests, 15, "requests of the first");
    is_int(last(0)->requests, 15, "and of the second");
    is_int(last(0)->errors, 5, "errors");
    is_int(last(0)->p50_us, 70, "the median");
    is_int(last(0)->p99_us, 700, "the 99th percentile");
    is_int(lbs_ring_recent(&ring, now + 3 * STEP + 1, recent), now + 2 * STEP,
           "a reader that is early gets the events there are");
    is_int(known(recent, LBS_RING_SHORT), 2, "without a hole at the end");
    is_int(lbs_ring_recent(&ring, now + 5 * STEP, recent), now + 5 * STEP,
           "when nobody feeds any more");
    ok(!last(0)->known && !last(2)->known && last(3)->known,
       "the steps since are unknown");
    lbs_ring_recent(&ring, now + 70 * STEP, recent);
    is_int(known(recent, LBS_RING_SHORT), 0, "and in the end all are");
}

static void pauses(void)
{
    apr_time_t now = 1000 * STEP;

    memset(&ring, 0, sizeof(ring));
    feed(now, 0, 0, 1);
    feed(now + 4 * STEP, 43, 9, 1);
    lbs_ring_recent(&ring, now + 4 * STEP, recent);
    is_int(known(recent, LBS_RING_SHORT), 4, "a pause is filled");
    ok(last(3)->requests == 10 && last(1)->requests == 10
           && last(0)->requests == 13,
       "evenly, and nothing is lost");
    ok(last(3)->errors == 2 && last(0)->errors == 3, "the errors, too");
    feed(now + 100 * STEP, 1000000, 9, 1);
    lbs_ring_recent(&ring, now + 100 * STEP, recent);
    is_int(known(recent, LBS_RING_SHORT), 0, "a long one is not");
    feed(now + 101 * STEP, 1000007, 9, 1);
    lbs_ring_recent(&ring, now + 101 * STEP, recent);
    is_int(last(0)->requests, 7, "after it the counting goes on");
    feed(now + 102 * STEP, 5, 0, 1);
    lbs_ring_recent(&ring, now + 102 * STEP, recent);
    ok(!last(0)->known, "counters that fell are no negative numbers");
    feed(now + 103 * STEP, 8, 0, 1);
    lbs_ring_recent(&ring, now + 103 * STEP, recent);
    is_int(last(0)->requests, 3, "but a new beginning");
    feed(now + 50 * STEP, 80, 0, 1);
    lbs_ring_recent(&ring, now + 103 * STEP, recent);
    is_int(last(0)->requests, 3, "a time that went back changes nothing");
}

static void a_whole_day(void)
{
    apr_time_t now = 600 * STEP;
    int i, right = 0;

    memset(&ring, 0, sizeof(ring));
    for (i = 0; i <= 300 * LBS_RING_FOLD; i++) {
        feed(now + i * STEP, (apr_uint64_t)i * 4, (apr_uint64_t)i, 50);
    }
    now += 300 * LBS_RING_FOLD * STEP;
    is_int(lbs_ring_day(&ring, now, day), now, "a day ends now");
    is_int(known(day, LBS_RING_LONG), LBS_RING_LONG, "all of it is known");
    for (i = 0; i < LBS_RING_LONG; i++) {
        right += day[i].requests == 240 && day[i].errors == 60
                 && day[i].p50_us == 50 && day[i].p99_us == 500;
    }
    is_int(right, LBS_RING_LONG, "five minutes are sixty steps together");
    lbs_ring_day(&ring, now + 100 * LBS_RING_FOLD * STEP, day);
    is_int(known(day, LBS_RING_LONG), LBS_RING_LONG - 100,
           "events older than a day are not shown");
    feed(now + 2000 * LBS_RING_FOLD * STEP, 1, 1, 1);
    lbs_ring_day(&ring, now + 2000 * LBS_RING_FOLD * STEP, day);
    is_int(known(day, LBS_RING_LONG), 0, "nor after a week of silence");
}

static void large_numbers(void)
{
    static const apr_uint64_t values[] = {0,
                                          1,
                                          1023,
                                          1024,
                                          2047,
                                          2048,
                                          99999,
                                          APR_UINT64_C(4000000000),
                                          APR_UINT64_C(1) << 40};
    apr_time_t now = 1000 * STEP;
    apr_uint64_t sum = 0;
    size_t i;

    memset(&ring, 0, sizeof(ring));
    feed(now, 0, 0, 1);
    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        now += STEP;
        sum += values[i];
        feed(now, sum, 0, 4000000);
        lbs_ring_recent(&ring, now, recent);
        is_near((double)last(0)->requests, (double)values[i],
                values[i] < 2048 ? 0 : (double)values[i] / 1024,
                "%" APR_UINT64_T_FMT " requests", values[i]);
    }
    is_near((double)last(0)->p99_us, 4e7, 4e4, "forty seconds");
    feed(now + STEP, APR_UINT64_MAX, APR_UINT64_MAX, APR_UINT32_MAX);
    lbs_ring_recent(&ring, now + STEP, recent);
    is_int(last(0)->requests, APR_UINT64_C(2047) << 30,
           "the largest number there is");
}

/* Random times and amounts against a list of every step. */
#define STEPS 2000

static void against_a_list(void)
{
    static apr_uint64_t sums[STEPS];
    lbs_rand_t rand = {11};
    apr_time_t now = 1 * STEP;
    apr_uint64_t total = 0, step = 1, i;
    int bad = 0;

    memset(&ring, 0, sizeof(ring));
    feed(now, 0, 0, 0);
    while (step < STEPS - 10) {
        apr_uint64_t more = lbs_rand_below(&rand, 50);
        apr_uint64_t next;

        now += (apr_time_t)lbs_rand_below(&rand, (apr_uint32_t)STEP);
        next = (apr_uint64_t)(now / STEP);
        total += more;
        sums[step] += more;
        feed(now, total, 0, 0);
        if (next == step) {
            continue;
        }
        step = next;
        lbs_ring_recent(&ring, now, recent);
        for (i = 0; i < LBS_RING_SHORT; i++) {
            apr_uint64_t at = step - LBS_RING_SHORT + i;

            if (at < step && at > 0) {
                bad += !recent[i].known || recent[i].requests != sums[at];
            }
            else {
                bad += recent[i].known;
            }
        }
    }
    is_int(bad, 0, "every step of two thousand is right");
}

int main(void)
{
    one_step_after_another();
    pauses();
    a_whole_day();
    large_numbers();
    against_a_list();
    return done_testing();
}
