/* SPDX-License-Identifier: Apache-2.0 */
/* The simulation notices when the date of a token is not looked at. */
#define SIM_BROKEN 3
#include "t/unit/sim/script.h"

#define SEEDS 200

static world_t world;
static script_t script;

int main(void)
{
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
    ok(caught, "a token that counts for ever is noticed");
    script_minimise(&script, &world, memory);
    ok(strstr(world.failed, "its session has ended") != NULL, "as what it is");
    ok(script.count <= 8, "with %d of %d events", script.count, EVENTS);
    if (script.count > 8) {
        script_print(&script);
    }
    return done_testing();
}
