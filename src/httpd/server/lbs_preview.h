/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_preview.h - `httpd -t -D LBSTICKY_PREVIEW`: what a reload with the
 * configuration as it is written would do to the sessions of the running
 * server.
 *
 * This process makes the reload in memory of its own: blocks as those of the
 * running server, from its state file, under the pools and members of the
 * configuration that wrote the file; then a pass with the new configuration.
 * Each live word of the table is then judged by the code that judges a request
 * (lbs_place_why_not). Nothing outside this process changes.
 */
#ifndef LBS_PREVIEW_H
#define LBS_PREVIEW_H

#include <httpd.h>

/** Print it to standard output, if it was asked for. In test_config. */
void lbs_preview_print(apr_pool_t *pconf, server_rec *main_server);

#endif
