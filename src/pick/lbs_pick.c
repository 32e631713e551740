/* SPDX-License-Identifier: Apache-2.0 */
#include "src/pick/lbs_pick.h"

#include <strings.h>

#include "src/base/lbs_assert.h"
#include "src/pick/lbs_pick_int.h"

typedef struct method_t {
    const char *name;
    lbs_pick_method_fn *pick;
    lbs_pick_score_fn *score;
    apr_uint32_t needs; /* LBS_PLAN_* */
    int draws;          /* 1: random numbers decide among members */
} method_t;

static const method_t methods[LBS_PICK_METHODS] = {
    [LBS_PICK_LEAST_LOAD] = {"least-load", lbs_pick_least_load,
                             lbs_pick_least_load_score, 0, 1},
    [LBS_PICK_LEAST_BUSY] = {"least-busy", lbs_pick_least_busy,
                             lbs_pick_in_flight_score, 0, 1},
    [LBS_PICK_LEAST_SESSIONS] = {"least-sessions", lbs_pick_least_sessions,
                                 lbs_pick_least_sessions_score, 0, 1},
    [LBS_PICK_ROUND_ROBIN] = {"round-robin", lbs_pick_round_robin,
                              lbs_pick_in_flight_score, LBS_PLAN_SEQUENCE, 0},
    [LBS_PICK_HASH] = {"hash", lbs_pick_hash, lbs_pick_in_flight_score,
                       LBS_PLAN_HASH, 0},
};

#define METHODS_WANTED                                                        \
    "least-load, least-busy, least-sessions, round-robin or hash"

const char *lbs_pick_method_parse(const char *word, lbs_pick_method_t *method)
{
    int i;

    for (i = 0; i < LBS_PICK_METHODS; i++) {
        if (strcasecmp(word, methods[i].name) == 0) {
            *method = (lbs_pick_method_t)i;
            return NULL;
        }
    }
    return METHODS_WANTED;
}

const char *lbs_pick_method_name(lbs_pick_method_t method)
{
    lbs_assert(method < LBS_PICK_METHODS);
    return methods[method].name;
}

apr_uint32_t lbs_pick_method_needs(lbs_pick_method_t method)
{
    lbs_assert(method < LBS_PICK_METHODS);
    return methods[method].needs;
}

int lbs_pick_method_draws(lbs_pick_method_t method)
{
    lbs_assert(method < LBS_PICK_METHODS);
    return methods[method].draws;
}

apr_status_t lbs_pick_member(const lbs_pick_pool_t *pool,
                             const lbs_pick_ask_t *ask, apr_uint32_t *index)
{
    return methods[pool->method].pick(pool, ask, index);
}

double lbs_pick_score(const lbs_pick_pool_t *pool, apr_uint32_t index)
{
    const lbs_gauge_t *g = lbs_plan_gauge(pool->plan, pool->gauges, index);

    return methods[pool->method].score(pool, g);
}
