/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_runtime.c - see lbs_runtime.h. */
#include "src/httpd/lbs_runtime.h"

#include <ap_mpm.h>
#include <apr_strings.h>
#include <http_config.h>
#include <time.h>
#include <unistd.h>

#include "src/httpd/lbs_config.h"
#include "src/httpd/lbs_log.h"
#include "src/httpd/lbs_shm.h"

#define RETAINED "mod_lbsticky"
#define MIN_CHILDREN 1024 /* rows, if the MPM may not have more than half */

/* One table of the chain, the newest first. */
typedef struct block_t {
    void *base;
    apr_size_t bytes;
    apr_uint32_t sessions;
} block_t;

/* What the parent keeps from one configuration to the next. */
typedef struct retained_t {
    void *registry;
    apr_size_t registry_bytes;
    apr_uint32_t children;
    void *first;
    block_t table[1 + LBS_TABLE_CHAIN];
} retained_t;

static lbs_runtime_t *runtime;

lbs_runtime_t *lbs_runtime(void)
{
    return runtime;
}

/* Clocks and randomness --------------------------------------------------- */

apr_time_t lbs_runtime_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return apr_time_from_sec((apr_time_t)now.tv_sec) + now.tv_nsec / 1000;
}

lbs_clock_t lbs_runtime_clock(void)
{
    lbs_clock_t now = {lbs_runtime_now(), apr_time_now()};

    return now;
}

apr_uint32_t lbs_runtime_token_now(void)
{
    lbs_clock_t started = lbs_registry_started(runtime->registry);

    return (apr_uint32_t)apr_time_sec(started.wall + lbs_runtime_now()
                                      - started.mono);
}

lbs_rand_t *lbs_runtime_rand(void)
{
    static __thread lbs_rand_t rand;
    static __thread int seeded;

    if (!seeded) {
        (void)apr_generate_random_bytes((unsigned char *)&rand.state,
                                        sizeof(rand.state));
        seeded = 1;
    }
    return &rand;
}

/* Shared memory ------------------------------------------------------------
 */

static apr_status_t share(void **base, apr_size_t bytes, server_rec *s,
                          const char *what, const char *directive)
{
    apr_status_t rv = lbs_shm_create(base, bytes, s->process->pool);

    if (rv != APR_SUCCESS) {
        ap_log_error(
            APLOG_MARK, APLOG_CRIT, rv, s,
            LBSNO(1000) "no memory for the %s: wanted %" APR_SIZE_T_FMT
                        " bytes of shared memory; write a smaller "
                        "number into %s",
            what, bytes, directive);
    }
    return rv;
}

static apr_status_t make_registry(retained_t *kept, server_rec *s)
{
    lbs_registry_seed_t seed;
    int children = 0;
    apr_status_t rv;

    (void)ap_mpm_query(AP_MPMQ_HARD_LIMIT_DAEMONS, &children);
    /* Two generations live side by side during a graceful restart. */
    kept->children = children > MIN_CHILDREN / 2 ? 2 * (apr_uint32_t)children
                                                 : MIN_CHILDREN;
    rv = lbs_registry_bytes(kept->children, &kept->registry_bytes);
    if (rv == APR_SUCCESS) {
        rv = share(&kept->registry, kept->registry_bytes, s, "members",
                   "ServerLimit");
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    seed.started = lbs_runtime_clock();
    rv = apr_generate_random_bytes(seed.table_key.bytes,
                                   sizeof(seed.table_key.bytes));
    if (rv == APR_SUCCESS) {
        rv = apr_generate_random_bytes(seed.secret, sizeof(seed.secret));
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    return lbs_registry_format(kept->registry, kept->registry_bytes,
                               kept->children, &seed);
}

static apr_status_t make_table(block_t *block, apr_uint32_t sessions,
                               server_rec *s)
{
    apr_status_t rv;

    block->sessions = sessions;
    block->bytes = lbs_table_bytes(sessions);
    if (block->bytes == 0) {
        rv = APR_ENOMEM;
        ap_log_error(APLOG_MARK, APLOG_CRIT, rv, s,
                     LBSNO(1001) "LBStickyTable sessions=%u is more than "
                                 "this machine can address",
                     sessions);
        return rv;
    }
    rv = share(&block->base, block->bytes, s, "session table",
               "LBStickyTable sessions=");
    if (rv != APR_SUCCESS) {
        return rv;
    }
    return lbs_table_format(block->base, block->bytes, sessions);
}

/* Another size: a new table in front; the older ones answer misses. */
static apr_status_t resize_table(retained_t *kept, apr_uint32_t sessions,
                                 server_rec *s)
{
    block_t fresh;
    apr_status_t rv = make_table(&fresh, sessions, s);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    memmove(&kept->table[1], &kept->table[0],
            LBS_TABLE_CHAIN * sizeof(kept->table[0]));
    kept->table[0] = fresh;
    return APR_SUCCESS;
}

static retained_t *find_retained(server_rec *s, apr_status_t *rv)
{
    retained_t *kept = ap_retained_data_get(RETAINED);

    *rv = APR_SUCCESS;
    if (kept == NULL) {
        kept = ap_retained_data_create(RETAINED, sizeof(*kept));
    }
    if (kept->registry == NULL) {
        *rv = make_registry(kept, s);
    }
    if (*rv == APR_SUCCESS && kept->first == NULL) {
        *rv = share(&kept->first, LBS_FIRST_WORDS * sizeof(lbs_atomic64_t), s,
                    "first picks", "LBStickyTable sessions=");
    }
    return kept;
}

/* Views --------------------------------------------------------------------
 */

static apr_status_t open_tables(lbs_runtime_t *rt, const retained_t *kept,
                                apr_pool_t *pool)
{
    lbs_table_t *view[1 + LBS_TABLE_CHAIN];
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i <= LBS_TABLE_CHAIN && kept->table[i].base != NULL; i++) {
        rv = lbs_table_open(&view[i], kept->table[i].base,
                            kept->table[i].bytes, rt->slots, pool);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    rt->table = view[0];
    /* Oldest pair first: a table is chained whole. */
    while (--i > 0 && rv == APR_SUCCESS) {
        rv = lbs_table_chain(view[i - 1], view[i], lbs_runtime_now());
    }
    return rv;
}

static const lbs_secret_t *random_secret(const lbs_runtime_t *rt,
                                         apr_pool_t *pool)
{
    lbs_secret_t *secret = apr_palloc(pool, sizeof(*secret));

    lbs_secret_random(secret, lbs_registry_secret(rt->registry),
                      LBS_REGISTRY_SECRET_LEN);
    return secret;
}

static apr_status_t open_views(lbs_runtime_t *rt, const retained_t *kept,
                               const lbs_main_conf_t *conf, apr_pool_t *pool)
{
    apr_status_t rv =
        lbs_registry_open(&rt->registry, kept->registry, kept->registry_bytes,
                          kept->children, pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rt->first = kept->first;
    rt->slots = lbs_registry_slots(rt->registry);
    rt->rows = *lbs_registry_rows(rt->registry);
    rt->secret_is_random = conf->secret_source == LBS_SECRET_RANDOM;
    rt->secret = rt->secret_is_random ? random_secret(rt, pool) : conf->secret;
    rt->pick_key = *lbs_secret_pick_key(rt->secret);
    return open_tables(rt, kept, pool);
}

apr_status_t lbs_runtime_start(apr_pool_t *pconf, server_rec *main_server)
{
    const lbs_main_conf_t *conf = lbs_config_of(main_server)->main;
    apr_status_t rv;
    retained_t *kept = find_retained(main_server, &rv);

    if (rv == APR_SUCCESS && kept->table[0].sessions != conf->sessions) {
        rv = resize_table(kept, conf->sessions, main_server);
    }
    if (rv == APR_SUCCESS) {
        runtime = apr_pcalloc(pconf, sizeof(*runtime));
        rv = open_views(runtime, kept, conf, pconf);
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(
            APLOG_MARK, APLOG_CRIT, rv, main_server,
            LBSNO(1002) "the shared memory cannot be used; if this "
                        "is a graceful restart, stop and start httpd");
    }
    return rv;
}

/* Children ------------------------------------------------------------------
 */

void lbs_runtime_child(apr_pool_t *pchild, server_rec *main_server)
{
    apr_status_t rv =
        lbs_row_claim(&runtime->rows, (apr_uint32_t)getpid(), &runtime->row);

    (void)pchild;
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, rv, main_server,
                     LBSNO(1003) "more children than at the first start: what "
                                 "this one has in flight is lost if it dies; "
                                 "stop and start httpd after raising "
                                 "ServerLimit");
    }
}

void lbs_runtime_child_gone(apr_uint32_t pid)
{
    apr_uint32_t i;
    lbs_row_t row;

    if (runtime == NULL) {
        return;
    }
    for (i = 0; i < runtime->rows.rows; i++) {
        if (lbs_row_pid(&runtime->rows, i) == pid
            && lbs_row_condemn(&runtime->rows, i, pid, &row) == APR_SUCCESS) {
            /* Where a member is too busy to be looked at, the tick goes on. */
            (void)lbs_row_reap(&runtime->rows, &row,
                               lbs_registry_gauges(runtime->registry));
        }
    }
}
