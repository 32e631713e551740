/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_series.h - the samples of the plots. */
#ifndef LBS_SERIES_H
#define LBS_SERIES_H

#include "src/httpd/pool/lbs_pools.h"
#include "src/member/lbs_latency.h"

/**
 * Take a sample of each member and of the pool. One process, once a second.
 * Cost: some hundred reads per member.
 *
 * @param now  monotonic microseconds
 * @param all  zeroed; out: the latest response times of the whole pool
 */
void lbs_series_feed(const lbs_pool_t *pool, apr_time_t now,
                     lbs_latency_recent_t *all);

#endif
