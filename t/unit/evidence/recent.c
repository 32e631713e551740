/* SPDX-License-Identifier: Apache-2.0 */
#include "src/evidence/lbs_recent.h"
#include "src/base/lbs_rand.h"
#include "t/unit/tap.h"

#define S APR_UINT64_C(1000000)

static void counts(void)
{
    lbs_recent_count_t recent = {0};
    int i;

    is_int(lbs_recent_count(&recent, 0), 0, "nothing yet");
    for (i = 0; i < 3; i++) {
        lbs_recent_add(&recent, 10 * S);
    }
    is_int(lbs_recent_count(&recent, 20 * S), 3, "in the same minute");
    lbs_recent_add(&recent, 70 * S);
    is_int(lbs_recent_count(&recent, 80 * S), 4, "with the minute before");
    is_int(lbs_recent_count(&recent, 130 * S), 1, "which then is forgotten");
    is_int(lbs_recent_count(&recent, 600 * S), 0, "as is all in the end");
    for (i = 0; i < 70000; i++) {
        lbs_recent_add(&recent, 600 * S);
    }
    is_int(lbs_recent_count(&recent, 600 * S), 65535, "it never wraps");
    is_int(lbs_recent_count(&recent, 660 * S), 65535, "nor into the next");
}

static void mosts(void)
{
    lbs_recent_most_t recent = {0};

    is_int(lbs_recent_most(&recent, 0), 0, "nothing yet");
    lbs_recent_note(&recent, 600, 10 * S);
    lbs_recent_note(&recent, 40, 20 * S);
    is_int(lbs_recent_most(&recent, 30 * S), 600, "the largest counts");
    is_int(lbs_recent_most(&recent, 100 * S), 600, "a minute later, too");
    lbs_recent_note(&recent, 40, 70 * S);
    is_int(lbs_recent_most(&recent, 100 * S), 40, "until there is a newer");
    is_int(lbs_recent_most(&recent, 300 * S), 0, "then it is forgotten");
}

/* Beside a list of all events. */
static void twin(void)
{
    static apr_uint64_t at[4000];
    lbs_recent_count_t recent = {0};
    lbs_rand_t rand = {11};
    apr_uint64_t now = 0;
    int wrong = 0, n, i;

    for (n = 0; n < 4000; n++) {
        apr_uint32_t want = 0;

        now += lbs_rand_below(&rand, 3 * 1000000);
        now += lbs_rand_below(&rand, 100) == 0 ? 100 * S : 0;
        at[n] = now;
        lbs_recent_add(&recent, now);
        for (i = 0; i <= n; i++) {
            want += at[i] / (60 * S) + 1 >= now / (60 * S);
        }
        wrong += lbs_recent_count(&recent, now) != want;
    }
    is_int(wrong, 0, "4000 events: as the list has it");
}

int main(void)
{
    counts();
    mosts();
    twin();
    return done_testing();
}
