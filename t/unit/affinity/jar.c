/* SPDX-License-Identifier: Apache-2.0 */
#include "src/affinity/lbs_jar.h"

#include <apr_general.h>
#include <apr_strings.h>

#include "t/unit/tap.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define NOW apr_time_from_sec(1700000000)
#define LINES 4

static apr_pool_t *pool;

static void add(lbs_jar_t *jar, const char *line)
{
    lbs_setcookie_t set;

    if (lbs_setcookie_parse(line, lbs_slice_of("sid"), NOW, &set)
        == APR_SUCCESS) {
        lbs_jar_add(jar, &set);
    }
}

/* Whether a cookie of this line covers a request. */
static int covers(const char *host, const char *target, const char *line)
{
    lbs_jar_t jar;

    lbs_jar_open(&jar, host, target);
    add(&jar, line);
    return jar.count == 1 ? jar.cookie[0].covers : -1;
}

static void which_requests_show_a_cookie(void)
{
    static const struct {
        const char *host, *target, *line;
        int want;
    } table[] = {
        {"www.example.com", "/", "sid=x", 1},
        {"www.example.com", "/a/b", "sid=x; Path=/", 1},
        {"www.example.com", "/a/b", "sid=x; Path=/a", 1},
        {"www.example.com", "/a/b", "sid=x; Path=/a/", 1},
        {"www.example.com", "/a/b", "sid=x; Path=/a/b", 1},
        {"www.example.com", "/a/b?c=/d", "sid=x; Path=/a/b", 1},
        {"www.example.com", "/a/b", "sid=x; Path=/a/b/", 0},
        {"www.example.com", "/a/b", "sid=x; Path=/a/bc", 0},
        {"www.example.com", "/a/bc", "sid=x; Path=/a/b", 0},
        {"www.example.com", "/app", "sid=x; Path=/legacy", 0},
        {"www.example.com", "/A/b", "sid=x; Path=/a", 0},
        {"www.example.com", "/a%2Fb", "sid=x; Path=/a", 0},
        {"www.example.com", "/a/b", "sid=x; Path=a", 1},
        {"www.example.com", "http://www.example.com/a/b?c", "sid=x; Path=/a",
         1},
        {"www.example.com", "http://www.example.com/b", "sid=x; Path=/a", 0},
        {"www.example.com", "http://www.example.com", "sid=x; Path=/", 1},
        {"www.example.com", "/x?u=http://h/a", "sid=x; Path=/x", 1},
        {"www.example.com", "*", "sid=x; Path=/", 1},
        {"www.example.com", "http://www.example.com?u=/a", "sid=x; Path=/a",
         0},
        {"www.example.com", "a/b", "sid=x; Path=/b", 0},
        {"www.example.com", "", "sid=x", 1},
        {"www.example.com", "/", "sid=x; Domain=example.com", 1},
        {"www.example.com", "/", "sid=x; Domain=.EXAMPLE.com", 1},
        {"www.example.com", "/", "sid=x; Domain=www.example.com", 1},
        {"www.example.com", "/", "sid=x; Domain=ww.example.com", 0},
        {"www.example.com", "/", "sid=x; Domain=a.www.example.com", 0},
        {"wwwexample.com", "/", "sid=x; Domain=example.com", 0},
        {"10.0.0.1", "/", "sid=x; Domain=0.0.1", 0},
        {"10.0.0.1", "/", "sid=x; Domain=10.0.0.1", 1},
        {"::1", "/", "sid=x", 1},
        {NULL, "/", "sid=x", 1},
        {NULL, "/", "sid=x; Domain=example.com", 0},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        is_int(covers(table[i].host, table[i].target, table[i].line),
               table[i].want, "%s%s: %s",
               table[i].host != NULL ? table[i].host : "?", table[i].target,
               table[i].line);
    }
}

/* The default path, seen by a second line that names it. */
static void the_default_path(void)
{
    static const char *const table[][2] = {
        {"/a/b", "/a"},   {"/a/b/", "/a/b"}, {"/a", "/"},
        {"/", "/"},       {"//", "/"},       {"/a/b/c?d", "/a/b"},
        {"", "/"},        {"*", "/"},        {"http://h/a/b", "/a"},
        {"/a//b", "/a/"},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        lbs_jar_t jar;

        lbs_jar_open(&jar, "h", table[i][0]);
        add(&jar, "sid=x");
        add(&jar, apr_psprintf(pool, "sid=y; Path=%s", table[i][1]));
        is_int(jar.count, 1, "the directory of '%s' is %s", table[i][0],
               table[i][1]);
    }
}

/* Values it sets, `-` before those it ends; how many are gone; and `+` when
 * what is shown changes. For GET /app/page at www.example.com. */
static const char *reading(const char *const *lines)
{
    const char *out = "";
    lbs_jar_t jar;
    unsigned i;

    lbs_jar_open(&jar, "www.example.com", "/app/page");
    for (i = 0; i < LINES && lines[i] != NULL; i++) {
        add(&jar, lines[i]);
    }
    for (i = 0; i < jar.count; i++) {
        out = apr_pstrcat(
            pool, out, jar.cookie[i].deletes ? "-" : "",
            apr_pstrmemdup(pool, jar.cookie[i].value.p, jar.cookie[i].value.n),
            " ", NULL);
    }
    return apr_psprintf(pool, "%s%u%s", out, lbs_jar_ended(&jar),
                        lbs_jar_replaces(&jar) ? "+" : "");
}

static void what_an_answer_leaves(void)
{
    static const struct {
        const char *lines[LINES];
        const char *want;
    } table[] = {
        {{NULL}, "0"},
        {{"sid=a; Path=/"}, "a 0+"},
        {{"sid=a; Path=/", "sid=; Path=/legacy; Max-Age=0"}, "a - 0+"},
        {{"sid=; Path=/legacy; Max-Age=0", "sid=a; Path=/"}, "- a 0+"},
        {{"sid=; Path=/legacy; Max-Age=0"}, "- 0"},
        {{"sid=; Path=/; Domain=other.example; Max-Age=0"}, "- 0"},
        {{"sid=; Path=/; Max-Age=0"}, "- 1"},
        {{"sid=; Max-Age=0"}, "- 1"},
        {{"sid=; Path=/", "sid=; Path=/app"}, "- - 2"},
        {{"sid=a; Path=/other"}, "a 0"},
        {{"sid=; Path=/", "sid=a; Path=/other"}, "- a 0"},
        {{"sid=gone; Max-Age=0; Path=/", "sid=b; Path=/"}, "b 0+"},
        {{"sid=a; Path=/", "sid=; Path=/"}, "- 1"},
        {{"sid=a", "sid=b"}, "b 0+"},
        {{"sid=a", "sid=b; Path=/app"}, "b 0+"},
        {{"sid=a; Path=/", "sid=b; Path=/app"}, "a b 0+"},
        {{"sid=a; Path=/", "sid=b; Path=/; Domain=example.com"}, "a b 0+"},
        {{"sid=a", "sid=b; Domain=.WWW.example.com"}, "b 0+"},
        {{"sid=a; Path=/", "other=; Path=/", "Sid=; Path=/"}, "a 0+"},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        is_str(reading(table[i].lines), table[i].want, "%s",
               table[i].lines[0] != NULL ? table[i].lines[0] : "nothing");
    }
}

static void more_cookies_than_there_is_room_for(void)
{
    lbs_jar_t jar;
    int i;

    lbs_jar_open(&jar, "h", "/app/page");
    for (i = 0; i < 500; i++) {
        add(&jar, apr_psprintf(pool, "sid=v%d; Path=/p%d", i, i));
    }
    is_int(jar.count, LBS_JAR_MAX, "no more than there is room for");
    ok(!lbs_jar_replaces(&jar), "none of them is shown here");
    add(&jar, "sid=mine; Path=/app");
    ok(lbs_jar_replaces(&jar), "the one that is shown here finds room");
    is_int(jar.count, LBS_JAR_MAX, "in the place of another");
    for (i = 0; i < 500; i++) {
        add(&jar, apr_psprintf(pool, "sid=v%d; Path=/q%d", i, i));
    }
    ok(lbs_jar_replaces(&jar), "and keeps it");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    which_requests_show_a_cookie();
    the_default_path();
    what_an_answer_leaves();
    more_cookies_than_there_is_room_for();
    apr_terminate();
    return done_testing();
}
