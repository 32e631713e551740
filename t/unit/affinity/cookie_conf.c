/* SPDX-License-Identifier: Apache-2.0 */
#include "src/affinity/lbs_cookie_conf.h"

#include <apr_general.h>
#include <apr_strings.h>

#include "t/unit/tap.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static apr_pool_t *pool;

/* Apply `key=value` pairs separated by blanks, then check. */
static const char *apply(lbs_cookie_conf_t *conf, const char *args)
{
    char *rest = apr_pstrdup(pool, args);
    char *arg;

    *conf = lbs_cookie_defaults;
    while ((arg = apr_strtok(rest, " ", &rest)) != NULL) {
        const char *wanted = lbs_cookie_conf_set(pool, conf, arg);

        memset(arg, 'x', strlen(arg)); /* it is not kept */
        if (wanted != NULL) {
            return wanted;
        }
    }
    return lbs_cookie_conf_check(conf);
}

static void defaults_are_the_documented_ones(void)
{
    lbs_cookie_conf_t conf = lbs_cookie_defaults;

    ok(conf.name == NULL && strcmp(conf.path, "/") == 0 && conf.domain == NULL,
       "no name yet, path /, no domain");
    ok(conf.samesite == LBS_SAMESITE_LAX && conf.secure == LBS_SECURE_AUTO
           && conf.httponly && !conf.partitioned,
       "samesite=lax secure=auto httponly=on partitioned=off");
    ok(conf.maxage == 0 && conf.nocache && conf.strip
           && conf.first == 10 * APR_INT64_C(1000000),
       "maxage=session nocache=on strip=on first=10s");
    is_str(lbs_cookie_conf_check(&conf), NULL, "and they go together");
}

static void every_key_is_set(void)
{
    lbs_cookie_conf_t conf;

    is_str(apply(&conf, "name=Srv path=/app domain=example.com "
                        "samesite=strict secure=on httponly=off "
                        "partitioned=on maxage=30d nocache=off strip=off "
                        "first=off"),
           NULL, "all keys at once");
    is_str(conf.name, "Srv", "name");
    is_str(conf.path, "/app", "path");
    is_str(conf.domain, "example.com", "domain");
    ok(conf.samesite == LBS_SAMESITE_STRICT && conf.secure == LBS_SECURE_ON
           && !conf.httponly && conf.partitioned && !conf.nocache
           && !conf.strip,
       "words");
    is_int(conf.maxage, 30 * 86400, "maxage in seconds");
    is_int(conf.first, 0, "first=off");
    is_str(apply(&conf, "SameSite=None Secure=Auto MaxAge=Session First=500ms "
                        "domain=x domain=OFF"),
           NULL, "without regard to case");
    ok(conf.samesite == LBS_SAMESITE_NONE && conf.secure == LBS_SECURE_AUTO
           && conf.maxage == 0 && conf.first == 500000 && conf.domain == NULL,
       "and off switches off");
}

static void what_no_cookie_may_hold_is_refused(void)
{
    static const char *const table[] = {
        "name=",
        "name=a b",
        "name=a=b",
        "name=a;b",
        "name=a,b",
        "name=a\"b",
        "name=a\r\nb",
        "name=\xc3\xa4",
        "name=a\x7f",
        "path=",
        "path=app",
        "path=/a;b",
        "path=/a\nb",
        "path=/a\x7f",
        "path=/\xc3\xa4",
        "path=/a b",
        "path=/\t",
        "domain=",
        "domain=.",
        "domain=a;b",
        "domain=a b",
        "domain=a\r\nX: y",
        "domain=a:80",
        "domain=\xc3\xa4.de",
        "domain=a/b",
        "samesite=",
        "samesite=laxer",
        "samesite=on",
        "secure=",
        "secure=1",
        "httponly=yes",
        "httponly=auto",
        "partitioned=",
        "nocache=0",
        "strip=none",
        "maxage=",
        "maxage=0",
        "maxage=999ms",
        "maxage=-1",
        "maxage=1e9",
        "maxage=off",
        "first=",
        "first= 10",
        "first=10x",
        "=x",
        "nam=x",
        "names=x",
        "expires=x",
        "name",
        "",
        "=",
        " name=x",
        "name =x",
    };
    lbs_cookie_conf_t conf;
    apr_size_t i;

    memcpy(&conf, &lbs_cookie_defaults, sizeof(conf));
    for (i = 0; i < COUNT(table); i++) {
        ok(lbs_cookie_conf_set(pool, &conf, table[i]) != NULL
               && memcmp(&conf, &lbs_cookie_defaults, sizeof(conf)) == 0,
           "argument %zu is refused", i);
    }
}

static void phrases_say_what_is_wanted(void)
{
    lbs_cookie_conf_t conf = lbs_cookie_defaults;

    is_str(lbs_cookie_conf_set(pool, &conf, "samesite=laxer"),
           "lax, strict, none or off", "samesite");
    is_str(lbs_cookie_conf_set(pool, &conf, "maxage=0"),
           "session or a duration of at least 1s, such as 30d", "maxage");
    is_str(lbs_cookie_conf_set(pool, &conf, "first=10x"),
           "off or a duration such as 10s", "first");
    is_str(lbs_cookie_conf_set(pool, &conf, "strip=none"), "on or off",
           "a switch");
    is_str(lbs_cookie_conf_set(pool, &conf, "nam=x"),
           "name=, path=, domain=, samesite=, secure=, httponly=, "
           "partitioned=, maxage=, nocache=, strip= or first=",
           "no such key");
}

static char *repeat(char c, apr_size_t n)
{
    char *s = apr_palloc(pool, n + 1);

    memset(s, c, n);
    s[n] = '\0';
    return s;
}

static char *argument(const char *key, apr_size_t n)
{
    char *value = repeat(*key == 'p' ? '/' : 'a', n);

    return apr_pstrcat(pool, key, "=", value, NULL);
}

static void longest_names_paths_and_domains(void)
{
    static const struct {
        const char *key;
        apr_size_t longest;
    } table[] = {{"name", 255}, {"path", 1024}, {"domain", 253}};
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        lbs_cookie_conf_t conf = lbs_cookie_defaults;
        apr_size_t n = table[i].longest;

        is_str(lbs_cookie_conf_set(pool, &conf, argument(table[i].key, n)),
               NULL, "%s of %zu bytes", table[i].key, n);
        ok(lbs_cookie_conf_set(pool, &conf, argument(table[i].key, n + 1)),
           "one more is refused");
        ok(lbs_cookie_conf_set(pool, &conf, argument(table[i].key, 65536)),
           "and 64 KB are");
    }
}

static void what_browsers_drop_is_refused(void)
{
    static const struct {
        const char *args;
        int good;
    } table[] = {
        {"samesite=none secure=off", 0},
        {"samesite=none secure=auto", 1},
        {"samesite=none secure=on", 1},
        {"samesite=lax secure=off", 1},
        {"samesite=off secure=off", 1},
        {"partitioned=on secure=off", 0},
        {"secure=off partitioned=on partitioned=off", 1},
        {"partitioned=on", 1},
        {"name=__Secure-LB secure=off", 0},
        {"name=__secure-LB secure=off", 0},
        {"name=__Secure-LB domain=example.com path=/a", 1},
        {"name=__Host-LB secure=off", 0},
        {"name=__Host-LB", 1},
        {"name=__Host-LB path=/a", 0},
        {"name=__Host-LB domain=example.com", 0},
        {"name=x__Host-LB domain=example.com secure=off", 1},
    };
    lbs_cookie_conf_t conf;
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        ok((apply(&conf, table[i].args) == NULL) == table[i].good, "%s %s",
           table[i].args, table[i].good ? "goes" : "is refused");
    }
}

static void secure_follows_the_client_side(void)
{
    static const struct {
        const char *args;
        int http, https;
    } table[] = {
        {"", 0, 1},
        {"secure=on", 1, 1},
        {"secure=off", 0, 0},
        {"samesite=none", 1, 1},
        {"partitioned=on", 1, 1},
        {"name=__Host-LB", 1, 1},
    };
    lbs_cookie_conf_t conf;
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        (void)apply(&conf, table[i].args);
        ok(lbs_cookie_conf_is_secure(&conf, 0) == table[i].http
               && lbs_cookie_conf_is_secure(&conf, 1) == table[i].https,
           "Secure with '%s'", table[i].args);
    }
}

static void names_made_of_pool_names(void)
{
    static const struct {
        const char *balancer;
        const char *want;
    } table[] = {
        {"app", "LBSTICKY_app"},         {"App-1.x", "LBSTICKY_app-1.x"},
        {"a b;c=d", "LBSTICKY_a_b_c_d"}, {"[::1]:80", "LBSTICKY____1__80"},
        {"\xc3\xa4", "LBSTICKY___"},     {"", "LBSTICKY_"},
    };
    char *a = repeat('a', 1024);
    char *b = repeat('a', 1024);
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        is_str(lbs_cookie_name_for(pool, table[i].balancer), table[i].want,
               "name for pool %zu", i);
    }
    b[1023] = 'b';
    ok(strcmp(lbs_cookie_name_for(pool, a), lbs_cookie_name_for(pool, b)) != 0,
       "names of 1024 bytes that differ in the last one differ");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    defaults_are_the_documented_ones();
    every_key_is_set();
    what_no_cookie_may_hold_is_refused();
    phrases_say_what_is_wanted();
    longest_names_paths_and_domains();
    what_browsers_drop_is_refused();
    secure_follows_the_client_side();
    names_made_of_pool_names();
    apr_terminate();
    return done_testing();
}
