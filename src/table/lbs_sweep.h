/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_sweep.h - the slow walk over a table and its chain.
 *
 * Removes sessions that are over or named by the caller's filter, and
 * unfinished inserts of dead processes; recounts the sessions of every slot.
 * It runs beside the requests and takes no lock. The expiry clock wraps: every
 * bucket must be visited within 32 idle times of the shortest-lived pool. One
 * sweep per block is enough; two at once are harmless.
 */
#ifndef LBS_SWEEP_H
#define LBS_SWEEP_H

#include <apr.h>
#include <apr_errno.h>
#include <apr_pools.h>
#include <apr_time.h>

#include "src/table/lbs_table.h"

typedef struct lbs_sweep_t lbs_sweep_t; /* opaque, belongs to one thread */

/**
 * Asked for every live session.
 *
 * @param data  the caller's
 * @param hit   its owner and its end; idle for idle_us - (expires_us - now)
 * @return non-zero: forget the session
 */
typedef int lbs_sweep_filter_t(void *data, const lbs_table_hit_t *hit);

typedef struct lbs_sweep_report_t {
    apr_uint64_t live;      /* sessions left in place */
    apr_uint64_t expired;   /* removed: their time was over */
    apr_uint64_t dead;      /* removed: their slot is not in use */
    apr_uint64_t dropped;   /* removed: the filter said so */
    apr_uint64_t orphans;   /* inserts that a dead process left half done */
    apr_uint64_t corrected; /* sessions by which slots' counts were wrong */
} lbs_sweep_report_t;

/**
 * Prepare to sweep a table and its chain, from the first bucket.
 *
 * @param sweep  out, from pool; 128 KB
 * @param table  must outlive it
 */
void lbs_sweep_create(lbs_sweep_t **sweep, lbs_table_t *table,
                      apr_pool_t *pool);

/**
 * Visit the next buckets. At the end of a pass the counts of the slots are
 * corrected, as far as changes made meanwhile leave a proof that they are
 * wrong, and only if the pass before found the same: a pass made in one go
 * at a quiet moment corrects exactly.
 *
 * @param buckets  how many to visit at most; 0: all that are left
 * @param now      as everywhere
 * @param filter   NULL: keep all that are live
 * @param report   added to; NULL allowed
 * @return APR_SUCCESS: a pass is complete, the next call begins another;
 *         APR_INCOMPLETE: call again to go on
 */
apr_status_t lbs_sweep_run(lbs_sweep_t *sweep, apr_uint64_t buckets,
                           apr_time_t now, lbs_sweep_filter_t *filter,
                           void *data, lbs_sweep_report_t *report);

/**
 * Change the unit of a slot's expiry clock. Sessions keep the end they have,
 * but for one further away than the new clock can tell. Others keep working
 * meanwhile, with the new unit from the first moment; the turn of a word says
 * which unit it has. Accepted: a word that a process writes in the unit from
 * before the last change but one, and then dies, has a wrong end. One process
 * at a time. Cost: a walk if the slot was in use.
 *
 * @param quantum_us  see lbs_table_quantum(); 0: the slot is not in use any
 *                    more, its sessions count as gone at once
 * @return APR_SUCCESS; APR_EINVAL: no such slot
 */
apr_status_t lbs_sweep_requantise(lbs_table_t *table, apr_uint32_t slot,
                                  apr_uint64_t quantum_us, apr_time_t now);

#endif
