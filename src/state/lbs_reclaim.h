/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_reclaim.h - when the slot of a removed member may go to another one.
 *
 * The words of the session table name slots: given away too early, it would
 * send the sessions of one member to another. A removed member takes no new
 * requests, so once its last request has left no session can be bound to it
 * any more. A sweep that began after that and found no word of it proves that
 * there is none.
 */
#ifndef LBS_RECLAIM_H
#define LBS_RECLAIM_H

#include "src/state/lbs_registry.h"

/**
 * Free the slots of removed members that no session names any more. One
 * process does this, after each complete sweep of the table and its chain.
 *
 * @param sweep_began  monotonic microseconds: when that sweep began
 * @param words        per member slot, how many sessions the sweep's filter
 *                     was shown; LBS_REGISTRY_MEMBERS of them
 * @param now          monotonic microseconds, more than 0
 * @return how many member slots were freed
 */
apr_uint32_t lbs_reclaim_slots(lbs_registry_t *reg, apr_time_t sweep_began,
                               const apr_uint32_t *words, apr_time_t now);

/**
 * Free the slots of members and pools that were removed first, whether or not
 * sessions name them: these are forgotten. For a reload that finds no slot.
 * Only members that an earlier commit removed and that have nothing in flight:
 * no request can bind a session to them any more. Cost: a walk over the table.
 *
 * @param table    the newest, with its chain
 * @param members  how many members' slots are wanted at most
 * @param pools    how many pools' slots, with all their members'
 * @param scratch  for the duration of the call
 * @return how many slots were freed, of members and of pools
 */
apr_uint32_t lbs_reclaim_oldest(lbs_registry_t *reg, lbs_table_t *table,
                                apr_uint32_t members, apr_uint32_t pools,
                                apr_time_t now, apr_pool_t *scratch);

#endif
