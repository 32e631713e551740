/* SPDX-License-Identifier: Apache-2.0 */
#include "src/view/lbs_human.h"
#include "t/unit/view/sample.h"

#define T "\xe2\x80\xaf"

static void counts(apr_pool_t *pool)
{
    is_str(lbs_human_count(pool, 0), "0", "0");
    is_str(lbs_human_count(pool, 999), "999", "999");
    is_str(lbs_human_count(pool, 1000), "1" T "000", "1000");
    is_str(lbs_human_count(pool, APR_UINT64_C(2147483648)),
           "2" T "147" T "483" T "648", "2^31");
    is_str(lbs_human_count(pool, APR_UINT64_C(4294967296)),
           "4" T "294" T "967" T "296", "2^32");
    is_str(lbs_human_count(pool, APR_UINT64_MAX),
           "18" T "446" T "744" T "073" T "709" T "551" T "615", "2^64 - 1");
    is_str(lbs_human_of(pool, 1, "member", "members"), "1 member", "one");
    is_str(lbs_human_of(pool, 0, "member", "members"), "0 members", "none");
}

static void amounts(apr_pool_t *pool)
{
    is_str(lbs_human_bytes(pool, 999), "999 B", "bytes");
    is_str(lbs_human_bytes(pool, 1500), "1.5 kB", "kilobytes");
    is_str(lbs_human_bytes(pool, 999499), "999 kB", "still kilobytes");
    is_str(lbs_human_bytes(pool, 999999), "1.0 MB", "never 1000 kB");
    is_str(lbs_human_bytes(pool, APR_UINT64_C(4294967296)), "4.3 GB", "2^32");
    is_str(lbs_human_bytes(pool, APR_UINT64_MAX), "18 EB", "2^64 - 1");
    is_str(lbs_human_rate(pool, 0), "0/s", "nothing a second");
    is_str(lbs_human_rate(pool, 0.01), "< 0.1/s", "next to nothing");
    is_str(lbs_human_rate(pool, 1.26), "1.3/s", "a few");
    is_str(lbs_human_rate(pool, 12345.6), "12" T "346/s", "many");
    is_str(lbs_human_weight(pool, 1), "1", "a weight without decimals");
    is_str(lbs_human_weight(pool, 0.25), "0.25", "one with two");
    is_str(lbs_human_weight(pool, 100), "100", "zeros before the point stay");
}

static void times(apr_pool_t *pool)
{
    is_str(lbs_human_span(pool, -5), "0 s", "a negative difference");
    is_str(lbs_human_span(pool, 59), "59 s", "seconds");
    is_str(lbs_human_span(pool, 192), "3 min 12 s", "minutes");
    is_str(lbs_human_span(pool, 3600), "1 h", "an hour");
    is_str(lbs_human_span(pool, 7500), "2 h 5 min", "hours");
    is_str(lbs_human_span(pool, 100000), "1 d 3 h", "days");
    is_str(lbs_human_ms(pool, 0), "\xe2\x80\x93", "nothing measured");
    is_str(lbs_human_ms(pool, 0.44), "0.4 ms", "less than a millisecond");
    is_str(lbs_human_ms(pool, 87.5), "88 ms", "milliseconds");
    is_str(lbs_human_ms(pool, 999.9), "1.0 s", "never 1000 ms");
    is_str(lbs_human_ms(pool, 1234), "1.2 s", "seconds");
    is_str(lbs_human_time(pool, 0, SAMPLE_NOW), "\xe2\x80\x93", "never");
    is_str(lbs_human_time(pool, SAMPLE_NOW, SAMPLE_NOW), "22:13:20", "today");
    is_str(lbs_human_time(pool, SAMPLE_NOW - 86400, SAMPLE_NOW),
           "2023-11-13 22:13:20", "yesterday");
    is_str(lbs_human_iso(pool, SAMPLE_NOW), "2023-11-14T22:13:20Z",
           "for machines");
}

#define HARD "\xc2\xa0%"

static void shares(apr_pool_t *pool)
{
    is_str(lbs_human_share(pool, 0, 0), "\xe2\x80\x93", "of nothing");
    is_str(lbs_human_share(pool, 0, 5), "0" HARD, "none");
    is_str(lbs_human_share(pool, 5, 5), "100" HARD, "all");
    is_str(lbs_human_share(pool, 1, 100000), "< 0.1" HARD, "one is not none");
    is_str(lbs_human_share(pool, 99999, 100000), "> 99" HARD, "nor all");
    is_str(lbs_human_share(pool, 12, 1000), "1.2" HARD, "few");
    is_str(lbs_human_share(pool, 996, 10000), "10" HARD, "never 10.0");
    is_str(lbs_human_share(pool, 1, 3), "33" HARD, "a third");
    is_str(lbs_human_share(pool, APR_UINT64_MAX, APR_UINT64_MAX), "100" HARD,
           "2^64 - 1");
}

static void in_zone(const char *zone)
{
    setenv("TZ", zone, 1);
    tzset();
}

/* Central Europe went back to winter on 2023-10-29 01:00 UTC. */
static void zones(apr_pool_t *pool)
{
    const apr_int64_t summer = 1698530400; /* 2023-10-28 22:00:00 UTC */

    is_str(lbs_human_zone(pool, SAMPLE_NOW), "UTC+00:00 (UTC)", "UTC");
    in_zone("CET-1CEST,M3.5.0,M10.5.0/3");
    is_str(lbs_human_zone(pool, SAMPLE_NOW), "UTC+01:00 (CET)", "in winter");
    is_str(lbs_human_zone(pool, summer), "UTC+02:00 (CEST)", "in summer");
    is_str(lbs_human_time(pool, SAMPLE_NOW, SAMPLE_NOW), "23:13:20",
           "the server's clock");
    is_str(lbs_human_time(pool, summer, SAMPLE_NOW),
           "2023-10-29 00:00:00 UTC+02:00", "another offset is said");
    is_str(lbs_human_iso(pool, SAMPLE_NOW), "2023-11-14T22:13:20Z",
           "for machines it is always UTC");
    in_zone("<-0330>3:30");
    is_str(lbs_human_zone(pool, SAMPLE_NOW), "UTC-03:30", "without a name");
    in_zone("UTC");
}

int main(void)
{
    apr_pool_t *pool = sample_memory();

    setenv("TZ", "UTC", 1);
    counts(pool);
    amounts(pool);
    times(pool);
    shares(pool);
    zones(pool);
    return done_testing();
}
