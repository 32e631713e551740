/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_validate.h - is the table what it should be? For tests, fuzz targets
 * and t/tools/validate: nothing in the module has to be repaired. */
#ifndef LBS_VALIDATE_H
#define LBS_VALIDATE_H

#include <apr.h>
#include <apr_errno.h>
#include <apr_pools.h>
#include <apr_time.h>

#include "src/table/lbs_table.h"

typedef struct lbs_validate_report_t {
    apr_uint64_t valid;      /* words that hold a session */
    apr_uint64_t tentative;  /* inserts under way */
    apr_uint64_t orphans;    /* inserts that nobody will finish; harmless */
    apr_uint64_t stray;      /* sessions of slots not in use; harmless */
    apr_uint64_t torn;       /* words that no process can have written */
    apr_uint64_t twins;      /* sessions that are in a table twice */
    apr_uint64_t miscounted; /* slots whose count is not what is there */
} lbs_validate_report_t;

/**
 * Walk a table and its chain, changing nothing. Counts are exact at rest
 * only; a word's bucket cannot be checked, since words do not hold the place
 * they were hashed to.
 *
 * @param report  out
 * @param pool    for the duration of the call
 * @return APR_SUCCESS: nothing torn, nothing twice, counts right;
 *         APR_EGENERAL: see report
 */
apr_status_t lbs_validate_table(const lbs_table_t *table, apr_time_t now,
                                lbs_validate_report_t *report,
                                apr_pool_t *pool);

#endif
