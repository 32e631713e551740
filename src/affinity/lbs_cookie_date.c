/* SPDX-License-Identifier: Apache-2.0 */
#include "src/affinity/lbs_cookie_date.h"

#define HAS_TIME 1
#define HAS_DAY 2
#define HAS_MONTH 4
#define HAS_YEAR 8
#define HAS_ALL 15

typedef struct date_t {
    int has; /* HAS_... */
    int hour, minute, second;
    int day;   /* 1-31 */
    int month; /* 1-12 */
    int year;
} date_t;

/* The RFC's delimiter: the colon of a time is none. */
static int is_delimiter(char c)
{
    return c == '\t' || (c >= ' ' && c <= '/') || (c >= ';' && c <= '@')
           || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Take min to max digits, and no more behind them, off the token's front. */
static int take_number(lbs_slice_t *token, apr_size_t min, apr_size_t max,
                       int *out)
{
    apr_size_t i;
    int sum = 0;

    for (i = 0; i < token->n && i < max && is_digit(token->p[i]); i++) {
        sum = sum * 10 + (token->p[i] - '0');
    }
    if (i < min || (i < token->n && is_digit(token->p[i]))) {
        return 0;
    }
    token->p += i;
    token->n -= i;
    *out = sum;
    return 1;
}

static int take_colon(lbs_slice_t *token)
{
    if (token->n == 0 || *token->p != ':') {
        return 0;
    }
    token->p++;
    token->n--;
    return 1;
}

static int read_time(lbs_slice_t token, date_t *date)
{
    return take_number(&token, 1, 2, &date->hour) && take_colon(&token)
           && take_number(&token, 1, 2, &date->minute) && take_colon(&token)
           && take_number(&token, 1, 2, &date->second);
}

static int read_month(lbs_slice_t token, date_t *date)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int month;

    if (token.n < 3) {
        return 0;
    }
    token.n = 3;
    for (month = 0; month < 12; month++) {
        lbs_slice_t name = {names + 3 * month, 3};

        if (lbs_slice_caseeq(token, name)) {
            date->month = month + 1;
            return 1;
        }
    }
    return 0;
}

static int read_year(lbs_slice_t token, date_t *date)
{
    int year;

    if (!take_number(&token, 2, 4, &year)) {
        return 0;
    }
    if (year < 100) {
        year += year < 70 ? 2000 : 1900;
    }
    date->year = year;
    return 1;
}

/* Each token is the first thing not yet seen that it can be. */
static void read_token(lbs_slice_t token, date_t *date)
{
    lbs_slice_t rest = token;

    if (!(date->has & HAS_TIME) && read_time(token, date)) {
        date->has |= HAS_TIME;
    }
    else if (!(date->has & HAS_DAY) && take_number(&rest, 1, 2, &date->day)) {
        date->has |= HAS_DAY;
    }
    else if (!(date->has & HAS_MONTH) && read_month(token, date)) {
        date->has |= HAS_MONTH;
    }
    else if (!(date->has & HAS_YEAR) && read_year(token, date)) {
        date->has |= HAS_YEAR;
    }
}

static int is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Days from 1970-01-01; the year counts from March, so that the leap day is
 * its last. For years from 1601 on. */
static apr_int64_t days_since_1970(int year, int month, int day)
{
    int y = month > 2 ? year : year - 1;
    int m = month > 2 ? month - 3 : month + 9;

    return (apr_int64_t)y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5
           + day - 1 - 719468;
}

apr_status_t lbs_cookie_date_parse(lbs_slice_t text, apr_time_t *when)
{
    date_t date = {0, 0, 0, 0, 0, 0, 0};
    apr_int64_t seconds;
    apr_size_t i, from = 0;

    for (i = 0; i <= text.n; i++) {
        if (i == text.n || is_delimiter(text.p[i])) {
            if (i > from) {
                read_token(lbs_slice_span(text.p + from, text.p + i), &date);
            }
            from = i + 1;
        }
    }
    if (date.has != HAS_ALL || date.year < 1601 || date.day < 1
        || date.day > days_in_month(date.year, date.month) || date.hour > 23
        || date.minute > 59 || date.second > 59) {
        return APR_EINVAL;
    }
    seconds = days_since_1970(date.year, date.month, date.day) * 86400
              + date.hour * 3600 + date.minute * 60 + date.second;
    *when = apr_time_from_sec(seconds);
    return APR_SUCCESS;
}
