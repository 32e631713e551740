/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_recent.c - see lbs_recent.h. */
#include "src/evidence/lbs_recent.h"

#define MINUTE_US 60000000u
#define MOST 0xffffu /* of one minute */
#define TRIES 4

/* From 1, so that a word of zero is of no minute. */
static apr_uint32_t minute_of(apr_uint64_t now)
{
    return (apr_uint32_t)(now / MINUTE_US) + 1;
}

static apr_uint32_t minute_in(apr_uint64_t word)
{
    return (apr_uint32_t)(word >> 32);
}

/* The word as it is read in a minute, without what is older than one
 * minute. */
static apr_uint64_t moved_to(apr_uint64_t word, apr_uint32_t minute)
{
    apr_uint64_t before = 0;

    if (minute_in(word) == minute) {
        return word;
    }
    if (minute_in(word) + 1 == minute) {
        before = (word >> 16) & MOST;
    }
    return (apr_uint64_t)minute << 32 | before;
}

void lbs_recent_add(lbs_recent_count_t *recent, apr_uint64_t now)
{
    apr_uint64_t seen = lbs_atomic_load64_relaxed(&recent->word);
    int i;

    for (i = 0; i < TRIES; i++) {
        apr_uint64_t next = moved_to(seen, minute_of(now));

        if (((next >> 16) & MOST) == MOST) {
            return;
        }
        if (lbs_atomic_cas64(&recent->word, &seen,
                             next + (APR_UINT64_C(1) << 16))) {
            return;
        }
    }
}

apr_uint32_t lbs_recent_count(const lbs_recent_count_t *recent,
                              apr_uint64_t now)
{
    apr_uint64_t word =
        moved_to(lbs_atomic_load64_relaxed(&recent->word), minute_of(now));

    return (apr_uint32_t)(((word >> 16) & MOST) + (word & MOST));
}

void lbs_recent_note(lbs_recent_most_t *recent, apr_uint32_t value,
                     apr_uint64_t now)
{
    apr_uint64_t seen = lbs_atomic_load64_relaxed(&recent->word);
    apr_uint64_t next = (apr_uint64_t)minute_of(now) << 32 | value;
    int i;

    for (i = 0; i < TRIES && seen < next; i++) {
        if (lbs_atomic_cas64(&recent->word, &seen, next)) {
            return;
        }
    }
}

apr_uint32_t lbs_recent_most(const lbs_recent_most_t *recent, apr_uint64_t now)
{
    apr_uint64_t word = lbs_atomic_load64_relaxed(&recent->word);

    return minute_in(word) != 0 && minute_in(word) + 1 >= minute_of(now)
               ? (apr_uint32_t)word
               : 0;
}
