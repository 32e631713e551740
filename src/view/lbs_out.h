/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_out.h - where a document is written to, escaped by default.
 *
 * A document has one way of escaping, fixed when it is opened: every %s that
 * is put into it is escaped that way, so no name can leave the place it was
 * written to. Text that must not be escaped goes through lbs_out_raw(), which
 * takes only literals and text made here.
 *
 * The bytes are collected and handed on in pieces. The first failure to hand
 * them on is kept, later writes do nothing: the writer of a document asks
 * once, at the end.
 */
#ifndef LBS_OUT_H
#define LBS_OUT_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "src/view/lbs_escape.h"

/** Take len bytes. @return APR_SUCCESS, or why no more can be taken */
typedef apr_status_t lbs_out_sink_t(void *ctx, const char *data,
                                    apr_size_t len);

typedef struct lbs_out_t {
    apr_pool_t *pool; /* memory for the writers of the document */
    lbs_out_sink_t *sink;
    void *ctx; /* the sink's own */
    lbs_out_escape_t escape;
    apr_status_t status; /* first failure of the sink */
    apr_size_t used;
    char buf[8192];
} lbs_out_t;

/** Open a document; it lives in the pool. Nothing is handed on yet. */
lbs_out_t *lbs_out_open(apr_pool_t *pool, lbs_out_escape_t escape,
                        lbs_out_sink_t *sink, void *ctx);

/** Write len bytes as they are. */
void lbs_out_write(lbs_out_t *out, const char *data, apr_size_t len);

/** Write a string unescaped; never one that came from outside. */
void lbs_out_raw(lbs_out_t *out, const char *text);

/**
 * Write by a format: the literal parts as they are, each %s escaped, of a
 * NULL nothing.
 *
 * @param fmt  %s, %% and d, u, x, f with precision, width, l or ll; nothing
 *             else, which is a bug here and ends the process
 */
void lbs_out_put(lbs_out_t *out, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/** Write a whole number. */
void lbs_out_count(lbs_out_t *out, apr_uint64_t count);

/**
 * Write a number with a point: 1.0, 0.25, 87.5. At least one decimal, no more
 * than are needed.
 *
 * @param value  not-a-number is written as 0.0, a number that is too large as
 * the largest: 9.2e18 without the decimals
 * @param decimals  at most, 1 to 9
 */
void lbs_out_real(lbs_out_t *out, double value, int decimals);

/** Give the document up: later writes are dropped. An earlier failure stays
 * the one that is reported. */
void lbs_out_fail(lbs_out_t *out, apr_status_t why);

/**
 * Hand on the rest.
 *
 * @return APR_SUCCESS: all of the document was taken; else the sink's first
 *         failure, after which it was not called again
 */
apr_status_t lbs_out_close(lbs_out_t *out);

#endif
