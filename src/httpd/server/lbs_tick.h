/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_tick.h - the work that one process does for all, off the request path.
 *
 * mod_watchdog runs it every 100 ms in every child, and the children agree on
 * one that does the work: when it dies another takes over within a second or
 * two. mod_watchdog could choose one itself, but a child that waits for that
 * turn sleeps for ten seconds after it has come.
 */
#ifndef LBS_TICK_H
#define LBS_TICK_H

#include <httpd.h>

/**
 * Register with mod_watchdog. In post_config.
 *
 * @return APR_SUCCESS; anything else was logged
 */
apr_status_t lbs_tick_start(apr_pool_t *pconf, server_rec *main_server);

/** Compute all plans once, before the first child. In post_config. */
void lbs_tick_first(void);

#endif
