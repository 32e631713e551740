/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_clock.c - see lbs_clock.h. */
#include "src/httpd/shared/lbs_clock.h"

#include <time.h>

apr_time_t lbs_clock_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return apr_time_from_sec((apr_time_t)now.tv_sec) + now.tv_nsec / 1000;
}

lbs_clock_t lbs_clock_both(void)
{
    return (lbs_clock_t){.mono = lbs_clock_now(), .wall = apr_time_now()};
}

int lbs_clock_once(lbs_atomic64_t *last, apr_interval_time_t every)
{
    apr_uint64_t now = (apr_uint64_t)lbs_clock_now();
    apr_uint64_t before = lbs_atomic_load64_relaxed(last);

    return (before == 0 || now - before >= (apr_uint64_t)every)
           && lbs_atomic_cas64(last, &before, now);
}
