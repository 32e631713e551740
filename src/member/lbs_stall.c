/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_stall.c - see lbs_stall.h. */
#include "src/member/lbs_stall.h"

apr_int64_t lbs_stall_after(apr_int64_t stall_us, apr_uint64_t p99_us)
{
    apr_int64_t stall;

    if (stall_us >= 0) {
        return stall_us;
    }
    stall =
        p99_us > APR_INT64_MAX / 10 ? APR_INT64_MAX : (apr_int64_t)p99_us * 10;
    return stall > LBS_STALL_MIN_US ? stall : LBS_STALL_MIN_US;
}

void lbs_stall_tick(lbs_stall_t *record, const lbs_stall_news_t *news,
                    apr_uint64_t now)
{
    apr_uint64_t ticked = lbs_atomic_load64_relaxed(&record->tick_at);
    apr_uint32_t waiting = news->waiting;

    lbs_atomic_store64_relaxed(&record->tick_at, now);
    /* After a pause of the tick nobody knows how long they have waited. */
    if (ticked == 0 || now > ticked + LBS_STALL_MIN_US) {
        waiting = 0;
    }
    if (waiting == 0) {
        lbs_atomic_store64_relaxed(&record->idle_at, now);
    }
    if (waiting < LBS_STALL_WAITING) {
        lbs_atomic_store64_relaxed(&record->calm_at, now);
    }
}

/* Nothing came for so long, nor since that moment, though others answered.
 * Half of a stall: when all fell silent together, it is not this member. */
static int is_silent(const lbs_gauge_t *gauge, const lbs_stall_news_t *news,
                     const lbs_atomic64_t *moment, apr_uint64_t so_long,
                     apr_uint64_t now)
{
    apr_uint64_t since = lbs_atomic_load64_relaxed(moment);
    apr_uint64_t heard = lbs_atomic_load64_relaxed(&gauge->heard_at);

    return news->stall_us != 0
           && now >= (since > heard ? since : heard) + so_long
           && news->others_heard + (apr_uint64_t)news->stall_us / 2 >= now;
}

int lbs_stall_found(const lbs_stall_t *record, const lbs_gauge_t *gauge,
                    const lbs_stall_news_t *news, apr_uint64_t now)
{
    return is_silent(gauge, news, &record->calm_at,
                     (apr_uint64_t)news->stall_us, now);
}

int lbs_stall_suspected(const lbs_stall_t *record, const lbs_gauge_t *gauge,
                        const lbs_stall_news_t *news, apr_uint64_t now)
{
    return news->waiting >= LBS_STALL_WAITING
           && is_silent(gauge, news, &record->idle_at,
                        (apr_uint64_t)news->stall_us / 4, now);
}
