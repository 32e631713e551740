/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_ewma.h - how slow a member is: a peak-sensitive moving average.
 *
 * A sample above the estimate replaces it at once; one below pulls it down
 * with a time constant of ten seconds, and so does silence. A member that
 * turns slow is believed immediately, one that turns fast has to prove it.
 *
 * The estimate and its time are two words of the gauge, written without a
 * lock. Two writers may interleave: then a sample is lost, or an estimate is
 * decayed by the few microseconds between both clocks too much or too little.
 * Either error is smaller than the next sample; exactness would cost a
 * compare-and-swap loop on the hottest line of the module.
 *
 * The estimate is kept in 1/32 microseconds, and samples below it are taken
 * only every 20 ms: steps down are rounded down, and with whole microseconds
 * or more steps that rounding alone would forget a peak within seconds. It
 * also spares the line a write for most of the answers.
 */
#ifndef LBS_EWMA_H
#define LBS_EWMA_H

#include "src/member/lbs_gauge.h"

#define LBS_EWMA_TAU_US 10000000u    /* time constant, microseconds */
#define LBS_EWMA_FAILURE_US 5000000u /* charged for one of many failures */
#define LBS_EWMA_MAX_US 100000000u   /* longer samples count as this */
#define LBS_EWMA_STEP_US 20000u      /* lower samples: one in this time */
#define LBS_EWMA_SHIFT 5             /* the gauge counts 1/32 us */

/**
 * What is left of a value after some time: value * exp(-elapsed / tau).
 *
 * exp(-t / tau) is 2^-y: the whole part of y is a shift, the rest goes
 * through the cubic that meets 2^-f at 0, 1/2 and 1 and has its slope at 0:
 * small steps must add up to the right time constant. Within 0.1 %, about
 * twenty instructions, no libm. Never more than value; less than it as soon
 * as a quarter of a millisecond has passed.
 *
 * @param elapsed  microseconds
 */
static inline apr_uint32_t lbs_ewma_decay(apr_uint32_t value,
                                          apr_uint64_t elapsed)
{
    apr_uint64_t y; /* elapsed / (tau * ln 2), 16 fractional bits */
    apr_uint64_t f;
    apr_uint64_t left; /* 2^-f, 16 fractional bits */

    if (elapsed >= 16 * (apr_uint64_t)LBS_EWMA_TAU_US) {
        return 0;
    }
    y = (elapsed * 39656u) >> 22;
    f = y & 0xffff;
    left = 65536u - ((45426u * f) >> 16)
           + ((((15486u - ((2828u * f) >> 16)) * f) >> 16) * f >> 16);
    return (apr_uint32_t)(((value * left) >> 16) >> (y >> 16));
}

/**
 * The estimate now. @return microseconds; 0: nothing is known, or nothing
 * has been heard for so long that it counts for nothing
 */
static inline apr_uint32_t lbs_ewma_read(const lbs_gauge_t *g,
                                         apr_uint64_t now)
{
    apr_uint64_t at = lbs_atomic_load64_relaxed(&g->ewma_at);
    apr_uint32_t value = lbs_atomic_load32_relaxed(&g->ewma);

    return lbs_ewma_decay(value, now > at ? now - at : 0) >> LBS_EWMA_SHIFT;
}

/** Set the estimate. */
static inline void lbs_ewma_set(lbs_gauge_t *g, apr_uint64_t value_us,
                                apr_uint64_t now)
{
    if (value_us > LBS_EWMA_MAX_US) {
        value_us = LBS_EWMA_MAX_US;
    }
    lbs_atomic_store32_relaxed(&g->ewma,
                               (apr_uint32_t)value_us << LBS_EWMA_SHIFT);
    lbs_atomic_store64_relaxed(&g->ewma_at, now);
}

/**
 * Take one sample into the estimate.
 *
 * @param sample_us  time to the answer, or what a failure is charged
 * @param now        microseconds, monotonic; one older than the last update
 *                   counts as no time passed
 */
static inline void lbs_ewma_update(lbs_gauge_t *g, apr_uint64_t sample_us,
                                   apr_uint64_t now)
{
    apr_uint64_t at = lbs_atomic_load64_relaxed(&g->ewma_at);
    apr_uint32_t value = lbs_atomic_load32_relaxed(&g->ewma);
    apr_uint64_t elapsed = now > at ? now - at : 0;
    apr_uint32_t sample;

    if (sample_us > LBS_EWMA_MAX_US) {
        sample_us = LBS_EWMA_MAX_US;
    }
    sample = (apr_uint32_t)sample_us << LBS_EWMA_SHIFT;
    if (sample < value) {
        if (elapsed < LBS_EWMA_STEP_US) {
            return;
        }
        sample += lbs_ewma_decay(value - sample, elapsed);
    }
    lbs_atomic_store32_relaxed(&g->ewma, sample);
    lbs_atomic_store64_relaxed(&g->ewma_at, now);
}

/** Begin the estimate again: a returning member starts at its pool's median.
 * @param median_us  0: unknown, and so is the member's time then */
static inline void lbs_ewma_restart(lbs_gauge_t *g, apr_uint64_t median_us,
                                    apr_uint64_t now)
{
    lbs_ewma_set(g, median_us, now);
    if ((lbs_atomic_load32_relaxed(&g->flags) & LBS_F_CHARGED) != 0) {
        (void)lbs_gauge_clear(g, LBS_F_CHARGED);
    }
}

/** Charge the estimate for a failure. Until the estimate begins again the
 * pool's median leaves it out. */
static inline void lbs_ewma_charge(lbs_gauge_t *g, apr_uint64_t charge_us,
                                   apr_uint64_t now)
{
    lbs_ewma_update(g, charge_us, now);
    if ((lbs_atomic_load32_relaxed(&g->flags) & LBS_F_CHARGED) == 0) {
        (void)lbs_gauge_set(g, LBS_F_CHARGED);
    }
}

#endif
