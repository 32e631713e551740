/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_start.h - the hooks of httpd's start, restart and children. */
#ifndef LBS_START_H
#define LBS_START_H

#include <httpd.h>
#include <http_config.h>
#include <mpm_common.h>

int lbs_start_pre_config(apr_pool_t *pconf, apr_pool_t *plog,
                         apr_pool_t *ptemp);
int lbs_start_check_config(apr_pool_t *pconf, apr_pool_t *plog,
                           apr_pool_t *ptemp, server_rec *main_server);
void lbs_start_test_config(apr_pool_t *pconf, server_rec *main_server);
int lbs_start_post_config(apr_pool_t *pconf, apr_pool_t *plog,
                          apr_pool_t *ptemp, server_rec *main_server);
void lbs_start_child_init(apr_pool_t *pchild, server_rec *main_server);
void lbs_start_child_status(server_rec *s, pid_t pid, ap_generation_t gen,
                            int slot, mpm_child_status status);

#endif
