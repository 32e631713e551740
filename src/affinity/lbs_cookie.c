/* SPDX-License-Identifier: Apache-2.0 */
#include "src/affinity/lbs_cookie.h"

#include <string.h>

#define BLANK " \t"

/* tchar of RFC 9110 5.6.2 */
static int is_token_char(char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
        || (c >= '0' && c <= '9')) {
        return 1;
    }
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

int lbs_cookie_is_name(lbs_slice_t name)
{
    apr_size_t i;

    for (i = 0; i < name.n; i++) {
        if (!is_token_char(name.p[i])) {
            return 0;
        }
    }
    return name.n > 0;
}

lbs_slice_t lbs_cookie_unquote(lbs_slice_t value)
{
    if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"') {
        value.p++;
        value.n -= 2;
    }
    return value;
}

static int is_name_and_equals(const char *p)
{
    const char *from = p;

    while (is_token_char(*p)) {
        p++;
    }
    return p > from && *p == '=';
}

/* Behind the quoted value that p stands at. NULL when it is none: there is
 * no closing quote, or it is not the end of the value. */
static const char *skip_quoted(const char *p)
{
    const char *q = p + 1;

    if (*p != '"') {
        return NULL;
    }
    while (*q != '"' && *q != ';' && *q != '\0') {
        q += q[0] == '\\' && q[1] == '"' ? 2 : 1;
    }
    if (*q != '"') {
        return NULL;
    }
    q++;
    p = q + strspn(q, BLANK);
    return *p == '\0' || *p == ',' || *p == ';' ? q : NULL;
}

/* The first byte behind the crumb that starts at p: its separator or the NUL.
 * A run of commas and blanks is looked at once, so that a header of nothing
 * else costs no more than its length. */
static const char *crumb_end(const char *p)
{
    int in_name = 1;

    p += strspn(p, BLANK ",");
    while (*p != '\0' && *p != ';') {
        const char *next = p + 1;

        if (*p == '=' && in_name) {
            const char *behind = skip_quoted(next + strspn(next, BLANK));

            in_name = 0;
            next = behind != NULL ? behind : next;
        }
        else if (*p == ',') {
            next = p + strspn(p, BLANK ",");
            if (p[1] == ' '
                && (*next == '\0' || *next == ';'
                    || is_name_and_equals(next))) {
                break;
            }
        }
        p = next;
    }
    return p;
}

/* Read one crumb's bytes. Returns 0 when it has no name. */
static int split(const char *from, const char *to, lbs_slice_t *name,
                 lbs_slice_t *value)
{
    const char *equals;

    while (from < to && strchr(BLANK ",", *from) != NULL) {
        from++;
    }
    equals = memchr(from, '=', (apr_size_t)(to - from));
    if (equals == NULL || equals == from) {
        return 0;
    }
    *name = lbs_slice_trim(lbs_slice_span(from, equals));
    *value = lbs_slice_trim(lbs_slice_span(equals + 1, to));
    *value = lbs_cookie_unquote(*value);
    return 1;
}

void lbs_cookie_start(lbs_cookie_iter_t *it, const char *header)
{
    it->at = header;
}

int lbs_cookie_next(lbs_cookie_iter_t *it, lbs_slice_t *name,
                    lbs_slice_t *value)
{
    while (it->at != NULL) {
        const char *from = it->at;
        const char *end = crumb_end(from);

        it->at = *end != '\0' ? end + 1 : NULL;
        if (split(from, end, name, value)) {
            return 1;
        }
    }
    return 0;
}

/* How many crumbs of that name there are. */
static int count(const char *header, lbs_slice_t wanted)
{
    lbs_cookie_iter_t it;
    lbs_slice_t name, value;
    int sum = 0;

    lbs_cookie_start(&it, header);
    while (lbs_cookie_next(&it, &name, &value)) {
        sum += lbs_slice_eq(name, wanted);
    }
    return sum;
}

const char *lbs_cookie_strip(apr_pool_t *pool, const char *header,
                             lbs_slice_t name, int *found)
{
    const char *from = header;
    const char *end;
    char *rest, *out;
    int kept = 0;
    int dropped = 0; /* was the crumb before this one? */

    *found = count(header, name);
    if (*found == 0) {
        return header;
    }
    rest = out = apr_palloc(pool, strlen(header) + 1);
    for (;; from = end + 1) {
        lbs_slice_t other, value;

        end = crumb_end(from);
        if (split(from, end, &other, &value) && lbs_slice_eq(other, name)) {
            dropped = 1;
        }
        else {
            if (kept++ > 0) {
                *out++ = dropped ? ';' : from[-1];
            }
            else if (dropped) {
                /* The header starts here now. */
                from += strspn(from, BLANK);
            }
            memcpy(out, from, (apr_size_t)(end - from));
            out += end - from;
            dropped = 0;
        }
        if (*end == '\0') {
            break;
        }
    }
    *out = '\0';
    return rest[strspn(rest, BLANK ",;")] != '\0' ? rest : NULL;
}
