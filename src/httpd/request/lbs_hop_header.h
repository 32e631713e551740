/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_hop_header.h - requests that servers of one pool forward to each other.
 *
 * A request that goes to a member of a pool with LBStickyLocal self carries a
 * signed marker in the header LBSticky-Hop (src/affinity/lbs_hop.h). The one
 * that receives it serves it itself. Nobody else ever sees the header: it is
 * taken out of every request as soon as that has been read.
 */
#ifndef LBS_LOCAL_HOP_H
#define LBS_LOCAL_HOP_H

#include <httpd.h>

#include "src/affinity/lbs_hop.h"
#include "src/httpd/request/lbs_request.h"

/* What a request's marker says about who serves it. */
typedef enum lbs_local_hop_t {
    LBS_LOCAL_HOP_NONE, /* no marker, or none that means anything here */
    LBS_LOCAL_HOP_OURS, /* a peer means this server */
    LBS_LOCAL_HOP_RING  /* unsigned, but forwarded too often already */
} lbs_local_hop_t;

/** post_read_request: take the header away. @return DECLINED */
int lbs_local_hop_take(request_rec *r);

/**
 * Look at a request's marker.
 *
 * @param pool  the pool that ProxyPass sends the request to
 */
lbs_local_hop_t lbs_local_hop_find(request_rec *r, const lbs_hpool_t *pool);

/**
 * Give an attempt its marker, if the pool's members are servers like this
 * one. After lbs_headers_forward(): it goes into the copy of the header.
 *
 * @param url  of the attempt, with scheme and host
 */
void lbs_local_hop_mark(request_rec *r, const lbs_request_t *req,
                        const char *url);

#define LBS_LOCAL_HOP_LINE 64 /* bytes */

/**
 * The marker of a check: the member shall answer itself, not balance it.
 *
 * @param about  what the check will say; pool and member are filled in
 * @param line   out, LBS_LOCAL_HOP_LINE bytes: the header, "" where the pool's
 *               members are no servers like this one
 */
void lbs_local_hop_line(const lbs_hpool_t *pool, const lbs_hmember_t *m,
                        lbs_hop_about_t about, char *line);

#endif
