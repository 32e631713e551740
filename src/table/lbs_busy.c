/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_busy.c - does one key make most of a pool's requests? */
#include "src/table/lbs_busy.h"

static void elect(lbs_busy_t *busy, apr_uint64_t key)
{
    lbs_atomic_store64_relaxed(&busy->key, key);
    lbs_atomic_store32_relaxed(&busy->votes, 1);
    lbs_atomic_store32_relaxed(&busy->seen, 1);
    lbs_atomic_store32_relaxed(&busy->hits, 1);
}

void lbs_busy_note(lbs_busy_t *busy, apr_uint64_t key, apr_uint64_t now)
{
    apr_uint32_t votes = lbs_atomic_load32_relaxed(&busy->votes);
    apr_uint32_t seen = lbs_atomic_load32_relaxed(&busy->seen) + 1;
    apr_uint32_t hits = lbs_atomic_load32_relaxed(&busy->hits);
    int is_it = lbs_atomic_load64_relaxed(&busy->key) == key;

    lbs_atomic_store64_relaxed(&busy->at, now);
    if (!is_it && votes == 0) {
        elect(busy, key);
        return;
    }
    hits += is_it ? 1 : 0;
    /* Bounded, so that a key that was busy for an hour is not called busy for
     * the next hour. */
    votes = !is_it ? votes - 1 : votes < LBS_BUSY_LEAST ? votes + 1 : votes;
    if (seen >= LBS_BUSY_HALVE) {
        seen /= 2;
        hits /= 2;
    }
    lbs_atomic_store32_relaxed(&busy->votes, votes);
    lbs_atomic_store32_relaxed(&busy->seen, seen);
    lbs_atomic_store32_relaxed(&busy->hits, hits);
}

int lbs_busy_percent(const lbs_busy_t *busy, apr_uint64_t now)
{
    apr_uint64_t at = lbs_atomic_load64_relaxed(&busy->at);
    apr_uint32_t seen = lbs_atomic_load32_relaxed(&busy->seen);
    apr_uint32_t hits = lbs_atomic_load32_relaxed(&busy->hits);

    if (seen < LBS_BUSY_LEAST || now > at + LBS_BUSY_OLD_US
        || hits <= seen / 2) {
        return -1;
    }
    /* The two are read one after the other while they change; the share never
     * exceeds the whole. */
    return hits < seen ? (int)(hits * 100 / seen) : 100;
}
