/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_common.c - see lbs_common.h. */
#include "src/httpd/pool/lbs_common.h"

#include "src/httpd/pool/lbs_pools.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/table/lbs_sweep.h"

/* A drain may ask at any time which sessions were idle for some seconds: idle
 * times of sessions that live longer than this are kept as finely as those
 * that live so long. */
#define FINE_LIFE apr_time_from_sec(128)

/* The unit of the table's expiry clock for this pool's sessions. How long one
 * was idle is read from its expiry, so it is at most half a second, and finer
 * where LBStickyFailback idle= asks for a shorter time: a 32nd of that; or
 * what the clock can hold, about a second with sessions of two hours. */
static apr_uint64_t quantum_of(const lbs_pool_t *pool)
{
    const lbs_set_timeout_t *timeout = pool->set.timeout;
    const lbs_set_failback_t *failback = pool->set.failback;
    apr_interval_time_t fine =
        timeout->idle < FINE_LIFE ? timeout->idle : FINE_LIFE;
    apr_interval_time_t longest =
        timeout->max > timeout->idle ? timeout->max : timeout->idle;

    if (failback->mode == LBS_FAILBACK_IDLE && failback->idle < fine / 8) {
        fine = failback->idle * 8;
    }
    return lbs_table_quantum(fine, longest);
}

/* A hold is told to about a second when it is not longer than two hours. */
#define ASKED_LIFE apr_time_from_sec(7200)

apr_interval_time_t lbs_common_longest_asked(const lbs_pool_t *pool)
{
    const lbs_set_timeout_t *timeout = pool->set.timeout;
    apr_interval_time_t longest =
        timeout->max > timeout->idle ? timeout->max : timeout->idle;

    return longest > ASKED_LIFE ? longest : ASKED_LIFE;
}

typedef struct common_t {
    apr_uint64_t quantum[LBS_REGISTRY_MEMBERS]; /* by slot; 0: unused */
    apr_uint32_t limit[LBS_REGISTRY_MEMBERS];   /* 0: none; the found ones
                                                   are kept */
} common_t;

/* The coarsest clock tells the longest life. */
static void add_clock(common_t *common, apr_uint32_t slot,
                      apr_uint64_t quantum)
{
    if (common->quantum[slot] < quantum) {
        common->quantum[slot] = quantum;
    }
}

/* The lower of two limits; 0 is none. */
static apr_uint32_t lower(apr_uint32_t limit, apr_uint32_t other)
{
    return limit == 0 || (other != 0 && other < limit) ? other : limit;
}

/* inflight=auto goes on from where the member's limit was found to be. */
static void set_limit(apr_uint32_t slot, apr_uint32_t limit)
{
    lbs_registry_t *registry = lbs_runtime()->registry;

    lbs_atomic_store32_relaxed(
        &lbs_registry_gauges(registry)[slot].limit,
        limit == LBS_SET_LIMIT_AUTO
            ? lbs_limit_now(&lbs_registry_member_record(registry, slot)->limit)
            : limit);
}

static void set_clock(apr_uint32_t slot, apr_uint64_t quantum)
{
    lbs_runtime_t *rt = lbs_runtime();
    apr_uint64_t before = (apr_uint64_t)lbs_table_unit(rt->slots, slot);

    if (before == 0) {
        lbs_atomic_store64_relaxed(&rt->slots->quantum_us[slot], quantum);
    }
    else if (before != quantum) {
        (void)lbs_sweep_requantise(rt->table, slot, quantum,
                                   lbs_clock_now()); /* slot is in range */
    }
}

/* In the order of the configuration; httpd lists the main server first, then
 * the virtual hosts backwards. */
static int is_before(const apr_array_header_t *all, int a, int b)
{
    const lbs_pool_t *first = APR_ARRAY_IDX(all, a < b ? a : b, lbs_pool_t *);
    int main_is_first = lbs_pools_find(ap_server_conf, first->name) == first;

    return main_is_first ? a < b : a > b;
}

int lbs_common_decides(int number, int (*has)(const lbs_pool_t *pool))
{
    const apr_array_header_t *all = lbs_pools_all();
    const lbs_pool_t *pool = APR_ARRAY_IDX(all, number, lbs_pool_t *);
    int i;

    for (i = 0; i < all->nelts; i++) {
        const lbs_pool_t *other = APR_ARRAY_IDX(all, i, lbs_pool_t *);

        if (other->slot == pool->slot && i != number
            && (has(other) != has(pool) ? has(other)
                                        : is_before(all, i, number))) {
            return 0;
        }
    }
    return 1;
}

static int is_ejecting(const lbs_pool_t *pool)
{
    return pool->set.eject->on;
}

void lbs_common_settle(apr_pool_t *ptemp)
{
    const apr_array_header_t *all = lbs_pools_all();
    common_t *common = apr_pcalloc(ptemp, sizeof(*common));
    apr_uint32_t slot;
    int i;

    for (i = 0; i < all->nelts; i++) {
        lbs_pool_t *pool = APR_ARRAY_IDX(all, i, lbs_pool_t *);
        apr_uint64_t quantum = quantum_of(pool);
        apr_uint32_t *limit;
        apr_size_t m;

        pool->decides = lbs_common_decides(i, is_ejecting);
        for (m = 0; m < pool->configured; m++) {
            add_clock(common, pool->member[m]->slot, quantum);
            limit = &common->limit[pool->member[m]->slot];
            *limit = lower(*limit, pool->set.limit->inflight);
        }
        if (pool->max_slot >= 0) {
            add_clock(common, (apr_uint32_t)pool->max_slot, quantum);
        }
        if (pool->asked_slot >= 0) {
            add_clock(common, (apr_uint32_t)pool->asked_slot,
                      lbs_table_quantum(APR_USEC_PER_SEC,
                                        lbs_common_longest_asked(pool)));
        }
    }
    for (slot = 0; slot < LBS_REGISTRY_MEMBERS; slot++) {
        if (common->quantum[slot] != 0) {
            set_clock(slot, common->quantum[slot]);
            set_limit(slot, common->limit[slot]);
        }
    }
}

void lbs_common_adopt(const lbs_pool_t *pool, apr_uint32_t slot)
{
    const apr_array_header_t *all = lbs_pools_all();
    apr_uint64_t quantum = 0;
    apr_uint32_t limit = 0;
    int i;

    for (i = 0; i < all->nelts; i++) {
        const lbs_pool_t *other = APR_ARRAY_IDX(all, i, lbs_pool_t *);

        if (other->slot == pool->slot) {
            quantum =
                quantum < quantum_of(other) ? quantum_of(other) : quantum;
            limit = lower(limit, other->set.limit->inflight);
        }
    }
    set_clock(slot, quantum);
    set_limit(slot, limit);
}
