/* SPDX-License-Identifier: Apache-2.0 */
/* mod_lbsticky.c - the module record and its hook table, nothing else. */
#include <httpd.h>
#include <http_config.h>
#include <mpm_common.h>

#include "src/httpd/request/lbs_body.h"
#include "src/httpd/config/lbs_config.h"
#include "src/httpd/decide/lbs_client.h"
#include "src/httpd/request/lbs_answer.h"
#include "src/httpd/request/lbs_learn.h"
#include "src/httpd/local/lbs_local.h"
#include "src/httpd/server/lbs_persist.h"
#include "src/httpd/request/lbs_request.h"
#include "src/httpd/server/lbs_start.h"
#include "src/httpd/status/lbs_modstatus.h"
#include "src/httpd/status/lbs_status.h"
#include "src/httpd/wire/lbs_wire.h"

static void register_hooks(apr_pool_t *pool)
{
    /* mod_watchdog asks for its instances in its own post_config. */
    static const char *const after_proxy[] = {"mod_proxy_balancer.c", NULL};
    static const char *const before_watchdog[] = {"mod_watchdog.c", NULL};

    (void)pool;
    lbs_client_register();
    lbs_wire_register();
    lbs_body_register();
    lbs_answer_register();
    lbs_learn_register();
    lbs_local_register();
    lbs_modstatus_register();
    apr_dynamic_fn_register("lbsticky_answer",
                            (apr_opt_fn_t *)lbs_request_answer);
    ap_hook_pre_config(lbs_start_pre_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_config(lbs_start_check_config, NULL, NULL, APR_HOOK_LAST);
    ap_hook_test_config(lbs_start_test_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(lbs_start_post_config, after_proxy, before_watchdog,
                        APR_HOOK_MIDDLE);
    ap_hook_child_init(lbs_start_child_init, after_proxy, NULL,
                       APR_HOOK_MIDDLE);
    ap_hook_monitor(lbs_persist_monitor, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_status(lbs_start_child_status, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_pre_translate_name(lbs_status_translate, NULL, NULL,
                               APR_HOOK_REALLY_FIRST);
    ap_hook_translate_name(lbs_status_translate, NULL, NULL,
                           APR_HOOK_REALLY_FIRST);
    ap_hook_map_to_storage(lbs_status_map, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_fixups(lbs_status_fixup, NULL, NULL, APR_HOOK_REALLY_LAST);
    ap_hook_handler(lbs_status_handler, NULL, NULL, APR_HOOK_MIDDLE);
}

#pragma GCC visibility push(default)
module AP_MODULE_DECLARE_DATA lbsticky_module = {
    STANDARD20_MODULE_STUFF,
    NULL, /* no configuration per directory: pools belong to servers */
    NULL,
    lbs_config_create,
    lbs_config_merge,
    lbs_directives,
    register_hooks,
    0,
};
#pragma GCC visibility pop
