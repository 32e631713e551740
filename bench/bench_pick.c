/* SPDX-License-Identifier: Apache-2.0 */
/* bench_pick - what a pick costs, per method and size of the pool.
 *
 *     bench_pick                       one TSV line per method and size
 *     bench_pick METHOD MEMBERS PICKS  only that, no output: for counting
 *                                      instructions as the difference of two
 *                                      runs, see bench_pick.sh; METHOD none
 *                                      is the loop without the pick
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <apr_general.h>
#include <apr_pools.h>

#include "src/member/lbs_ewma.h"
#include "src/pick/lbs_pick.h"

#define NOW 1000000000

static double seconds(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec * 1e-9;
}

typedef struct pool_t {
    lbs_pick_pool_t view;
    lbs_gauge_t *gauges;
    lbs_rand_t rand;
} pool_t;

/* A pool in the middle of a day: all up and known, 0 to 7 in flight. */
static void fill(pool_t *pool, apr_uint32_t members, lbs_pick_method_t method,
                 apr_pool_t *memory)
{
    apr_uint32_t needs = lbs_pick_method_needs(method);
    apr_size_t bytes = lbs_plan_bytes(members, needs);
    lbs_plan_member_t *member = apr_pcalloc(memory, members * sizeof(*member));
    void *block = aligned_alloc(64, bytes);
    apr_uint32_t i;

    pool->rand.state = 1;
    pool->gauges = aligned_alloc(64, members * sizeof(*pool->gauges));
    for (i = 0; i < members; i++) {
        lbs_gauge_t *g = &pool->gauges[i];

        member[i].identity = lbs_rand_next(&pool->rand);
        member[i].slot = i;
        member[i].weight = 100;
        lbs_gauge_init(g);
        lbs_ewma_set(g, 20000 + lbs_rand_below(&pool->rand, 40000),
                     NOW - lbs_rand_below(&pool->rand, 1000000));
        lbs_atomic_store64_relaxed(&g->heard_at, NOW);
        lbs_atomic_store64_relaxed(&g->inflight,
                                   lbs_rand_below(&pool->rand, 8));
        lbs_atomic_store32_relaxed(&g->sessions,
                                   lbs_rand_below(&pool->rand, 1000));
    }
    memset(block, 0, bytes);
    if (lbs_plan_format(&pool->view.plan, block, bytes, member, members, needs,
                        memory)
        != APR_SUCCESS) {
        exit(1);
    }
    pool->view.method = method;
    pool->view.gauges = pool->gauges;
    (void)lbs_plan_rebuild(pool->view.plan, pool->gauges, NOW);
}

typedef apr_status_t pick_fn(const lbs_pick_pool_t *pool,
                             const lbs_pick_ask_t *ask, apr_uint32_t *index);

/* Stands in for a pick, to know what the loop around it costs. */
static __attribute__((noinline)) apr_status_t no_pick(
    const lbs_pick_pool_t *pool, const lbs_pick_ask_t *ask,
    apr_uint32_t *index)
{
    (void)pool;
    *index = (apr_uint32_t)ask->hash;
    return APR_SUCCESS;
}

/* @return a sum that depends on every pick, so that none is left out */
static apr_uint64_t pick(pool_t *pool, long picks, pick_fn *one)
{
    lbs_pick_ask_t ask = {.rand = &pool->rand};
    apr_uint64_t sum = 0;
    apr_uint32_t index = 0;

    while (picks-- > 0) {
        ask.hash = ask.hash * APR_UINT64_C(0x9e3779b97f4a7c15) + 1;
        if (one(&pool->view, &ask, &index) != APR_SUCCESS) {
            exit(1);
        }
        sum += index;
    }
    return sum;
}

/* The fastest of some runs; rebuilding after one member went down or came
 * back, and when nothing changed. */
static void report(lbs_pick_method_t method, apr_uint32_t members,
                   apr_pool_t *memory)
{
    const long picks = 200000;
    pool_t pool;
    double best = 1;
    double changed = 1;
    double same = 1;
    int run;

    fill(&pool, members, method, memory);
    for (run = 0; run < 5; run++) {
        double start = seconds();
        double took;

        (void)pick(&pool, picks, lbs_pick_member);
        took = (seconds() - start) / (double)picks;
        best = took < best ? took : best;
        (void)(run % 2 ? lbs_gauge_clear(&pool.gauges[0], LBS_F_DOWN)
                       : lbs_gauge_set(&pool.gauges[0], LBS_F_DOWN));
        start = seconds();
        (void)lbs_plan_rebuild(pool.view.plan, pool.gauges, NOW + run);
        took = seconds() - start;
        changed = took < changed ? took : changed;
        start = seconds();
        (void)lbs_plan_rebuild(pool.view.plan, pool.gauges, NOW + run);
        took = seconds() - start;
        same = took < same ? took : same;
    }
    printf(
        "%s\t%u\t%.1f\t%.1f\t%.1f\t%lu\n", lbs_pick_method_name(method),
        members, best * 1e9, changed * 1e6, same * 1e6,
        (unsigned long)lbs_plan_bytes(members, lbs_pick_method_needs(method)));
}

int main(int argc, char **argv)
{
    static const apr_uint32_t sizes[] = {4, 100, 4000};
    apr_pool_t *memory;
    lbs_pick_method_t method;
    unsigned i;
    int m;

    apr_initialize();
    apr_pool_create(&memory, NULL);
    if (argc == 4) {
        int none = lbs_pick_method_parse(argv[1], &method) != NULL;
        pool_t pool;

        fill(&pool, (apr_uint32_t)atol(argv[2]),
             none ? LBS_PICK_LEAST_LOAD : method, memory);
        return pick(&pool, atol(argv[3]), none ? no_pick : lbs_pick_member)
               == 0;
    }
    printf("method\tmembers\tns_per_pick\tus_rebuild_changed\t"
           "us_rebuild_same\tplan_bytes\n");
    for (m = 0; m < LBS_PICK_METHODS; m++) {
        for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
            report((lbs_pick_method_t)m, sizes[i], memory);
        }
    }
    apr_terminate();
    return 0;
}
