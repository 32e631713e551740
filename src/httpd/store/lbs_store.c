/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_store.c - see lbs_store.h. */
#include "src/httpd/store/lbs_store.h"

#include <ap_provider.h>
#include <apr_strings.h>

#include "src/httpd/config/lbs_walk.h"
#include "src/httpd/proxy/lbs_log.h"
#include "src/httpd/shared/lbs_clock.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/httpd/store/lbs_store_call.h"
#include "src/httpd/store/lbs_store_int.h"
#include "src/sharing/lbs_store_record.h"

static lbs_store_secrets_t keys;

const lbs_store_secrets_t *lbs_store_secrets(void)
{
    return &keys;
}

/* Configuration ---------------------------------------------------------- */

static const ap_socache_provider_t *find_provider(const char *name)
{
    return ap_lookup_provider(AP_SOCACHE_PROVIDER_GROUP, name,
                              AP_SOCACHE_PROVIDER_VERSION);
}

static int check_store(apr_pool_t *ptemp, const server_rec *s,
                       const lbs_set_store_t *set)
{
    const ap_socache_provider_t *provider = find_provider(set->provider);
    ap_socache_instance_t *instance;
    const char *error;

    if (provider == NULL) {
        ap_log_error(
            APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, 0, s,
            LBSNO(2600) "LBStickyStore on %s: \"%s\": no such store here; "
                        "wanted redis:HOST:PORT, memcache:HOST:PORT or "
                        "shmcb, or, for this one, LoadModule "
                        "socache_%s_module modules/mod_socache_%s.so",
            set->where, set->provider, set->provider, set->provider);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    error = provider->create(&instance, set->args, ptemp, ptemp);
    if (error != NULL) {
        ap_log_error(
            APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, 0, s,
            LBSNO(2601) "LBStickyStore on %s: \"%s:%s\": wanted "
                        "%s:HOST:PORT or what else mod_socache_%s takes: %s",
            set->where, set->provider, set->args != NULL ? set->args : "",
            set->provider, set->provider, error);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return OK;
}

int lbs_store_check(apr_pool_t *ptemp, server_rec *main_server)
{
    lbs_walk_t walk = lbs_walk_all(ptemp, main_server);
    int status = OK;

    while (status == OK && lbs_walk_next(&walk)) {
        if (walk.set.sticky->on && walk.set.store->provider != NULL) {
            status = check_store(ptemp, walk.server, walk.set.store);
        }
    }
    return status;
}

/* Pools that name the same store share it. */
static apr_status_t open_store(apr_pool_t *pconf, apr_pool_t *ptemp,
                               lbs_pool_t *pool, server_rec *s,
                               apr_hash_t *opened)
{
    const lbs_set_store_t *set = pool->set.store;
    const char *spelling =
        set->args == NULL
            ? set->provider
            : apr_pstrcat(pconf, set->provider, ":", set->args, NULL);
    apr_status_t rv = APR_SUCCESS;

    pool->store = apr_hash_get(opened, spelling, APR_HASH_KEY_STRING);
    if (pool->store == NULL) {
        rv = lbs_store_call_open(&pool->store, find_provider(set->provider),
                                 spelling, set->args, s, pconf, ptemp);
        apr_hash_set(opened, spelling, APR_HASH_KEY_STRING, pool->store);
    }
    return rv;
}

apr_status_t lbs_store_start(apr_pool_t *pconf, apr_pool_t *ptemp,
                             server_rec *main_server)
{
    const lbs_secret_t *secret = lbs_runtime()->secret;
    const apr_array_header_t *all = lbs_pools_all();
    apr_hash_t *opened = apr_hash_make(ptemp);
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (keys.count = 0; keys.count < secret->count; keys.count++) {
        lbs_hash_key_t key;

        lbs_secret_key(&key, secret, keys.count, "store");
        lbs_store_record_secret(&keys.secret[keys.count], &key);
    }
    for (i = 0; i < all->nelts && rv == APR_SUCCESS; i++) {
        lbs_pool_t *pool = APR_ARRAY_IDX(all, i, lbs_pool_t *);

        if (pool->set.store->provider != NULL) {
            rv = open_store(pconf, ptemp, pool, main_server, opened);
        }
    }
    return rv;
}

/* Sessions --------------------------------------------------------------- */

/* One name for each secret, one behind the other. */
const char *lbs_store_name(request_rec *r, const lbs_pool_t *pool, int index,
                           const void *value, apr_size_t len)
{
    const lbs_source_t *source = &pool->set.sticky->source[index];
    char *names;
    apr_size_t i;

    if (pool->store == NULL || source->kind == LBS_SOURCE_COOKIE
        || source->kind == LBS_SOURCE_ROUTE) {
        return NULL;
    }
    names = apr_palloc(r->pool, keys.count * LBS_STORE_RECORD_NAME_LEN + 1);
    for (i = 0; i < keys.count; i++) {
        lbs_store_record_name(&keys.secret[i], pool->token_pool,
                              source->spelling, value, len,
                              names + i * LBS_STORE_RECORD_NAME_LEN);
    }
    return names;
}

/* A call within the time that the request has left. The store is blamed for
 * being late only where it had most of it. */
static apr_status_t call(const lbs_pool_t *pool, lbs_store_op_t op,
                         const char *name, unsigned char *value,
                         apr_time_t expiry, lbs_store_wait_t *part)
{
    lbs_store_wait_t *wait = part->whole != NULL ? part->whole : part;
    lbs_store_call_t what = {
        .op = op,
        .name = name,
        .value = value,
        .len = LBS_STORE_RECORD_VALUE_LEN,
        .expiry = expiry,
        .timeout = pool->set.store->timeout - wait->waited,
        .whole = wait->waited <= pool->set.store->timeout / 2,
    };
    apr_time_t began = lbs_clock_now();
    apr_status_t rv;

    if (wait->late || what.timeout <= 0) {
        what.timeout = 0;
        if (op != LBS_STORE_GET) {
            (void)lbs_store_call(pool->store, &what);
        }
        return APR_TIMEUP;
    }
    rv = lbs_store_call(pool->store, &what);
    wait->waited += lbs_clock_now() - began;
    wait->late = APR_STATUS_IS_TIMEUP(rv) != 0;
    return rv;
}

/* Which of a key's two records. */
typedef enum which_t {
    RECORD_HOME, /* where the session belongs */
    RECORD_AWAY  /* where it is while it is away from home */
} which_t;

/* The name of a record under one secret. */
static void name_of(const lbs_key_t *key, apr_size_t secret, which_t which,
                    char name[LBS_STORE_RECORD_NAME_LEN + 1])
{
    apr_cpystrn(name, key->name + secret * LBS_STORE_RECORD_NAME_LEN,
                LBS_STORE_RECORD_NAME_LEN + 1);
    if (which == RECORD_AWAY) {
        lbs_store_record_beside(name);
    }
}

static apr_status_t read_one(const lbs_pool_t *pool, const lbs_key_t *key,
                             apr_size_t secret, which_t which,
                             lbs_store_wait_t *wait,
                             lbs_store_record_t *record)
{
    unsigned char value[LBS_STORE_RECORD_VALUE_LEN];
    char name[LBS_STORE_RECORD_NAME_LEN + 1];
    apr_status_t rv;

    name_of(key, secret, which, name);
    rv = call(pool, LBS_STORE_GET, name, value, 0, wait);
    return rv != APR_SUCCESS
               ? rv
               : lbs_store_record_decode(
                   &keys.secret[secret], name, value, sizeof(value),
                   (apr_uint64_t)apr_time_sec(apr_time_now()), record);
}

static int is_too_old(const lbs_pool_t *pool, const lbs_store_record_t *record,
                      apr_time_t now)
{
    apr_int64_t max = pool->set.timeout->max;

    return max != 0
           && apr_time_sec(now) - (apr_int64_t)record->created
                  > apr_time_sec(max);
}

/* @return APR_SUCCESS; APR_NOTFOUND: the store has no such record, or none
 * that counts; else it cannot be asked */
static apr_status_t read_record(const lbs_pool_t *pool, const lbs_key_t *key,
                                which_t which, lbs_store_wait_t *wait,
                                lbs_store_record_t *record,
                                const lbs_member_t **m)
{
    apr_status_t rv = APR_NOTFOUND;
    apr_size_t i;

    for (i = 0; key->name != NULL && i < keys.count && rv == APR_NOTFOUND;
         i++) {
        rv = read_one(pool, key, i, which, wait, record);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    *m = apr_hash_get(pool->by_token_id, &record->member_id,
                      sizeof(record->member_id));
    return is_too_old(pool, record, apr_time_now())
                   || (*m != NULL
                       && lbs_forgotten_has_member(
                           lbs_runtime()->notes.forgotten, (*m)->slot,
                           (apr_uint32_t)record->created))
               ? APR_NOTFOUND
               : APR_SUCCESS;
}

int lbs_store_find(const lbs_pool_t *pool, lbs_key_t *key,
                   lbs_store_wait_t *wait)
{
    const lbs_member_t *m = NULL;
    lbs_store_record_t record;

    if (read_record(pool, key, RECORD_HOME, wait, &record, &m)
        != APR_SUCCESS) {
        return 0;
    }
    key->known = 1;
    key->stored = record.created;
    key->slot = m != NULL ? (int)m->slot : -1;
    key->expires = lbs_clock_now() + pool->set.timeout->idle;
    return 1;
}

apr_status_t lbs_store_find_away(const lbs_pool_t *pool, const lbs_key_t *key,
                                 lbs_store_wait_t *wait, int *slot)
{
    const lbs_member_t *m = NULL;
    lbs_store_record_t record;
    apr_status_t rv = read_record(pool, key, RECORD_AWAY, wait, &record, &m);

    if (rv == APR_SUCCESS) {
        *slot = m != NULL ? (int)m->slot : -1;
    }
    return rv;
}

/* Half an idle time is a period; the first answer in each tells the store,
 * which keeps a session for one and a half. */
int lbs_store_is_due(const lbs_pool_t *pool, apr_time_t expires)
{
    apr_int64_t idle = pool->set.timeout->idle;
    apr_int64_t period = idle / 2 > 0 ? idle / 2 : 1;

    return (expires - idle) / period != lbs_clock_now() / period;
}

static void write_record(const lbs_pool_t *pool, int member,
                         const lbs_key_t *key, which_t which,
                         lbs_store_wait_t *wait)
{
    apr_int64_t idle = pool->set.timeout->idle;
    apr_time_t now = apr_time_now();
    apr_time_t expiry = now + idle + idle / 2;
    lbs_store_record_t record = {
        pool->member[member]->token_id,
        key->stored != 0 ? key->stored : (apr_uint64_t)apr_time_sec(now),
        (apr_uint64_t)apr_time_sec(expiry) + 1,
    };
    unsigned char value[LBS_STORE_RECORD_VALUE_LEN];
    char name[LBS_STORE_RECORD_NAME_LEN + 1];

    name_of(key, 0, which, name);
    lbs_store_record_encode(&keys.secret[0], name, &record, value);
    (void)call(pool, LBS_STORE_PUT, name, value, expiry, wait);
}

void lbs_store_write(const lbs_pool_t *pool, int member, const lbs_key_t *key,
                     lbs_store_wait_t *wait)
{
    if (key->name != NULL
        && (!key->known || key->slot != (int)pool->member[member]->slot
            || lbs_store_is_due(pool, key->expires))) {
        write_record(pool, member, key, RECORD_HOME, wait);
    }
}

void lbs_store_write_away(const lbs_pool_t *pool, int member,
                          const lbs_key_t *key, lbs_store_wait_t *wait)
{
    if (key->name != NULL) {
        write_record(pool, member, key, RECORD_AWAY, wait);
    }
}

static void remove_record(const lbs_pool_t *pool, const lbs_key_t *key,
                          which_t which, lbs_store_wait_t *wait)
{
    unsigned char none[LBS_STORE_RECORD_VALUE_LEN] = {0};
    char name[LBS_STORE_RECORD_NAME_LEN + 1];
    apr_size_t i;

    for (i = 0; key->name != NULL && i < keys.count; i++) {
        name_of(key, i, which, name);
        (void)call(pool, LBS_STORE_REMOVE, name, none, 0, wait);
    }
}

void lbs_store_forget(const lbs_pool_t *pool, const lbs_key_t *key,
                      lbs_store_wait_t *wait)
{
    remove_record(pool, key, RECORD_HOME, wait);
    if (pool->set.failback->mode != LBS_FAILBACK_STAY) {
        remove_record(pool, key, RECORD_AWAY, wait);
    }
}

void lbs_store_forget_away(const lbs_pool_t *pool, const lbs_key_t *key,
                           lbs_store_wait_t *wait)
{
    remove_record(pool, key, RECORD_AWAY, wait);
}
