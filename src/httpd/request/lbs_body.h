/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_body.h - the one owner of a request's body.
 *
 * A scheme's handler reads the body through this filter, which stands before
 * all others: a member gets the output of the topmost content filter, the
 * first time and each time again. Up to LBStickyRetry body= bytes are kept as
 * they are read. A body that is longer is handed through and cannot be sent
 * twice. What mod_proxy reads of it before it sends anything is kept all the
 * same, for a connection that then turns out to be closed.
 *
 * This is also the one place where reading the client can fail. It fails for
 * good: no member gets a part of such a body as if it were the whole.
 */
#ifndef LBS_BODY_H
#define LBS_BODY_H

#include <httpd.h>

typedef struct lbs_body_t lbs_body_t; /* opaque, from the request's pool */

/** Register the filter. Once, in register_hooks. */
void lbs_body_register(void);

/**
 * Begin to keep the body of a request that is about to be forwarded.
 *
 * @param limit  bytes to keep at the most
 * @return NULL when the request has no body
 */
lbs_body_t *lbs_body_attach(request_rec *r, apr_uint64_t limit);

/** The request has been forwarded: read its body no more. */
void lbs_body_detach(lbs_body_t *body);

/** @return 1 when all that was read so far may be sent again (NULL: 1) */
int lbs_body_is_whole(const lbs_body_t *body);

/** @return 1 when that will be so to its end: the body is short enough to be
 * kept, or announces such a length (NULL: 1) */
int lbs_body_stays_whole(const lbs_body_t *body);

/** @return 1 when all that was read so far is kept, be it to send what was
 * not sent (NULL: 1) */
int lbs_body_is_kept(const lbs_body_t *body);

/** @return 1 when the scheme's handler has read the body to its end, so that
 * nothing but the member can keep the request waiting (NULL: 1) */
int lbs_body_is_read(const lbs_body_t *body);

/** Have this called whenever that becomes so. */
void lbs_body_on_read(lbs_body_t *body, void (*is_read)(void *baton),
                      void *baton);

/** Bytes that the client sent of the body so far, as its filters left them. */
apr_uint64_t lbs_body_bytes(const lbs_body_t *body);

/** @return 1 when that is the length of the whole body (NULL: 0) */
int lbs_body_is_measured(const lbs_body_t *body);

/** @return 1 while the client is being read, beneath this filter (NULL: 0) */
int lbs_body_is_reading(const lbs_body_t *body);

/** What was just read is no body: one of httpd's filters has refused it and
 * may not tell its caller. */
void lbs_body_refuse(lbs_body_t *body);

/**
 * Could the client's body not be read?
 *
 * @param status  out, when it could not: what mod_proxy shall get
 * @return 1: it could not; 0: no such thing (NULL: 0)
 */
int lbs_body_has_failed(const lbs_body_t *body, int *status);

/* What a handler is given once its member reads no more. */
typedef enum lbs_body_rest_t {
    LBS_BODY_LENGTH, /* as many bytes as were announced, and the end */
    LBS_BODY_END,    /* the end */
    LBS_BODY_NOTHING /* neither: it looks at the answer by itself */
} lbs_body_rest_t;

/** The member reads no more: the client is not read any further, and the
 * handler can come to the answer. The caller sends nothing to anybody of what
 * the handler is given. */
void lbs_body_fill(lbs_body_t *body, lbs_body_rest_t rest);

/** Have this called before each part of the body is handed to the handler.
 * It may call lbs_body_fill(): then the part is dropped. */
void lbs_body_on_part(lbs_body_t *body, void (*on_part)(void *baton),
                      void *baton);

/**
 * Let the body be read from its beginning again, by whatever scheme.
 *
 * @param sent  something of what was read was sent, or is gone with a
 *              connection
 * @return 1; 0: it is not kept: nothing was changed
 */
int lbs_body_rewind(request_rec *r, lbs_body_t *body, int sent);

/** @return what lbs_body_rewind() would, changing nothing (NULL: 1) */
int lbs_body_can_rewind(request_rec *r, const lbs_body_t *body, int sent);

#endif
