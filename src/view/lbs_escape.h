/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_escape.h - making any bytes safe for the place they are put in.
 *
 * Names of pools, routes and paths come from a configuration file, event
 * texts from the network. All are treated alike: bytes that are no UTF-8
 * become U+FFFD, so no reader downstream meets a broken sequence.
 */
#ifndef LBS_ESCAPE_H
#define LBS_ESCAPE_H

#include <apr_pools.h>

/* For where a text stands. */
typedef enum lbs_out_escape_t {
    LBS_OUT_PLAIN, /* text/plain: control characters become spaces */
    LBS_OUT_HTML, /* element content and attributes in quotes of either kind */
    LBS_OUT_LABEL /* a quoted label value of the Prometheus text format */
} lbs_out_escape_t;

#define LBS_ESCAPE_MAX 6 /* most bytes one character is replaced by */

/** @return bytes at the beginning of text that stand for themselves: most of
 *          it, as a rule, in one step */
apr_size_t lbs_escape_plain(lbs_out_escape_t how, const char *text);

/**
 * Look at the next character.
 *
 * @param text     at a character, not at the final NUL
 * @param taken    out: bytes the character has, at least 1
 * @param instead  out: LBS_ESCAPE_MAX bytes; what to write for it
 * @return bytes in instead; 0: the character stands for itself
 */
apr_size_t lbs_escape_next(lbs_out_escape_t how, const char *text,
                           apr_size_t *taken, char *instead);

/** @return text itself if it is UTF-8, else a copy with U+FFFD in it; "" for
 *          NULL. For JSON: jansson escapes the rest. */
const char *lbs_escape_utf8(apr_pool_t *pool, const char *text);

/** @return a copy of text escaped for one kind of document; "" for NULL */
const char *lbs_escape_text(apr_pool_t *pool, lbs_out_escape_t how,
                            const char *text);

/** @return text as the value of a query or form field: all but letters,
 *          digits and -._~ as %XX; safe in HTML attributes too */
const char *lbs_escape_url(apr_pool_t *pool, const char *text);

#endif
