/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_source.h - where a session's key comes from: the words of LBSticky. */
#ifndef LBS_SOURCE_H
#define LBS_SOURCE_H

#include <apr_pools.h>

#include "src/base/lbs_slice.h"

#define LBS_SOURCE_MAX 8         /* sources of one pool */
#define LBS_SOURCE_NAME_MAX 255  /* bytes of a cookie, header, parameter */
#define LBS_SOURCE_EXPR_MAX 8000 /* bytes of an expression */

typedef enum lbs_source_kind_e {
    LBS_SOURCE_COOKIE,  /* the module's own */
    LBS_SOURCE_SESSION, /* the application's cookie */
    LBS_SOURCE_IP,
    LBS_SOURCE_HEADER,
    LBS_SOURCE_QUERY,
    LBS_SOURCE_PATH,
    LBS_SOURCE_ROUTE,
    LBS_SOURCE_EXPR
} lbs_source_kind_e;

typedef struct lbs_source_t {
    lbs_source_kind_e kind;
    const char *name;     /* what follows the `=`; NULL: nothing does */
    unsigned v4bits;      /* ip: network bits, 1 to 32; else 0 */
    unsigned v6bits;      /* ip: network bits, 1 to 128; else 0 */
    const char *spelling; /* for people and JSON: `ip/24`, `header=X-User`;
                           * the word in lower case, the name as written */
} lbs_source_t;

/**
 * Read one word and put it at the end of a list: cookie, session=NAME,
 * ip[/V4[/V6]], header=NAME, query=NAME, path=NAME, route=NAME, expr=EXPR.
 * `off` and `none` are the caller's; an expression is not compiled here.
 *
 * @param pool   owns the strings of the source
 * @param arg    not kept
 * @param list   room for LBS_SOURCE_MAX sources
 * @param count  in and out: sources in list
 * @return NULL, or a phrase that says what was wanted: the word is none of
 *         these, a source of the list takes its key from the same place, or
 *         the list is full (list unchanged)
 */
const char *lbs_source_add(apr_pool_t *pool, const char *arg,
                           lbs_source_t *list, int *count);

#endif
