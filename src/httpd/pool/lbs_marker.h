/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_marker.h - markers in the name of a pool's members.
 *
 * Requests and checks that go to a member of a pool with LBStickyLocal self
 * carry a marker (src/affinity/lbs_hop.h) in the header LBSticky-Hop, signed
 * with the first line of LBStickySecret; requests also a trail
 * (src/affinity/lbs_trail.h) in LBSticky-Trail.
 */
#ifndef LBS_MARKER_H
#define LBS_MARKER_H

#include <httpd.h>

#include "src/affinity/lbs_hop.h"
#include "src/httpd/pool/lbs_pools.h"

#define LBS_MARKER_HEADER "LBSticky-Hop"
#define LBS_MARKER_TRAIL "LBSticky-Trail"
#define LBS_MARKER_LINE (sizeof(LBS_MARKER_HEADER ": ") + LBS_HOP_MAX)

/** May this member be a server like this one? Not when its scheme is spoken
 * by applications only (ajp, fcgi, scgi, uwsgi). */
int lbs_marker_fits(const lbs_member_t *m);

/** Path and query of a URL with scheme and host, or of a request line. */
const char *lbs_marker_target(const char *url);

/**
 * Sign a marker, dated now.
 *
 * @param visitor  the visitor who sent the request; NULL: none, a check
 * @param out      LBS_HOP_MAX + 1 bytes
 */
void lbs_marker_sign(const lbs_pool_t *pool, const lbs_member_t *m,
                     const apr_sockaddr_t *visitor,
                     const lbs_hop_about_t *about, char *out);

/**
 * Read a marker that any line of LBStickySecret may have signed.
 *
 * @param hop  out, as of lbs_hop_read()
 * @return as lbs_hop_read()
 */
apr_status_t lbs_marker_read(const char *text, const lbs_hop_about_t *about,
                             lbs_hop_t *hop);

/**
 * A trail with a tag of this server.
 *
 * @param before  as received; NULL: none
 * @param target  path and query, as they are sent
 */
const char *lbs_marker_trail(request_rec *r, const lbs_pool_t *pool,
                             const char *before, const char *target);

/** @return 1 when a trail has a tag that a line of LBStickySecret signed for
 * this pool and this method and target */
int lbs_marker_was_here(const lbs_pool_t *pool, const char *trail,
                        const char *method, const char *target);

/**
 * The header line of a check's marker: the member answers the check itself
 * and does not balance it.
 *
 * @param about  what the check says
 * @param line   out, LBS_MARKER_LINE bytes: the header; "" where the pool has
 *               no LBStickyLocal self
 */
void lbs_marker_line(const lbs_pool_t *pool, const lbs_member_t *m,
                     lbs_hop_about_t about, char *line);

#endif
