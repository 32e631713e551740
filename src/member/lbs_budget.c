/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_budget.c - ten seconds of requests and repetitions.
 *
 * Sixteen cells for ten seconds: a cell is used again six seconds after it
 * left the window, so the clocks of two processes may be some seconds apart.
 */
#include "src/member/lbs_budget.h"

#define CELLS 16u
#define SECONDS 0xffffffu
#define REPEATED (APR_UINT64_C(1) << 24)
#define REPEATED_MAX 0xffffu
#define SECOND_OF(cell) ((apr_uint32_t)((cell) >> 40))
#define REPEATED_OF(cell) ((apr_uint32_t)((cell) >> 24) & REPEATED_MAX)
#define REQUESTS_OF(cell) ((apr_uint32_t)(cell)&0xffffffu)

static apr_uint32_t second_of(apr_uint64_t now)
{
    return (apr_uint32_t)(now / 1000000) & SECONDS;
}

static apr_uint32_t age_of(apr_uint64_t cell, apr_uint32_t second)
{
    return (second - SECOND_OF(cell)) & SECONDS;
}

/* Add to the cell of a second, emptying it first if it is a second that is
 * over.
 * @return 0: the count is full, nothing was added */
static int add(lbs_budget_t *budget, apr_uint32_t second, apr_uint64_t more)
{
    lbs_atomic64_t *at = &budget->cells[second % CELLS];
    apr_uint64_t seen = lbs_atomic_load64_relaxed(at);
    apr_uint64_t next;

    do {
        next = SECOND_OF(seen) == second ? seen : (apr_uint64_t)second << 40;
        if (REPEATED_OF(next) == REPEATED_MAX
            || REQUESTS_OF(next) == 0xffffffu) {
            return 0;
        }
        next += more;
    } while (!lbs_atomic_cas64(at, &seen, next));
    return 1;
}

/* If the cell has begun another second, the count is gone already. */
static void give_back(lbs_budget_t *budget, apr_uint32_t second)
{
    lbs_atomic64_t *at = &budget->cells[second % CELLS];
    apr_uint64_t seen = lbs_atomic_load64_relaxed(at);

    while (SECOND_OF(seen) == second && REPEATED_OF(seen) != 0
           && !lbs_atomic_cas64(at, &seen, seen - REPEATED)) {
    }
}

void lbs_budget_request(lbs_budget_t *budget, apr_uint64_t now)
{
    (void)add(budget, second_of(now), 1); /* full: 16 million in a second */
}

apr_status_t lbs_budget_take(lbs_budget_t *budget, apr_uint32_t percent,
                             apr_uint64_t now)
{
    apr_uint32_t second = second_of(now);
    apr_uint64_t requests = 0;
    apr_uint64_t repeated = 0;
    apr_uint32_t i;

    if (!add(budget, second, REPEATED)) {
        return APR_EBUSY;
    }
    /* Our count is written before we look: of two repetitions in neighbouring
     * seconds at least one sees the other. */
    atomic_thread_fence(memory_order_seq_cst);
    for (i = 0; i < CELLS; i++) {
        apr_uint64_t cell = lbs_atomic_load64_relaxed(&budget->cells[i]);

        if (age_of(cell, second) < LBS_BUDGET_SECONDS
            || age_of(cell, second) > SECONDS / 2) { /* a faster clock's */
            requests += REQUESTS_OF(cell);
            repeated += REPEATED_OF(cell);
        }
    }
    if (repeated <= LBS_BUDGET_LEAST || repeated * 100 <= requests * percent) {
        return APR_SUCCESS;
    }
    give_back(budget, second);
    return APR_EBUSY;
}
