/* SPDX-License-Identifier: Apache-2.0 */
#include "src/affinity/lbs_source.h"

#include <apr_general.h>
#include <apr_strings.h>

#include "t/unit/tap.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static apr_pool_t *pool;

/* One word by itself: a list of one. */
static const char *parse(const char *arg, lbs_source_t *source)
{
    int count = 0;

    return lbs_source_add(pool, arg, source, &count);
}

static void words_that_are_sources(void)
{
    static const struct {
        const char *arg;
        lbs_source_kind_e kind;
        const char *name;
        unsigned v4bits, v6bits;
        const char *spelling;
    } table[] = {
        {"cookie", LBS_SOURCE_COOKIE, NULL, 0, 0, "cookie"},
        {"Cookie", LBS_SOURCE_COOKIE, NULL, 0, 0, "cookie"},
        {"session=sessionid", LBS_SOURCE_SESSION, "sessionid", 0, 0,
         "session=sessionid"},
        {"SESSION=PHPSESSID", LBS_SOURCE_SESSION, "PHPSESSID", 0, 0,
         "session=PHPSESSID"},
        {"ip", LBS_SOURCE_IP, NULL, 32, 64, "ip"},
        {"IP", LBS_SOURCE_IP, NULL, 32, 64, "ip"},
        {"ip/24", LBS_SOURCE_IP, NULL, 24, 64, "ip/24"},
        {"ip/024", LBS_SOURCE_IP, NULL, 24, 64, "ip/24"},
        {"ip/32/56", LBS_SOURCE_IP, NULL, 32, 56, "ip/32/56"},
        {"ip/32/64", LBS_SOURCE_IP, NULL, 32, 64, "ip"},
        {"ip/1/1", LBS_SOURCE_IP, NULL, 1, 1, "ip/1/1"},
        {"ip/32/128", LBS_SOURCE_IP, NULL, 32, 128, "ip/32/128"},
        {"header=X-User", LBS_SOURCE_HEADER, "X-User", 0, 0, "header=X-User"},
        {"query=user[id]", LBS_SOURCE_QUERY, "user[id]", 0, 0,
         "query=user[id]"},
        {"query=%5b", LBS_SOURCE_QUERY, "%5b", 0, 0, "query=%5b"},
        {"path=s", LBS_SOURCE_PATH, "s", 0, 0, "path=s"},
        {"route=JSESSIONID", LBS_SOURCE_ROUTE, "JSESSIONID", 0, 0,
         "route=JSESSIONID"},
        {"expr=%{REMOTE_USER}=a b/c", LBS_SOURCE_EXPR, "%{REMOTE_USER}=a b/c",
         0, 0, "expr=%{REMOTE_USER}=a b/c"},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        char *arg = apr_pstrdup(pool, table[i].arg);
        lbs_source_t source;

        is_str(parse(arg, &source), NULL, "%s", table[i].arg);
        memset(arg, 'x', strlen(arg));
        ok(source.kind == table[i].kind && source.v4bits == table[i].v4bits
               && source.v6bits == table[i].v6bits,
           "its kind and network bits");
        is_str(source.name, table[i].name, "its name");
        is_str(source.spelling, table[i].spelling, "its spelling");
    }
}

static void words_that_are_none(void)
{
    static const char *const table[] = {
        "",
        "cookies",
        "cookie=x",
        "cookie/",
        "cooki",
        "session",
        "session=",
        "session/x",
        "session=a b",
        "session=a;b",
        "session=a=b",
        "session=a,b",
        "session=\xc3\xa4",
        "ip=",
        "ip=24",
        "ip/",
        "ip//",
        "ip/0",
        "ip/33",
        "ip/24/",
        "ip/24/0",
        "ip/24/129",
        "ip//64",
        "ip/24/64/1",
        "ip/-1",
        "ip/ 24",
        "ip/24x",
        "ip/2e1",
        "ip/18446744073709551616",
        "ipv4",
        "header",
        "header=",
        "header=X User",
        "header=X:",
        "header=X\r\n",
        "query",
        "query=",
        "query=a&b",
        "query=a=b",
        "query=a#",
        "query=a b",
        "query=\x80",
        "path=",
        "path=a;b",
        "path=a/b",
        "path=a?b",
        "path=a=b",
        "route=",
        "route=a.b c",
        "expr",
        "expr=",
        "off",
        "none",
        "=x",
        "/24",
        " cookie",
        "cookie ",
    };
    lbs_source_t source, untouched;
    apr_size_t i;

    memset(&source, 0x55, sizeof(source));
    memcpy(&untouched, &source, sizeof(source));
    for (i = 0; i < COUNT(table); i++) {
        ok(parse(table[i], &source) != NULL
               && memcmp(&source, &untouched, sizeof(source)) == 0,
           "word %zu is refused", i);
    }
}

static void phrases_say_what_is_wanted(void)
{
    lbs_source_t source;

    is_str(parse("session", &source),
           "cookie, session=NAME, ip[/V4[/V6]], header=NAME, query=NAME, "
           "path=NAME, route=NAME or expr=EXPR",
           "no such word");
    is_str(parse("ip/40", &source),
           "ip, ip/V4 or ip/V4/V6 with network bits from 1 to 32 and 1 to "
           "128, such as ip/24/56",
           "bits out of range");
}

static const char *named(const char *word, apr_size_t n, lbs_source_t *source)
{
    char *arg = apr_palloc(pool, strlen(word) + n + 1);
    char *name = apr_cpystrn(arg, word, strlen(word) + 1);

    memset(name, 'n', n);
    name[n] = '\0';
    return parse(arg, source);
}

static void longest_names_are_whole(void)
{
    static const struct {
        const char *word;
        apr_size_t longest;
    } table[] = {{"session=", 255}, {"header=", 255}, {"query=", 255},
                 {"path=", 255},    {"route=", 255},  {"expr=", 8000}};
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        lbs_source_t source;

        ok(named(table[i].word, table[i].longest, &source) == NULL
               && strlen(source.name) == table[i].longest,
           "%s of %zu bytes", table[i].word, table[i].longest);
        ok(named(table[i].word, table[i].longest + 1, &source) != NULL
               && named(table[i].word, 65536, &source) != NULL,
           "more are refused");
    }
}

static void each_source_only_once(void)
{
    static const struct {
        const char *args[3];
        int good; /* how many are taken */
    } table[] = {
        {{"cookie", "session=a", "ip"}, 3},
        {{"cookie", "COOKIE", NULL}, 1},
        {{"session=a", "session=A", NULL}, 2},
        {{"session=a", "session=a", NULL}, 1},
        {{"session=a", "route=a", "header=a"}, 3},
        {{"header=X-User", "header=x-user", NULL}, 1},
        {{"ip", "ip/32/64", NULL}, 1},
        {{"ip/32", "ip/24", "ip/024"}, 2},
        {{"expr=a", "expr=b", "expr=a"}, 2},
    };
    apr_size_t i, k;

    for (i = 0; i < COUNT(table); i++) {
        lbs_source_t list[LBS_SOURCE_MAX];
        int count = 0;

        for (k = 0; k < 3 && table[i].args[k] != NULL; k++) {
            (void)lbs_source_add(pool, table[i].args[k], list, &count);
        }
        is_int(count, table[i].good, "list %zu", i);
    }
}

static void no_more_than_eight(void)
{
    lbs_source_t list[LBS_SOURCE_MAX];
    int i, count = 0;

    for (i = 0; i < LBS_SOURCE_MAX; i++) {
        const char *arg = apr_psprintf(pool, "query=q%d", i);

        is_str(lbs_source_add(pool, arg, list, &count), NULL, "source %d", i);
        is_str(list[i].spelling, arg, "in its place");
    }
    is_str(lbs_source_add(pool, "cookie", list, &count), "at most 8 sources",
           "one too many");
    is_int(count, LBS_SOURCE_MAX, "and the list is as it was");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    words_that_are_sources();
    words_that_are_none();
    phrases_say_what_is_wanted();
    longest_names_are_whole();
    each_source_only_once();
    no_more_than_eight();
    apr_terminate();
    return done_testing();
}
