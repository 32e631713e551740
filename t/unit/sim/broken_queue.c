/* SPDX-License-Identifier: Apache-2.0 */
/* The simulation notices when who waits in a queue stays there although
 * its child died. */
#define SIM_BROKEN 4
#include "t/unit/sim/caught.h"

int main(void)
{
    static const caught_t want = {200, "a dead waiter", "the dead wait", 24};

    is_caught(&want, caught_memory());
    return done_testing();
}
