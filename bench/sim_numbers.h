/* SPDX-License-Identifier: Apache-2.0 */
/* sim_numbers.h - what a simulation draws and counts. */
#ifndef LBS_SIM_NUMBERS_H
#define LBS_SIM_NUMBERS_H

#include <math.h>

#include "src/base/lbs_rand.h"

/* Response times, logarithmic: 256 parts per doubling. */
typedef struct tail_t {
    long count[8192];
    long total;
} tail_t;

static inline double exponential(lbs_rand_t *rand, double mean)
{
    return -mean * log(1 - lbs_rand_unit(rand));
}

static inline void tail_add(tail_t *tail, apr_int64_t time)
{
    int at = (int)(log2((double)(time + 1)) * 256);

    tail->count[at < 8191 ? at : 8191]++;
    tail->total++;
}

/* @return milliseconds */
static inline double tail_at(const tail_t *tail, double part)
{
    long want = (long)((double)tail->total * part);
    long sum = 0;
    int i;

    for (i = 0; i < 8191 && sum + tail->count[i] <= want; i++) {
        sum += tail->count[i];
    }
    return exp2(i / 256.0) / 1000;
}

#endif
