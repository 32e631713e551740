/* SPDX-License-Identifier: Apache-2.0 */
#include "src/pick/lbs_alias.h"

#include <math.h>

#include "src/base/lbs_rand.h"
#include "t/unit/tap.h"

#define MAX 300

typedef struct table_t {
    apr_uint64_t entry[MAX];
    lbs_atomic64_t shared[MAX];
    apr_uint16_t item[MAX];
    apr_uint32_t weight[MAX];
} table_t;

static table_t t;

static void build(apr_uint32_t n)
{
    static apr_uint64_t rest[MAX];
    static apr_uint16_t work[MAX];
    apr_uint32_t i;

    lbs_alias_build(t.entry, t.item, t.weight, n, rest, work);
    for (i = 0; i < n; i++) {
        lbs_atomic_store64_release(&t.shared[i], t.entry[i]);
    }
}

/* What a table gives each item, added up from its entries. The largest error
 * relative to the whole is returned; entries that name nobody count as 1. */
static double worst_error(apr_uint32_t n)
{
    static double given[65536];
    double total = 0;
    double worst = 0;
    apr_uint32_t i;

    memset(given, 0, sizeof(given));
    for (i = 0; i < n; i++) {
        double share = (double)(t.entry[i] >> 32) / 0x1p32;

        total += t.weight[i];
        given[t.entry[i] & 0xffff] += share / n;
        given[t.entry[i] >> 16 & 0xffff] += (1 - share) / n;
        if (lbs_alias_self(t.entry[i]) != t.item[i]) {
            worst = 1;
        }
    }
    for (i = 0; i < n; i++) {
        double error = fabs(given[t.item[i]] - t.weight[i] / total);

        worst = error > worst ? error : worst;
    }
    return worst;
}

static void test_shares(void)
{
    static const apr_uint32_t some[][4] = {
        {1, 1, 1, 1},
        {100, 125, 75, 100},
        {1, 16777215, 1, 1},
        {16777215, 16777215, 16777215, 16777215},
        {1, 2, 3, 4}};
    lbs_rand_t rand = {7};
    double worst = 0;
    unsigned i;
    int round;

    for (i = 0; i < 4; i++) {
        t.item[i] = (apr_uint16_t)(10 * i + 3);
    }
    for (i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
        memcpy(t.weight, some[i], sizeof(some[i]));
        build(4);
        is_near(worst_error(4), 0, 1e-9, "weights %u %u %u %u", some[i][0],
                some[i][1], some[i][2], some[i][3]);
    }
    for (round = 0; round < 500; round++) {
        apr_uint32_t n = 1 + lbs_rand_below(&rand, MAX);
        apr_uint32_t top = 1u << lbs_rand_below(&rand, 24);
        double error;

        for (i = 0; i < n; i++) {
            t.item[i] = (apr_uint16_t)(65534 - i);
            t.weight[i] = 1 + lbs_rand_below(&rand, top);
        }
        build(n);
        error = worst_error(n);
        worst = error > worst ? error : worst;
    }
    is_near(worst, 0, 1e-9, "500 random tables give every item its share");
}

/* The draw uses the table as it is meant: chi-square over 8 weights. */
static void test_draws(void)
{
    lbs_rand_t rand = {3};
    int count[8] = {0};
    double chi = 0;
    int i;

    for (i = 0; i < 8; i++) {
        t.item[i] = (apr_uint16_t)i;
        t.weight[i] = (apr_uint32_t)(i + 1);
    }
    build(8);
    for (i = 0; i < 36000; i++) {
        count[lbs_alias_draw(t.shared, 8,
                             (apr_uint32_t)(lbs_rand_next(&rand) >> 32))]++;
    }
    for (i = 0; i < 8; i++) {
        double want = 1000.0 * (i + 1);

        chi += (count[i] - want) * (count[i] - want) / want;
    }
    ok(chi < 24.3, "draws follow the weights, chi-square %.1f of 24.3", chi);
    ok(lbs_alias_draw(t.shared, 8, 0xffffffffu) < 8,
       "the largest random number is within the table");
    ok(lbs_alias_draw(t.shared, 8, 0) < 8, "and so is the smallest");
}

int main(void)
{
    test_shares();
    test_draws();
    return done_testing();
}
