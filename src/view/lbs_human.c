/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_human.c - numbers as people read them. */
#include "src/view/lbs_human.h"

#include <string.h>

#include <apr_strings.h>
#include <apr_time.h>

#define THIN "\xe2\x80\xaf" /* U+202F, narrow no-break space */
#define HARD "\xc2\xa0"     /* U+00A0, no-break space */
#define NONE "\xe2\x80\x93" /* U+2013, a dash */

const char *lbs_human_count(apr_pool_t *pool, apr_uint64_t count)
{
    const char *digits = apr_psprintf(pool, "%" APR_UINT64_T_FMT, count);
    apr_size_t len = strlen(digits);
    char *text = apr_palloc(pool, len + (len / 3) * strlen(THIN) + 1);
    char *to = text;

    for (; len > 0; len--) {
        *to++ = *digits++;
        if (len % 3 == 1 && len > 1) {
            memcpy(to, THIN, strlen(THIN));
            to += strlen(THIN);
        }
    }
    *to = '\0';
    return text;
}

const char *lbs_human_of(apr_pool_t *pool, apr_uint64_t count, const char *one,
                         const char *many)
{
    return apr_pstrcat(pool, lbs_human_count(pool, count), " ",
                       count == 1 ? one : many, NULL);
}

const char *lbs_human_bytes(apr_pool_t *pool, apr_uint64_t bytes)
{
    static const char *const units[] = {"B",  "kB", "MB", "GB",
                                        "TB", "PB", "EB"};
    double value = (double)bytes;
    int unit = 0;

    /* 999.95 would be shown as 1000.0 */
    while (value >= 999.5 && unit < 6) {
        value /= 1000;
        unit++;
    }
    return apr_psprintf(pool, unit > 0 && value < 9.95 ? "%.1f %s" : "%.0f %s",
                        value, units[unit]);
}

const char *lbs_human_span(apr_pool_t *pool, apr_int64_t seconds)
{
    long s = seconds > 0 ? (long)seconds : 0;

    if (s < 60) {
        return apr_psprintf(pool, "%ld s", s);
    }
    if (s < 3600) {
        return s % 60 == 0 || s >= 600
                   ? apr_psprintf(pool, "%ld min", s / 60)
                   : apr_psprintf(pool, "%ld min %ld s", s / 60, s % 60);
    }
    if (s < 86400) {
        return s / 60 % 60 == 0 ? apr_psprintf(pool, "%ld h", s / 3600)
                                : apr_psprintf(pool, "%ld h %ld min", s / 3600,
                                               s / 60 % 60);
    }
    return s / 3600 % 24 == 0 || s >= 10 * 86400
               ? apr_psprintf(pool, "%ld d", s / 86400)
               : apr_psprintf(pool, "%ld d %ld h", s / 86400, s / 3600 % 24);
}

const char *lbs_human_ms(apr_pool_t *pool, double ms)
{
    if (!(ms > 0)) {
        return NONE;
    }
    if (ms >= 999.5) {
        return apr_psprintf(pool, ms < 9950 ? "%.1f s" : "%.0f s", ms / 1000);
    }
    return apr_psprintf(pool, ms < 9.95 ? "%.1f ms" : "%.0f ms", ms);
}

const char *lbs_human_rate(apr_pool_t *pool, double per_second)
{
    if (!(per_second > 0)) {
        return "0/s";
    }
    if (per_second < 0.05) {
        return "< 0.1/s";
    }
    if (per_second < 9.95) {
        return apr_psprintf(pool, "%.1f/s", per_second);
    }
    return apr_pstrcat(pool,
                       lbs_human_count(pool, (apr_uint64_t)(per_second + 0.5)),
                       "/s", NULL);
}

const char *lbs_human_weight(apr_pool_t *pool, double weight)
{
    char *text = apr_psprintf(pool, "%.2f", weight);
    char *end = text + strlen(text) - 1;

    while (*end == '0') {
        *end-- = '\0';
    }
    if (*end == '.') {
        *end = '\0';
    }
    return text;
}

const char *lbs_human_share(apr_pool_t *pool, apr_uint64_t part,
                            apr_uint64_t all)
{
    double percent = all > 0 ? 100.0 * (double)part / (double)all : 0;

    if (all == 0) {
        return NONE;
    }
    if (part == 0 || part >= all) {
        return part == 0 ? "0" HARD "%" : "100" HARD "%";
    }
    if (percent < 0.1) {
        return "< 0.1" HARD "%";
    }
    return percent > 99
               ? "> 99" HARD "%"
               : apr_psprintf(
                   pool, percent < 9.95 ? "%.1f" HARD "%%" : "%.0f" HARD "%%",
                   percent);
}

/* "UTC+01:00" */
static const char *offset_of(apr_pool_t *pool, apr_int32_t seconds)
{
    apr_int32_t minutes = (seconds < 0 ? -seconds : seconds) / 60;

    return apr_psprintf(pool, "UTC%c%02d:%02d", seconds < 0 ? '-' : '+',
                        minutes / 60, minutes % 60);
}

const char *lbs_human_zone(apr_pool_t *pool, apr_int64_t at)
{
    apr_time_exp_t t;
    char name[32] = "";
    apr_size_t len = 0;

    if (apr_time_exp_lt(&t, apr_time_from_sec(at)) != APR_SUCCESS) {
        return NONE;
    }
    (void)apr_strftime(name, &len, sizeof(name), "%Z", &t); /* or empty */
    /* A zone without a name is called by its offset. */
    if (len == 0 || *name == '+' || *name == '-') {
        return offset_of(pool, t.tm_gmtoff);
    }
    return apr_pstrcat(pool, offset_of(pool, t.tm_gmtoff), " (", name, ")",
                       NULL);
}

static const char *date_of(apr_pool_t *pool, const apr_time_exp_t *t)
{
    return apr_psprintf(pool, "%04d-%02d-%02d ", t->tm_year + 1900,
                        t->tm_mon + 1, t->tm_mday);
}

const char *lbs_human_time(apr_pool_t *pool, apr_int64_t at, apr_int64_t now)
{
    apr_time_exp_t then, today;
    const char *date = "", *offset = "";

    if (at == 0 || apr_time_exp_lt(&then, apr_time_from_sec(at))
        || apr_time_exp_lt(&today, apr_time_from_sec(now))) {
        return NONE;
    }
    if (then.tm_yday != today.tm_yday || then.tm_year != today.tm_year) {
        date = date_of(pool, &then);
    }
    if (then.tm_gmtoff != today.tm_gmtoff) {
        offset = apr_pstrcat(pool, " ", offset_of(pool, then.tm_gmtoff), NULL);
    }
    return apr_psprintf(pool, "%s%02d:%02d:%02d%s", date, then.tm_hour,
                        then.tm_min, then.tm_sec, offset);
}

const char *lbs_human_iso(apr_pool_t *pool, apr_int64_t at)
{
    apr_time_exp_t t;

    if (apr_time_exp_gmt(&t, apr_time_from_sec(at)) != APR_SUCCESS) {
        return "";
    }
    return apr_psprintf(pool, "%04d-%02d-%02dT%02d:%02d:%02dZ",
                        t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour,
                        t.tm_min, t.tm_sec);
}
