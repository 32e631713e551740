/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_readers.c - see lbs_readers.h. */
#include "src/httpd/pool/lbs_readers.h"

#include <apr_strings.h>
#include <string.h>

#include "src/httpd/proxy/lbs_log.h"
#include "src/state/lbs_identity.h"

#define MOST_ADDRESSES 64 /* of one name */

/* What is counted --------------------------------------------------------- */

/* Is this place for a word that some pool with these members has? */
static int is_wanted(const lbs_pool_t *pool, apr_uint64_t id)
{
    const apr_array_header_t *all = lbs_pools_all();
    int i, k;

    for (i = 0; i < all->nelts; i++) {
        const lbs_pool_t *other = APR_ARRAY_IDX(all, i, lbs_pool_t *);

        for (k = 0; other->slot == pool->slot && k < other->set.foreign->count;
             k++) {
            if (lbs_identity_reader(other->set.foreign->word[k].spelling)
                == id) {
                return 1;
            }
        }
    }
    return 0;
}

/* The place of a word: the one it has, else a free one, else that of a word
 * that is no longer there. Only the parent gives places away. */
static lbs_reader_use_t *find_use(const lbs_pool_t *pool, const char *spelling)
{
    apr_uint64_t id = lbs_identity_reader(spelling);
    lbs_reader_use_t *free_one = NULL;
    int i;

    for (i = 0; i < LBS_POOL_READERS; i++) {
        lbs_reader_use_t *use = &pool->record->readers[i];
        apr_uint64_t whose = lbs_atomic_load64_relaxed(&use->id);

        if (whose == id) {
            return use;
        }
        if (whose == 0 ? free_one == NULL
                             || lbs_atomic_load64_relaxed(&free_one->id) != 0
                       : free_one == NULL && !is_wanted(pool, whose)) {
            free_one = use;
        }
    }
    if (free_one != NULL) {
        lbs_atomic_store64_relaxed(&free_one->used, 0);
        lbs_atomic_store64_relaxed(&free_one->last, 0);
        lbs_atomic_store64_relaxed(&free_one->id, id);
    }
    return free_one;
}

void lbs_readers_count(const lbs_reader_t *reader, apr_time_t wall)
{
    if (reader->use != NULL) {
        lbs_atomic_add64_relaxed(&reader->use->used, 1);
        lbs_atomic_store64_relaxed(&reader->use->last,
                                   (apr_uint64_t)apr_time_sec(wall));
    }
}

/* Members ----------------------------------------------------------------- */

/* Addresses of a name; each is a server of its own to those who resolve it. */
static apr_size_t resolve(apr_pool_t *ptemp, const char *host,
                          lbs_foreign_address_t *address)
{
    apr_sockaddr_t *found;
    apr_size_t n = 0;

    if (apr_sockaddr_info_get(&found, host, APR_UNSPEC, 0, 0, ptemp)
        != APR_SUCCESS) {
        return 0;
    }
    for (; found != NULL && n < MOST_ADDRESSES; found = found->next) {
        if (found->family != APR_INET && found->family != APR_INET6) {
            continue;
        }
        address[n].is_v6 = found->family == APR_INET6;
        memcpy(address[n].bytes, found->ipaddr_ptr, address[n].is_v6 ? 16 : 4);
        n++;
    }
    return n;
}

static lbs_foreign_member_t facts_of(apr_pool_t *ptemp, const lbs_pool_t *pool,
                                     const lbs_member_t *m, int resolves)
{
    lbs_worker_place_t place = lbs_worker_place(m->worker);
    lbs_foreign_address_t *address = NULL;
    apr_size_t addresses = 0;

    if (resolves && place.path == NULL) {
        address = apr_pcalloc(ptemp, MOST_ADDRESSES * sizeof(*address));
        addresses = resolve(ptemp, place.host, address);
        if (addresses == 0) {
            ap_log_error(APLOG_MARK, APLOG_WARNING, 0, pool->server,
                         LBSNO(1109) "pool %s: the name of member %s cannot "
                                     "be resolved: LBStickyForeign does not "
                                     "know its cookies of nginx and BIG-IP; "
                                     "write its address, or reload when the "
                                     "name is known",
                         pool->name, m->name);
        }
    }
    return (lbs_foreign_member_t){
        .route = m->route,
        .url = m->name,
        .scheme = place.scheme,
        .host = place.host,
        .port = place.port,
        .socket = place.path,
        .address = address,
        .addresses = addresses,
    };
}

/* Pools ------------------------------------------------------------------- */

static int goes_by_addresses(const lbs_set_foreign_t *set)
{
    int i;

    for (i = 0; i < set->count; i++) {
        if ((set->word[i].reader->uses & LBS_FOREIGN_ADDRESS) != 0) {
            return 1;
        }
    }
    return 0;
}

static lbs_readers_t *build(apr_pool_t *pconf, apr_pool_t *ptemp,
                            const lbs_pool_t *pool)
{
    const lbs_set_foreign_t *set = pool->set.foreign;
    lbs_readers_t *readers = apr_pcalloc(pconf, sizeof(*readers));
    apr_size_t m;
    int i;

    readers->count = set->count;
    for (i = 0; i < set->count; i++) {
        readers->reader[i].word = set->word[i];
        readers->reader[i].index = lbs_foreign_index_make(pconf);
        readers->reader[i].use = find_use(pool, set->word[i].spelling);
    }
    for (m = 0; m < pool->configured; m++) {
        lbs_foreign_member_t facts =
            facts_of(ptemp, pool, pool->member[m], goes_by_addresses(set));

        for (i = 0; i < set->count; i++) {
            (void)lbs_foreign_index_add(readers->reader[i].index,
                                        set->word[i].reader, &facts, (int)m);
        }
    }
    return readers;
}

void lbs_readers_build(apr_pool_t *pconf, apr_pool_t *ptemp)
{
    const apr_array_header_t *all = lbs_pools_all();
    int i;

    for (i = 0; i < all->nelts; i++) {
        lbs_pool_t *pool = APR_ARRAY_IDX(all, i, lbs_pool_t *);

        pool->readers =
            pool->set.foreign->count > 0 ? build(pconf, ptemp, pool) : NULL;
    }
}
