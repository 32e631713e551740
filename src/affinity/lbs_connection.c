/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_connection.c - see lbs_connection.h. */
#include "src/affinity/lbs_connection.h"

#include <string.h>

/* RFC 9110 5.6.2. The NUL is none. */
static int is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9')
           || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static int has_prefix(lbs_slice_t name, const char *prefix)
{
    lbs_slice_t wanted = lbs_slice_of(prefix);

    return name.n >= wanted.n
           && lbs_slice_caseeq(lbs_slice_span(name.p, name.p + wanted.n),
                               wanted);
}

static int is_one_of(lbs_slice_t name, const char *const *list)
{
    for (; *list != NULL; list++) {
        if (lbs_slice_caseeq(name, lbs_slice_of(*list))) {
            return 1;
        }
    }
    return 0;
}

int lbs_connection_protects(void *none, lbs_slice_t name)
{
    static const char *const fields[] = {"X-Forwarded-Proto",
                                         "X-Forwarded-Port",
                                         "Cookie",
                                         "Host",
                                         "Idempotency-Key",
                                         "Content-Length",
                                         "Transfer-Encoding",
                                         NULL};

    (void)none;
    return has_prefix(name, "LBSticky-") || is_one_of(name, fields);
}

int lbs_connection_is_forwarded(lbs_slice_t name)
{
    static const char *const fields[] = {"Forwarded", NULL};

    return has_prefix(name, "X-Forwarded-") || is_one_of(name, fields);
}

int lbs_connection_is_usual(lbs_slice_t name)
{
    static const char *const usual[] = {
        "close",   "keep-alive",     "Upgrade", "TE",
        "Trailer", "HTTP2-Settings", NULL};

    return is_one_of(name, usual);
}

int lbs_connection_next(const char **at, lbs_slice_t *name)
{
    const char *p = *at;

    while (*p != '\0' && !is_token_char(*p)) {
        p++;
    }
    name->p = p;
    while (is_token_char(*p)) {
        p++;
    }
    name->n = (apr_size_t)(p - name->p);
    *at = p;
    return name->n != 0;
}

/* Is this all there is between two tokens in the plain form? */
static int is_plain(const char *from, const char *to)
{
    return *from == ','
           && (to - from == 1 || (to - from == 2 && from[1] == ' '));
}

static int needs_work(const char *field, lbs_connection_fn *fn, void *baton)
{
    const char *at = field, *end = field;
    lbs_slice_t name;

    while (lbs_connection_next(&at, &name)) {
        if ((end == field ? name.p != field : !is_plain(end, name.p))
            || fn(baton, name)) {
            return 1;
        }
        end = at;
    }
    return *end != '\0' || end == field;
}

const char *lbs_connection_clean(apr_pool_t *pool, const char *field,
                                 lbs_connection_fn *fn, void *baton)
{
    char *clean, *to;
    lbs_slice_t name;

    if (!needs_work(field, fn, baton)) {
        return field;
    }
    /* At most ", " between two where a byte was, and a NUL. */
    clean = to = apr_palloc(pool, 2 * strlen(field) + 1);
    while (lbs_connection_next(&field, &name)) {
        if (fn(baton, name)) {
            continue;
        }
        if (to != clean) {
            *to++ = ',';
            *to++ = ' ';
        }
        memcpy(to, name.p, name.n);
        to += name.n;
    }
    *to = '\0';
    return to != clean ? clean : NULL;
}
