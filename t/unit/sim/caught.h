/* SPDX-License-Identifier: Apache-2.0 */
/* caught.h - a world that is broken on purpose must be noticed: the first seed
 * that fails, cut to the fewest events. Include it behind SIM_BROKEN. */
#ifndef LBS_SIM_CAUGHT_H
#define LBS_SIM_CAUGHT_H

#include "t/unit/sim/script.h"

static world_t world;
static script_t script;

/* A broken world and what the simulation should make of it. */
typedef struct caught_t {
    int seeds;        /* at most */
    const char *what; /* is noticed */
    const char *as;   /* stands in what is said of it */
    int events;       /* left at most */
} caught_t;

static void is_caught(const caught_t *want, apr_pool_t *memory)
{
    apr_uint64_t seed = 0;
    int caught;

    do {
        script_make(&script, ++seed);
        caught = !script_run(&script, &world, memory);
    } while (!caught && seed < (apr_uint64_t)want->seeds);
    ok(caught, "%s is noticed", want->what);
    script_minimise(&script, &world, memory);
    ok(strstr(world.failed, want->as) != NULL, "as what it is");
    ok(script.count <= want->events, "with %d of %d events", script.count,
       EVENTS);
    if (script.count > want->events) {
        script_print(&script);
    }
}

static apr_pool_t *caught_memory(void)
{
    apr_pool_t *memory;

    apr_initialize();
    atexit(apr_terminate);
    apr_pool_create(&memory, NULL);
    return memory;
}

#endif
