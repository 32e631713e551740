/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_budget.h - how many repetitions a pool may afford.
 *
 * When many requests fail, repeating them all multiplies the load on members
 * that are in trouble already. So repetitions are at most a percentage of the
 * requests of the last ten seconds, or three, over all processes together.
 *
 * Shared, lock-free: ten cells of one second. The bound is kept exactly by
 * counting a repetition first and looking at the sum then; two that look at
 * the same moment may both give theirs back, so under pressure a repetition
 * may be refused that there was room for, never granted without room.
 */
#ifndef LBS_BUDGET_H
#define LBS_BUDGET_H

#include <apr.h>
#include <apr_errno.h>

#include "src/base/lbs_atomic.h"

#define LBS_BUDGET_SECONDS 10
#define LBS_BUDGET_LEAST 3u /* repetitions that are always allowed */

/* One per pool; all zero when new. Private to lbs_budget.c. */
typedef struct lbs_budget_t {
    lbs_atomic64_t cells[16]; /* second 24 | repetitions 16 | requests 24 */
} lbs_budget_t;

/** A request came, once however often it will be tried. */
void lbs_budget_request(lbs_budget_t *budget, apr_uint64_t now);

/**
 * May a request be repeated?
 *
 * @param percent  of the requests, 0 to 100
 * @return APR_SUCCESS: it is counted, do it; APR_EBUSY: the budget is spent
 */
apr_status_t lbs_budget_take(lbs_budget_t *budget, apr_uint32_t percent,
                             apr_uint64_t now);

#endif
