/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_tick.c - see lbs_tick.h. */
#include "src/httpd/lbs_tick.h"

#include <apr_optional.h>
#include <mod_watchdog.h>

#include "src/httpd/lbs_log.h"
#include "src/httpd/lbs_pools.h"
#include "src/httpd/lbs_runtime.h"
#include "src/table/lbs_sweep.h"

#define NAME "_lbsticky_"
#define INTERVAL apr_time_from_msec(100)

/* What mod_proxy's balancer-manager changed reaches the gauges here. */
static void follow_administrator(const lbs_hpool_t *pool)
{
    static const apr_uint32_t theirs = LBS_F_STOPPED | LBS_F_DISABLED
        | LBS_F_DRAIN | LBS_F_STANDBY | LBS_F_SPARE;
    apr_size_t i;

    for (i = 0; i < pool->count; i++) {
        const lbs_hmember_t *m = &pool->member[i];
        apr_uint32_t now = lbs_worker_flags(m->worker);
        apr_uint32_t before = lbs_atomic_load32_relaxed(&m->gauge->flags);

        if ((before & theirs & ~now) != 0) {
            (void)lbs_gauge_clear(m->gauge, before & theirs & ~now);
        }
        if ((now & ~before) != 0) {
            (void)lbs_gauge_set(m->gauge, now & ~before);
        }
        lbs_atomic_store32_relaxed(&m->gauge->weight,
                                   lbs_worker_weight(m->worker));
    }
}

static void tick_pool(lbs_hpool_t *pool, apr_time_t now)
{
    follow_administrator(pool);
    (void)lbs_plan_rebuild(pool->plan, pool->pick.gauges, now);
}

void lbs_tick_first(void)
{
    const apr_array_header_t *all = lbs_pools_all();
    int i;

    for (i = 0; i < all->nelts; i++) {
        tick_pool(APR_ARRAY_IDX(all, i, lbs_hpool_t *), lbs_runtime_now());
    }
}

static apr_status_t tick(int state, void *data, apr_pool_t *pool)
{
    (void)data;
    (void)pool;
    if (state == AP_WATCHDOG_STATE_RUNNING) {
        lbs_tick_first();
    }
    return APR_SUCCESS;
}

apr_status_t lbs_tick_start(apr_pool_t *pconf, server_rec *main_server)
{
    APR_OPTIONAL_FN_TYPE(ap_watchdog_get_instance) *get_instance;
    APR_OPTIONAL_FN_TYPE(ap_watchdog_register_callback) *register_callback;
    ap_watchdog_t *watchdog;
    apr_status_t rv = APR_ENOTIMPL;

    get_instance = APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_get_instance);
    register_callback = APR_RETRIEVE_OPTIONAL_FN(
        ap_watchdog_register_callback);
    if (get_instance != NULL && register_callback != NULL) {
        rv = get_instance(&watchdog, NAME, 0, 1, pconf);
        if (rv == APR_SUCCESS) {
            rv = register_callback(watchdog, INTERVAL, NULL, tick);
        }
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, rv, main_server,
                     LBSNO(1400) "mod_watchdog does not run this module's "
                                 "tick");
    }
    return rv;
}
