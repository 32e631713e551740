/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_rand.h - cheap pseudo-random numbers (splitmix64).
 *
 * For sampling, spreading and simulations: never for secrets. The caller
 * owns the state and its seed; one state belongs to one thread.
 */
#ifndef LBS_RAND_H
#define LBS_RAND_H

#include <apr.h>

#include "src/base/lbs_hash.h"

typedef struct lbs_rand_t {
    apr_uint64_t state; /* any value is a good seed */
} lbs_rand_t;

/** @return 64 random bits; the sequence repeats after 2^64 numbers */
static inline apr_uint64_t lbs_rand_next(lbs_rand_t *rand)
{
    rand->state += APR_UINT64_C(0x9e3779b97f4a7c15);
    return lbs_hash_mix(rand->state);
}

/**
 * @return a number from 0 to n - 1; 0 if n is 0. No number is more likely
 * than another by more than n / 2^32.
 */
static inline apr_uint32_t lbs_rand_below(lbs_rand_t *rand, apr_uint32_t n)
{
    return (apr_uint32_t)(((lbs_rand_next(rand) >> 32) * n) >> 32);
}

/** @return a number from 0 up to but not including 1, 53 random bits */
static inline double lbs_rand_unit(lbs_rand_t *rand)
{
    return (double)(lbs_rand_next(rand) >> 11) * 0x1p-53;
}

#endif
