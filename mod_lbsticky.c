/* SPDX-License-Identifier: Apache-2.0 */
/* mod_lbsticky.c - the module record and its hook table, nothing else. */
#include <httpd.h>
#include <http_config.h>

static void register_hooks(apr_pool_t *pool)
{
    (void)pool;
}

#pragma GCC visibility push(default)
module AP_MODULE_DECLARE_DATA lbsticky_module = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, register_hooks, 0,
};
#pragma GCC visibility pop
