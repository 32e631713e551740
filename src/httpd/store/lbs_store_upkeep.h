/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_store_upkeep.h - what is done for a store beside requests.
 *
 * Several times a second the process that ticks has a thread read and write
 * the board of each pool (lbs_board.h), and tell the store of sessions whose
 * requests last, so that they do not end there.
 */
#ifndef LBS_STORE_UPKEEP_H
#define LBS_STORE_UPKEEP_H

#include <apr_time.h>

/**
 * Begin what is due. The process that ticks, at every tick. Waits for nothing:
 * one thread of this process does the work.
 *
 * @param now  monotonic
 */
void lbs_store_upkeep_tick(apr_time_t now);

#endif
