/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_persist_read.h - the state file into shared memory. */
#ifndef LBS_PERSIST_READ_H
#define LBS_PERSIST_READ_H

#include <httpd.h>

/**
 * Read the state file into shared memory that is new. A file that is refused
 * is logged once and kept aside as FILE.refused.
 *
 * @return APR_SUCCESS, also without the file; anything else: there is no
 *         memory for a table either, it was logged and the start must fail
 */
apr_status_t lbs_persist_read(server_rec *main_server, apr_pool_t *ptemp);

#endif
