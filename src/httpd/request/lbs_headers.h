/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_headers.h - the request's header as the member sees it. */
#ifndef LBS_HEADERS_H
#define LBS_HEADERS_H

#include <httpd.h>

#include "src/httpd/request/lbs_request.h"

/* Put back when the member has answered. */
typedef struct lbs_headers_t {
    apr_table_t *headers_in;
    struct ap_conf_vector_t *per_dir_config;
} lbs_headers_t;

/**
 * Give the request a header for the member: without our cookie, with
 * X-Forwarded-Proto and X-Forwarded-Port, and with the client's Host, as
 * LBStickyCookie strip= and LBStickyForward say; without LBSticky-* fields,
 * and with a field Connection that names nothing of ours. All schemes read
 * it.
 *
 * Cost: one copy of the header table.
 */
lbs_headers_t lbs_headers_forward(request_rec *r, lbs_request_t *req);

/** The same once more, for the next attempt: handlers change the header while
 * they send it. What content filters made of the body's length stays. */
void lbs_headers_again(request_rec *r, const lbs_request_t *req,
                       const lbs_headers_t *saved);

/** Put back what the client sent: logs and later handlers read that. */
void lbs_headers_restore(request_rec *r, const lbs_headers_t *saved);

/**
 * The same for a request that is answered in process: what its handler sees
 * is what a member would see, but for Host, which is the client's anyway.
 */
void lbs_headers_here(request_rec *r, lbs_request_t *req);

/** Put back what lbs_headers_here() replaced, when that answer is made. */
void lbs_headers_back(request_rec *r, const lbs_request_t *req);

#endif
