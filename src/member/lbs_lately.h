/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_lately.h - how a member answered in the last minutes, by class.
 *
 * Counters of all answers ever say little of a member that began to fail five
 * minutes ago. One process notes, at the beginning of each minute, what the
 * counters were; the difference to the oldest note is what was answered in the
 * last four to five minutes. Requests pay nothing for it.
 */
#ifndef LBS_LATELY_H
#define LBS_LATELY_H

#include <apr.h>

#include "src/base/lbs_atomic.h"

#define LBS_LATELY_MINUTES 5
#define LBS_LATELY_CLASSES 5 /* 1xx to 5xx */

/* Shared; all zero when new. Private to lbs_lately.c. */
typedef struct lbs_lately_t {
    lbs_atomic64_t minute; /* being gone through, plus 1; 0: none */
    /* Counters at the beginning of a minute, by its number. */
    lbs_atomic64_t was[LBS_LATELY_MINUTES][LBS_LATELY_CLASSES];
} lbs_lately_t;

typedef struct lbs_lately_sum_t {
    apr_uint64_t all;           /* answers; 0: none, or not known */
    apr_uint64_t client_errors; /* of these: 4xx */
    apr_uint64_t server_errors; /* of these: 5xx */
} lbs_lately_sum_t;

/**
 * Note the counters where a new minute has begun. About once a second, one
 * process at a time.
 *
 * @param counts  LBS_LATELY_CLASSES counters that only grow
 * @param now     monotonic microseconds
 */
void lbs_lately_feed(lbs_lately_t *lately, const lbs_atomic64_t *counts,
                     apr_uint64_t now);

/** What was answered since the beginning of the oldest minute that is noted.
 * Read while others count and note: a class may be off by what is answered in
 * that moment. */
void lbs_lately_read(const lbs_lately_t *lately, const lbs_atomic64_t *counts,
                     apr_uint64_t now, lbs_lately_sum_t *sum);

#endif
