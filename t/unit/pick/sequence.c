/* SPDX-License-Identifier: Apache-2.0 */
#include "src/pick/lbs_sequence.h"

#include "src/base/lbs_rand.h"
#include "t/unit/tap.h"

#define MAX 8191

static apr_uint16_t sequence[LBS_SEQUENCE_ROOM];
static lbs_sequence_item_t list[MAX];
static apr_uint16_t item[MAX];
static apr_uint32_t weight[MAX];

static apr_uint32_t make(apr_uint32_t n, apr_uint32_t room)
{
    apr_uint32_t turns;
    apr_uint32_t i;

    for (i = 0; i < n; i++) {
        item[i] = (apr_uint16_t)i;
    }
    turns = lbs_sequence_turns(list, item, weight, n, room);
    return lbs_sequence_build(sequence, list, n) == turns ? turns : 0;
}

/* nginx's algorithm as it is written down: everybody gains its weight, the
 * richest goes and pays the total. Equals: the heavier, then the first.
 * @return places that differ */
static int differs_from_slow(apr_uint32_t n, apr_uint32_t length)
{
    apr_int64_t current[64] = {0};
    apr_int64_t total = 0;
    int wrong = 0;
    apr_uint32_t step;
    apr_uint32_t i;

    for (i = 0; i < n; i++) {
        total += weight[i];
    }
    for (step = 0; step < length; step++) {
        apr_uint32_t best = 0;

        for (i = 0; i < n; i++) {
            current[i] += weight[i];
            if (current[i] > current[best]
                || (current[i] == current[best] && weight[i] > weight[best])) {
                best = i;
            }
        }
        current[best] -= total;
        wrong += sequence[step] != best;
    }
    return wrong;
}

static void test_order(void)
{
    static const apr_uint16_t smooth[] = {0, 0, 1, 0, 2, 0, 0};

    weight[0] = 500;
    weight[1] = 100;
    weight[2] = 100;
    is_int(make(3, 100), 7, "weights 5, 1, 1: a period of seven");
    is_mem(sequence, smooth, sizeof(smooth), "a a b a c a a");
    weight[0] = 125;
    weight[1] = 100;
    is_int(make(2, 100), 9, "weights 1.25 and 1: a period of nine");
    weight[0] = 1;
    weight[1] = 10000;
    is_int(make(2, LBS_SEQUENCE_ROOM), 10001, "0.01 and 100 are exact");
    weight[0] = 0xffffff;
    is_int(make(1, 100), 1, "a single member, whatever its weight");
}

static void test_equal_to_slow(void)
{
    lbs_rand_t rand = {11};
    int wrong = 0;
    int round;
    apr_uint32_t i;

    for (round = 0; round < 400; round++) {
        apr_uint32_t n = 1 + lbs_rand_below(&rand, 20);
        apr_uint32_t length;

        for (i = 0; i < n; i++) {
            weight[i] = 25 * (1 + lbs_rand_below(&rand, 12));
        }
        length = make(n, LBS_SEQUENCE_ROOM);
        wrong += length == 0 || differs_from_slow(n, length) != 0;
    }
    is_int(wrong, 0, "400 random pools: the order nginx would give");
}

/* @return members whose turns are not their weight, for an exact period */
static int miscounted(apr_uint32_t n, apr_uint32_t length, double slack)
{
    static apr_uint32_t count[MAX];
    double total = 0;
    int wrong = 0;
    apr_uint32_t i;

    memset(count, 0, sizeof(count));
    for (i = 0; i < length; i++) {
        count[sequence[i]]++;
    }
    for (i = 0; i < n; i++) {
        total += weight[i];
    }
    for (i = 0; i < n; i++) {
        double error = count[i] - length * (weight[i] / total);

        wrong += error > slack || error < -slack || count[i] == 0;
    }
    return wrong;
}

static void test_huge(void)
{
    lbs_rand_t rand = {5};
    apr_uint32_t length;
    apr_uint32_t i;

    for (i = 0; i < 10; i++) {
        weight[i] = 100000;
    }
    length = make(10, LBS_SEQUENCE_ROOM);
    is_int(length, 10, "weight 1000 x 10 is a period of ten");
    is_int(miscounted(10, length, 1e-9), 0, "one turn each");
    for (i = 0; i < MAX; i++) {
        weight[i] = 1 + i;
    }
    length = make(MAX, LBS_SEQUENCE_ROOM);
    ok(length >= MAX && length <= LBS_SEQUENCE_ROOM,
       "8191 different weights fit the room");
    is_int(miscounted(MAX, length, 2), 0, "within two turns of exact");
    for (i = 0; i < 6; i++) {
        weight[i] = 1 + lbs_rand_below(&rand, 10000);
    }
    length = make(6, LBS_SEQUENCE_ROOM);
    is_int(miscounted(6, length, 1e-6), 0,
           "six members of any weights up to 100.00 are exact");
}

int main(void)
{
    test_order();
    test_equal_to_slow();
    test_huge();
    return done_testing();
}
