/* SPDX-License-Identifier: Apache-2.0 */
#include "src/base/lbs_bits.h"

#include <string.h>

#include "src/base/lbs_rand.h"
#include "t/unit/tap.h"

#define NUMBERS 130

/* Beside a set that has a byte for each number. */
int main(void)
{
    unsigned char set[LBS_BITS_SIZE(NUMBERS)] = {0};
    unsigned char twin[NUMBERS] = {0};
    lbs_rand_t rand = {5};
    int wrong = 0;
    int round;
    apr_uint32_t i;

    for (round = 0; round < 2000; round++) {
        i = lbs_rand_below(&rand, NUMBERS);
        twin[i] = (unsigned char)lbs_rand_below(&rand, 2);
        if (twin[i]) {
            lbs_bits_add(set, i);
        }
        else {
            lbs_bits_remove(set, i);
        }
        for (i = 0; i < NUMBERS; i++) {
            wrong += lbs_bits_has(set, i) != twin[i];
        }
    }
    is_int(wrong, 0, "2000 numbers added and removed");
    is_int(LBS_BITS_SIZE(8), 2, "a set has a byte for its last number");
    return done_testing();
}
