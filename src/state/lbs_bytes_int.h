/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_bytes_int.h - a writer and a reader of bytes that leave this machine.
 *
 * The reader cannot run past its end: it answers zeros and remembers, so a
 * decoder checks once, not at each field.
 */
#ifndef LBS_BYTES_INT_H
#define LBS_BYTES_INT_H

#include "src/base/lbs_bytes.h"

/* Writing: bytes that do not fit are counted, too, so that a first run without
 * room tells how much room a second one needs. */
typedef struct lbs_writer_t {
    unsigned char *bytes;
    apr_size_t room;
    apr_size_t len; /* may be above room: then nothing fits */
} lbs_writer_t;

/** @return where len bytes go, NULL when they do not fit (but are counted) */
static inline unsigned char *lbs_writer_take(lbs_writer_t *w, apr_size_t len)
{
    apr_size_t at = w->len;

    w->len += len;
    return w->len <= w->room ? w->bytes + at : NULL;
}

static inline void lbs_writer_add32(lbs_writer_t *w, apr_uint32_t value)
{
    unsigned char *to = lbs_writer_take(w, 4);

    if (to != NULL) {
        lbs_bytes_put32(to, value);
    }
}

static inline void lbs_writer_add64(lbs_writer_t *w, apr_uint64_t value)
{
    unsigned char *to = lbs_writer_take(w, 8);

    if (to != NULL) {
        lbs_bytes_put64(to, value);
    }
}

typedef struct lbs_reader_t {
    const unsigned char *at;
    apr_size_t left;
    int short_of; /* something was asked for that is not there */
} lbs_reader_t;

/** @return len bytes, NULL when there are not that many */
static inline const unsigned char *lbs_reader_take(lbs_reader_t *r,
                                                   apr_size_t len)
{
    const unsigned char *from = r->at;

    if (len > r->left) {
        r->short_of = 1;
        r->left = 0;
        return NULL;
    }
    r->at += len;
    r->left -= len;
    return from;
}

static inline apr_uint32_t lbs_reader_get32(lbs_reader_t *r)
{
    const unsigned char *from = lbs_reader_take(r, 4);

    return from != NULL ? lbs_bytes_get32(from) : 0;
}

static inline apr_uint64_t lbs_reader_get64(lbs_reader_t *r)
{
    const unsigned char *from = lbs_reader_take(r, 8);

    return from != NULL ? lbs_bytes_get64(from) : 0;
}

#endif
