/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_crowd.c - see lbs_crowd.h. */
#include "src/evidence/lbs_crowd.h"

#define PLACES 40
#define PLACES_OF(cell) ((cell) & ((APR_UINT64_C(1) << PLACES) - 1))
#define EPOCH_OF(cell) ((apr_uint32_t)((cell) >> PLACES))
#define RACES 2 /* lost compare-and-swaps before a visitor is dropped */

/* -4000 ln(1 - n / 40) for n places; all of them: as if half of one were
 * empty. */
static const apr_uint16_t visitors_for[PLACES + 1] = {
    0,    101,  205,  312,  421,   534,   650,   769,   893,  1020, 1151,
    1286, 1427, 1572, 1723, 1880,  2043,  2214,  2391,  2577, 2773, 2978,
    3194, 3423, 3665, 3923, 4199,  4496,  4816,  5164,  5545, 5967, 6438,
    6972, 7588, 8318, 9210, 10361, 11983, 14756, 17528,
};

void lbs_crowd_add(lbs_crowd_t *crowd, apr_int64_t window_us,
                   apr_uint64_t visitor, apr_uint64_t now)
{
    apr_uint32_t epoch = lbs_window_epoch(window_us, now);
    lbs_atomic64_t *at = &crowd->cells[epoch % LBS_WINDOW_CELLS];
    apr_uint64_t bit = APR_UINT64_C(1) << ((visitor >> 32) * PLACES >> 32);
    apr_uint64_t seen = lbs_atomic_load64_relaxed(at);
    int race;

    for (race = 0; race < RACES; race++) {
        apr_uint64_t next =
            (EPOCH_OF(seen) == epoch ? seen : (apr_uint64_t)epoch << PLACES)
            | bit;

        if (next == seen || lbs_atomic_cas64(at, &seen, next)) {
            return;
        }
    }
}

apr_uint32_t lbs_crowd_count(const lbs_crowd_t *crowd, apr_int64_t window_us,
                             apr_uint64_t now)
{
    apr_uint32_t epoch = lbs_window_epoch(window_us, now);
    apr_uint64_t places = 0;
    int i;

    for (i = 0; i < LBS_WINDOW_CELLS; i++) {
        apr_uint64_t cell = lbs_atomic_load64_relaxed(&crowd->cells[i]);

        if (lbs_window_age(EPOCH_OF(cell), epoch) < LBS_WINDOW_CELLS) {
            places |= PLACES_OF(cell);
        }
    }
    return visitors_for[__builtin_popcountll(places)];
}

void lbs_crowd_clear(lbs_crowd_t *crowd)
{
    int i;

    for (i = 0; i < LBS_WINDOW_CELLS; i++) {
        lbs_atomic_store64_relaxed(&crowd->cells[i], 0);
    }
}
