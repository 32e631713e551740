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

/* Answers so many times so often. */
static void answers(lbs_gauge_t *g, apr_uint64_t *now, int times,
                    apr_uint64_t us, apr_uint64_t every_us)
{
    while (times-- > 0) {
        *now += every_us;
        lbs_ewma_update(g, us, *now);
    }
}

static void follows_what_it_hears(void)
{
    apr_uint64_t now = SEC;
    lbs_gauge_t g;

    lbs_gauge_init(&g);
    lbs_ewma_update(&g, 1000, now);
    is_int(lbs_ewma_read(&g, now), 1000, "the first sample is the estimate");
    lbs_ewma_update(&g, 9000, now + LBS_EWMA_STEP_US - 1);
    is_int(lbs_ewma_read(&g, now), 1000, "a second within 20 ms is not taken");
    answers(&g, &now, 1, 65000, LBS_EWMA_STEP_US);
    is_near(g.ewma / 32.0, 2000, 2, "one of many weighs 1/64");
    answers(&g, &now, 1, 1000000, SEC);
    is_near(g.ewma / 32.0, 2000 + 998000 * (1 - exp(-0.1)), 200,
            "one a second after the one before 1 - exp(-0.1)");
    answers(&g, &now, 1000, 3000, LBS_EWMA_STEP_US);
    is_near(g.ewma / 32.0, 3000, 3, "in the end it is what all say");
    is_near(g.mean / 32.0, 3000, 3, "and so is the mean");
    answers(&g, &now, 1, ~(apr_uint64_t)0, 1000 * (apr_uint64_t)SEC);
    is_int(lbs_ewma_read(&g, now), LBS_EWMA_MAX_US,
           "an absurd sample is clamped");
}

/* With n in flight a sample counts as time / sqrt(n). */
static void divides_by_the_root_of_what_is_in_flight(void)
{
    apr_uint64_t now = SEC;
    double worst = 0;
    apr_uint32_t n;
    lbs_gauge_t g;

    for (n = 1; n < 100000; n++) {
        double want = 80000000 / sqrt(n);

        worst =
            fmax(worst, fabs(lbs_ewma_over_root(80000000, n) - want) / want);
    }
    ok(worst < 0.031, "1 to 100000 in flight: within 3 %% (%.4f)", worst);
    is_int(lbs_ewma_over_root(12345, 0), 12345, "none count as one");
    is_int(lbs_ewma_over_root(12345, 1), 12345, "which changes nothing");
    ok(lbs_ewma_over_root(~0u, ~0u) < 70000, "nor does any number overflow");
    lbs_gauge_init(&g);
    g.inflight = 9;
    answers(&g, &now, 500, 30000, LBS_EWMA_STEP_US);
    is_near(g.ewma / 32.0, 10000, 10, "nine in flight: a third");
    is_near(g.mean / 32.0, 30000, 10, "the mean is of the bare times");
}

static void a_charge_counts_at_once(void)
{
    apr_uint64_t now = SEC;
    lbs_gauge_t g;

    lbs_gauge_init(&g);
    lbs_ewma_update(&g, 1000, now);
    lbs_ewma_charge(&g, LBS_EWMA_FAILURE_US, now + 1);
    is_int(lbs_ewma_read(&g, now + 1), LBS_EWMA_FAILURE_US,
           "a failure is charged in full, at once");
    lbs_ewma_charge(&g, 50000, now + 2);
    is_int(g.ewma, LBS_EWMA_FAILURE_US << LBS_EWMA_SHIFT,
           "a smaller charge at the same moment takes nothing from it");
    now += SEC;
    answers(&g, &now, 1, 1000, 0);
    ok(g.ewma / 32 > 4000000, "one fast answer does not excuse it");
    lbs_ewma_restart(&g, 700, now);
    is_int(lbs_ewma_read(&g, now), 700, "begun again it is the median");
    lbs_ewma_update(&g, 1000, now + LBS_EWMA_STEP_US);
    is_near(g.ewma / 32.0, 705, 1, "and follows what it hears");
}

/* The defect this keeps out: with an update every few microseconds each step
 * down is less than one unit, and rounding decides how long a charge stays. */
static void busy_member_forgets_its_charge(apr_uint64_t every_us)
{
    lbs_gauge_t g;
    apr_uint64_t now = SEC;
    double want;

    lbs_gauge_init(&g);
    lbs_ewma_charge(&g, LBS_EWMA_FAILURE_US, now);
    answers(&g, &now, (int)(30 * (apr_uint64_t)SEC / every_us), 2000,
            every_us);
    want = twin(LBS_EWMA_FAILURE_US, 30 * SEC) + 2000 * (1 - exp(-3));
    is_near(lbs_ewma_read(&g, now), want, want * 0.03,
            "a sample every %d us: 30 s later the charge has decayed",
            (int)every_us);
    answers(&g, &now, (int)(120 * (apr_uint64_t)SEC / every_us), 100,
            every_us);
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
        double pull = fmax(1 - exp(-(double)step / LBS_EWMA_TAU_US), 1.0 / 64);
        apr_uint32_t n = lbs_rand_below(&rand, 40);

        now += step;
        g.inflight = n;
        lbs_ewma_update(&g, sample, now);
        want += (sample / sqrt(n == 0 ? 1 : n) - want) * (i == 0 ? 1 : pull);
        worst = fmax(worst, fabs(lbs_ewma_read(&g, now) - want) / want);
    }
    ok(worst < 0.02, "20000 random samples: within 2 %% (%.4f)", worst);
}

int main(void)
{
    decay_follows_the_exponential();
    follows_what_it_hears();
    divides_by_the_root_of_what_is_in_flight();
    a_charge_counts_at_once();
    busy_member_forgets_its_charge(3);
    busy_member_forgets_its_charge(700);
    busy_member_forgets_its_charge(50000);
    clocks_of_two_processes_differ();
    random_samples_against_a_twin();
    return done_testing();
}
