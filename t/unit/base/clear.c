/* SPDX-License-Identifier: Apache-2.0 */
#include "src/base/lbs_clear.h"

#include <string.h>

#include "t/unit/tap.h"

int main(void)
{
    unsigned char bytes[1300];
    unsigned i, wrong = 0;

    memset(bytes, 7, sizeof(bytes));
    ok(lbs_clear(bytes + 1, sizeof(bytes) - 2) == bytes + 1,
       "the place is returned");
    for (i = 1; i < sizeof(bytes) - 1; i++) {
        wrong += bytes[i] != 0;
    }
    is_int((int)wrong, 0, "every byte is zero");
    ok(bytes[0] == 7 && bytes[sizeof(bytes) - 1] == 7, "and no byte beside");
    ok(lbs_clear(bytes, 0) == bytes && bytes[0] == 7, "nor of none");
    return done_testing();
}
