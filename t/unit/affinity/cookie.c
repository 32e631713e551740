/* SPDX-License-Identifier: Apache-2.0 */
#include "src/affinity/lbs_cookie.h"

#include <apr_general.h>
#include <apr_strings.h>

#include "t/unit/tap.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define BIG 65536 /* bytes: what LimitRequestFieldSize may allow at most */

static apr_pool_t *pool;

/* Every value of one name, joined by `|`; NULL if there is none. */
static const char *values_of(const char *header, const char *wanted)
{
    lbs_cookie_iter_t it;
    lbs_slice_t name, value;
    const char *all = NULL;

    lbs_cookie_start(&it, header);
    while (lbs_cookie_next(&it, &name, &value)) {
        if (lbs_slice_is(name, wanted)) {
            const char *one = apr_pstrmemdup(pool, value.p, value.n);

            all = all ? apr_pstrcat(pool, all, "|", one, NULL) : one;
        }
    }
    return all;
}

static void thirty_spellings(void)
{
    static const struct {
        const char *header;
        const char *want; /* the values of LB */
    } table[] = {
        {"LB=x", "x"},
        {"LB=\"x\"", "x"},
        {"LB=x;", "x"},
        {"LB=x; ", "x"},
        {"a=1; LB=x", "x"},
        {"a=1;LB=x", "x"},
        {"a=1;  \t LB=x", "x"},
        {"a=1; LB=x; b=2", "x"},
        {" LB=x ", "x"},
        {"LB = x", "x"},
        {"LB\t=\t\"x\"\t;", "x"},
        {"; LB=x", "x"},
        {";;;LB=x;;;", "x"},
        {",LB=x", "x"},
        {"a=1, LB=x", "x"},
        {"a=1, , LB=x", "x"},
        {"LB=x, a=1", "x"},
        {"LB=x, ", "x"},
        {"LB=x; LB=y", "x|y"},
        {"LB=x, LB=y", "x|y"},
        {"LB=; LB=y", "|y"},
        {"LB=x=y==", "x=y=="},
        {"LB=x,y", "x,y"},
        {"LB=x y", "x y"},
        {"LB=x, =y", "x, =y"},
        {"LB=\"x", "\"x"},
        {"LB=x\"", "x\""},
        {"LB=\"", "\""},
        {"LB=\"\"", ""},
        {"LB=\"a, LB=b\"", "a, LB=b"},
        {"LB=\"a\\\", LB=b\"", "a\\\", LB=b"},
        {"a=\"; LB=x", "x"},
        {"a=\"1, LB=x", "x"},
        {"a=\"1\"; LB=x", "x"},
        {"a=\"1, LB=x, b=\"2", "x"},
        {"a=\"1;2\", LB=x", "x"},
        {"a={\"k\":1, \"LB\":2}; LB=x", "x"},
        {"flag; LB=x", "x"},
        {"flag, LB=x", "x"},
        {"=1; LB=x", "x"},
        {"$Version=1; LB=x; $Path=/", "x"},
        {"LB=%00\x80\xff%3b", "%00\x80\xff%3b"},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        is_str(values_of(table[i].header, "LB"), table[i].want, "spelling %zu",
               i);
    }
}

static void names_are_whole_and_case_sensitive(void)
{
    static const char *const others[] = {
        "XLB=x",      "LB2=x",
        "L=x",        "lb=x",
        "B=x",        "LB",
        "LB x=1",     "X-LB=x",
        "LB.=x",      "a=LB=x",
        "a=1,LB=x",   "a=b LB=x",
        "a=\"LB=x\"", "a=\", LB=x\"",
        "\"LB\"=x",   "=LB=x",
        "a=1,\tLB=x", "a=1, b LB=x",
        "a=1, LB",    "a=b&LB=x",
        "%4cB=x",     "",
        ";",          "=",
        "==",
    };
    apr_size_t i;

    for (i = 0; i < COUNT(others); i++) {
        ok(values_of(others[i], "LB") == NULL, "not LB: %s", others[i]);
    }
    ok(values_of(NULL, "LB") == NULL, "no header has no crumbs");
    is_str(values_of("L=1; LB=2; LBX=3", "L"), "1", "a one-letter name");
    is_str(values_of("a=1", "a"), "1", "a one-character value");
}

static void names_that_differ_in_their_last_byte(void)
{
    static const apr_size_t lengths[] = {1, 255, 256, 1024};
    apr_size_t i;

    for (i = 0; i < COUNT(lengths); i++) {
        apr_size_t n = lengths[i];
        char *name = apr_palloc(pool, n + 1);
        const char *header;
        int found;

        memset(name, 'n', n + 1);
        name[n] = '\0';
        header = apr_psprintf(pool, "%sa=1; %s=2; a%s=3", name, name, name);
        is_str(values_of(header, name), "2", "a name of %zu bytes", n);
        is_str(lbs_cookie_strip(pool, header, lbs_slice_of(name), &found),
               apr_psprintf(pool, "%sa=1; a%s=3", name, name),
               "is stripped alone");
    }
}

static void strip_leaves_the_others_as_they_stood(void)
{
    static const struct {
        const char *header;
        const char *want; /* NULL: no crumb is left */
        int found;
    } table[] = {
        {"LB=x", NULL, 1},
        {" LB=x ; ", NULL, 1},
        {"LB=x, LB=y; LB=", NULL, 3},
        {"LB=x; a=1", "a=1", 1},
        {"a=1; LB=x", "a=1", 1},
        {"a=1; LB=x; b=2", "a=1; b=2", 1},
        {"a=1;LB=x;b=2", "a=1;b=2", 1},
        {"a=1 ;\tLB=x ;\tb=2 ", "a=1 ;\tb=2 ", 1},
        {"a=1; LB=x;", "a=1;", 1},
        {";LB=x;a=1", ";a=1", 1},
        {"LB=x;;a=1", ";a=1", 1},
        {"a=1; LB=x; LB=y; b=2; LB=z", "a=1; b=2", 3},
        {"a=\"1; LB=x; b=2\"", "a=\"1; b=2\"", 1},
        {"a=\x80\xff%00; LB=x; b", "a=\x80\xff%00; b", 1},
        {"a=1, LB=x, b=2", "a=1; b=2", 1},
        {"a=1, LB=x; b=2", "a=1; b=2", 1},
        {"a=1; LB=x, b=2", "a=1; b=2", 1},
        {"LB=x, b=2; c=3", "b=2; c=3", 1},
        {"LB=\"x, y\"; b=2", "b=2", 1},
        {"a=1, LB=x, b=2, c=3", "a=1; b=2, c=3", 1},
        {"a=\"x, LB=1\"2, c=\"", "a=\"x; c=\"", 1},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        int found = -1;

        is_str(lbs_cookie_strip(pool, table[i].header, lbs_slice_of("LB"),
                                &found),
               table[i].want, "strip '%s'", table[i].header);
        is_int(found, table[i].found, "so many found");
    }
}

static void nothing_to_strip_is_the_same_header(void)
{
    static const char *const headers[] = {
        "", ";", " ; ,", "a=1; XLB=x", "a=1,LB=x", "a=\"x, LB=y\"", "LB",
    };
    apr_size_t i;

    for (i = 0; i < COUNT(headers); i++) {
        int found = -1;

        ok(lbs_cookie_strip(pool, headers[i], lbs_slice_of("LB"), &found)
                   == headers[i]
               && found == 0,
           "'%s' itself", headers[i]);
    }
}

/* The address sanitizer sees one byte too many of an exactly sized block. */
static void no_byte_behind_the_header_is_read(void)
{
    static const char *const headers[] = {
        "a=b; ", "a=b;",  "a=b,",  "a=b, ",   "a=",     "a",       "LB=",
        "LB",    "LB=\"", "LB=\\", "LB=\"\\", "a=1, L", "a=1, LB", "",
    };
    apr_size_t i;

    for (i = 0; i < COUNT(headers); i++) {
        apr_size_t size = strlen(headers[i]) + 1;
        char *exact = malloc(size);
        int found;

        if (exact == NULL) {
            bail_out("no memory");
        }
        memcpy(exact, headers[i], size);
        (void)values_of(exact, "LB");
        (void)lbs_cookie_strip(pool, exact, lbs_slice_of("LB"), &found);
        is_str(exact, headers[i], "'%s' is read only", headers[i]);
        free(exact);
    }
}

static void headers_of_delimiters_end_in_time(void)
{
    static const char *const patterns[] = {
        ";",      ",",      "=",     "; ;",       "; ",     ", ",
        " ",      "\"",     "\\\"",  "a=\"",      "a=\",",  ", a=",
        ", a",    ", a=\"", "=\", ", ",\"=",      "a=\\\"", "LB=x;",
        "LB=x, ", ", \t,",  "a",     "=\"\\\", ",
    };
    char *header = malloc(BIG + 1);
    apr_size_t i;

    if (header == NULL) {
        bail_out("no memory");
    }
    for (i = 0; i < COUNT(patterns); i++) {
        apr_size_t len = strlen(patterns[i]);
        double start;
        double took;
        apr_size_t at;
        int found;

        for (at = 0; at < BIG; at++) {
            header[at] = patterns[i][at % len];
        }
        header[BIG] = '\0';
        start = thread_us();
        (void)values_of(header, "none");
        (void)lbs_cookie_strip(pool, header, lbs_slice_of("LB"), &found);
        took = thread_us() - start;
        ok(took < 50000, "64 KB of '%s' in %d us", patterns[i], (int)took);
    }
    free(header);
}

static apr_uint32_t random_below(apr_uint64_t *seed, apr_uint32_t n)
{
    *seed = *seed * APR_UINT64_C(6364136223846793005) + 1442695040888963407;
    return (apr_uint32_t)(*seed >> 33) % n;
}

static int same(const char *a, const char *b)
{
    return a != NULL && b != NULL ? strcmp(a, b) == 0 : a == b;
}

/* A header made of parts, and what it means. */
typedef struct model_t {
    const char *header;
    const char *values; /* of LB, joined by `|` */
    const char *rest;   /* without LB */
    int lbs;
    int dropped; /* was the last crumb an LB? */
} model_t;

static void add_crumb(model_t *m, const char *separator, apr_uint64_t *seed)
{
    static const char *const names[] = {"LB", "lb", "LB2", "a", "X-LB"};
    static const char *const texts[] = {
        "x", "", "a=b", "a,b", "a b", "LB=1", "\x80\xff", "%00", "{\"a\":1}"};
    const char *name = names[random_below(seed, COUNT(names))];
    const char *text = texts[random_below(seed, COUNT(texts))];
    const char *quote = random_below(seed, 3) == 0 ? "\"" : "";
    char *crumb = apr_pstrcat(pool, name, "=", quote, text, quote, NULL);

    m->header = m->header == NULL
                    ? crumb
                    : apr_pstrcat(pool, m->header, separator, crumb, NULL);
    if (strcmp(name, "LB") == 0) {
        m->values = m->values == NULL
                        ? text
                        : apr_pstrcat(pool, m->values, "|", text, NULL);
        m->lbs++;
        m->dropped = 1;
        return;
    }
    m->rest = m->rest == NULL
                  ? crumb
                  : apr_pstrcat(pool, m->rest, m->dropped ? ";" : "",
                                separator + m->dropped, crumb, NULL);
    m->dropped = 0;
}

static void random_headers_built_from_parts(void)
{
    static const char *const separators[] = {"; ", ";", ";\t ", ", "};
    apr_uint64_t seed = 1;
    int round, wrong = 0;

    for (round = 0; round < 20000; round++) {
        const char *separator = separators[random_below(&seed, 4)];
        apr_uint32_t crumbs = 1 + random_below(&seed, 6);
        model_t m = {NULL, NULL, NULL, 0, 0};
        const char *rest;
        int found;

        apr_pool_clear(pool);
        for (; crumbs > 0; crumbs--) {
            add_crumb(&m, separator, &seed);
        }
        rest = lbs_cookie_strip(pool, m.header, lbs_slice_of("LB"), &found);
        if (!same(values_of(m.header, "LB"), m.values) || !same(rest, m.rest)
            || found != m.lbs) {
            diag("header: %s", m.header);
            wrong++;
            break;
        }
    }
    is_int(wrong, 0, "%d random headers mean what they are made of", round);
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    thirty_spellings();
    names_are_whole_and_case_sensitive();
    names_that_differ_in_their_last_byte();
    strip_leaves_the_others_as_they_stood();
    nothing_to_strip_is_the_same_header();
    no_byte_behind_the_header_is_read();
    headers_of_delimiters_end_in_time();
    random_headers_built_from_parts();
    apr_terminate();
    return done_testing();
}
