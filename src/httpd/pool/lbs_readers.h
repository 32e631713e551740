/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_readers.h - LBStickyForeign of a pool: which member the cookies of the
 * former balancer name.
 *
 * Made when the configuration is read, together with what is counted: the
 * places for counting belong to the pool's name and to the word of the
 * directive, so a reload and a restart go on counting.
 */
#ifndef LBS_READERS_H
#define LBS_READERS_H

#include "src/foreign/lbs_foreign.h"
#include "src/httpd/pool/lbs_pools.h"
#include "src/state/lbs_pool_record.h"

typedef struct lbs_reader_t {
    lbs_foreign_t word;
    lbs_foreign_index_t *index; /* value -> index in the pool's members */
    lbs_reader_use_t *use;      /* NULL: there is no place to count */
} lbs_reader_t;

typedef struct lbs_readers_t {
    int count;
    lbs_reader_t reader[LBS_FOREIGN_MAX];
} lbs_readers_t;

/**
 * Make the readers of all pools. Names of members are resolved where a reader
 * goes by addresses; one that cannot be resolved is logged, and its cookies
 * name nobody. Parent, in post_config, once the state file was read.
 *
 * @param pconf  they live as long as the configuration
 */
void lbs_readers_build(apr_pool_t *pconf, apr_pool_t *ptemp);

/** A visitor stays where the reader said: count it. */
void lbs_readers_count(const lbs_reader_t *reader, apr_time_t wall);

#endif
