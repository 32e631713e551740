/* SPDX-License-Identifier: Apache-2.0 */
/* Decisions in a world of faults: world.h. Some seeds here; more of them:
 *
 *     build/t/unit/sim/sim COUNT [FIRST]
 *
 * A seed that fails is printed with what was not so, and with the fewest of
 * its events that still make it fail.
 */
#include "t/unit/sim/script.h"

#define SEEDS 2000

static world_t world;
static script_t script;

static void tell(const char *what, const long *count, int n,
                 const char *(*name)(int))
{
    int i;

    for (i = 0; i < n; i++) {
        if (count[i] != 0) {
            diag("%s %s: %ld", what, name(i), count[i]);
        }
    }
}

static const char *decision(int i)
{
    return lbs_decision_name((lbs_decision_t)i);
}

static const char *reason(int i)
{
    return i == 0 ? "or not" : lbs_reason_name((lbs_reason_t)i);
}

int main(int argc, const char *const *argv)
{
    apr_uint64_t count = argc > 1 ? (apr_uint64_t)atoll(argv[1]) : SEEDS;
    apr_uint64_t first = argc > 2 ? (apr_uint64_t)atoll(argv[2]) : 1;
    long decisions[LBS_DECISIONS] = {0};
    long moves[LBS_REASONS] = {0};
    long by_token = 0, queued = 0;
    apr_uint64_t seed;
    apr_pool_t *memory;
    int i;

    apr_initialize();
    atexit(apr_terminate);
    apr_pool_create(&memory, NULL);
    for (seed = first; seed < first + count; seed++) {
        script_make(&script, seed);
        if (!script_run(&script, &world, memory)) {
            break;
        }
        queued += world.queued;
        by_token += world.by_token;
        for (i = 0; i < LBS_DECISIONS; i++) {
            decisions[i] += world.decisions[i];
        }
        for (i = 0; i < LBS_REASONS; i++) {
            moves[i] += world.moves[i];
        }
    }
    ok(seed == first + count, "%lu seeds, from %lu", (unsigned long)count,
       (unsigned long)first);
    if (seed != first + count) {
        script_minimise(&script, &world, memory);
        diag("seed %lu: %s; of its %d events these are enough:",
             (unsigned long)seed, world.failed, EVENTS);
        script_print(&script);
    }
    tell("decided", decisions, LBS_DECISIONS, decision);
    tell("moved", moves, LBS_REASONS, reason);
    ok(argc > 1 || seed != first + count
           || (moves[LBS_REASON_REMOVED] && moves[LBS_REASON_DISABLED]
               && moves[LBS_REASON_DRAINED] && moves[LBS_REASON_EJECTED]
               && moves[LBS_REASON_FULL] && decisions[LBS_DECISION_REFUSED]),
       "with all reasons to move but those of checks and failback");
    ok(argc > 1 || seed != first + count || by_token > 0,
       "%ld times kept by a token alone", by_token);
    ok(argc > 1 || seed != first + count || queued > 0,
       "%ld times a request waited in a queue", queued);
    return done_testing();
}
