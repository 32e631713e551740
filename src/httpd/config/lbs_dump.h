/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_dump.h - `httpd -t -D DUMP_LBSTICKY`: the settings in force, and
 * where. */
#ifndef LBS_DUMP_H
#define LBS_DUMP_H

#include <httpd.h>

/**
 * Print every governed pool of every server with the directives that hold for
 * it, defaults included, in words that the configuration would take. Does
 * nothing unless DUMP_LBSTICKY is defined.
 *
 * Called in test_config: the configuration is read and merged, nothing runs.
 */
void lbs_dump_config(apr_pool_t *pool, server_rec *main_server);

#endif
