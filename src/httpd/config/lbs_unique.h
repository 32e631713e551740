/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_unique.h - refuses two pools or members of one name: their state is kept
 * by name. */
#ifndef LBS_UNIQUE_H
#define LBS_UNIQUE_H

#include <httpd.h>

/**
 * Sessions, counters and an operator's changes belong to ServerName, pool and
 * member by name. Are all names of governed pools different?
 *
 * Called in check_config, so that `httpd -t` refuses a configuration on which
 * a reload would fail. The error is logged with the line to change.
 *
 * @return OK; or an HTTP status, and httpd must not start
 */
int lbs_unique_check(apr_pool_t *ptemp, server_rec *main_server);

#endif
