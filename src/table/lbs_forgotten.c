/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_forgotten.c - sessions that an administrator wants forgotten. */
#include "src/table/lbs_forgotten.h"

void lbs_forgotten_add_member(lbs_forgotten_t *forgotten, apr_uint32_t slot,
                              apr_uint32_t now)
{
    if (slot < LBS_TABLE_SLOTS) {
        lbs_atomic_store32_relaxed(&forgotten->until[slot], now);
        lbs_atomic_add32_relaxed(&forgotten->orders, 1);
    }
}

void lbs_forgotten_add_session(lbs_forgotten_t *forgotten, apr_uint64_t hash)
{
    apr_uint32_t place = lbs_atomic_add32_relaxed(&forgotten->next, 1);

    lbs_atomic_store64_relaxed(
        &forgotten->session[place % LBS_FORGOTTEN_SESSIONS], hash);
}

int lbs_forgotten_has_member(const lbs_forgotten_t *forgotten,
                             apr_uint32_t slot, apr_uint32_t issued)
{
    /* A token of this very second may be younger than the order. Its visitor
     * gets a new token once more; the other way round, an older token would be
     * kept by accident. */
    return slot < LBS_TABLE_SLOTS
           && issued <= lbs_atomic_load32_relaxed(&forgotten->until[slot]);
}

int lbs_forgotten_has(const lbs_forgotten_t *forgotten, apr_uint32_t slot,
                      apr_uint32_t issued, apr_uint64_t hash)
{
    apr_uint32_t i;

    if (lbs_forgotten_has_member(forgotten, slot, issued)) {
        return 1;
    }
    for (i = 0; i < LBS_FORGOTTEN_SESSIONS; i++) {
        if (lbs_atomic_load64_relaxed(&forgotten->session[i]) == hash
            && hash != 0) {
            return 1;
        }
    }
    return 0;
}

apr_uint64_t lbs_forgotten_count(const lbs_forgotten_t *forgotten)
{
    return (apr_uint64_t)lbs_atomic_load32_relaxed(&forgotten->next)
           + lbs_atomic_load32_relaxed(&forgotten->orders);
}

apr_uint64_t lbs_forgotten_session(const lbs_forgotten_t *forgotten,
                                   apr_uint32_t at)
{
    apr_uint32_t place = lbs_atomic_load32_relaxed(&forgotten->next) + at;

    return lbs_atomic_load64_relaxed(
        &forgotten->session[place % LBS_FORGOTTEN_SESSIONS]);
}
