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
    /* After a pause of the tick it is not known how long attempts have
     * waited. */
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

static apr_uint64_t later(apr_uint64_t a, apr_uint64_t b)
{
    return a > b ? a : b;
}

/* Half of a stall: when all members fell silent together, the fault is not
 * this member's. */
static int others_answer(const lbs_stall_news_t *news, apr_uint64_t now)
{
    return news->others_heard + (apr_uint64_t)news->stall_us / 2 >= now;
}

/* The last answer to a probe or a check. A connection alone is no answer: the
 * system opens it for a program that hangs. */
static apr_uint64_t alive_at(const lbs_stall_news_t *news)
{
    return news->probe.kind == LBS_PROBE_HTTP ? news->probe.alive_at : 0;
}

/* It was asked in this silence, and has had some time to answer. */
static int is_asked(const lbs_stall_news_t *news, apr_uint64_t since,
                    apr_uint64_t now)
{
    return news->probe.kind == LBS_PROBE_HTTP && news->probe.asked_at >= since
           && now >= news->probe.asked_at + (apr_uint64_t)news->stall_us / 4;
}

int lbs_stall_found(const lbs_stall_t *record, const lbs_gauge_t *gauge,
                    const lbs_stall_news_t *news, apr_uint64_t now)
{
    apr_uint64_t heard = lbs_atomic_load64_relaxed(&gauge->heard_at);
    apr_uint64_t since =
        later(later(lbs_atomic_load64_relaxed(&record->calm_at), heard),
              alive_at(news));
    apr_uint64_t silent = now > since ? now - since : 0;
    apr_uint64_t stall = (apr_uint64_t)news->stall_us;

    if (stall == 0 || silent < stall || !others_answer(news, now)) {
        return 0;
    }
    /* The first waiting attempt may have waited, and the member have been
     * asked, for longer than the last one. */
    since = later(later(lbs_atomic_load64_relaxed(&record->idle_at), heard),
                  alive_at(news));
    return is_asked(news, since, now) || silent / LBS_STALL_UNASKED >= stall;
}

int lbs_stall_suspected(const lbs_stall_t *record, const lbs_gauge_t *gauge,
                        const lbs_stall_news_t *news, apr_uint64_t now)
{
    apr_uint64_t since = later(lbs_atomic_load64_relaxed(&record->idle_at),
                               lbs_atomic_load64_relaxed(&gauge->heard_at));
    apr_uint64_t stall = (apr_uint64_t)news->stall_us;

    /* A member that has just answered a probe is left in peace for a while,
     * but is asked again in time to find a stall that began then. */
    return stall != 0 && news->waiting >= LBS_STALL_WAITING
           && now >= since + stall / 4 && now >= alive_at(news) + stall / 2
           && others_answer(news, now);
}
