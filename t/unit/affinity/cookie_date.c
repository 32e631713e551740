/* SPDX-License-Identifier: Apache-2.0 */
#include "src/affinity/lbs_cookie_date.h"

#include <time.h>

#include "t/unit/tap.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define BAD APR_INT64_MIN
#define NOV_1994 APR_INT64_C(784111777) /* the example of RFC 9110 */

/* Seconds since 1970, or BAD. */
static apr_int64_t seconds_of(const char *text)
{
    apr_time_t when = BAD;

    if (lbs_cookie_date_parse(lbs_slice_of(text), &when) != APR_SUCCESS) {
        return when == BAD ? BAD : 0;
    }
    return when / APR_USEC_PER_SEC;
}

static void every_form_in_use(void)
{
    static const struct {
        const char *text;
        apr_int64_t want;
    } table[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", NOV_1994},
        {"Sunday, 06-Nov-94 08:49:37 GMT", NOV_1994},
        {"Sun Nov  6 08:49:37 1994", NOV_1994},
        {"Sun, 06-Nov-1994 08:49:37 GMT", NOV_1994},
        {"06 Nov 1994 8:49:37", NOV_1994},
        {"1994 nov 06 08:49:37", NOV_1994},
        {"06`Nov_1994~08:49:37", NOV_1994},
        {"Sun, 06 NOVEMBER 1994 08:49:37 UTC", NOV_1994},
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Thu, 01-Jan-1970 00:00:00 GMT", 0},
        {"01-Jan-70 0:0:0", 0},
        {"Wed, 31 Dec 1969 23:59:59 GMT", -1},
        {"Thu, 01 Jan 1970 00:00:01 GMT", 1},
        {"Tue, 19 Jan 2038 03:14:08 GMT", APR_INT64_C(2147483648)},
        {"Thu, 29 Feb 2024 00:00:00 GMT", APR_INT64_C(1709164800)},
        {"Fri, 31-Dec-9999 23:59:59 GMT", APR_INT64_C(253402300799)},
        {"01 Jan 1601 00:00:00", APR_INT64_C(-11644473600)},
        {"01 Jan 69 00:00:00", APR_INT64_C(3124224000)},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        is_int(seconds_of(table[i].text), table[i].want, "%s", table[i].text);
    }
}

static void what_is_no_date(void)
{
    static const char *const table[] = {
        "",
        "0",
        "-1",
        "Thu",
        "Thu, 01 Jan 1970",
        "01 Jan 00:00:00",
        "Jan 1970 00:00:00",
        "01 1970 00:00:00",
        "Thu, 00 Jan 1970 00:00:00 GMT",
        "Thu, 32 Jan 1970 00:00:00 GMT",
        "Thu, 31 Apr 1970 00:00:00 GMT",
        "Thu, 29 Feb 2023 00:00:00 GMT",
        "Thu, 29 Feb 2100 00:00:00 GMT",
        "Thu, 01 Jan 1600 00:00:00 GMT",
        "Thu, 01 Jan 19700 00:00:00 GMT",
        "Thu, 01 Jan 1970 24:00:00 GMT",
        "Thu, 01 Jan 1970 00:60:00 GMT",
        "Thu, 01 Jan 1970 00:00:60 GMT",
        "Thu, 01 Jan 1970 000:00:00 GMT",
        "Thu, 01 Jan 1970 00:00 GMT",
        "Thu, 01 Foo 1970 00:00:00 GMT",
        "Thu, 01 Ja 1970 00:00:00 GMT",
        "99999999999999999999999999999",
        "::::::::::",
    };
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        ok(seconds_of(table[i]) == BAD, "no date: '%s'", table[i]);
    }
    ok(lbs_cookie_date_parse(lbs_slice_of(NULL), &(apr_time_t){0})
           == APR_EINVAL,
       "no date: nothing at all");
}

static void a_slice_ends_where_it_ends(void)
{
    static const char text[] = "Thu, 01 Jan 1970 00:00:00 GMT";
    apr_time_t when;
    apr_size_t n;
    int wrong = 0;

    for (n = 0; n < sizeof("Thu, 01 Jan 1970 00:00:0") - 1; n++) {
        char *exact = malloc(n + (n == 0));
        lbs_slice_t slice = {exact, n};

        if (exact == NULL) {
            bail_out("no memory");
        }
        memcpy(exact, text, n);
        wrong += lbs_cookie_date_parse(slice, &when) != APR_EINVAL;
        free(exact);
    }
    is_int(wrong, 0, "no part of a date is a date");
}

/* strftime() and the C library's calendar know nothing of this parser. */
static void random_dates_against_the_calendar(void)
{
    static const char *const forms[] = {
        "%a, %d %b %Y %H:%M:%S GMT",
        "%A, %d-%b-%Y %H:%M:%S GMT",
        "%a %b %e %H:%M:%S %Y",
        "%a, %d-%b-%y %H:%M:%S GMT",
    };
    apr_uint64_t seed = 7;
    int i, wrong = 0;

    for (i = 0; i < 100000; i++) {
        char text[64];
        struct tm tm;
        apr_int64_t when;
        time_t t;
        int form;

        seed = seed * APR_UINT64_C(6364136223846793005) + 1442695040888963407;
        form = (int)(seed >> 62);
        /* A two-digit year stands for 1970 to 2069 only. */
        when = form == 3
                   ? (apr_int64_t)((seed >> 20) % 3155760000u)
                   : (apr_int64_t)((seed >> 20) % 265000000000u) - 11644473600;
        t = (time_t)when;
        /* Where time_t has 32 bits the library knows fewer of them. */
        if (t != when || gmtime_r(&t, &tm) == NULL
            || tm.tm_year > 9999 - 1900) {
            continue;
        }
        strftime(text, sizeof(text), forms[form], &tm);
        wrong += seconds_of(text) != (apr_int64_t)t;
    }
    is_int(wrong, 0, "100000 random dates in four forms");
}

int main(void)
{
    every_form_in_use();
    what_is_no_date();
    a_slice_ends_where_it_ends();
    random_dates_against_the_calendar();
    return done_testing();
}
