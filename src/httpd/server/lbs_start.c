/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_start.c - see lbs_start.h. */
#include "src/httpd/server/lbs_start.h"

#include "src/httpd/advice/lbs_advice.h"
#include "src/httpd/config/lbs_config.h"
#include "src/httpd/config/lbs_dump.h"
#include "src/httpd/discover/lbs_discover.h"
#include "src/httpd/request/lbs_forward.h"
#include "src/httpd/pool/lbs_common.h"
#include "src/httpd/pool/lbs_own.h"
#include "src/httpd/pool/lbs_present.h"
#include "src/httpd/proxy/lbs_lent.h"
#include "src/httpd/proxy/lbs_log.h"
#include "src/httpd/proxy/lbs_worker_found.h"
#include "src/httpd/server/lbs_persist.h"
#include "src/httpd/server/lbs_preview.h"
#include "src/httpd/health/lbs_operator.h"
#include "src/httpd/pool/lbs_pools.h"
#include "src/httpd/pool/lbs_pools_build.h"
#include "src/httpd/pool/lbs_readers.h"
#include "src/httpd/check/lbs_checker.h"
#include "src/httpd/config/lbs_require.h"
#include "src/httpd/shared/lbs_children.h"
#include "src/httpd/shared/lbs_runtime.h"
#include "src/httpd/store/lbs_store.h"
#include "src/httpd/store/lbs_store_call.h"
#include "src/httpd/server/lbs_tick.h"
#include "src/httpd/config/lbs_unique.h"
#include "src/httpd/config/lbs_volatile.h"

int lbs_start_pre_config(apr_pool_t *pconf, apr_pool_t *plog,
                         apr_pool_t *ptemp)
{
    const char *missing;
    int status;

    (void)plog;
    lbs_store_call_pre_config(pconf);
    status = lbs_require_modules(ptemp);
    if (status != OK || !lbs_require_is_used()) {
        return status;
    }
    missing = lbs_worker_import(pconf, &lbs_forward_hooks);
    if (missing == NULL) {
        missing = lbs_worker_found_import();
    }
    if (missing != NULL) {
        ap_log_error(
            APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, NULL,
            LBSNO(1500) "this httpd's mod_proxy has no %s, which LBSticky "
                        "needs; install httpd 2.4.49 or later",
            missing);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return OK;
}

int lbs_start_check_config(apr_pool_t *pconf, apr_pool_t *plog,
                           apr_pool_t *ptemp, server_rec *main_server)
{
    lbs_main_conf_t *conf = lbs_config_of(main_server)->main;
    int status;

    (void)plog;
    if (!conf->persist_set) {
        conf->persist = ap_runtime_dir_relative(pconf, LBS_DEFAULT_PERSIST);
    }
    conf->persist_volatile = lbs_volatile_is(ptemp, conf->persist);
    lbs_advice_check(pconf, ptemp, main_server, lbs_require_is_used());
    if (!lbs_require_is_used()) {
        return OK;
    }
    status = lbs_unique_check(ptemp, main_server);
    if (status == OK) {
        status = lbs_own_check(ptemp, main_server);
    }
    return status == OK ? lbs_store_check(ptemp, main_server) : status;
}

void lbs_start_test_config(apr_pool_t *pconf, server_rec *main_server)
{
    if (lbs_require_is_used()) {
        lbs_dump_config(pconf, main_server);
    }
    lbs_advice_print(pconf, main_server);
    lbs_preview_print(pconf, main_server);
}

int lbs_start_post_config(apr_pool_t *pconf, apr_pool_t *plog,
                          apr_pool_t *ptemp, server_rec *main_server)
{
    (void)plog;
    if (!lbs_require_is_used()
        || ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        return OK;
    }
    if (lbs_runtime_start(pconf, main_server) != APR_SUCCESS
        || lbs_pools_build_all(pconf, ptemp, main_server) != APR_SUCCESS) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    lbs_present_start(pconf);
    lbs_common_settle(ptemp);
    lbs_own_find(ptemp);
    lbs_discover_name(ptemp);
    if (lbs_persist_load(main_server, ptemp) != APR_SUCCESS) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    lbs_runtime_take_secret(main_server);
    if (lbs_store_start(pconf, ptemp, main_server) != APR_SUCCESS) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    lbs_pools_take_key();
    lbs_readers_build(pconf, ptemp);
    lbs_operator_reconcile();
    lbs_discover_settle(ptemp);
    lbs_pools_build_tell();
    lbs_checker_prepare(pconf);
    if (lbs_tick_start(pconf, main_server) != APR_SUCCESS) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    lbs_persist_start(pconf, main_server);
    lbs_tick_first();
    return OK;
}

static void watch_connections(void)
{
    const apr_array_header_t *pools = lbs_pools_all();
    int i;
    apr_size_t j;

    for (i = 0; i < pools->nelts; i++) {
        const lbs_pool_t *pool = APR_ARRAY_IDX(pools, i, lbs_pool_t *);

        /* Virtual hosts that inherit a pool have its very workers. */
        for (j = 0; j < pool->configured && pool->decides; j++) {
            if (lbs_lent_pushes(pool->member[j]->worker)) {
                lbs_lent_watch(pool->member[j]->worker);
            }
        }
    }
}

void lbs_start_child_init(apr_pool_t *pchild, server_rec *main_server)
{
    if (lbs_runtime() != NULL) {
        watch_connections();
        lbs_present_child();
        lbs_children_join(pchild, main_server);
        lbs_store_call_child(pchild, main_server);
    }
}

void lbs_start_child_status(server_rec *s, pid_t pid, ap_generation_t gen,
                            int slot, mpm_child_status status)
{
    (void)s;
    (void)gen;
    (void)slot;
    /* One that lost its slot (MPM_CHILD_LOST_SLOT) is at its last requests. */
    if (status == MPM_CHILD_EXITED) {
        lbs_children_gone((apr_uint32_t)pid);
    }
}
