/* SPDX-License-Identifier: Apache-2.0 */
#include "src/base/lbs_text.h"

#include <apr_cstr.h>
#include <apr_strings.h>

#define DISTANCE_MAX 64 /* bytes of a name */

#define WANT_DURATION                                                         \
    "a duration such as 500ms, 10s, 5min, 2h, 1d (at most 3650d)"
#define WANT_DURATIONS "two durations, the shorter one first, such as 1s-60s"
#define WANT_UINT "a whole number"
#define WANT_SMALLER "a smaller number"
#define WANT_LARGER "a larger number"
#define WANT_SIZE "a number of bytes such as 65536, 64k, 1m"
#define WANT_CENTI "a number with at most two decimals, such as 1 or 1.25"
#define WANT_PERCENT "a whole number from 0 to 100"
#define WANT_SWITCH "on or off"
#define WANT_STATUSES "HTTP statuses from 100 to 599, such as 200-399,404,5xx"
#define WANT_KEYVAL "key=value"

#define STATUS_MIN 100
#define STATUS_MAX 599

typedef struct unit_t {
    const char *name;
    apr_uint64_t factor;
} unit_t;

/* microseconds */
static const unit_t durations[] = {
    {"", 1000000},
    {"ms", 1000},
    {"s", 1000000},
    {"min", APR_UINT64_C(60) * 1000000},
    {"h", APR_UINT64_C(3600) * 1000000},
    {"d", APR_UINT64_C(86400) * 1000000},
    {NULL, 0},
};

/* bytes */
static const unit_t sizes[] = {
    {"", 1},
    {"k", 1024},
    {"m", 1024 * 1024},
    {NULL, 0},
};

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Read one digit or more. NULL if there is none or they do not fit, else the
 * text behind them. */
static const char *read_uint(const char *s, apr_uint64_t *u)
{
    apr_uint64_t sum = 0;

    if (!is_digit(*s)) {
        return NULL;
    }
    for (; is_digit(*s); s++) {
        apr_uint64_t digit = (apr_uint64_t)(*s - '0');

        if (sum > (APR_UINT64_MAX - digit) / 10) {
            return NULL;
        }
        sum = sum * 10 + digit;
    }
    *u = sum;
    return s;
}

/* Read a number and the unit that fills the text up to end. Success is 1. */
static int read_units(const char *s, const char *end, const unit_t *units,
                      apr_uint64_t max, apr_uint64_t *out)
{
    apr_uint64_t u;
    lbs_slice_t name;

    s = read_uint(s, &u);
    if (s == NULL || s > end) {
        return 0;
    }
    name = lbs_slice_span(s, end);
    for (; units->name != NULL; units++) {
        if (lbs_slice_caseeq(name, lbs_slice_of(units->name))) {
            if (u > max / units->factor) {
                return 0;
            }
            *out = u * units->factor;
            return 1;
        }
    }
    return 0;
}

static int read_duration(const char *s, const char *end, apr_int64_t *usec)
{
    apr_uint64_t u;

    if (!read_units(s, end, durations, LBS_TEXT_DURATION_MAX, &u)) {
        return 0;
    }
    *usec = (apr_int64_t)u;
    return 1;
}

const char *lbs_text_duration(const char *s, apr_int64_t *usec)
{
    return read_duration(s, s + strlen(s), usec) ? NULL : WANT_DURATION;
}

const char *lbs_text_durations(const char *s, apr_int64_t *min,
                               apr_int64_t *max)
{
    const char *end = s + strlen(s);
    const char *dash = strchr(s, '-');
    const char *second = dash != NULL ? dash + 1 : s;
    apr_int64_t from, to;

    if (!read_duration(s, dash != NULL ? dash : end, &from)
        || !read_duration(second, end, &to) || from > to) {
        return WANT_DURATIONS;
    }
    *min = from;
    *max = to;
    return NULL;
}

void lbs_text_duration_write(char *out, apr_int64_t usec)
{
    static const unit_t largest_first[] = {
        {"d", APR_UINT64_C(86400) * 1000000},
        {"h", APR_UINT64_C(3600) * 1000000},
        {"min", APR_UINT64_C(60) * 1000000},
        {"s", 1000000},
        {"ms", 1000},
    };
    const unit_t *unit = largest_first;
    apr_uint64_t u = usec > 0 ? (apr_uint64_t)usec / 1000 * 1000 : 0;

    if (u == 0) {
        unit = &largest_first[3]; /* 0s */
    }
    while (u % unit->factor != 0) {
        unit++;
    }
    apr_snprintf(out, LBS_TEXT_DURATION_LEN, "%" APR_UINT64_T_FMT "%s",
                 u / unit->factor, unit->name);
}

const char *lbs_text_uint(const char *s, apr_uint64_t min, apr_uint64_t max,
                          apr_uint64_t *u)
{
    apr_uint64_t sum;

    s = read_uint(s, &sum);
    if (s == NULL || *s != '\0') {
        return WANT_UINT;
    }
    if (sum < min) {
        return WANT_LARGER;
    }
    if (sum > max) {
        return WANT_SMALLER;
    }
    *u = sum;
    return NULL;
}

const char *lbs_text_size(const char *s, apr_uint64_t *bytes)
{
    const char *end = s + strlen(s);

    /* A size ends up in apr_off_t or in a sum with others: keep a sign. */
    return read_units(s, end, sizes, APR_INT64_MAX, bytes) ? NULL : WANT_SIZE;
}

const char *lbs_text_centi(const char *s, apr_uint32_t min, apr_uint32_t max,
                           apr_uint32_t *centi)
{
    apr_uint64_t sum;
    apr_uint64_t decimals = 0;

    s = read_uint(s, &sum);
    if (s != NULL && *s == '.') {
        const char *point = s;

        s = read_uint(point + 1, &decimals);
        if (s != NULL && s - point == 2) {
            decimals *= 10;
        }
        else if (s != NULL && s - point != 3) {
            s = NULL;
        }
    }
    if (s == NULL || *s != '\0') {
        return WANT_CENTI;
    }
    if (sum > APR_UINT32_MAX || sum * 100 + decimals > max) {
        return WANT_SMALLER;
    }
    if (sum * 100 + decimals < min) {
        return WANT_LARGER;
    }
    *centi = (apr_uint32_t)(sum * 100 + decimals);
    return NULL;
}

const char *lbs_text_percent(const char *s, apr_uint32_t *percent)
{
    apr_uint64_t u;

    s = read_uint(s, &u);
    if (s != NULL && *s == '%') {
        s++;
    }
    if (s == NULL || *s != '\0' || u > 100) {
        return WANT_PERCENT;
    }
    *percent = (apr_uint32_t)u;
    return NULL;
}

const char *lbs_text_switch(const char *s, int *on)
{
    int is_on = apr_cstr_casecmp(s, "on") == 0;

    if (!is_on && apr_cstr_casecmp(s, "off") != 0) {
        return WANT_SWITCH;
    }
    *on = is_on;
    return NULL;
}

/* Read `404`, `200-399` or `5xx`. NULL, or the text behind it. */
static const char *read_statuses(const char *s, apr_uint64_t *from,
                                 apr_uint64_t *to)
{
    if (s[0] >= '1' && s[0] <= '5' && lbs_slice_lower(s[1]) == 'x'
        && lbs_slice_lower(s[2]) == 'x') {
        *from = (apr_uint64_t)(s[0] - '0') * 100;
        *to = *from + 99;
        return s + 3;
    }
    s = read_uint(s, from);
    if (s == NULL) {
        return NULL;
    }
    if (*s == '-') {
        s = read_uint(s + 1, to);
    }
    else {
        *to = *from;
    }
    return s;
}

const char *lbs_text_statuses(const char *s, lbs_statuses_t *set)
{
    lbs_statuses_t found;

    memset(&found, 0, sizeof(found));
    for (;;) {
        apr_uint64_t from, to;

        s = read_statuses(s, &from, &to);
        if (s == NULL || from < STATUS_MIN || to > STATUS_MAX || from > to
            || (*s != ',' && *s != '\0')) {
            return WANT_STATUSES;
        }
        for (; from <= to; from++) {
            found.bits[from / 32] |= (apr_uint32_t)1 << (from % 32);
        }
        if (*s++ == '\0') {
            break;
        }
    }
    *set = found;
    return NULL;
}

const char *lbs_statuses_write(apr_pool_t *pool, const lbs_statuses_t *set)
{
    const char *text = "";
    int from, to;

    for (from = STATUS_MIN; from <= STATUS_MAX; from = to + 1) {
        to = from;
        if (!lbs_statuses_has(set, from)) {
            continue;
        }
        while (lbs_statuses_has(set, to + 1)) {
            to++;
        }
        text = apr_psprintf(pool, to > from ? "%s%s%d-%d" : "%s%s%d", text,
                            *text != '\0' ? "," : "", from, to);
    }
    return text;
}

int lbs_statuses_has(const lbs_statuses_t *set, int status)
{
    if (status < STATUS_MIN || status > STATUS_MAX) {
        return 0;
    }
    return (int)(set->bits[status / 32] >> (status % 32)) & 1;
}

void lbs_statuses_add(lbs_statuses_t *set, int status)
{
    if (status >= STATUS_MIN && status <= STATUS_MAX) {
        set->bits[status / 32] |= 1u << (status % 32);
    }
}

const char *lbs_text_keyval(const char *arg, lbs_slice_t *key,
                            const char **value)
{
    const char *equals = strchr(arg, '=');

    if (equals == NULL || equals == arg) {
        return WANT_KEYVAL;
    }
    *key = lbs_slice_span(arg, equals);
    *value = equals + 1;
    return NULL;
}

unsigned lbs_text_distance(const char *a, const char *b)
{
    unsigned row[DISTANCE_MAX + 1];
    apr_size_t n = strlen(a), m = strlen(b), i, j;

    if (n > DISTANCE_MAX || m > DISTANCE_MAX) {
        return DISTANCE_MAX + 1;
    }
    for (j = 0; j <= m; j++) {
        row[j] = (unsigned)j;
    }
    for (i = 1; i <= n; i++) {
        unsigned diagonal = row[0];

        row[0] = (unsigned)i;
        for (j = 1; j <= m; j++) {
            unsigned above = row[j];
            unsigned least = diagonal + (a[i - 1] != b[j - 1]);

            least = above + 1 < least ? above + 1 : least;
            least = row[j - 1] + 1 < least ? row[j - 1] + 1 : least;
            diagonal = above;
            row[j] = least;
        }
    }
    return row[m];
}
