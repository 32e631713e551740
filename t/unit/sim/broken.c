/* SPDX-License-Identifier: Apache-2.0 */
/* The simulation notices what is wrong. Here the world is broken on purpose: a
 * child that died is buried, but what it had in flight is not taken back. */
#define SIM_BROKEN 1
#include <apr_strings.h>

#include "t/unit/sim/caught.h"

static int has(kind_t kind)
{
    int count = 0;
    int i;

    for (i = 0; i < script.count; i++) {
        count += script.event[i].kind == kind;
    }
    return count;
}

int main(void)
{
    static const caught_t want = {50, "a child that is not reaped",
                                  "in flight", 3};
    char said[sizeof(world.failed)];
    apr_pool_t *memory = caught_memory();

    is_caught(&want, memory);
    ok(has(VISIT) == 1 && has(KILL) == 1, "a visit and the death");
    apr_cpystrn(said, world.failed, sizeof(said));
    (void)script_run(&script, &world, memory);
    is_str(world.failed, said, "which fail in the same way each time");
    return done_testing();
}
