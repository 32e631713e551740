/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_pools_build.h - the pools of a configuration are made. */
#ifndef LBS_POOLS_BUILD_H
#define LBS_POOLS_BUILD_H

#include <httpd.h>

/**
 * Build the pools of a configuration. Parent only.
 *
 * @param pconf  they live as long as the configuration
 * @return APR_SUCCESS; anything else was logged and the start must fail
 */
apr_status_t lbs_pools_build_all(apr_pool_t *pconf, apr_pool_t *ptemp,
                                 server_rec *main_server);

/** Write an event about pools and members that found no place in the registry;
 * the log has named them. After the pass was committed. Parent only. */
void lbs_pools_build_tell(void);

#endif
