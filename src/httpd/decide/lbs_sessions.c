/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_sessions.c - see lbs_sessions.h. */
#include "src/httpd/decide/lbs_sessions.h"

#include "src/httpd/decide/lbs_place.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/httpd/store/lbs_store.h"
#include "src/table/lbs_sweep.h"

/* Remembering ------------------------------------------------------------ */

/* The session's own word stays, and another one says where it is. One that is
 * elsewhere for this request only, because its home is full, has no such
 * word. */
static void remember_away(const lbs_pool_t *pool, const lbs_choice_t *choice,
                          const lbs_key_t *key, apr_time_t now)
{
    apr_interval_time_t idle = pool->set.timeout->idle;
    lbs_table_t *table = lbs_runtime()->table;
    apr_uint32_t slot = pool->member[choice->member].slot;
    apr_uint32_t home = slot;
    lbs_table_hit_t hit;

    if (pool->set.failback->mode != LBS_FAILBACK_STAY
        && choice->reason != LBS_REASON_FULL) {
        (void)lbs_table_bind(table, lbs_place_away(key->hash), slot, now, idle,
                             NULL);
        if (choice->home != LBS_NO_MEMBER) {
            home = pool->member[choice->home].slot;
        }
    }
    if (lbs_table_renew(table, key->hash, now, idle, &hit) != APR_SUCCESS
        && !key->known) {
        (void)lbs_table_bind(table, key->hash, home, now, idle, NULL);
    }
}

static void remember_here(const lbs_pool_t *pool, apr_uint64_t hash,
                          apr_uint32_t slot, apr_time_t now)
{
    const lbs_set_timeout_t *timeout = pool->set.timeout;
    lbs_table_t *table = lbs_runtime()->table;
    lbs_table_hit_t hit;
    lbs_table_hit_t old = {.slot = slot};

    /* A bind that loses to others is one session that is picked anew. */
    (void)lbs_table_bind(table, hash, slot, now, timeout->idle, &old);
    if (old.slot != slot) {
        lbs_runtime_count_sessions(slot);
    }
    if (pool->max_slot >= 0) {
        (void)lbs_table_claim(table, lbs_place_max(hash),
                              (apr_uint32_t)pool->max_slot, now, timeout->max,
                              &hit);
    }
}

void lbs_sessions_remember(const lbs_pool_t *pool, const lbs_choice_t *choice,
                           const lbs_key_t *key, lbs_store_wait_t *wait)
{
    apr_time_t now = lbs_runtime_now();

    if (choice->temporary) {
        remember_away(pool, choice, key, now);
        return;
    }
    remember_here(pool, key->hash, pool->member[choice->member].slot, now);
    if (choice->reason == LBS_REASON_FAILBACK) {
        (void)lbs_table_forget(lbs_runtime()->table, lbs_place_away(key->hash),
                               now, NULL);
    }
    lbs_store_write(pool, choice->member, key, wait);
}

/* Forgetting ------------------------------------------------------------- */

void lbs_sessions_end(const lbs_pool_t *pool, const lbs_key_t *key,
                      lbs_store_wait_t *wait)
{
    lbs_table_t *table = lbs_runtime()->table;
    apr_time_t now = lbs_runtime_now();

    (void)lbs_table_forget(table, lbs_place_away(key->hash), now, NULL);
    (void)lbs_table_forget(table, lbs_place_max(key->hash), now, NULL);
    (void)lbs_table_forget(table, key->hash, now, NULL);
    lbs_store_forget(pool, key, wait);
}

void lbs_sessions_forget(const lbs_pool_t *pool, const lbs_key_t *key)
{
    lbs_store_wait_t wait = {0};

    /* The visitor's token would bring it back, and so would the store. */
    lbs_forgotten_add_session(&lbs_runtime()->shared->notes->forgotten,
                              key->hash);
    lbs_sessions_end(pool, key, &wait);
}

static int is_of_slot(void *data, const lbs_table_hit_t *hit)
{
    return hit->slot == *(const apr_uint32_t *)data;
}

void lbs_sessions_forget_all(const lbs_member_t *m, apr_pool_t *memory)
{
    lbs_runtime_t *rt = lbs_runtime();
    apr_uint32_t slot = m->slot;
    lbs_sweep_t *sweep;

    lbs_forgotten_add_member(&rt->shared->notes->forgotten, slot,
                             lbs_runtime_token_now());
    lbs_sweep_create(&sweep, rt->table, memory);
    (void)lbs_sweep_run(sweep, 0, lbs_runtime_now(), is_of_slot, &slot, NULL);
}
