/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_runtime.c - see lbs_runtime.h. */
#include "src/httpd/shared/lbs_runtime.h"

#include <apr_strings.h>
#include <http_config.h>

#include "src/httpd/config/lbs_config.h"
#include "src/httpd/proxy/lbs_log.h"
#include "src/httpd/shared/lbs_clock.h"

static lbs_runtime_t *runtime;

lbs_runtime_t *lbs_runtime(void)
{
    return runtime;
}

/* Views ------------------------------------------------------------------ */

/* A session found in an older table moves over once the children that know
 * only that one are likely to be gone. */
#define MOVE_AFTER apr_time_from_sec(60)

static apr_status_t open_tables(lbs_runtime_t *rt, const lbs_shared_t *shared,
                                apr_pool_t *pool)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < LBS_SHARED_TABLES && shared->table[i].pool != NULL; i++) {
        rv = lbs_table_open(&rt->tables[i], shared->table[i].base,
                            shared->table[i].bytes, rt->slots, pool);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        lbs_table_mark_changes(rt->tables[i], shared->table[i].marks);
    }
    rt->table_count = i;
    rt->table = rt->tables[0];
    /* Oldest pair first: a table is chained whole. */
    while (--i > 0 && rv == APR_SUCCESS) {
        rv = lbs_table_chain(rt->tables[i - 1], rt->tables[i],
                             lbs_clock_now() + MOVE_AFTER);
    }
    return rv;
}

/* Give back older tables that hold no session, and put a table of the wanted
 * size in front. */
static apr_status_t fit_tables(lbs_runtime_t *rt, apr_uint32_t sessions,
                               server_rec *s)
{
    int i;

    for (i = rt->table_count - 1; i > 0; i--) {
        if (lbs_table_count(rt->tables[i]) == 0) {
            lbs_shared_drop_table(rt->shared, i);
        }
    }
    return lbs_shared_want_table(rt->shared, sessions, s);
}

apr_status_t lbs_runtime_open_tables(void)
{
    return open_tables(runtime, runtime->shared, runtime->pool);
}

apr_status_t lbs_runtime_fit_tables(server_rec *main_server)
{
    apr_status_t rv = fit_tables(
        runtime, lbs_config_of(main_server)->main->sessions, main_server);

    return rv == APR_SUCCESS ? lbs_runtime_open_tables() : rv;
}

apr_status_t lbs_runtime_empty_tables(server_rec *main_server)
{
    while (runtime->shared->table[0].pool != NULL) {
        lbs_shared_drop_table(runtime->shared, 0);
    }
    runtime->table_count = 0;
    return lbs_runtime_fit_tables(main_server);
}

static apr_status_t open_views(lbs_runtime_t *rt)
{
    const lbs_shared_t *shared = rt->shared;
    apr_status_t rv =
        lbs_registry_open(&rt->registry, shared->registry,
                          shared->registry_bytes, shared->children, rt->pool);

    if (rv == APR_SUCCESS) {
        rt->first = shared->first;
        lbs_shared_notes(shared, &rt->notes);
        rt->slots = lbs_registry_slots(rt->registry);
        rt->rows = *lbs_registry_rows(rt->registry);
        rv = open_tables(rt, shared, rt->pool);
    }
    return rv;
}

/* Views of the blocks that an earlier configuration left. Where they do not
 * fit, as those of another build, the state file is read instead.
 */
static apr_status_t open_or_renew(lbs_runtime_t *rt, server_rec *s)
{
    const char *file = lbs_config_of(s)->main->persist;
    apr_status_t rv = open_views(rt);

    if (rv == APR_SUCCESS) {
        return rv;
    }
    ap_log_error(APLOG_MARK, APLOG_WARNING, rv, s,
                 LBSNO(1900) "the shared memory of the configuration before "
                             "was laid out by another build of this module: "
                             "beginning %s%s; nothing is to be done",
                 file != NULL ? "from the state file "
                              : "anew, without LBStickyPersist",
                 file != NULL ? file : "");
    rt->table_count = 0;
    memset(rt->tables, 0, sizeof(rt->tables));
    return lbs_shared_renew(rt->shared, lbs_clock_both(), s);
}

/* Where dlclose() keeps a module, static variables outlive pconf. */
static apr_status_t forget(void *unused)
{
    (void)unused;
    runtime = NULL;
    return APR_SUCCESS;
}

apr_status_t lbs_runtime_start(apr_pool_t *pconf, server_rec *main_server)
{
    const lbs_main_conf_t *conf = lbs_config_of(main_server)->main;
    lbs_shared_t *shared;
    apr_status_t rv = lbs_shared_find(&shared, lbs_clock_both(), main_server);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    runtime = apr_pcalloc(pconf, sizeof(*runtime));
    apr_pool_cleanup_register(pconf, NULL, forget, apr_pool_cleanup_null);
    runtime->pool = pconf;
    runtime->shared = shared;
    if (!shared->fresh) {
        rv = open_or_renew(runtime, main_server);
    }
    if (rv == APR_SUCCESS) {
        rv = fit_tables(runtime, conf->sessions, main_server);
    }
    if (rv == APR_SUCCESS) {
        rv = open_views(runtime);
    }
    return rv;
}

void lbs_runtime_take_secret(const server_rec *main_server)
{
    const lbs_main_conf_t *conf = lbs_config_of(main_server)->main;

    runtime->secret_is_random = conf->secret_source == LBS_SECRET_RANDOM;
    runtime->secret = conf->secret;
    if (runtime->secret_is_random) {
        lbs_secret_t *secret = apr_palloc(runtime->pool, sizeof(*secret));

        lbs_secret_random(secret, lbs_registry_secret(runtime->registry),
                          LBS_REGISTRY_SECRET_LEN);
        runtime->secret = secret;
    }
    runtime->pick_key = *lbs_secret_pick_key(runtime->secret);
}

static apr_time_t wall_at(apr_time_t now)
{
    lbs_clock_t started = lbs_registry_started(runtime->registry);

    return started.wall + now - started.mono;
}

apr_time_t lbs_runtime_wall_now(void)
{
    return wall_at(lbs_clock_now());
}

apr_uint32_t lbs_runtime_token_now(void)
{
    return lbs_runtime_token_at(lbs_clock_now());
}

apr_uint32_t lbs_runtime_token_at(apr_time_t now)
{
    return (apr_uint32_t)apr_time_sec(wall_at(now));
}

void lbs_runtime_count_sessions(apr_uint32_t slot)
{
    lbs_gauge_t *gauges = lbs_registry_gauges(runtime->registry);

    /* Of two that write at once the older count may win, until the next. */
    lbs_atomic_store32_relaxed(
        &gauges[slot].sessions,
        (apr_uint32_t)lbs_table_sessions(runtime->slots, slot));
}
