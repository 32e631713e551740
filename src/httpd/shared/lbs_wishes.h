/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_wishes.h - asking the process that ticks to change a roster. */
#ifndef LBS_WISHES_H
#define LBS_WISHES_H

#include "src/roster/lbs_wish.h"

#define LBS_WISHES_WAIT apr_time_from_sec(1)

/**
 * Ask, and wait for the answer: up to LBS_WISHES_WAIT, most often for a tick.
 *
 * @param answer  out: status 503 when nothing was done, or when it is not
 *                known; the text says which
 */
void lbs_wishes_ask(const lbs_wish_t *wish, lbs_wish_answer_t *answer);

#endif
