/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_reclaim.h - when the slot of a removed member may go to another one.
 *
 * A slot is what a word of the session table names: given away too early, it
 * would send the sessions of one member to another.
 */
#ifndef LBS_RECLAIM_H
#define LBS_RECLAIM_H

#include "src/state/lbs_registry.h"

/**
 * Free the slots of removed members that nobody can mean any more: no word of
 * any table names them, and no attempt is in flight. One process does this,
 * after a sweep that visited every word of every table.
 *
 * @param sweep_began  monotonic: only members removed before are freed
 * @param words        per member slot, how many words that sweep found
 * @return how many member slots were freed
 */
apr_uint32_t lbs_reclaim_slots(lbs_registry_t *reg, apr_time_t sweep_began,
                               const apr_uint32_t *words);

#endif
