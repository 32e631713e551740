/* SPDX-License-Identifier: Apache-2.0 */
#include "src/evidence/lbs_crowd.h"

#include "src/base/lbs_hash.h"
#include "t/unit/tap.h"

#define SEC APR_UINT64_C(1000000)
#define WINDOW ((apr_int64_t)(8 * SEC))
#define NOW (1000 * SEC)

static lbs_crowd_t crowd;

/* Visitors first to last - 1, at a time. */
static void come(apr_uint64_t first, apr_uint64_t last, apr_uint64_t now)
{
    for (; first < last; first++) {
        lbs_crowd_add(&crowd, WINDOW, lbs_hash_mix(first), now);
    }
}

static double count(apr_uint64_t now)
{
    return lbs_crowd_count(&crowd, WINDOW, now) / 100.0;
}

static void different_visitors(void)
{
    is_near(count(NOW), 0, 0, "nobody");
    come(1, 2, NOW);
    come(1, 2, NOW);
    come(1, 2, NOW + SEC);
    is_near(count(NOW + SEC), 1, 0.1, "one visitor who comes again is one");
    come(1, 21, NOW + SEC);
    is_near(count(NOW + SEC), 20, 6, "about twenty");
    come(1, 10000, NOW + SEC);
    is_near(count(NOW + SEC), 175, 1, "many");
}

static void the_window_goes_on(void)
{
    lbs_crowd_clear(&crowd);
    come(1, 6, NOW);
    come(100, 103, NOW + 4 * SEC);
    is_near(count(NOW + 7 * SEC), 8, 2, "all in the window");
    is_near(count(NOW + 8 * SEC), 3, 1, "those of before are out of it");
    is_near(count(NOW + 100 * SEC), 0, 0, "then nobody");
    come(1, 2, NOW + 8 * SEC);
    is_near(count(NOW + 8 * SEC), 4, 1, "a place of the window is used again");
}

int main(void)
{
    different_visitors();
    the_window_goes_on();
    return done_testing();
}
