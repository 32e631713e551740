/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_reply.h - sending a document, whole or while it is written. */
#ifndef LBS_REPLY_H
#define LBS_REPLY_H

#include <httpd.h>

#include "src/view/lbs_out.h"

/** Headers that every answer of ours has, also the refusals that httpd
 *  writes: not stored, not framed, not sniffed, no scripts but our own. */
void lbs_reply_headers(request_rec *r);

/**
 * Open a document. It is kept whole until it is sent, so that the status can
 * depend on how writing it went.
 */
lbs_out_t *lbs_reply_open(request_rec *r, lbs_out_escape_t escape);

/**
 * Send a document.
 *
 * @param status  to send it with
 * @param type    for Content-Type
 * @return for the handler to return: OK, or 500 when there was no memory
 */
int lbs_reply_send(request_rec *r, lbs_out_t *out, int status,
                   const char *type);

/**
 * Open a document that is sent while it is written, so that a document of
 * thousands of members takes no more memory than one of two. Its status is
 * 200.
 *
 * @param type  for Content-Type
 */
lbs_out_t *lbs_reply_stream(request_rec *r, lbs_out_escape_t escape,
                            const char *type);

/**
 * Send the rest of it.
 *
 * @return for the handler to return: OK, also when the document failed and was
 * cut off behind the part already sent; 500 when nothing was sent yet
 */
int lbs_reply_finish(lbs_out_t *out);

/** Send bytes that never change. @return for the handler to return */
int lbs_reply_bytes(request_rec *r, const char *data, apr_size_t len,
                    const char *type);

/** Send {"error": "..."}. @return for the handler to return */
int lbs_reply_error(request_rec *r, int status, const char *sentence);

#endif
