/* SPDX-License-Identifier: Apache-2.0 */
/* The simulation notices what is wrong. Here the world is broken on purpose: a
 * child that died is buried, but what it had in flight is not taken back. */
#define SIM_BROKEN 1
#include <apr_strings.h>

#include "t/unit/sim/script.h"

#define SEEDS 50

static world_t world;
static script_t script;

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
    char said[sizeof(world.failed)];
    apr_uint64_t seed = 0;
    apr_pool_t *memory;
    int caught;

    apr_initialize();
    atexit(apr_terminate);
    apr_pool_create(&memory, NULL);
    do {
        script_make(&script, ++seed);
        caught = !script_run(&script, &world, memory);
    } while (!caught && seed < SEEDS);
    ok(caught, "a child that is not reaped is noticed");
    apr_cpystrn(said, world.failed, sizeof(said));
    script_minimise(&script, &world, memory);
    ok(strstr(world.failed, "in flight") != NULL, "as what it is");
    ok(script.count <= 3, "with %d of %d events", script.count, EVENTS);
    ok(has(VISIT) == 1 && has(KILL) == 1, "a visit and the death");
    apr_cpystrn(said, world.failed, sizeof(said));
    (void)script_run(&script, &world, memory);
    is_str(world.failed, said, "which fail in the same way each time");
    if (script.count > 3) {
        script_print(&script);
    }
    return done_testing();
}
