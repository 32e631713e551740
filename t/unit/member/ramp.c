/* SPDX-License-Identifier: Apache-2.0 */
#include "src/member/lbs_ramp.h"
#include "t/unit/tap.h"

#define SEC APR_UINT64_C(1000000)
#define SLOW ((apr_int64_t)(10 * SEC))

static lbs_ramp_t ramp;
static lbs_gauge_t g;
static apr_uint64_t now;

static void start(void)
{
    memset(&ramp, 0, sizeof(ramp));
    lbs_gauge_init(&g);
    now = 3600 * SEC;
}

static void never_at_server_start(void)
{
    start();
    is_int(lbs_ramp_tick(&ramp, &g, SLOW, now), 1000, "a new member is warm");
    is_int(g.ramp, 1000, "and its gauge says so");
}

static void rises_in_a_straight_line(void)
{
    start();
    lbs_ewma_set(&g, 9000000, now);
    lbs_ramp_start(&ramp, &g, SLOW, 1500, now);
    is_int(lbs_ewma_read(&g, now), 1500, "starts at the pool's median");
    is_int(g.ramp, LBS_RAMP_FIRST, "and takes a little at once");
    is_int(lbs_ramp_tick(&ramp, &g, SLOW, now), LBS_RAMP_FIRST, "so far");
    is_int(lbs_ramp_tick(&ramp, &g, SLOW, now + 5 * SEC), 500, "half way");
    is_int(g.ramp, 500, "in the gauge");
    is_int(lbs_ramp_tick(&ramp, &g, SLOW, now + 9 * SEC), 900, "nearly");
    is_int(lbs_ramp_tick(&ramp, &g, SLOW, now + 10 * SEC), 1000, "warm");
    is_int(lbs_ramp_tick(&ramp, &g, SLOW, now + 3 * SEC), 1000,
           "and warm it stays");
}

/* The defect this keeps out: a mark from before the maintenance. */
static void counts_from_the_last_return(void)
{
    start();
    lbs_ramp_start(&ramp, &g, SLOW, 0, now);
    now += 3600 * SEC; /* enabled, but down for an hour */
    lbs_ramp_start(&ramp, &g, SLOW, 0, now);
    is_int(lbs_ramp_tick(&ramp, &g, SLOW, now + SEC), 100,
           "a maintenance longer than the slow start: begins anew");
    is_int(lbs_ramp_tick(&ramp, &g, SLOW, now - 5), LBS_RAMP_FIRST,
           "another process's older clock is no time at all");
}

static void switched_off(void)
{
    start();
    lbs_ramp_start(&ramp, &g, 0, 700, now);
    is_int(g.ramp, 1000, "off: warm at once");
    is_int(lbs_ewma_read(&g, now), 700, "still at the median");
    lbs_ramp_start(&ramp, &g, SLOW, 0, now);
    is_int(lbs_ramp_tick(&ramp, &g, 0, now + 1), 1000,
           "switched off by a reload meanwhile: warm");
    lbs_ramp_start(&ramp, &g, APR_INT64_MAX, 0, now);
    is_int(lbs_ramp_tick(&ramp, &g, APR_INT64_MAX, now + 3600 * SEC),
           LBS_RAMP_FIRST, "an absurd time does not overflow");
}

int main(void)
{
    never_at_server_start();
    rises_in_a_straight_line();
    counts_from_the_last_return();
    switched_off();
    return done_testing();
}
