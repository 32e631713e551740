/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_pace.h - when a source is asked again, and what SRV records mean. */
#ifndef LBS_PACE_H
#define LBS_PACE_H

#include <apr.h>
#include <apr_time.h>

/**
 * How long an answer holds.
 *
 * @param ttl       of it, in seconds
 * @param interval  the most, a second at least
 */
static inline apr_time_t lbs_pace_good(apr_uint32_t ttl, apr_time_t interval)
{
    apr_time_t wait = apr_time_from_sec(ttl == 0 ? 1 : (apr_time_t)ttl);

    return wait < interval ? wait : interval;
}

/** How long a source that gave no good answer rests: 1, 2, 4 ... seconds.
 * @param fails  answers of that kind in a row, from 1 */
static inline apr_time_t lbs_pace_bad(unsigned fails, apr_time_t interval)
{
    apr_time_t wait = apr_time_from_sec(fails < 16 ? 1 << (fails - 1) : 32768);

    return wait < interval ? wait : interval;
}

/** The loadfactor, in 1/100, of a weight of SRV. @param most  weight of all */
static inline apr_uint32_t lbs_pace_weight(apr_uint32_t weight,
                                           apr_uint32_t most)
{
    apr_uint32_t centi =
        most <= 100 ? weight * 100
                    : (apr_uint32_t)((apr_uint64_t)weight * 10000 / most);

    return most == 0 ? 100 : centi == 0 ? 1 : centi;
}

#endif
