/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_setcookie.h - the Set-Cookie field: read an application's, write ours,
 * and keep its answer out of shared caches.
 */
#ifndef LBS_SETCOOKIE_H
#define LBS_SETCOOKIE_H

#include <apr_errno.h>
#include <apr_pools.h>
#include <apr_time.h>

#include "src/affinity/lbs_cookie_conf.h"
#include "src/base/lbs_slice.h"

/* The contents of one Set-Cookie; the slices point into its line. */
typedef struct lbs_setcookie_t {
    lbs_slice_t value;  /* as the Cookie header will give it back, so without
                           quotes around it; may be empty */
    lbs_slice_t path;   /* begins with `/`; empty: the default path */
    lbs_slice_t domain; /* without a dot before it; empty: this host alone */
    int deletes; /* 1: the browser will not have the cookie, because it is
                    over or has nothing in it; else 0 */
} lbs_setcookie_t;

/**
 * Look whether one Set-Cookie sets, or deletes, the cookie of a name. Reads
 * what a browser would read (RFC 6265 5.2): Max-Age wins over Expires, of
 * several attributes of a name the last one counts, and attributes that cannot
 * be read are ignored. Cost: linear in the line.
 *
 * @param line  the value of one Set-Cookie field
 * @param name  compared whole and with regard to case
 * @param now   the wall clock, for Expires
 * @param set   out: written on APR_SUCCESS only
 * @return APR_SUCCESS; APR_NOTFOUND: it is about another name
 */
apr_status_t lbs_setcookie_parse(const char *line, lbs_slice_t name,
                                 apr_time_t now, lbs_setcookie_t *set);

/* The module's Set-Cookie but for its value, which is all that differs from
 * one answer to the next. */
typedef struct lbs_setcookie_frame_t {
    lbs_slice_t before, behind;
} lbs_setcookie_frame_t;

/**
 * Write what stands around the value of the module's cookie.
 *
 * @param pool    owns the result
 * @param conf    checked settings; their name is not looked at
 * @param name    the cookie's name in this pool
 * @param secure  lbs_cookie_conf_is_secure()
 * @param frame   out
 */
void lbs_setcookie_frame(apr_pool_t *pool, const lbs_cookie_conf_t *conf,
                         lbs_slice_t name, int secure,
                         lbs_setcookie_frame_t *frame);

/**
 * Write the module's cookie.
 *
 * @param pool   owns the result
 * @param value  cookie octets only: no blank, quote, comma, semicolon
 * @return the value for a Set-Cookie field
 */
char *lbs_setcookie_line(apr_pool_t *pool, const lbs_setcookie_frame_t *frame,
                         const char *value);

/**
 * The Cache-Control for an answer that carries the cookie: no shared cache may
 * keep it. Other words of the application's field stay, except `public`, which
 * would contradict.
 *
 * @param pool     owns the result
 * @param control  the application's field; NULL: none
 * @return control itself when it has `private` or `no-store` already
 */
const char *lbs_setcookie_private(apr_pool_t *pool, const char *control);

#endif
