/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_asked.c - see lbs_asked.h. */
#include "src/httpd/decide/lbs_asked.h"

#include "src/httpd/pool/lbs_common.h"
#include "src/httpd/shared/lbs_runtime.h"

static apr_uint64_t key_left(const lbs_pool_t *pool, apr_uint64_t hash,
                             int member)
{
    return lbs_hash_mix(hash ^ APR_UINT64_C(0x6c65617665732031)
                        ^ lbs_hash_mix(pool->member[member]->slot + 1));
}

static apr_uint64_t key_to(apr_uint64_t hash)
{
    return lbs_hash_mix(hash ^ APR_UINT64_C(0x676f657320746f20));
}

static apr_uint64_t key_hold(apr_uint64_t hash)
{
    return lbs_hash_mix(hash ^ APR_UINT64_C(0x686f6c64732069));
}

static apr_uint64_t key_released(apr_uint64_t hash)
{
    return lbs_hash_mix(hash ^ APR_UINT64_C(0x72656c6561736564));
}

static int is_on(const lbs_pool_t *pool, apr_uint64_t hash)
{
    return pool->asked_slot >= 0 && hash != 0;
}

static int has(const lbs_pool_t *pool, apr_uint64_t key, apr_time_t now)
{
    lbs_table_hit_t hit;

    return lbs_table_find(lbs_runtime()->table, key, now, &hit) == APR_SUCCESS
           && hit.slot == (apr_uint32_t)pool->asked_slot;
}

/* A bind that loses to others is a wish that is not fulfilled this time. */
static void put(const lbs_pool_t *pool, apr_uint64_t key,
                apr_interval_time_t life, apr_time_t now)
{
    (void)lbs_table_bind(lbs_runtime()->table, key,
                         (apr_uint32_t)pool->asked_slot, now, life, NULL);
}

static void drop(apr_uint64_t key, apr_time_t now)
{
    (void)lbs_table_forget(lbs_runtime()->table, key, now, NULL);
}

void lbs_asked_move(const lbs_pool_t *pool, apr_uint64_t hash, int from,
                    int to, apr_time_t now)
{
    apr_interval_time_t idle = pool->set.timeout->idle;

    if (!is_on(pool, hash) || from == to) {
        return;
    }
    if (to == LBS_NO_MEMBER) {
        drop(key_to(hash), now);
    }
    else {
        (void)lbs_table_bind(lbs_runtime()->table, key_to(hash),
                             pool->member[to]->slot, now, idle, NULL);
    }
    put(pool, key_left(pool, hash, from), idle, now);
}

int lbs_asked_leaves(const lbs_pool_t *pool, apr_uint64_t hash, int member,
                     apr_time_t now)
{
    return is_on(pool, hash) && has(pool, key_left(pool, hash, member), now);
}

int lbs_asked_target(const lbs_pool_t *pool, apr_uint64_t hash, apr_time_t now)
{
    lbs_table_hit_t hit;

    return is_on(pool, hash)
                   && lbs_table_find(lbs_runtime()->table, key_to(hash), now,
                                     &hit)
                          == APR_SUCCESS
               ? lbs_pools_member_at(pool, hit.slot)
               : LBS_NO_MEMBER;
}

void lbs_asked_left(const lbs_pool_t *pool, apr_uint64_t hash, int member,
                    apr_time_t now)
{
    if (is_on(pool, hash) && member != LBS_NO_MEMBER) {
        drop(key_left(pool, hash, member), now);
        drop(key_to(hash), now);
    }
}

void lbs_asked_hold(const lbs_pool_t *pool, apr_uint64_t hash,
                    apr_interval_time_t hold, apr_time_t now)
{
    apr_interval_time_t most = lbs_common_longest_asked(pool);

    if (!is_on(pool, hash)) {
        return;
    }
    if (hold == 0) {
        drop(key_hold(hash), now);
    }
    else {
        put(pool, key_hold(hash), hold < most ? hold : most, now);
    }
}

int lbs_asked_holds(const lbs_pool_t *pool, apr_uint64_t hash, apr_time_t now)
{
    return is_on(pool, hash) && has(pool, key_hold(hash), now);
}

void lbs_asked_release(const lbs_pool_t *pool, apr_uint64_t hash,
                       apr_time_t now)
{
    if (is_on(pool, hash)) {
        put(pool, key_released(hash), pool->set.timeout->idle, now);
        drop(key_hold(hash), now);
    }
}

int lbs_asked_released(const lbs_pool_t *pool, apr_uint64_t hash,
                       apr_time_t now)
{
    return is_on(pool, hash) && has(pool, key_released(hash), now);
}
