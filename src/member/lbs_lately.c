/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_lately.c - see lbs_lately.h. */
#include "src/member/lbs_lately.h"

#define MINUTE_US 60000000u

/* From 1, so that 0 is no minute. */
static apr_uint64_t minute_of(apr_uint64_t now)
{
    return now / MINUTE_US + 1;
}

static void note(lbs_lately_t *lately, const lbs_atomic64_t *counts,
                 apr_uint64_t minute)
{
    int i;

    for (i = 0; i < LBS_LATELY_CLASSES; i++) {
        lbs_atomic_store64_relaxed(
            &lately->was[minute % LBS_LATELY_MINUTES][i],
            lbs_atomic_load64_relaxed(&counts[i]));
    }
}

void lbs_lately_feed(lbs_lately_t *lately, const lbs_atomic64_t *counts,
                     apr_uint64_t now)
{
    apr_uint64_t minute = minute_of(now);
    apr_uint64_t last = lbs_atomic_load64_relaxed(&lately->minute);

    if (minute <= last) {
        return;
    }
    /* Nothing is known of minutes that nobody noted: they count as empty. */
    if (minute - last > LBS_LATELY_MINUTES) {
        last = minute - LBS_LATELY_MINUTES;
    }
    while (last < minute) {
        note(lately, counts, ++last);
    }
    lbs_atomic_store64_release(&lately->minute, minute);
}

/* The class may have been read before the note was made. */
static apr_uint64_t grown(apr_uint64_t count, apr_uint64_t was)
{
    return count > was ? count - was : 0;
}

void lbs_lately_read(const lbs_lately_t *lately, const lbs_atomic64_t *counts,
                     apr_uint64_t now, lbs_lately_sum_t *sum)
{
    apr_uint64_t last = lbs_atomic_load64_acquire(&lately->minute);
    const lbs_atomic64_t *was =
        lately->was[(last + 1) % LBS_LATELY_MINUTES]; /* the oldest */
    int i;

    *sum = (lbs_lately_sum_t){0, 0, 0};
    if (last == 0 || minute_of(now) >= last + LBS_LATELY_MINUTES) {
        return;
    }
    for (i = 0; i < LBS_LATELY_CLASSES; i++) {
        apr_uint64_t more = grown(lbs_atomic_load64_relaxed(&counts[i]),
                                  lbs_atomic_load64_relaxed(&was[i]));

        sum->all += more;
        sum->client_errors += i == 3 ? more : 0;
        sum->server_errors += i == 4 ? more : 0;
    }
}
