/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_pools.c - see lbs_pools.h. */
#include "src/httpd/pool/lbs_pools_int.h"

#include <apr_strings.h>

#include "src/httpd/config/lbs_config.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/state/lbs_identity.h"

/* Every virtual host has a table of its own; a pool that hosts inherit from
 * the main server stands in each of them. */
typedef struct pools_t {
    apr_array_header_t *all; /* lbs_pool_t *, one per pool and settings */
    apr_hash_t *by_server;   /* server_rec * -> hash of name -> pool */
    apr_uint16_t member_at[LBS_REGISTRY_MEMBERS]; /* slot -> index + 1 */
} pools_t;

static pools_t *pools;

const apr_array_header_t *lbs_pools_all(void)
{
    return pools->all;
}

lbs_pool_t *lbs_pools_find(const server_rec *s, const char *name)
{
    apr_hash_t *names = apr_hash_get(pools->by_server, &s, sizeof(s));

    return names == NULL ? NULL
                         : apr_hash_get(names, name, APR_HASH_KEY_STRING);
}

lbs_pool_t *lbs_pools_of_url(const server_rec *s, const char *url)
{
    lbs_slice_t part = lbs_config_pool_part(url);
    char name[PROXY_BALANCER_MAX_NAME_SIZE];

    if (part.n == 0 || part.n >= sizeof(name)) {
        return NULL;
    }
    memcpy(name, part.p, part.n);
    name[part.n] = '\0';
    ap_str_tolower(name);
    return lbs_pools_find(s, name);
}

int lbs_pools_member_at(const lbs_pool_t *pool, apr_uint32_t slot)
{
    int index = slot < LBS_REGISTRY_MEMBERS ? pools->member_at[slot] - 1 : -1;

    if (index < 0 || (apr_size_t)index >= pool->count
        || pool->member[index].slot != slot) {
        return LBS_NO_MEMBER;
    }
    return index;
}

/* For who builds them ---------------------------------------------------- */

void lbs_pools_begin(apr_pool_t *pconf)
{
    pools = apr_pcalloc(pconf, sizeof(*pools));
    pools->all = apr_array_make(pconf, 8, sizeof(lbs_pool_t *));
    pools->by_server = apr_hash_make(pconf);
}

apr_hash_t *lbs_pools_add_server(const server_rec *s)
{
    apr_pool_t *pconf = pools->all->pool;
    apr_hash_t *names = apr_hash_make(pconf);

    apr_hash_set(pools->by_server, apr_pmemdup(pconf, &s, sizeof(s)),
                 sizeof(s), names);
    return names;
}

void lbs_pools_add(apr_hash_t *names, lbs_pool_t *pool)
{
    apr_hash_set(names, pool->name, APR_HASH_KEY_STRING, pool);
    APR_ARRAY_PUSH(pools->all, lbs_pool_t *) = pool;
}

void lbs_pools_set_member(apr_uint32_t slot, apr_size_t index)
{
    pools->member_at[slot] = (apr_uint16_t)(index + 1);
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
    int i;

    for (i = 0; i < pools->all->nelts; i++) {
        lbs_pool_t *pool = APR_ARRAY_IDX(pools->all, i, lbs_pool_t *);

        build_prefixes(pool, lbs_identity_pool(pool->vhost, pool->name));
    }
}
