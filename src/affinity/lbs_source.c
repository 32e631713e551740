/* SPDX-License-Identifier: Apache-2.0 */
#include "src/affinity/lbs_source.h"

#include <apr_strings.h>

#include "src/affinity/lbs_cookie.h"
#include "src/affinity/lbs_keys.h"
#include "src/base/lbs_text.h"

#define WANT_SOURCE                                                           \
    "cookie, session=NAME, ip[/V4[/V6]], header=NAME, query=NAME, "           \
    "path=NAME, route=NAME or expr=EXPR"
#define WANT_TOKEN                                                            \
    "NAME of 1 to 255 characters out of A-Z a-z 0-9 "                         \
    "! # $ % & ' * + - . ^ _ ` | ~"
#define WANT_QUERY                                                            \
    "NAME of 1 to 255 characters as they stand in the request, "              \
    "without blanks, &, = and #"
#define WANT_PATH                                                             \
    "NAME of 1 to 255 characters as they stand in the request, "              \
    "without blanks, ;, /, ?, = and #"
#define WANT_EXPR "EXPR, an expression of at most 8000 characters"
#define WANT_IP                                                               \
    "ip, ip/V4 or ip/V4/V6 with network bits from 1 to 32 and 1 to 128, "     \
    "such as ip/24/56"
#define WANT_ONCE "each source only once"
#define WANT_FEWER "at most 8 sources"

#define V4_DEFAULT 32
#define V6_DEFAULT 64

/* Visible ASCII without any of the bytes in but. */
static int is_visible(lbs_slice_t name, const char *but)
{
    apr_size_t i;

    for (i = 0; i < name.n; i++) {
        if (name.p[i] <= ' ' || name.p[i] > '~'
            || strchr(but, name.p[i]) != NULL) {
            return 0;
        }
    }
    return name.n > 0 && name.n <= LBS_SOURCE_NAME_MAX;
}

static const char *check_token(lbs_slice_t name)
{
    return name.n <= LBS_SOURCE_NAME_MAX && lbs_cookie_is_name(name)
               ? NULL
               : WANT_TOKEN;
}

static const char *check_query(lbs_slice_t name)
{
    return is_visible(name, "&=#") ? NULL : WANT_QUERY;
}

static const char *check_path(lbs_slice_t name)
{
    return is_visible(name, ";/?=#") ? NULL : WANT_PATH;
}

static const char *check_expr(lbs_slice_t name)
{
    return name.n > 0 && name.n <= LBS_SOURCE_EXPR_MAX ? NULL : WANT_EXPR;
}

/* The sources that have a name. */
static const struct {
    const char *word;
    lbs_source_kind_e kind;
    const char *(*check)(lbs_slice_t name);
} named[] = {
    {"session", LBS_SOURCE_SESSION, check_token},
    {"header", LBS_SOURCE_HEADER, check_token},
    {"query", LBS_SOURCE_QUERY, check_query},
    {"path", LBS_SOURCE_PATH, check_path},
    {"route", LBS_SOURCE_ROUTE, check_token},
    {"expr", LBS_SOURCE_EXPR, check_expr},
};

static const char *parse_named(apr_pool_t *pool, lbs_slice_t word,
                               const char *name, lbs_source_t *source)
{
    apr_size_t i;

    for (i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
        if (lbs_slice_caseeq(word, lbs_slice_of(named[i].word))) {
            lbs_source_t found = {named[i].kind, NULL, 0, 0, NULL};
            const char *wanted = named[i].check(lbs_slice_of(name));

            if (wanted != NULL) {
                return wanted;
            }
            found.name = apr_pstrdup(pool, name);
            found.spelling = apr_pstrcat(pool, named[i].word, "=", name, NULL);
            *source = found;
            return NULL;
        }
    }
    return WANT_SOURCE;
}

/* Read what follows `ip`: nothing, `/24` or `/24/56`. */
static const char *parse_ip(apr_pool_t *pool, const char *masks,
                            lbs_source_t *source)
{
    lbs_source_t found = {LBS_SOURCE_IP, NULL, V4_DEFAULT, V6_DEFAULT, "ip"};
    const char *second = *masks != '\0' ? strchr(masks + 1, '/') : NULL;
    apr_uint64_t v4 = V4_DEFAULT;
    apr_uint64_t v6 = V6_DEFAULT;

    if (*masks != '\0') {
        const char *end = second != NULL ? second : masks + strlen(masks);
        const char *first =
            apr_pstrmemdup(pool, masks + 1, (apr_size_t)(end - masks - 1));

        if (lbs_text_uint(first, 1, LBS_KEY_V4_BITS, &v4) != NULL
            || (second != NULL
                && lbs_text_uint(second + 1, 1, LBS_KEY_V6_BITS, &v6)
                       != NULL)) {
            return WANT_IP;
        }
    }
    found.v4bits = (unsigned)v4;
    found.v6bits = (unsigned)v6;
    if (v6 != V6_DEFAULT) {
        found.spelling =
            apr_psprintf(pool, "ip/%u/%u", found.v4bits, found.v6bits);
    }
    else if (v4 != V4_DEFAULT) {
        found.spelling = apr_psprintf(pool, "ip/%u", found.v4bits);
    }
    *source = found;
    return NULL;
}

/* @return NULL, or a phrase that says what was wanted; source untouched */
static const char *parse(apr_pool_t *pool, const char *arg,
                         lbs_source_t *source)
{
    apr_size_t n = strcspn(arg, "=/");
    lbs_slice_t word = {arg, n};

    if (lbs_slice_caseeq(word, lbs_slice_of("ip")) && arg[n] != '=') {
        return parse_ip(pool, arg + n, source);
    }
    if (lbs_slice_caseeq(word, lbs_slice_of("cookie")) && arg[n] == '\0') {
        lbs_source_t cookie = {LBS_SOURCE_COOKIE, NULL, 0, 0, "cookie"};

        *source = cookie;
        return NULL;
    }
    if (arg[n] != '=') {
        return WANT_SOURCE;
    }
    return parse_named(pool, word, arg + n + 1, source);
}

/* Do they take their key from the same place, in the same way? */
static int same(const lbs_source_t *a, const lbs_source_t *b)
{
    if (a->kind != b->kind || a->v4bits != b->v4bits
        || a->v6bits != b->v6bits) {
        return 0;
    }
    if (a->kind == LBS_SOURCE_HEADER) {
        return lbs_slice_caseeq(lbs_slice_of(a->name), lbs_slice_of(b->name));
    }
    return lbs_slice_eq(lbs_slice_of(a->name), lbs_slice_of(b->name));
}

const char *lbs_source_add(apr_pool_t *pool, const char *arg,
                           lbs_source_t *list, int *count)
{
    lbs_source_t source;
    const char *wanted = parse(pool, arg, &source);
    int i;

    if (wanted != NULL) {
        return wanted;
    }
    for (i = 0; i < *count; i++) {
        if (same(&list[i], &source)) {
            return WANT_ONCE;
        }
    }
    if (*count >= LBS_SOURCE_MAX) {
        return WANT_FEWER;
    }
    list[(*count)++] = source;
    return NULL;
}
