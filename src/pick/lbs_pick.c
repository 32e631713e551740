/* SPDX-License-Identifier: Apache-2.0 */
#include "src/pick/lbs_pick.h"

#include <strings.h>

#include "src/base/lbs_assert.h"
#include "src/pick/lbs_pick_int.h"

typedef struct method_t {
    const char *name;
    lbs_pick_method_fn *pick;
    apr_uint32_t needs; /* LBS_PLAN_* */
} method_t;

static const method_t methods[LBS_PICK_METHODS] = {
    [LBS_PICK_LEAST_LOAD] = {"least-load", lbs_pick_least_load, 0},
    [LBS_PICK_LEAST_BUSY] = {"least-busy", lbs_pick_least_busy, 0},
    [LBS_PICK_LEAST_SESSIONS] = {"least-sessions", lbs_pick_least_sessions, 0},
    [LBS_PICK_ROUND_ROBIN] = {"round-robin", lbs_pick_round_robin,
                              LBS_PLAN_SEQUENCE},
    [LBS_PICK_HASH] = {"hash", lbs_pick_hash, LBS_PLAN_HASH},
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

apr_status_t lbs_pick_member(const lbs_pick_pool_t *pool,
                             const lbs_pick_ask_t *ask, apr_uint32_t *index)
{
    return methods[pool->method].pick(pool, ask, index);
}

double lbs_pick_score(const lbs_pick_pool_t *pool, apr_uint32_t index)
{
    const lbs_gauge_t *g = lbs_plan_gauge(pool->plan, pool->gauges, index);
    double weight = lbs_pick_weight(g) / 100.0;

    switch (pool->method) {
    case LBS_PICK_LEAST_LOAD:
        return lbs_pick_least_load_score(pool, g);
    case LBS_PICK_LEAST_SESSIONS:
        return lbs_atomic_load32_relaxed(&g->sessions) / weight;
    default:
        return lbs_gauge_inflight(g) / weight;
    }
}
