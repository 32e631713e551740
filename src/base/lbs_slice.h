/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_slice.h - a piece of a text owned by others, not NUL-terminated.
 *
 * Parsers hand out slices of their input instead of copies: a slice lives
 * exactly as long as the text it points into. The bytes may be any, also NUL
 * and above 0x7f; nothing here depends on the locale.
 */
#ifndef LBS_SLICE_H
#define LBS_SLICE_H

#include <string.h>

#include <apr.h>

typedef struct lbs_slice_t {
    const char *p; /* first byte; may be NULL if n is 0 */
    apr_size_t n;  /* bytes */
} lbs_slice_t;

/** A slice of the bytes in [from, to). */
static inline lbs_slice_t lbs_slice_span(const char *from, const char *to)
{
    lbs_slice_t s = {from, (apr_size_t)(to - from)};

    return s;
}

/** The whole of a C string without its NUL; NULL gives an empty slice. */
static inline lbs_slice_t lbs_slice_of(const char *string)
{
    lbs_slice_t s = {string, string != NULL ? strlen(string) : 0};

    return s;
}

/** Are these the same bytes? */
static inline int lbs_slice_eq(lbs_slice_t a, lbs_slice_t b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/** The same as a C string? */
static inline int lbs_slice_is(lbs_slice_t a, const char *string)
{
    return lbs_slice_eq(a, lbs_slice_of(string));
}

/** One byte, A-Z made a-z, everything else as it is. */
static inline char lbs_slice_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/** The same bytes, ASCII letters compared without regard to case? */
static inline int lbs_slice_caseeq(lbs_slice_t a, lbs_slice_t b)
{
    apr_size_t i;

    if (a.n != b.n) {
        return 0;
    }
    for (i = 0; i < a.n; i++) {
        if (a.p[i] != b.p[i]
            && lbs_slice_lower(a.p[i]) != lbs_slice_lower(b.p[i])) {
            return 0;
        }
    }
    return 1;
}

/** The slice without blanks (space and tab) at either end. */
static inline lbs_slice_t lbs_slice_trim(lbs_slice_t s)
{
    while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t')) {
        s.n--;
    }
    return s;
}

#endif
