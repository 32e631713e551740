/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_hop_header.h - requests that servers of one pool forward to each other.
 *
 * A request that goes to a member of a pool with LBStickyLocal self carries a
 * signed marker and a trail (src/httpd/pool/lbs_marker.h). The server that
 * receives it serves it itself. No application sees them: they are taken out
 * of every request as soon as that has been read.
 */
#ifndef LBS_HOP_HEADER_H
#define LBS_HOP_HEADER_H

#include <httpd.h>

#include "src/httpd/request/lbs_request.h"

/* The server that has to serve a request, by its marker and trail. */
typedef enum lbs_hop_header_t {
    LBS_HOP_HEADER_NONE, /* nothing: it is balanced */
    LBS_HOP_HEADER_OURS, /* a peer means this server */
    LBS_HOP_HEADER_RING  /* this server forwarded it already */
} lbs_hop_header_t;

/**
 * Look at a request's marker and trail.
 *
 * @param pool  the pool that ProxyPass sends the request to
 */
lbs_hop_header_t lbs_hop_header_find(request_rec *r, const lbs_pool_t *pool);

/**
 * Give an attempt its marker and trail, if the pool's members are servers
 * like this one. After lbs_headers_forward(): they go into the copy of the
 * header.
 *
 * @param url  of the attempt, with scheme and host
 */
void lbs_hop_header_mark(request_rec *r, const lbs_request_t *req,
                         const char *url);

#endif
