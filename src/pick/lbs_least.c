/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_least.c - see lbs_least.h. */
#include "src/pick/lbs_least.h"

int lbs_least_find(apr_size_t count, apr_size_t start, lbs_least_fn *fn,
                   void *baton)
{
    apr_uint64_t least = 0;
    apr_size_t at = start;
    apr_size_t i;
    int seen = 0;
    int best = -1;

    for (i = 0; i < count && seen < LBS_LEAST_ENOUGH; i++) {
        apr_uint64_t weight;

        if (fn(baton, at, &weight)) {
            seen++;
            if (best < 0 || weight < least) {
                least = weight;
                best = (int)at;
            }
        }
        at = at + 1 == count ? 0 : at + 1;
    }
    return best;
}
