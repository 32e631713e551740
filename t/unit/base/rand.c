/* SPDX-License-Identifier: Apache-2.0 */
#include "src/base/lbs_rand.h"

#include "t/unit/tap.h"

#define DRAWS 120000

static void test_golden(void)
{
    lbs_rand_t rand = {1234567};

    /* The vectors published with splitmix64. */
    ok(lbs_rand_next(&rand) == 6457827717110365317u, "first of 1234567");
    ok(lbs_rand_next(&rand) == 3203168211198807973u, "second");
    ok(lbs_rand_next(&rand) == 9817491932198370423u, "third");
}

static void test_below(apr_uint32_t n)
{
    apr_uint32_t count[12] = {0};
    lbs_rand_t rand = {n};
    double worst = 0;
    apr_uint32_t i;

    for (i = 0; i < DRAWS; i++) {
        apr_uint32_t got = lbs_rand_below(&rand, n);

        if (got >= n) {
            bail_out("%u is not below %u", (unsigned)got, (unsigned)n);
        }
        count[got]++;
    }
    for (i = 0; i < n; i++) {
        double off = (double)count[i] * n / DRAWS - 1;

        worst = off > worst ? off : -off > worst ? -off : worst;
    }
    ok(worst < 0.05, "all numbers below %u come up alike", (unsigned)n);
}

static void test_edges(void)
{
    lbs_rand_t rand = {0};

    is_int(lbs_rand_below(&rand, 0), 0, "below 0 there is 0");
    is_int(lbs_rand_below(&rand, 1), 0, "below 1 there is 0");
    ok(lbs_rand_below(&rand, 4294967295u)
           != lbs_rand_below(&rand, 4294967295u),
       "the largest range works");
}

static void test_unit(void)
{
    lbs_rand_t rand = {99};
    double sum = 0;
    double low = 1;
    double high = 0;
    int i;

    for (i = 0; i < DRAWS; i++) {
        double got = lbs_rand_unit(&rand);

        sum += got;
        low = got < low ? got : low;
        high = got > high ? got : high;
    }
    ok(low >= 0 && high < 1, "from 0 up to but not including 1");
    ok(low < 0.001 && high > 0.999, "all of that");
    is_near(sum / DRAWS, 0.5, 0.005, "mean");
}

int main(void)
{
    test_golden();
    test_below(2);
    test_below(3);
    test_below(12);
    test_edges();
    test_unit();
    return done_testing();
}
