/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_first.c - see lbs_first.h.
 *
 *     word = tag 32 | slot 13 | time 19
 *
 * The time counts hundredths of a second and wraps after 87 minutes; an entry
 * that was not read in that time may come back to life for one window; then a
 * client with the same tag shares a pick, and nothing else happens.
 */
#include "src/table/lbs_first.h"

#define TICK 10000 /* microseconds */
#define TIME_BITS 19
#define TIME_MASK ((1u << TIME_BITS) - 1)
#define SLOT_MASK 0x1fffu

static apr_uint32_t tag_of(apr_uint64_t word)
{
    return (apr_uint32_t)(word >> 32);
}

static apr_uint32_t slot_of(apr_uint64_t word)
{
    return (apr_uint32_t)(word >> TIME_BITS) & SLOT_MASK;
}

/* An all-zero word is an empty one; a tag of 0 is therefore made 1. */
static apr_uint32_t tag_for(apr_uint64_t key)
{
    apr_uint32_t tag = (apr_uint32_t)(key >> 32);

    return tag != 0 ? tag : 1;
}

static int holds(apr_uint64_t word, apr_uint64_t key, apr_int64_t now,
                 apr_int64_t window)
{
    apr_uint32_t age =
        ((apr_uint32_t)(now / TICK) - (apr_uint32_t)word) & TIME_MASK;

    return tag_of(word) == tag_for(key) && age <= window / TICK;
}

apr_status_t lbs_first_find(const lbs_atomic64_t *words, apr_uint64_t key,
                            apr_int64_t now, apr_int64_t window,
                            apr_uint32_t *slot)
{
    apr_uint64_t word =
        lbs_atomic_load64_relaxed(&words[key & (LBS_FIRST_WORDS - 1)]);

    if (!holds(word, key, now, window)) {
        return APR_NOTFOUND;
    }
    *slot = slot_of(word);
    return APR_SUCCESS;
}

apr_uint32_t lbs_first_claim(lbs_atomic64_t *words, apr_uint64_t key,
                             apr_int64_t now, apr_int64_t window,
                             apr_uint32_t slot, apr_uint32_t stale)
{
    lbs_atomic64_t *at = &words[key & (LBS_FIRST_WORDS - 1)];
    apr_uint64_t word = lbs_atomic_load64_relaxed(at);
    apr_uint64_t mine = (apr_uint64_t)tag_for(key) << 32
                        | (apr_uint64_t)(slot & SLOT_MASK) << TIME_BITS
                        | ((apr_uint32_t)(now / TICK) & TIME_MASK);
    int tries;

    /* Two rounds are enough: a word that is in the way twice belongs to
     * another client with the same place, and the cache is only a hint. */
    for (tries = 0; tries < 2; tries++) {
        if (holds(word, key, now, window) && slot_of(word) != stale) {
            return slot_of(word);
        }
        if (lbs_atomic_cas64(at, &word, mine)) {
            return slot;
        }
    }
    return slot;
}
