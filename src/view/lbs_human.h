/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_human.h - numbers as people read them. All strings live as long as
 * the pool given. */
#ifndef LBS_HUMAN_H
#define LBS_HUMAN_H

#include <apr_pools.h>

/** @return "1 234 567": thousands apart, by a narrow no-break space */
const char *lbs_human_count(apr_pool_t *pool, apr_uint64_t count);

/** @return "1 session", "312 sessions": the count and one of two words */
const char *lbs_human_of(apr_pool_t *pool, apr_uint64_t count, const char *one,
                         const char *many);

/** @return "512 B", "1.5 kB", "23 GB", in powers of 1000 */
const char *lbs_human_bytes(apr_pool_t *pool, apr_uint64_t bytes);

/** @return "45 s", "3 min 12 s", "2 h 5 min", "4 d 3 h"; "0 s" for less */
const char *lbs_human_span(apr_pool_t *pool, apr_int64_t seconds);

/** @return "0.4 ms", "23 ms", "1.4 s"; a dash for nothing measured (0) */
const char *lbs_human_ms(apr_pool_t *pool, double ms);

/** @return "0.4/s", "23/s", "1 234/s"; "0/s" */
const char *lbs_human_rate(apr_pool_t *pool, double per_second);

/** @return "1", "0.25", "12.5": at most two decimals, none in vain */
const char *lbs_human_weight(apr_pool_t *pool, double weight);

/** @return "0 %", "< 0.1 %", "1.2 %", "12 %"; a dash for a part of nothing */
const char *lbs_human_share(apr_pool_t *pool, apr_uint64_t part,
                            apr_uint64_t all);

/** @return "05:49:41" on the server's clock, with the date before it when
 *          that is not the day of now, and with the offset from UTC behind it
 *          when that is not the one of now; a dash for 0 */
const char *lbs_human_time(apr_pool_t *pool, apr_int64_t at, apr_int64_t now);

/** @return "UTC+01:00 (CET)": the server's time zone at that moment */
const char *lbs_human_zone(apr_pool_t *pool, apr_int64_t at);

/** @return "2026-11-24T05:49:41Z", for machines */
const char *lbs_human_iso(apr_pool_t *pool, apr_int64_t at);

#endif
