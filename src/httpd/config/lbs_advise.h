/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_advise.h - directives that are right one by one, and together hardly
 * what was meant. */
#ifndef LBS_ADVISE_H
#define LBS_ADVISE_H

#include <httpd.h>

/**
 * Look at what is in force for each governed pool, and say what to write
 * instead. Nothing is refused.
 *
 * Called in check_config, so that `httpd -t` says it, too.
 */
void lbs_advise_check(apr_pool_t *ptemp, server_rec *main_server);

#endif
