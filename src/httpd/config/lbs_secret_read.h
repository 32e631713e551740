/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_secret_read.h - LBStickySecret file:PATH and exec:COMMAND. */
#ifndef LBS_SECRET_READ_H
#define LBS_SECRET_READ_H

#include <apr_pools.h>

#include "src/affinity/lbs_secret.h"

/**
 * Read a secret while the configuration is read.
 *
 * Cost: reads a file, or runs a command and waits for it, ten seconds at the
 * most.
 *
 * @param pool  owns the secret and the sentence
 * @param temp  for the bytes read
 * @param from  file:PATH, relative to ServerRoot, or exec:COMMAND with
 *        arguments
 * @param secret  out: written only on success
 * @return NULL; or the phrase that says what is wanted
 */
const char *lbs_secret_read(apr_pool_t *pool, apr_pool_t *temp,
                            const char *from, const lbs_secret_t **secret);

#endif
