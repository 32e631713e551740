/* SPDX-License-Identifier: Apache-2.0 */
#include "src/affinity/lbs_setcookie.h"

#include <apr_general.h>
#include <apr_strings.h>

#include "t/unit/tap.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define NOW apr_time_from_sec(1700000000) /* 14 Nov 2023 22:13:20 */
#define ATTRIBUTES 8                      /* optional ones of the cookie */

static apr_pool_t *pool;

/* What a line says about the name SID: its value, `-` before it when the
 * browser will not have it. NULL: another name. */
static const char *reading(const char *line)
{
    lbs_setcookie_t set;

    if (lbs_setcookie_parse(line, lbs_slice_of("SID"), NOW, &set)
        != APR_SUCCESS) {
        return NULL;
    }
    return apr_pstrcat(pool, set.deletes ? "-" : "",
                       apr_pstrmemdup(pool, set.value.p, set.value.n), NULL);
}

static void what_a_line_sets(void)
{
    static const struct {
        const char *line;
        const char *want;
    } table[] = {
        {"SID=x", "x"},
        {"SID=x; Path=/; HttpOnly", "x"},
        {" SID = x ;Path=/", "x"},
        {"SID=\"x\"; Path=/", "x"},
        {"SID=\"x", "\"x"},
        {"SID=a=b==", "a=b=="},
        {"SID=a, b; Path=/", "a, b"},
        {"SID=%00\x80\xff", "%00\x80\xff"},
        {"SID=x;;;", "x"},
        {"SID=x; SID=y", "x"},
        {"SID=x; foo=SID=y; Max-Age", "x"},
        {"XSID=x", NULL},
        {"SID2=x", NULL},
        {"sid=x", NULL},
        {"a=1; SID=x", NULL},
        {"a=SID=x", NULL},
        {"SID", NULL},
        {"SID; a=b", NULL},
        {"=SID", NULL},
        {"", NULL},
        {";", NULL},
        {"; SID=x", NULL},
        {"SI\x80=x", NULL},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        is_str(reading(table[i].line), table[i].want, "line %zu", i);
    }
}

static void what_a_line_deletes(void)
{
    static const struct {
        const char *line;
        const char *want;
    } table[] = {
        {"SID=", "-"},
        {"SID=\"\"; Path=/", "-"},
        {"SID=;Max-Age=10", "-"},
        {"SID=x; Max-Age=0", "-x"},
        {"SID=x; max-age=-1", "-x"},
        {"SID=x; MAX-AGE = 000 ", "-x"},
        {"SID=x; Max-Age=-99999999999999999999999", "-x"},
        {"SID=x; Max-Age=99999999999999999999999", "x"},
        {"SID=x; Max-Age=1", "x"},
        {"SID=x; Max-Age=010", "x"},
        {"SID=x; Max-Age=", "x"},
        {"SID=x; Max-Age=-", "x"},
        {"SID=x; Max-Age=+0", "x"},
        {"SID=x; Max-Age=0x", "x"},
        {"SID=x; Max-Age=\"0\"", "x"},
        {"SID=x; Max-Age=5; Max-Age=0", "-x"},
        {"SID=x; Max-Age=0; Max-Age=5", "x"},
        {"SID=x; Max-Age=0; Max-Age=junk", "-x"},
        {"SID=deleted; expires=Thu, 01-Jan-1970 00:00:01 GMT; Max-Age=0",
         "-deleted"},
        {"SID=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "-x"},
        {"SID=x; expires=Thu, 01-Jan-1970 00:00:00 GMT; path=/", "-x"},
        {"SID=x; Expires=Tue, 14 Nov 2023 22:13:20 GMT", "-x"},
        {"SID=x; Expires=Tue, 14 Nov 2023 22:13:21 GMT", "x"},
        {"SID=x; Expires=0", "x"},
        {"SID=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60", "x"},
        {"SID=x; Expires=Fri, 31 Dec 2038 23:59:59 GMT; Max-Age=0", "-x"},
        {"SID=x; Secure; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=j",
         "-x"},
        {"SID=x; Comment=Max-Age=0", "x"},
        {"SID=x; xMax-Age=0", "x"},
        {"SID=Max-Age=0", "Max-Age=0"},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        is_str(reading(table[i].line), table[i].want, "%s", table[i].line);
    }
}

/* Path and domain of a line that sets SID, with a blank between them. */
static const char *scope(const char *line)
{
    lbs_setcookie_t set;

    if (lbs_setcookie_parse(line, lbs_slice_of("SID"), NOW, &set)
        != APR_SUCCESS) {
        return NULL;
    }
    return apr_psprintf(pool, "%.*s %.*s", (int)set.path.n,
                        set.path.n > 0 ? set.path.p : "", (int)set.domain.n,
                        set.domain.n > 0 ? set.domain.p : "");
}

static void where_a_cookie_is_sent(void)
{
    static const struct {
        const char *line;
        const char *want;
    } table[] = {
        {"SID=x", " "},
        {"SID=x; Path=/", "/ "},
        {"SID=x; path = /a/b ; DOMAIN = example.com ", "/a/b example.com"},
        {"SID=x; Domain=.example.com", " example.com"},
        {"SID=x; Domain=..example.com", " .example.com"},
        {"SID=x; Domain=a; Domain=b", " b"},
        {"SID=x; Domain=a; Domain=", " a"},
        {"SID=x; Domain=.", " "},
        {"SID=x; Path=/a; Path=/b", "/b "},
        {"SID=x; Path=/a; Path=b", " "},
        {"SID=x; Path=/a; Path", " "},
        {"SID=x; Path=", " "},
        {"SID=x; Path=\"/a\"", " "},
        {"SID=Path=/a", " "},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        is_str(scope(table[i].line), table[i].want, "%s", table[i].line);
    }
}

static void no_byte_behind_the_line_is_read(void)
{
    static const char *const lines[] = {
        "SID=x; Max-Age",   "SID=x; Max-Age=",
        "SID=x; Max-Age=-", "SID=x; Expires=",
        "SID=\"",           "SID=",
        "SID=x;",           "SID=x; Expires=01 Jan 1970 00:00:0",
    };
    apr_size_t i;

    for (i = 0; i < COUNT(lines); i++) {
        apr_size_t size = strlen(lines[i]) + 1;
        char *exact = malloc(size);

        if (exact == NULL) {
            bail_out("no memory");
        }
        memcpy(exact, lines[i], size);
        ok(reading(exact) != NULL, "'%s' in a block of its size", lines[i]);
        free(exact);
    }
}

static void long_lines_end_in_time(void)
{
    static const char *const patterns[] = {";",  "=", "; Max-Age=0",
                                           "; ", ",", ";Expires=1:1:1 "};
    apr_size_t i;

    for (i = 0; i < COUNT(patterns); i++) {
        char *line = malloc(65536 + 1);
        apr_size_t at, len = strlen(patterns[i]);
        double start;

        if (line == NULL) {
            bail_out("no memory");
        }
        memcpy(line, "SID=x", 5);
        for (at = 5; at < 65536; at++) {
            line[at] = patterns[i][at % len];
        }
        line[65536] = '\0';
        start = thread_us();
        (void)reading(line);
        start = thread_us() - start;
        ok(start < 50000, "64 KB of '%s' in %d us", patterns[i], (int)start);
        free(line);
    }
}

static const char *written(const lbs_cookie_conf_t *conf, lbs_slice_t name,
                           int secure)
{
    lbs_setcookie_frame_t frame;

    lbs_setcookie_frame(pool, conf, name, secure, &frame);
    return lbs_setcookie_line(pool, &frame, "v");
}

static void the_line_in_full(void)
{
    lbs_cookie_conf_t conf = lbs_cookie_defaults;
    lbs_slice_t name = {"LBSTICKY_app and more", 12};

    is_str(written(&conf, name, 0),
           "LBSTICKY_app=v; Path=/; SameSite=Lax; HttpOnly", "defaults");
    is_str(written(&conf, name, 1),
           "LBSTICKY_app=v; Path=/; SameSite=Lax; Secure; HttpOnly",
           "defaults and Secure");
    conf.domain = "example.com";
    conf.path = "/app";
    conf.samesite = LBS_SAMESITE_NONE;
    conf.partitioned = 1;
    conf.maxage = APR_INT64_C(315360000);
    is_str(written(&conf, name, 1),
           "LBSTICKY_app=v; Path=/app; Domain=example.com; "
           "Max-Age=315360000; SameSite=None; Secure; HttpOnly; Partitioned",
           "everything");
}

static void choose(lbs_cookie_conf_t *conf, unsigned subset)
{
    memset(conf, 0, sizeof(*conf));
    conf->path = subset & 1 ? "/p" : NULL;
    conf->domain = subset & 2 ? "d.example" : NULL;
    conf->maxage = subset & 4 ? 60 : 0;
    conf->samesite = subset & 8    ? LBS_SAMESITE_STRICT
                     : subset & 16 ? LBS_SAMESITE_NONE
                                   : LBS_SAMESITE_OFF;
    conf->httponly = (subset & 32) != 0;
    conf->partitioned = (subset & 64) != 0;
}

static int has(const char *line, const char *attribute, int wanted)
{
    return (strstr(line, attribute) != NULL) == wanted;
}

static int attributes_are(const char *line, const lbs_cookie_conf_t *conf,
                          int secure)
{
    return has(line, "; Path=/p", conf->path != NULL)
           && has(line, "; Domain=d.example", conf->domain != NULL)
           && has(line, "; SameSite=Strict",
                  conf->samesite == LBS_SAMESITE_STRICT)
           && has(line, "; SameSite=None", conf->samesite == LBS_SAMESITE_NONE)
           && has(line, "; SameSite=", conf->samesite != LBS_SAMESITE_OFF)
           && has(line, "; Secure", secure)
           && has(line, "; HttpOnly", conf->httponly)
           && has(line, "; Partitioned", conf->partitioned);
}

static int reads_back(const char *line, lbs_slice_t name, const char *want)
{
    lbs_setcookie_t set;

    return lbs_setcookie_parse(line, name, NOW, &set) == APR_SUCCESS
           && !set.deletes && lbs_slice_is(set.value, want);
}

static void all_subsets_of_the_attributes(void)
{
    lbs_slice_t name = lbs_slice_of("n");
    unsigned subset;
    int wrong = 0;

    for (subset = 0; subset < 1u << ATTRIBUTES; subset++) {
        int secure = (subset & 128) != 0;
        lbs_cookie_conf_t conf;
        const char *line;

        choose(&conf, subset);
        line = written(&conf, name, secure);
        wrong += !attributes_are(line, &conf, secure)
                 || !has(line, "; Max-Age=60", conf.maxage == 60)
                 || !reads_back(line, name, "v");
    }
    is_int(wrong, 0, "each of 256 subsets is written and read back");
}

static void the_longest_line_is_whole(void)
{
    lbs_cookie_conf_t conf = lbs_cookie_defaults;
    char name[256], path[1025], domain[254];

    memset(name, 'n', 255);
    memset(path, '/', 1024);
    memset(domain, 'd', 253);
    name[255] = path[1024] = domain[253] = '\0';
    conf.path = path;
    conf.domain = domain;
    conf.maxage = APR_INT64_MAX;
    is_str(written(&conf, lbs_slice_of(name), 0),
           apr_psprintf(pool,
                        "%s=v; Path=%s; Domain=%s; Max-Age=%s; SameSite=Lax; "
                        "HttpOnly",
                        name, path, domain, "9223372036854775807"),
           "longest name, path, domain and age");
}

static void shared_caches_are_kept_out(void)
{
    static const struct {
        const char *control;
        const char *want;
    } table[] = {
        {NULL, "private"},
        {"", "private"},
        {" , ,", "private"},
        {"public", "private"},
        {"PUBLIC, max-age=60", "private, max-age=60"},
        {"max-age=60,Public ,s-maxage=0", "private, max-age=60, s-maxage=0"},
        {"no-cache", "private, no-cache"},
        {"private=\"x\"", "private, private=\"x\""},
        {"ext=\"public, private\", a", "private, ext=\"public, private\", a"},
        {"ext=\"a\\\", private\", public", "private, ext=\"a\\\", private\""},
        {"ext=\"open, public", "private, ext=\"open, public"},
        {"ext=\"open\\", "private, ext=\"open\\"},
        {"publicity", "private, publicity"},
        {"a,b,c,d,e,f", "private, a, b, c, d, e, f"},
        {"private", "private"},
        {"public, Private", "public, Private"},
        {"no-store, public", "no-store, public"},
        {"max-age=0, NO-STORE", "max-age=0, NO-STORE"},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        is_str(lbs_setcookie_private(pool, table[i].control), table[i].want,
               "Cache-Control: %s",
               table[i].control ? table[i].control : "(none)");
    }
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    what_a_line_sets();
    what_a_line_deletes();
    where_a_cookie_is_sent();
    no_byte_behind_the_line_is_read();
    long_lines_end_in_time();
    the_line_in_full();
    all_subsets_of_the_attributes();
    the_longest_line_is_whole();
    shared_caches_are_kept_out();
    apr_terminate();
    return done_testing();
}
