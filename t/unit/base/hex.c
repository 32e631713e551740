/* SPDX-License-Identifier: Apache-2.0 */
#include "src/base/lbs_hex.h"

#include "src/base/lbs_rand.h"
#include "t/unit/tap.h"

static void put(void)
{
    char text[18] = "................";

    lbs_hex_put(text, 16, APR_UINT64_C(0x0123456789abcdef));
    is_str(text, "0123456789abcdef", "sixteen digits");
    lbs_hex_put(text, 4, APR_UINT64_C(0xdead0042));
    is_str(text, "0042456789abcdef", "the lowest four, and no byte more");
    lbs_hex_put(text, 0, 7);
    is_str(text, "0042456789abcdef", "none");
}

static void get(void)
{
    static const char *const bad[] = {"",     "12",   "123g", "12 3", "0x12",
                                      "-123", "+123", "12:4", "ABCD", "12`4"};
    apr_uint64_t value = 7;
    size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        is_int(lbs_hex_get(bad[i], 4, &value), 0, "\"%s\"", bad[i]);
    }
    is_int(value, 7, "and what was there stays");
    is_int(lbs_hex_get("00ffz", 4, &value), 1, "four are asked for");
    is_int(value, 255, "read");
}

static void round_trip(void)
{
    lbs_rand_t rand = {1};
    char text[16];
    apr_uint64_t back;
    int wrong = 0;
    int i;

    for (i = 0; i < 100000; i++) {
        apr_uint64_t value = lbs_rand_next(&rand);

        lbs_hex_put(text, 16, value);
        wrong += !lbs_hex_get(text, 16, &back) || back != value;
    }
    is_int(wrong, 0, "100 000 numbers there and back");
}

int main(void)
{
    put();
    get();
    round_trip();
    return done_testing();
}
