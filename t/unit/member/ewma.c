/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "src/base/lbs_rand.h"
#include "src/member/lbs_ewma.h"
#include "t/unit/tap.h"

#define SEC 1000000u

static double twin(double value, double elapsed_us)
{
    return value * exp(-elapsed_us / LBS_EWMA_TAU_US);
}

static void decay_follows_the_exponential(void)
{
    double worst = 0;
    apr_uint64_t us;
    apr_uint32_t last = 0x80000000u;
    int monotone = 1;

    for (us = 0; us < 120 * (apr_uint64_t)SEC; us += 1009) {
        apr_uint32_t got = lbs_ewma_decay(0x80000000u, us);
        double want = twin(0x80000000u, (double)us);

        monotone &= got <= last;
        last = got;
        if (want > 1e5) {
            worst = fmax(worst, fabs(got - want) / want);
        }
    }
    ok(worst < 0.001, "decay within 0.1 %% of exp (%.4f)", worst);
    ok(monotone, "decay never rises");
    is_int(lbs_ewma_decay(0xffffffffu, 0), 0xffffffffu, "no time, no decay");
    is_int(lbs_ewma_decay(0xffffffffu, ~(apr_uint64_t)0), 0,
           "for ever leaves nothing");
}

static void rises_at_once(void)
{
    lbs_gauge_t g;

    lbs_gauge_init(&g);
    lbs_ewma_update(&g, 1000, SEC);
    is_int(lbs_ewma_read(&g, SEC), 1000, "the first sample is the estimate");
    lbs_ewma_update(&g, LBS_EWMA_FAILURE_US, SEC + 1);
    is_int(lbs_ewma_read(&g, SEC + 1), LBS_EWMA_FAILURE_US,
           "a failure is charged in full, at once");
    lbs_ewma_update(&g, 1000, SEC + 2);
    ok(lbs_ewma_read(&g, SEC + 2) > 4900000,
       "one fast answer does not excuse it");
    lbs_ewma_update(&g, ~(apr_uint64_t)0, SEC + 3);
    is_int(lbs_ewma_read(&g, SEC + 3), LBS_EWMA_MAX_US,
           "an absurd sample is clamped");
}

/* The defect this keeps out: with an update every few microseconds each step
 * down is less than one unit, and rounding decides how long a peak stays. */
static void busy_member_forgets_its_peak(apr_uint64_t every_us)
{
    lbs_gauge_t g;
    apr_uint64_t now = SEC;
    double want;

    lbs_gauge_init(&g);
    lbs_ewma_update(&g, LBS_EWMA_FAILURE_US, now);
    while (now < 31 * SEC) {
        now += every_us;
        lbs_ewma_update(&g, 2000, now);
    }
    want = twin(LBS_EWMA_FAILURE_US, 30 * SEC) + 2000 * (1 - exp(-3));
    is_near(lbs_ewma_read(&g, now), want, want * 0.03,
            "a sample every %d us: 30 s later the peak has decayed",
            (int)every_us);
    while (now < 151 * SEC) {
        now += every_us;
        lbs_ewma_update(&g, 100, now);
    }
    is_near(lbs_ewma_read(&g, now), 100, 20,
            "a sample every %d us: settles at a new low", (int)every_us);
}

static void clocks_of_two_processes_differ(void)
{
    lbs_gauge_t g;

    lbs_gauge_init(&g);
    lbs_ewma_update(&g, 3000, 10 * SEC);
    lbs_ewma_update(&g, 1000, 10 * SEC - 50);
    is_int(lbs_ewma_read(&g, 10 * SEC - 50), 3000,
           "an older clock neither decays nor inflates");
    lbs_ewma_set(&g, 777, 11 * SEC);
    is_int(lbs_ewma_read(&g, 11 * SEC), 777, "set to the pool's median");
    ok(lbs_ewma_read(&g, 21 * SEC) < 777 * 0.38, "silence decays it");
}

static void random_samples_against_a_twin(void)
{
    lbs_rand_t rand = {42};
    lbs_gauge_t g;
    double want = 0;
    double worst = 0;
    apr_uint64_t now = SEC;
    int i;

    lbs_gauge_init(&g);
    for (i = 0; i < 20000; i++) {
        apr_uint32_t step = LBS_EWMA_STEP_US + lbs_rand_below(&rand, 3 * SEC);
        apr_uint32_t sample = 500 + lbs_rand_below(&rand, SEC);
        double keep = exp(-(double)step / LBS_EWMA_TAU_US);

        now += step;
        lbs_ewma_update(&g, sample, now);
        want = sample > want ? sample : sample + (want - sample) * keep;
        worst = fmax(worst, fabs(lbs_ewma_read(&g, now) - want) / want);
    }
    ok(worst < 0.02, "20000 random samples: within 2 %% (%.4f)", worst);
}

int main(void)
{
    decay_follows_the_exponential();
    rises_at_once();
    busy_member_forgets_its_peak(3);
    busy_member_forgets_its_peak(700);
    busy_member_forgets_its_peak(50000);
    clocks_of_two_processes_differ();
    random_samples_against_a_twin();
    return done_testing();
}
