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
    const char *stops = "=,;"; /* until the name is over */

    p += strspn(p, BLANK ",");
    for (p += strcspn(p, stops); *p != '\0' && *p != ';';
         p += strcspn(p, stops)) {
        const char *next = p + 1;

        if (*p == '=') {
            const char *behind = skip_quoted(next + strspn(next, BLANK));

            stops = ",;";
            next = behind != NULL ? behind : next;
        }
        else {
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

    from += strspn(from, BLANK ","); /* crumb_end() begins like this, too */
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

/* The rest of a header while crumbs are taken out of it. */
typedef struct rest_t {
    char *text;  /* NULL until something was taken out */
    char *out;   /* where the next crumb goes */
    int kept;    /* crumbs */
    int dropped; /* was the crumb before this one? */
} rest_t;

/* Take out the crumb at from; the first time, what stands before it is kept
 * as it is, without the separator. */
static void drop(rest_t *rest, apr_pool_t *pool, const char *header,
                 const char *from)
{
    rest->dropped = 1;
    if (rest->text == NULL) {
        apr_size_t before = (apr_size_t)(from - header);

        rest->text = apr_palloc(pool, strlen(header) + 1);
        before -= before > 0;
        memcpy(rest->text, header, before);
        rest->out = rest->text + before;
    }
}

static void keep(rest_t *rest, const char *from, const char *end)
{
    int kept = rest->kept++;

    if (rest->text == NULL) {
        return;
    }
    if (kept > 0) {
        *rest->out++ = rest->dropped ? ';' : from[-1];
    }
    else {
        /* The header starts here now. */
        from += strspn(from, BLANK);
    }
    memcpy(rest->out, from, (apr_size_t)(end - from));
    rest->out += end - from;
    rest->dropped = 0;
}

const char *lbs_cookie_strip(apr_pool_t *pool, const char *header,
                             lbs_slice_t name, int *found)
{
    rest_t rest = {NULL, NULL, 0, 0};
    const char *from = header;
    const char *end;
    int sum = 0;

    for (;; from = end + 1) {
        lbs_slice_t other, value;

        end = crumb_end(from);
        if (split(from, end, &other, &value) && lbs_slice_eq(other, name)) {
            drop(&rest, pool, header, from);
            sum++;
        }
        else {
            keep(&rest, from, end);
        }
        if (*end == '\0') {
            break;
        }
    }
    *found = sum;
    if (sum == 0) {
        return header;
    }
    *rest.out = '\0';
    return rest.text[strspn(rest.text, BLANK ",;")] != '\0' ? rest.text : NULL;
}
