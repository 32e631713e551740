/* SPDX-License-Identifier: Apache-2.0 */
#include "src/base/lbs_rand.h"
#include "src/table/lbs_busy.h"
#include "t/unit/tap.h"

#define NOW APR_UINT64_C(1000000000)

static lbs_rand_t dice = {7};

/* Requests of which permille show key 1, the others one of many. */
static void note(lbs_busy_t *busy, int requests, apr_uint32_t permille)
{
    while (requests-- > 0) {
        int most = lbs_rand_below(&dice, 1000) < permille;

        lbs_busy_note(busy, most ? 1 : 2 + lbs_rand_below(&dice, 10000), NOW);
    }
}

static void shares(void)
{
    static const struct {
        apr_uint32_t permille;
        int percent;
    } rows[] = {{1000, 100}, {900, 90}, {700, 70}, {600, 60}};
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        lbs_busy_t busy = {0};

        note(&busy, 3000, rows[i].permille);
        is_near(lbs_busy_percent(&busy, NOW), rows[i].percent, 8,
                "%u permille", rows[i].permille);
    }
}

static void nobody(void)
{
    lbs_busy_t busy = {0};
    int i, alarms = 0;

    is_int(lbs_busy_percent(&busy, NOW), -1, "no request");
    note(&busy, 60, 1000);
    is_int(lbs_busy_percent(&busy, NOW), -1, "too few to tell");
    note(&busy, 4000, 0);
    for (i = 0; i < 200; i++) {
        note(&busy, 100, 300);
        alarms += lbs_busy_percent(&busy, NOW) >= 0;
    }
    is_int(alarms, 0, "three of ten are not most");
}

static void changes(void)
{
    lbs_busy_t busy = {0};

    note(&busy, 10000, 1000);
    is_int(lbs_busy_percent(&busy, NOW), 100, "one alone");
    is_int(lbs_busy_percent(&busy, NOW + LBS_BUSY_OLD_US + 1), -1,
           "a minute later nothing is known");
    note(&busy, 1500, 0);
    is_int(lbs_busy_percent(&busy, NOW), -1, "when it is gone, soon");
    note(&busy, 1500, 900);
    ok(lbs_busy_percent(&busy, NOW) > 80, "and when it is back");
}

int main(void)
{
    shares();
    nobody();
    changes();
    return done_testing();
}
