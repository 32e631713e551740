/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_cachecontrol.c - see lbs_cachecontrol.h. */
#include "src/affinity/lbs_cachecontrol.h"

#include <apr_strings.h>
#include <string.h>

#include "src/base/lbs_slice.h"

/* Up to the next comma outside of quotes. */
static const char *directive_end(const char *p)
{
    int quoted = 0;

    for (; *p != '\0' && (quoted || *p != ','); p++) {
        if (quoted && *p == '\\' && p[1] != '\0') {
            p++;
        }
        else if (*p == '"') {
            quoted = !quoted;
        }
    }
    return p;
}

static lbs_slice_t trimmed(const char *from, const char *to)
{
    while (from < to && (*from == ' ' || *from == '\t')) {
        from++;
    }
    while (to > from && (to[-1] == ' ' || to[-1] == '\t')) {
        to--;
    }
    return lbs_slice_span(from, to);
}

/* The word before `=`, if there is one. */
static lbs_slice_t word_of(lbs_slice_t directive)
{
    const char *equals = directive.n == 0
        ? NULL
        : memchr(directive.p, '=', directive.n);

    return equals == NULL ? directive : trimmed(directive.p, equals);
}

const char *lbs_cachecontrol_private(apr_pool_t *pool, const char *value)
{
    char *out, *at;

    if (value == NULL) {
        return "private";
    }
    at = out = apr_palloc(pool, strlen(value) + sizeof(", private"));
    while (*value != '\0') {
        const char *end = directive_end(value);
        lbs_slice_t directive = trimmed(value, end);
        lbs_slice_t word = word_of(directive);

        /* private="Field" speaks of a field, not of the answer. */
        if (lbs_slice_caseeq(directive, lbs_slice_of("private"))
            || lbs_slice_caseeq(directive, lbs_slice_of("no-store"))) {
            return NULL;
        }
        if (directive.n != 0 && !lbs_slice_caseeq(word, lbs_slice_of("public"))
            && !lbs_slice_caseeq(word, lbs_slice_of("s-maxage"))) {
            memcpy(at, directive.p, directive.n);
            at += directive.n;
            *at++ = ',';
            *at++ = ' ';
        }
        value = *end == ',' ? end + 1 : end;
    }
    memcpy(at, "private", sizeof("private"));
    return out;
}
