/* SPDX-License-Identifier: Apache-2.0 */
/* The simulation notices when the date of a token is not looked at. */
#define SIM_BROKEN 3
#include "t/unit/sim/caught.h"

int main(void)
{
    static const caught_t want = {200, "a token that counts for ever",
                                  "its session has ended", 8};

    is_caught(&want, caught_memory());
    return done_testing();
}
