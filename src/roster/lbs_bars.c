/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_bars.c - see lbs_bars.h. */
#include "src/roster/lbs_bars.h"

#include <stddef.h>

static lbs_bar_t *find(lbs_bars_t *bars, apr_uint64_t id)
{
    int i;

    for (i = 0; i < LBS_BARS; i++) {
        if (lbs_atomic_load64_relaxed(&bars->bar[i].id) == id) {
            return &bars->bar[i];
        }
    }
    return NULL;
}

int lbs_bars_put(lbs_bars_t *bars, apr_uint64_t id, apr_time_t now)
{
    lbs_bar_t *bar = find(bars, id);

    if (bar == NULL) {
        bar = find(bars, 0);
    }
    if (bar == NULL) {
        return 0;
    }
    lbs_atomic_store64_relaxed(&bar->seen_at, (apr_uint64_t)now);
    lbs_atomic_store64_relaxed(&bar->id, id);
    return 1;
}

int lbs_bars_meet(lbs_bars_t *bars, apr_uint64_t id, apr_time_t now)
{
    lbs_bar_t *bar = id != 0 ? find(bars, id) : NULL;

    if (bar != NULL) {
        lbs_atomic_store64_relaxed(&bar->seen_at, (apr_uint64_t)now);
    }
    return bar != NULL;
}

void lbs_bars_lift(lbs_bars_t *bars, apr_uint64_t id)
{
    lbs_bar_t *bar = id != 0 ? find(bars, id) : NULL;

    if (bar != NULL) {
        lbs_atomic_store64_relaxed(&bar->id, 0);
    }
}

void lbs_bars_expire(lbs_bars_t *bars, apr_time_t kept, apr_time_t now)
{
    int i;

    for (i = 0; i < LBS_BARS; i++) {
        lbs_bar_t *bar = &bars->bar[i];

        if (now - (apr_time_t)lbs_atomic_load64_relaxed(&bar->seen_at)
            > kept) {
            lbs_atomic_store64_relaxed(&bar->id, 0);
        }
    }
}
