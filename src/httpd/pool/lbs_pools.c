/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_pools.c - see lbs_pools.h. */
#include "src/httpd/pool/lbs_pools_int.h"

#include <apr_strings.h>

#include "src/httpd/config/lbs_config.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/state/lbs_identity.h"

/* A pool as one server may use it; every virtual host has entries of its own,
 * and a pool that hosts inherit from the main server stands in each of them.
 */
typedef struct entry_t {
    const server_rec *server; /* NULL: nothing stands here */
    lbs_slice_t name;
    lbs_pool_t *pool;
} entry_t;

typedef struct pools_t {
    lbs_pools_t configured;
    int has_roster;     /* LBStickyDiscover is on for one of them */
    entry_t *entry;     /* at most half of them are in use: an entry is at the
                           place of its hash, or behind it */
    apr_size_t entries; /* a power of two */
} pools_t;

#define FIRST_ENTRIES 16

static pools_t *pools;

/* Of this thread; NULL: as configured. */
static __thread const lbs_pools_t *shown;

const lbs_pools_t *lbs_pools_configured(void)
{
    return &pools->configured;
}

const lbs_pools_t *lbs_pools_show(const lbs_pools_t *held)
{
    const lbs_pools_t *before = shown;

    shown = held;
    return before;
}

const apr_array_header_t *lbs_pools_all(void)
{
    return shown != NULL ? shown->all : pools->configured.all;
}

const lbs_pool_t *lbs_pools_same(const lbs_pool_t *pool)
{
    return APR_ARRAY_IDX(lbs_pools_all(), pool->number, const lbs_pool_t *);
}

int lbs_pools_have_roster(void)
{
    return pools->has_roster;
}

const lbs_pool_t *lbs_pools_of_slot(apr_uint32_t slot)
{
    const apr_array_header_t *all = lbs_pools_all();
    int i;

    for (i = 0; i < all->nelts; i++) {
        const lbs_pool_t *pool = APR_ARRAY_IDX(all, i, const lbs_pool_t *);

        if (pool->slot == slot) {
            return pool;
        }
    }
    return NULL;
}

/* Where the entry of a pool stands, or would stand: servers and names are the
 * configuration's, so no client chooses what is hashed. */
static entry_t *find_entry(const server_rec *s, lbs_slice_t name)
{
    apr_uint64_t hash = (apr_uint64_t)(apr_uintptr_t)s >> 4;
    apr_size_t i;
    entry_t *entry;

    for (i = 0; i < name.n; i++) {
        hash = hash * 31 + (unsigned char)lbs_slice_lower(name.p[i]);
    }
    i = (apr_size_t)lbs_hash_mix(hash);
    for (;; i++) {
        entry = &pools->entry[i & (pools->entries - 1)];
        if (entry->server == NULL
            || (entry->server == s && lbs_slice_caseeq(entry->name, name))) {
            return entry;
        }
    }
}

lbs_pool_t *lbs_pools_find(const server_rec *s, const char *name)
{
    return find_entry(s, lbs_slice_of(name))->pool;
}

lbs_pool_t *lbs_pools_of_url(const server_rec *s, const char *url)
{
    lbs_slice_t part = lbs_config_pool_part(url);

    return part.n != 0 ? find_entry(s, part)->pool : NULL;
}

int lbs_pools_member_at(const lbs_pool_t *pool, apr_uint32_t slot)
{
    int index = slot < LBS_REGISTRY_MEMBERS ? pool->member_at[slot] - 1 : -1;

    if (index < 0 || (apr_size_t)index >= pool->count
        || pool->member[index]->slot != slot) {
        return LBS_NO_MEMBER;
    }
    return index;
}

/* For who builds them ---------------------------------------------------- */

static void make_entries(apr_size_t entries)
{
    pools->entry = apr_pcalloc(pools->configured.all->pool,
                               entries * sizeof(*pools->entry));
    pools->entries = entries;
}

void lbs_pools_begin(apr_pool_t *pconf)
{
    pools = apr_pcalloc(pconf, sizeof(*pools));
    pools->configured.all = apr_array_make(pconf, 8, sizeof(lbs_pool_t *));
    pools->configured.member_at =
        apr_pcalloc(pconf, LBS_REGISTRY_MEMBERS * sizeof(apr_uint16_t));
    make_entries(FIRST_ENTRIES);
}

/* Make room for one more. */
static void grow(void)
{
    const entry_t *old = pools->entry;
    apr_size_t i, n = pools->entries;

    if ((apr_size_t)pools->configured.all->nelts < n / 2) {
        return;
    }
    make_entries(2 * n);
    for (i = 0; i < n; i++) {
        if (old[i].server != NULL) {
            *find_entry(old[i].server, old[i].name) = old[i];
        }
    }
}

void lbs_pools_add(const server_rec *s, lbs_pool_t *pool)
{
    lbs_slice_t name = lbs_slice_of(pool->name);

    grow();
    *find_entry(s, name) = (entry_t){s, name, pool};
    pool->number = pools->configured.all->nelts;
    pool->member_at = pools->configured.member_at;
    APR_ARRAY_PUSH(pools->configured.all, lbs_pool_t *) = pool;
    pools->has_roster |= pool->roster != NULL;
}

void lbs_pools_set_member(apr_uint32_t slot, apr_size_t index)
{
    pools->configured.member_at[slot] = (apr_uint16_t)(index + 1);
}

/* The table's key -------------------------------------------------------- */

static void build_prefixes(lbs_pool_t *pool, apr_uint64_t id)
{
    const lbs_set_sticky_t *sticky = pool->set.sticky;
    const lbs_hash_key_t *key =
        lbs_registry_table_key(lbs_runtime()->registry);
    int i;

    for (i = 0; i < sticky->count; i++) {
        const char *spelling = sticky->source[i].spelling;
        apr_uint64_t words[2] = {
            id, lbs_hash_bytes(key, spelling, strlen(spelling))};

        pool->key_head[i] = lbs_hash_head(key, words, sizeof(words));
    }
    pool->first_prefix = id;
}

void lbs_pools_take_key(void)
{
    const apr_array_header_t *all = pools->configured.all;
    int i;

    for (i = 0; i < all->nelts; i++) {
        lbs_pool_t *pool = APR_ARRAY_IDX(all, i, lbs_pool_t *);

        build_prefixes(pool, lbs_identity_pool(pool->vhost, pool->name));
    }
}
