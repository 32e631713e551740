/* SPDX-License-Identifier: Apache-2.0 */
#include "src/base/lbs_rand.h"
#include "src/base/lbs_text.h"

#include <apr_general.h>
#include <inttypes.h>

#include "t/unit/tap.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define UNTOUCHED 4711
#define SEC LBS_TEXT_SECOND

/* What atoi, strtol and strtod take and this module must not. */
static const char *const never_a_number[] = {
    "",
    " ",
    " 10",
    "10 ",
    "10x",
    "-1",
    "+1",
    "1e9",
    "0x10",
    "1,5",
    "1.",
    ".5",
    "1.234",
    "1..2",
    "ten",
    "1 0",
    "\t1",
    "1\n",
    "--1",
    "NaN",
    "inf",
    "1\xa0",
    "\xc2\xb2",
    "18446744073709551616",
    "99999999999999999999999999",
};

static void numbers_atoi_would_take_are_refused(void)
{
    apr_size_t i;

    for (i = 0; i < COUNT(never_a_number); i++) {
        const char *s = never_a_number[i];
        apr_uint64_t u = UNTOUCHED;
        apr_int64_t usec = UNTOUCHED;
        apr_uint32_t c = UNTOUCHED;
        int refused = lbs_text_uint(s, 0, APR_UINT64_MAX, &u) != NULL
                      && lbs_text_size(s, &u) != NULL
                      && lbs_text_duration(s, &usec) != NULL
                      && lbs_text_centi(s, 0, APR_UINT32_MAX, &c) != NULL
                      && lbs_text_percent(s, &c) != NULL;

        ok(refused && u == UNTOUCHED && usec == UNTOUCHED && c == UNTOUCHED,
           "no number, spelling %zu: refused by all, nothing touched", i);
    }
}

static void durations(void)
{
    static const struct {
        const char *text;
        apr_int64_t want; /* microseconds, -1: refused */
    } table[] = {
        {"0", 0},
        {"0ms", 0},
        {"1", SEC},
        {"500ms", 500000},
        {"10s", 10 * SEC},
        {"5min", 300 * SEC},
        {"2h", 7200 * SEC},
        {"1d", 86400 * SEC},
        {"2H", 7200 * SEC},
        {"3Min", 180 * SEC},
        {"007", 7 * SEC},
        {"3650d", LBS_TEXT_DURATION_MAX},
        {"315360000", LBS_TEXT_DURATION_MAX},
        {"3651d", -1},
        {"315360001", -1},
        {"18446744073709551615d", -1},
        {"5m", -1},
        {"5us", -1},
        {"5mins", -1},
        {"5 s", -1},
        {"1.5h", -1},
        {"h", -1},
        {"1h30min", -1},
        {"1s-", -1},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        apr_int64_t usec = -1;
        const char *wanted = lbs_text_duration(table[i].text, &usec);

        ok(usec == table[i].want && (wanted == NULL) == (usec >= 0),
           "duration '%s'", table[i].text);
    }
    is_str(lbs_text_duration("x", &(apr_int64_t){0}),
           "a duration such as 500ms, 10s, 5min, 2h, 1d (at most 3650d)",
           "the phrase tells what is wanted");
}

static void two_durations(void)
{
    static const char *const bad[] = {"",      "-",     "1s-",   "-1s",
                                      "2s-1s", "1-2-3", "1s 2s", "1x-2"};
    apr_int64_t min = UNTOUCHED;
    apr_int64_t max = UNTOUCHED;
    apr_size_t i;

    for (i = 0; i < COUNT(bad); i++) {
        ok(lbs_text_durations(bad[i], &min, &max) != NULL && min == UNTOUCHED
               && max == UNTOUCHED,
           "durations '%s' are refused", bad[i]);
    }
    ok(lbs_text_durations("1s-60s", &min, &max) == NULL && min == SEC
           && max == 60 * SEC,
       "durations 1s-60s");
    ok(lbs_text_durations("500ms-1min", &min, &max) == NULL && min == SEC / 2
           && max == 60 * SEC,
       "durations with different units");
    ok(lbs_text_durations("5", &min, &max) == NULL && min == 5 * SEC
           && max == 5 * SEC,
       "one duration is both ends");
}

static void sizes(void)
{
    apr_uint64_t u = UNTOUCHED;

    ok(lbs_text_size("65536", &u) == NULL && u == 65536, "size 65536");
    ok(lbs_text_size("64k", &u) == NULL && u == 65536, "size 64k");
    ok(lbs_text_size("1M", &u) == NULL && u == 1048576, "size 1M");
    ok(lbs_text_size("0", &u) == NULL && u == 0, "size 0");
    ok(lbs_text_size("9223372036854775807", &u) == NULL && u == APR_INT64_MAX,
       "size 2^63 - 1");
    ok(lbs_text_size("9223372036854775808", &u) != NULL
           && lbs_text_size("9007199254740992k", &u) != NULL
           && lbs_text_size("64kb", &u) != NULL
           && lbs_text_size("64g", &u) != NULL
           && lbs_text_size("1.5m", &u) != NULL && u == APR_INT64_MAX,
       "sizes that do not fit or have another unit are refused");
}

static void whole_numbers_at_their_limits(void)
{
    apr_uint64_t u = UNTOUCHED;

    is_str(lbs_text_uint("0", 1, 10, &u), "a larger number", "below min");
    is_str(lbs_text_uint("11", 1, 10, &u), "a smaller number", "above max");
    is_int(u, UNTOUCHED, "and nothing touched");
    ok(lbs_text_uint("1", 1, 10, &u) == NULL && u == 1, "min itself");
    ok(lbs_text_uint("10", 1, 10, &u) == NULL && u == 10, "max itself");
    ok(lbs_text_uint("18446744073709551615", 0, APR_UINT64_MAX, &u) == NULL
           && u == APR_UINT64_MAX,
       "2^64 - 1");
}

static void hundredths(void)
{
    static const struct {
        const char *text;
        apr_uint32_t want; /* UNTOUCHED: refused */
    } table[] = {
        {"0", 0},
        {"1", 100},
        {"1.0", 100},
        {"1.05", 105},
        {"1.5", 150},
        {"0.01", 1},
        {"100", 10000},
        {"100.00", 10000},
        {"4.00", 400},
        {"100.01", 4711},
        {"101", 4711},
        {"42949673", 4711},
        {"4294967296", 4711},
        {"1.", 4711},
        {"1.0.0", 4711},
        {"1.-5", 4711},
        {"1.5x", 4711},
        {"1.005", 4711},
    };
    apr_uint32_t centi;
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        centi = UNTOUCHED;
        (void)lbs_text_centi(table[i].text, 0, 10000, &centi);
        is_int(centi, table[i].want, "hundredths of '%s'", table[i].text);
    }
    is_str(lbs_text_centi("1.04", 105, 400, &centi), "a larger number",
           "1.04 is below 1.05");
    ok(lbs_text_centi("1.05", 105, 400, &centi) == NULL && centi == 105,
       "1.05 is not");
}

static void percents_and_switches(void)
{
    apr_uint32_t u = UNTOUCHED;
    int on = UNTOUCHED;

    ok(lbs_text_percent("0", &u) == NULL && u == 0, "0 percent");
    ok(lbs_text_percent("20%", &u) == NULL && u == 20, "20%%");
    ok(lbs_text_percent("100", &u) == NULL && u == 100, "100 percent");
    ok(lbs_text_percent("101", &u) != NULL
           && lbs_text_percent("20%%", &u) != NULL
           && lbs_text_percent("%", &u) != NULL && u == 100,
       "other percentages are refused");
    ok(lbs_text_switch("1", &on) != NULL && lbs_text_switch("", &on) != NULL
           && lbs_text_switch("yes", &on) != NULL
           && lbs_text_switch("on ", &on) != NULL && on == UNTOUCHED,
       "only on and off are switches");
    ok(lbs_text_switch("On", &on) == NULL && on == 1, "On");
    ok(lbs_text_switch("OFF", &on) == NULL && on == 0, "OFF");
}

static int members_of(const lbs_statuses_t *set)
{
    int status, sum = 0;

    for (status = -70000; status < 70000; status++) {
        sum += lbs_statuses_has(set, status);
    }
    return sum;
}

static void lists_of_statuses(void)
{
    static const char *const bad[] = {
        "",         ",",       "200,",     ",200",        "99",
        "600",      "6xx",     "0xx",      "5x",          "5xxx",
        "399-200",  "200-",    "-200",     "200-600",     "2 00",
        "200, 404", "200;404", "200--300", "100-200-300", "4294967496",
    };
    lbs_statuses_t set;
    apr_size_t i;

    memset(&set, 0, sizeof(set));
    for (i = 0; i < COUNT(bad); i++) {
        ok(lbs_text_statuses(bad[i], &set) != NULL && members_of(&set) == 0,
           "statuses '%s' are refused", bad[i]);
    }
    ok(lbs_text_statuses("200-399,404,5xx", &set) == NULL, "a list");
    is_int(members_of(&set), 200 + 1 + 100, "has that many members");
    ok(!lbs_statuses_has(&set, 199) && lbs_statuses_has(&set, 200)
           && lbs_statuses_has(&set, 399) && !lbs_statuses_has(&set, 400)
           && lbs_statuses_has(&set, 404) && !lbs_statuses_has(&set, 499)
           && lbs_statuses_has(&set, 500) && lbs_statuses_has(&set, 599),
       "and these");
    ok(lbs_text_statuses("100-599", &set) == NULL && members_of(&set) == 500,
       "all there are");
    ok(lbs_text_statuses("503", &set) == NULL && members_of(&set) == 1,
       "a second list replaces the first");
    ok(lbs_text_statuses("4XX,503", &set) == NULL && members_of(&set) == 101,
       "a class in capitals, and one more");
}

static void keys_and_values(void)
{
    lbs_slice_t key = lbs_slice_of("untouched");
    const char *value = "untouched";

    ok(lbs_text_keyval("", &key, &value) != NULL
           && lbs_text_keyval("name", &key, &value) != NULL
           && lbs_text_keyval("=x", &key, &value) != NULL
           && lbs_slice_is(key, "untouched")
           && strcmp(value, "untouched") == 0,
       "no key, no equals sign: refused");
    ok(lbs_text_keyval("name=a=b", &key, &value) == NULL
           && lbs_slice_is(key, "name") && strcmp(value, "a=b") == 0,
       "split at the first equals sign");
    ok(lbs_text_keyval("name=", &key, &value) == NULL && *value == '\0',
       "the value may be empty");
}

static void slices(void)
{
    lbs_slice_t none = lbs_slice_of(NULL);
    lbs_slice_t nul = {"a\0b", 3};
    lbs_slice_t other = {"a\0c", 3};

    ok(lbs_slice_eq(none, lbs_slice_of("")), "NULL is the empty slice");
    ok(!lbs_slice_eq(nul, other) && !lbs_slice_caseeq(nul, other),
       "bytes behind a NUL count");
    ok(lbs_slice_caseeq(lbs_slice_of("aZ[`"), lbs_slice_of("Az[`"))
           && !lbs_slice_caseeq(lbs_slice_of("[`"), lbs_slice_of("{@"))
           && !lbs_slice_caseeq(lbs_slice_of("\xc4"), lbs_slice_of("\xe4")),
       "case is ASCII's only");
    ok(lbs_slice_is(lbs_slice_trim(lbs_slice_of(" \ta b\t ")), "a b")
           && lbs_slice_trim(lbs_slice_of(" \t ")).n == 0,
       "blanks are trimmed at the ends only");
}

/* Any number written in any way must come back, or be refused, exactly as
 * the C library with all its checks says. */
static void random_numbers_against_strtoull(void)
{
    apr_uint64_t seed = 20;
    int i, wrong = 0;

    for (i = 0; i < 100000; i++) {
        char text[32];
        apr_uint64_t u = 0;
        int cut;

        seed = seed * APR_UINT64_C(6364136223846793005) + 1442695040888963407;
        cut = (int)(seed >> 58);
        snprintf(text, sizeof(text), "%s%" PRIu64, seed & 16 ? "0" : "",
                 seed >> cut);
        if (lbs_text_uint(text, 0, APR_UINT64_MAX, &u) != NULL
            || u != strtoull(text, NULL, 10)) {
            wrong++;
        }
    }
    is_int(wrong, 0, "100000 random numbers as strtoull reads them");
}

static void what_is_written_is_read_again(void)
{
    static const char *const times[] = {"0s",    "1ms", "1500ms", "1s",
                                        "90s",   "2h",  "90min",  "25h",
                                        "3650d", "7d",  "61min"};
    static const char *const lists[] = {
        "200-399", "100", "599", "100-599", "404,500-503,599", "200,202,204"};
    char text[LBS_TEXT_DURATION_LEN];
    lbs_statuses_t set;
    apr_pool_t *pool;
    apr_int64_t usec;
    apr_size_t i;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    for (i = 0; i < COUNT(times); i++) {
        (void)lbs_text_duration(times[i], &usec);
        lbs_text_duration_write(text, usec);
        is_str(text, times[i], "duration %s", times[i]);
    }
    for (i = 0; i < COUNT(lists); i++) {
        (void)lbs_text_statuses(lists[i], &set);
        is_str(lbs_statuses_write(pool, &set), lists[i], "statuses %s",
               lists[i]);
    }
    (void)lbs_text_statuses("5xx,404", &set);
    is_str(lbs_statuses_write(pool, &set), "404,500-599", "in order");
    memset(&set, 0, sizeof(set));
    is_str(lbs_statuses_write(pool, &set), "", "none at all");
    apr_terminate();
}

/* The plain recursion, for short names. */
static unsigned slow_distance(const char *a, const char *b)
{
    unsigned drop, add, change;

    if (*a == '\0' || *b == '\0') {
        return (unsigned)(strlen(a) + strlen(b));
    }
    change = slow_distance(a + 1, b + 1) + (*a != *b);
    drop = slow_distance(a + 1, b) + 1;
    add = slow_distance(a, b + 1) + 1;
    return change < drop ? (change < add ? change : add)
                         : (drop < add ? drop : add);
}

static void distances(void)
{
    lbs_rand_t rand = {7};
    int wrong = 0, i, j;

    is_int(lbs_text_distance("app", "app"), 0, "the same name");
    is_int(lbs_text_distance("ap", "app"), 1, "a letter left out");
    is_int(lbs_text_distance("pap", "app"), 2, "two changed");
    is_int(lbs_text_distance("", "app"), 3, "an empty name");
    for (i = 0; i < 2000; i++) {
        char a[6] = "", b[6] = "";

        for (j = (int)lbs_rand_below(&rand, 6) - 1; j >= 0; j--) {
            a[j] = (char)('a' + lbs_rand_below(&rand, 3));
        }
        for (j = (int)lbs_rand_below(&rand, 6) - 1; j >= 0; j--) {
            b[j] = (char)('a' + lbs_rand_below(&rand, 3));
        }
        wrong += lbs_text_distance(a, b) != slow_distance(a, b);
    }
    is_int(wrong, 0, "2000 random names: as the plain recursion says");
}

int main(void)
{
    distances();
    numbers_atoi_would_take_are_refused();
    durations();
    two_durations();
    sizes();
    whole_numbers_at_their_limits();
    hundredths();
    percents_and_switches();
    lists_of_statuses();
    keys_and_values();
    what_is_written_is_read_again();
    slices();
    random_numbers_against_strtoull();
    return done_testing();
}
