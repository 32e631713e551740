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

/* Of the same mean; one in twenty is drawn from times 21 times as long. */
static inline double mixed(lbs_rand_t *rand, double mean)
{
    return exponential(rand, mean * (lbs_rand_unit(rand) < 0.95 ? 0.5 : 10.5));
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

/* @return what the first some of all members were picked, as a multiple of an
 * equal share */
static inline double share_of(const double *picked, int members, int some)
{
    double theirs = 0;
    double all = 0;
    int i;

    for (i = 0; i < members; i++) {
        all += picked[i];
        theirs += i < some ? picked[i] : 0;
    }
    return theirs / all * members / some;
}

#endif
