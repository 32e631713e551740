/* SPDX-License-Identifier: Apache-2.0 */
#include "src/pick/lbs_maglev.h"

#include "src/base/lbs_rand.h"
#include "t/unit/tap.h"

#define SLOTS LBS_MAGLEV_SLOTS
#define MAX 4000

static apr_uint64_t identity[MAX];
static apr_uint32_t weight[MAX];
static apr_uint16_t rank[MAX];
static unsigned char may[MAX];
static apr_uint32_t place[MAX];
static apr_uint32_t room[MAX];
static lbs_sequence_item_t list[MAX];
static apr_uint16_t turn[SLOTS];

static apr_uint16_t all[SLOTS];
static apr_uint16_t detour[SLOTS];
static apr_uint16_t before[SLOTS];

static lbs_maglev_set_t set = {identity, weight, rank, 0};
static const lbs_maglev_work_t work = {list, place, room, turn};

static int by_identity(const void *left, const void *right)
{
    apr_uint64_t a = identity[*(const apr_uint16_t *)left];
    apr_uint64_t b = identity[*(const apr_uint16_t *)right];

    return a < b ? -1 : a > b;
}

static void members(apr_uint32_t n, apr_uint64_t seed)
{
    lbs_rand_t rand = {seed};
    apr_uint32_t i;

    set.n = n;
    for (i = 0; i < n; i++) {
        identity[i] = lbs_rand_next(&rand);
        weight[i] = 100;
        rank[i] = (apr_uint16_t)i;
        may[i] = 1;
    }
    qsort(rank, n, sizeof(*rank), by_identity);
}

/* Largest excess of a member over its share of the slots, in percent; 1e9
 * if a slot belongs to somebody who may not. */
static double excess(const apr_uint16_t *table, const apr_uint16_t *around)
{
    static int count[MAX];
    double total = 0;
    double worst = 0;
    apr_uint32_t i;

    memset(count, 0, sizeof(count));
    for (i = 0; i < set.n; i++) {
        total += may[i] ? weight[i] : 0;
    }
    for (i = 0; i < SLOTS; i++) {
        apr_uint32_t at = around != NULL && around[i] != LBS_MAGLEV_NONE
                              ? around[i]
                              : table[i];

        if (at >= set.n || !may[at]) {
            return 1e9;
        }
        count[at]++;
    }
    for (i = 0; i < set.n; i++) {
        double share = may[i] ? SLOTS * (weight[i] / total) : 1;
        double over = (count[i] - share) / share * 100;

        /* Less than a slot is rounding, not imbalance. */
        worst = over > worst && count[i] - share > 1 ? over : worst;
    }
    return worst;
}

static void test_table(void)
{
    apr_uint32_t i;
    int moved = 0;

    members(10, 1);
    lbs_maglev_build(all, &set, &work);
    is_near(excess(all, NULL), 0, 1e-9, "ten members, equal shares");
    for (i = 0; i < 10; i++) {
        weight[i] = 100 + 25 * (i % 3);
    }
    lbs_maglev_build(all, &set, &work);
    is_near(excess(all, NULL), 0, 1e-9, "weights 1, 1.25 and 1.5");
    memcpy(before, all, sizeof(all));
    weight[4] += 1;
    lbs_maglev_build(all, &set, &work);
    for (i = 0; i < SLOTS; i++) {
        moved += all[i] != before[i];
    }
    ok(moved < (int)SLOTS / 20,
       "a weight changed by 0.01 moves %.1f %% of slots",
       moved * 100.0 / SLOTS);
    members(4000, 2);
    lbs_maglev_build(all, &set, &work);
    is_near(excess(all, NULL), 0, 1e-9, "4000 members, equal shares");
    members(1, 3);
    lbs_maglev_build(all, &set, &work);
    is_near(excess(all, NULL), 0, 1e-9, "one member has all");
}

/* The same on every machine, and whatever the order in the configuration. */
static void test_golden(void)
{
    apr_uint64_t sum = 0;
    int wrong = 0;
    apr_uint32_t i;

    members(7, 42);
    lbs_maglev_build(all, &set, &work);
    memset(may, 1, 7);
    may[2] = 0;
    lbs_maglev_detour(detour, all, all, &set, may, &work);
    for (i = 0; i < SLOTS; i++) {
        apr_uint32_t at = detour[i] != LBS_MAGLEV_NONE ? detour[i] : all[i];

        before[i] = (apr_uint16_t)at;
        sum = lbs_hash_mix(sum + at);
    }
    ok(sum == APR_UINT64_C(0xb6cc3e37ce48554d),
       "the golden table, %016" APR_UINT64_T_HEX_FMT, sum);
    /* Turn the configuration around: index i becomes 6 - i. */
    for (i = 0; i < 7; i++) {
        lbs_rand_t rand = {42};
        apr_uint32_t j;

        for (j = 0; j <= i; j++) {
            identity[6 - i] = lbs_rand_next(&rand);
        }
        may[i] = i != 4;
        rank[i] = (apr_uint16_t)i;
    }
    qsort(rank, 7, sizeof(*rank), by_identity);
    lbs_maglev_build(all, &set, &work);
    lbs_maglev_detour(detour, all, all, &set, may, &work);
    for (i = 0; i < SLOTS; i++) {
        apr_uint32_t at = detour[i] != LBS_MAGLEV_NONE ? detour[i] : all[i];

        wrong += 6 - at != before[i];
    }
    is_int(wrong, 0, "the order of the configuration does not matter");
}

/* For each number of members down: nobody else's slots move, the load stays
 * even, and the detour of a slot depends on who is down alone. */
static void test_detours(apr_uint32_t n)
{
    lbs_rand_t rand = {n};
    double worst = 0;
    int moved = 0;
    apr_uint32_t down;
    apr_uint32_t i;

    members(n, n + 9);
    lbs_maglev_build(all, &set, &work);
    for (down = 0; down + 1 < n; down = down * 2 + 1) {
        memset(may, 1, n);
        for (i = 0; i < down;) {
            apr_uint32_t victim = lbs_rand_below(&rand, n);

            i += may[victim];
            may[victim] = 0;
        }
        lbs_maglev_detour(detour, all, all, &set, may, &work);
        for (i = 0; i < SLOTS; i++) {
            moved += may[all[i]] != (detour[i] == LBS_MAGLEV_NONE);
        }
        worst = excess(all, detour) > worst ? excess(all, detour) : worst;
    }
    is_int(moved, 0, "%u members: only slots of dead members move", n);
    ok(worst <= (n > 1000 ? 13 : 3.3), "%u members: at most %.1f %% too many",
       n, worst);
}

/* One more failure on top of some: of the slots that need not move, few do. */
static void test_second_failure(void)
{
    int needless = 0;
    int slots = 0;
    apr_uint32_t i;

    members(20, 5);
    lbs_maglev_build(all, &set, &work);
    may[3] = may[8] = 0;
    lbs_maglev_detour(before, all, all, &set, may, &work);
    may[11] = 0;
    lbs_maglev_detour(detour, all, all, &set, may, &work);
    for (i = 0; i < SLOTS; i++) {
        if (all[i] != 11 && before[i] != 11) {
            slots++;
            needless += detour[i] != before[i];
        }
    }
    ok(needless < slots / 100,
       "a third failure moves %.2f %% of the slots it need not",
       needless * 100.0 / slots);
}

static void test_few_of_many(void)
{
    apr_uint32_t i;

    members(4000, 6);
    lbs_maglev_build(all, &set, &work);
    memset(may, 0, 4000);
    may[5] = may[1700] = may[3999] = 1;
    lbs_maglev_detour(detour, all, all, &set, may, &work);
    ok(excess(all, detour) <= 2.1, "3 of 4000 up: within %.1f %%",
       excess(all, detour));
    memset(may, 0, 4000);
    lbs_maglev_detour(detour, all, all, &set, may, &work);
    for (i = 0; i < SLOTS && detour[i] == LBS_MAGLEV_NONE; i++) {
    }
    is_int(i, SLOTS, "nobody up: no detours");
}

int main(void)
{
    test_table();
    test_golden();
    test_detours(2);
    test_detours(10);
    test_detours(100);
    test_detours(4000);
    test_second_failure();
    test_few_of_many();
    return done_testing();
}
