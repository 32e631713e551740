/* SPDX-License-Identifier: Apache-2.0 */
/* pool.h - a pool to pick from, and who may be picked, worked out slowly. */
#ifndef LBS_TEST_POOL_H
#define LBS_TEST_POOL_H

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_pools.h>

#include "src/member/lbs_ewma.h"
#include "src/pick/lbs_pick.h"
#include "src/pick/lbs_plan.h"
#include "t/unit/tap.h"

#define POOL_NOW 1000000000 /* microseconds; any time well after 0 */

typedef struct pool_t {
    apr_pool_t *memory;
    apr_uint32_t n;
    lbs_plan_member_t *member;
    lbs_gauge_t *gauges;
    void *block;
    apr_size_t bytes;
    lbs_plan_t *plan;
    lbs_pick_pool_t view;
    lbs_rand_t rand;
    apr_int64_t now;
} pool_t;

/* The gauge of a member; slots are not in the order of the members. */
TAP_FUNC lbs_gauge_t *gauge_of(const pool_t *pool, apr_uint32_t index)
{
    return &pool->gauges[pool->member[index].slot];
}

TAP_FUNC void pool_set_inflight(const pool_t *pool, apr_uint32_t index,
                                apr_uint32_t inflight)
{
    lbs_atomic_store64_relaxed(&gauge_of(pool, index)->inflight, inflight);
}

TAP_FUNC void pool_set_weight(const pool_t *pool, apr_uint32_t index,
                              apr_uint32_t weight)
{
    lbs_atomic_store32_relaxed(&gauge_of(pool, index)->weight, weight);
}

/* Full without anybody in flight would be no limit: one is in flight. */
TAP_FUNC void pool_set_full(const pool_t *pool, apr_uint32_t index)
{
    lbs_atomic_store32_relaxed(&gauge_of(pool, index)->limit, 1);
    pool_set_inflight(pool, index, 1);
}

TAP_FUNC void pool_format(pool_t *pool)
{
    apr_uint32_t with = lbs_pick_method_needs(pool->view.method);
    apr_size_t bytes = lbs_plan_bytes(pool->n, with);

    if (lbs_plan_format(&pool->plan, pool->block, bytes, pool->member, pool->n,
                        with, pool->memory)
        != APR_SUCCESS) {
        bail_out("lbs_plan_format");
    }
    pool->view.plan = pool->plan;
}

/* n members of weight 1.00 in lbset 0, all idle and up. */
TAP_FUNC pool_t *pool_create(apr_uint32_t n, lbs_pick_method_t method)
{
    apr_pool_t *memory;
    pool_t *pool;
    apr_uint32_t i;

    if (apr_pool_create(&memory, NULL) != APR_SUCCESS) {
        bail_out("no memory");
    }
    pool = apr_pcalloc(memory, sizeof(*pool));
    pool->memory = memory;
    pool->n = n;
    pool->now = POOL_NOW;
    pool->rand.state = n + 1;
    pool->member = apr_pcalloc(memory, n * sizeof(*pool->member));
    pool->gauges = aligned_alloc(64, n * sizeof(*pool->gauges));
    pool->bytes = lbs_plan_bytes(n, LBS_PLAN_SEQUENCE | LBS_PLAN_HASH);
    pool->block = aligned_alloc(64, pool->bytes);
    memset(pool->block, 0, pool->bytes);
    for (i = 0; i < n; i++) {
        pool->member[i].identity = lbs_hash_mix(i + 77);
        pool->member[i].slot = n - 1 - i;
        pool->member[i].weight = 100;
        lbs_gauge_init(&pool->gauges[i]);
    }
    pool->view.method = method;
    pool->view.gauges = pool->gauges;
    pool_format(pool);
    return pool;
}

TAP_FUNC void pool_destroy(pool_t *pool)
{
    free(pool->gauges);
    free(pool->block);
    apr_pool_destroy(pool->memory);
}

TAP_FUNC int pool_rebuild(pool_t *pool)
{
    pool->now += 100000;
    return lbs_plan_rebuild(pool->plan, pool->gauges, pool->now);
}

TAP_FUNC lbs_pick_ask_t pool_ask(pool_t *pool)
{
    lbs_pick_ask_t ask = {.rand = &pool->rand};

    ask.hash = lbs_rand_next(&pool->rand);
    return ask;
}

/* A pick for a random key. @return the index, or -status */
TAP_FUNC int pool_pick(pool_t *pool)
{
    lbs_pick_ask_t ask = pool_ask(pool);
    apr_uint32_t index = 0;
    apr_status_t rv = lbs_pick_member(&pool->view, &ask, &index);

    return rv == APR_SUCCESS ? (int)index : -(int)rv;
}

/* Who may be picked, straight from the words of the rule ------------------ */

TAP_FUNC int is_spare(const pool_t *pool, apr_uint32_t i)
{
    return (gauge_of(pool, i)->flags & LBS_F_SPARE) != 0;
}

TAP_FUNC int is_standby(const pool_t *pool, apr_uint32_t i)
{
    return !is_spare(pool, i)
           && (gauge_of(pool, i)->flags & LBS_F_STANDBY) != 0;
}

TAP_FUNC int is_usable(const pool_t *pool, apr_uint32_t i)
{
    return (lbs_gauge_flags(gauge_of(pool, i)) & LBS_F_CLOSED_NEW) == 0
           && gauge_of(pool, i)->weight != 0;
}

typedef struct may_t {
    unsigned char pick[64]; /* per index */
    int count;
    apr_status_t status; /* when nobody may */
} may_t;

TAP_FUNC void may_add(may_t *may, const pool_t *pool, apr_uint32_t i,
                      const unsigned char *tried)
{
    if (tried[i] || may->pick[i]) {
        return;
    }
    if (lbs_gauge_open_new(gauge_of(pool, i))) {
        may->pick[i] = 1;
        may->count++;
    }
    else {
        may->status = APR_EBUSY;
    }
}

/* kind 0: ordinary, 1: spare, 2: standby; of those usable up to quota */
TAP_FUNC void may_add_kind(may_t *may, const pool_t *pool, apr_uint32_t lbset,
                           int kind, int quota, const unsigned char *tried)
{
    apr_uint32_t i;

    for (i = 0; i < pool->n; i++) {
        int its = is_spare(pool, i) ? 1 : is_standby(pool, i) ? 2 : 0;

        if (pool->member[i].lbset == lbset && its == kind && is_usable(pool, i)
            && quota-- > 0) {
            may_add(may, pool, i, tried);
        }
    }
}

TAP_FUNC may_t pool_may(const pool_t *pool, const unsigned char *tried)
{
    static const unsigned char nobody[64];
    may_t may = {.status = APR_NOTFOUND};
    apr_uint32_t lbset;

    if (tried == NULL) {
        tried = nobody;
    }
    for (lbset = 0; lbset < 8 && may.count == 0; lbset++) {
        int ordinary = 0;
        int unusable = 0;
        apr_uint32_t i;

        for (i = 0; i < pool->n; i++) {
            if (pool->member[i].lbset == lbset && !is_spare(pool, i)
                && !is_standby(pool, i)) {
                ordinary++;
                unusable += !is_usable(pool, i)
                            || (gauge_of(pool, i)->flags & LBS_F_HALF_OPEN);
            }
        }
        may_add_kind(&may, pool, lbset, 0, 64, tried);
        may_add_kind(&may, pool, lbset, 1, unusable, tried);
        if (may.count == 0) {
            may_add_kind(&may, pool, lbset, 1, ordinary, tried);
        }
        if (may.count == 0) {
            may_add_kind(&may, pool, lbset, 2, 64, tried);
        }
    }
    return may;
}

/* Statistics ------------------------------------------------------------- */

/* Chi-square of counts against shares; degrees of freedom: n - 1. */
TAP_FUNC double chi_square(const int *count, const double *share, int n)
{
    double total = 0;
    double shares = 0;
    double sum = 0;
    int i;

    for (i = 0; i < n; i++) {
        total += count[i];
        shares += share[i];
    }
    for (i = 0; i < n; i++) {
        double want = total * share[i] / shares;

        sum += (count[i] - want) * (count[i] - want) / want;
    }
    return sum;
}

#endif
