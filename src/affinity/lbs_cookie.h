/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_cookie.h - the Cookie header a client sent: look through it, and take
 * one name out of it.
 *
 * A header is a row of crumbs, `name=value`. What separates them:
 *
 *   `;`           always, also between quotes: RFC 6265 allows none in a
 *                 value, and a stray quote must not hide what follows.
 *   `, ` name `=` too: this is how httpd joins several Cookie fields of one
 *                 request into one. Not inside a quoted value.
 *   `,` alone     never. Browsers send commas within values, and text within
 *                 another cookie's value must not be taken for ours.
 *
 * Names are whole and case-sensitive. Blanks around names and values do not
 * count. A crumb without `=`, or without a name, is ignored. All of it is
 * linear in the length of the header.
 */
#ifndef LBS_COOKIE_H
#define LBS_COOKIE_H

#include <apr_pools.h>

#include "src/base/lbs_slice.h"

/* A place in a header; the fields are lbs_cookie.c's. */
typedef struct lbs_cookie_iter_t {
    const char *at; /* first byte of the next crumb, NULL behind the last */
} lbs_cookie_iter_t;

/**
 * Begin with a header's value.
 *
 * @param header  the value of a Cookie field; must outlive the iterator and
 *                the slices it gives; NULL is a header without crumbs
 */
void lbs_cookie_start(lbs_cookie_iter_t *it, const char *header);

/**
 * The next crumb that has a name.
 *
 * @param name   out: at least one byte
 * @param value  out: without the quotes around it, if any; may be empty
 * @return 1, or 0 when there is none left (name and value are untouched)
 */
int lbs_cookie_next(lbs_cookie_iter_t *it, lbs_slice_t *name,
                    lbs_slice_t *value);

/**
 * The header without every crumb of one name. All other crumbs stay byte for
 * byte. Where something was removed between two of them stands a `;`, the
 * one separator that every application knows.
 *
 * @param pool    the result is allocated here if anything was removed
 * @param header  the value of a Cookie field
 * @param found   out: how many crumbs were removed
 * @return the header itself if none was; NULL if no crumb is left, so that
 *         the caller removes the field
 */
const char *lbs_cookie_strip(apr_pool_t *pool, const char *header,
                             lbs_slice_t name, int *found);

/** May this be a cookie's name (RFC 6265: one or more token characters)? */
int lbs_cookie_is_name(lbs_slice_t name);

/** Without the quotes that enclose it, if both are there. */
lbs_slice_t lbs_cookie_unquote(lbs_slice_t value);

#endif
