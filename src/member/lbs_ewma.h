/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_ewma.h - how slow a member is: a moving average of its response times,
 * each divided by the square root of what was in flight at the member.
 *
 * With more in flight a member answers later. An average of the bare times
 * takes a busy fast member for a slow one, and a pick that multiplies it by
 * what is in flight counts the queue twice: too many go to members four times
 * as slow. Times divided by all that is in flight bring the best tail, and a
 * much worse median near full load. The root is between the two.
 *
 * A sample weighs 1/64, and more where samples are rare: then it pulls with a
 * time constant of ten seconds. A charge for a failure replaces the estimate
 * at once if it is above it, and is forgotten with that time constant however
 * many answers there are; so is the estimate of a member that is silent.
 *
 * The estimate and its time are two words of the gauge, written without a
 * lock. Two writers may interleave: then a sample is lost, or an estimate is
 * decayed by the few microseconds between both clocks too much or too little.
 * Either error is smaller than the next sample; exactness would cost a
 * compare-and-swap loop on the hottest line of the module.
 *
 * The estimate is kept in 1/32 microseconds, and samples are taken only every
 * 20 ms, which spares the line a write for most of the answers. Steps down are
 * rounded down: with whole microseconds or more steps that rounding alone
 * would forget a charge within seconds.
 */
#ifndef LBS_EWMA_H
#define LBS_EWMA_H

#include "src/member/lbs_gauge.h"

#define LBS_EWMA_TAU_US 10000000u    /* time constant, microseconds */
#define LBS_EWMA_WEIGHT 6            /* of a sample: at least 1 / 2^this */
#define LBS_EWMA_FAILURE_US 5000000u /* charged for one of many failures */
#define LBS_EWMA_MAX_US 100000000u   /* longer samples count as this */
#define LBS_EWMA_STEP_US 20000u      /* samples: one in this time */
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

/**
 * A response time divided by the square root of what was in flight.
 *
 * @param inflight  this one included; 0 counts as 1
 * @return within 3 % of it
 */
static inline apr_uint32_t lbs_ewma_over_root(apr_uint32_t time,
                                              apr_uint32_t inflight)
{
    static const apr_uint32_t over[] = {
        65536, 65536, 46341, 37837, 32768, 29309, 26755, 24770, 23170, 21845,
        20724, 19760, 18919, 18176, 17515, 16921, 16384, 15895, 15447, 15035,
        14654, 14301, 13972, 13665, 13377, 13107, 12853, 12612, 12385, 12170,
        11965, 11771, 11585, 11408, 11239, 11078, 10923, 10774, 10631, 10494,
        10362, 10235, 10112, 9994,  9880,  9770,  9663,  9559,  9459,  9362,
        9268,  9177,  9088,  9002,  8918,  8837,  8758,  8680,  8605,  8532,
        8461,  8391,  8323,  8257,
    };

    while (inflight >= 64) {
        inflight /= 4;
        time /= 2;
    }
    return (apr_uint32_t)(((apr_uint64_t)time * over[inflight]) >> 16);
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

static inline apr_uint32_t lbs_ewma_in_gauge(apr_uint64_t us)
{
    return (apr_uint32_t)(us < LBS_EWMA_MAX_US ? us : LBS_EWMA_MAX_US)
           << LBS_EWMA_SHIFT;
}

/* A step of an average; elapsed: since the one before, microseconds. */
static inline apr_uint32_t lbs_ewma_step(apr_uint32_t value,
                                         apr_uint32_t sample,
                                         apr_uint64_t elapsed)
{
    apr_uint32_t apart = sample > value ? sample - value : value - sample;
    apr_uint32_t left = lbs_ewma_decay(apart, elapsed);
    apr_uint32_t most = apart - (apart >> LBS_EWMA_WEIGHT);

    left = left < most ? left : most;
    return sample > value ? sample - left : sample + left;
}

/* What a charged member's estimate becomes. */
static inline apr_uint32_t lbs_ewma_peak(apr_uint32_t value,
                                         apr_uint32_t sample,
                                         apr_uint64_t elapsed)
{
    return sample < value ? sample + lbs_ewma_decay(value - sample, elapsed)
                          : sample;
}

/**
 * Take one answer into the estimate, and its bare time into the mean.
 *
 * @param sample_us  time to the answer; the request is still in flight
 * @param now        microseconds, monotonic; one older than the last update
 *                   counts as no time passed
 */
static inline void lbs_ewma_update(lbs_gauge_t *g, apr_uint64_t sample_us,
                                   apr_uint64_t now)
{
    apr_uint64_t at = lbs_atomic_load64_relaxed(&g->ewma_at);
    apr_uint32_t value = lbs_atomic_load32_relaxed(&g->ewma);
    apr_uint32_t mean = lbs_atomic_load32_relaxed(&g->mean);
    apr_uint64_t elapsed = now > at ? now - at : 0;
    apr_uint32_t time = lbs_ewma_in_gauge(sample_us);
    apr_uint32_t sample;

    if (value != 0 && elapsed < LBS_EWMA_STEP_US) {
        return;
    }
    sample = lbs_ewma_over_root(time, lbs_gauge_inflight(g));
    if ((lbs_atomic_load32_relaxed(&g->flags) & LBS_F_CHARGED) != 0) {
        sample = lbs_ewma_peak(value, sample, elapsed);
    }
    else if (value != 0) {
        sample = lbs_ewma_step(value, sample, elapsed);
    }
    mean = mean != 0 ? lbs_ewma_step(mean, time, elapsed) : time;
    lbs_atomic_store32_relaxed(&g->ewma, sample);
    lbs_atomic_store32_relaxed(&g->mean, mean);
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
    apr_uint64_t at = lbs_atomic_load64_relaxed(&g->ewma_at);
    apr_uint32_t value = lbs_atomic_load32_relaxed(&g->ewma);
    apr_uint64_t elapsed = now > at ? now - at : 0;
    apr_uint32_t charge = lbs_ewma_in_gauge(charge_us);

    if (charge >= value || elapsed >= LBS_EWMA_STEP_US) {
        lbs_atomic_store32_relaxed(&g->ewma,
                                   lbs_ewma_peak(value, charge, elapsed));
        lbs_atomic_store64_relaxed(&g->ewma_at, now);
    }
    if ((lbs_atomic_load32_relaxed(&g->flags) & LBS_F_CHARGED) == 0) {
        (void)lbs_gauge_set(g, LBS_F_CHARGED);
    }
}

#endif
