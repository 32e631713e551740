/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_marker.h - markers in the name of a pool's members.
 *
 * Requests and checks that go to a member of a pool with LBStickyLocal self
 * carry a marker (src/affinity/lbs_hop.h) in the header LBSticky-Hop, signed
 * with the first line of LBStickySecret.
 */
#ifndef LBS_MARKER_H
#define LBS_MARKER_H

#include "src/affinity/lbs_hop.h"
#include "src/httpd/pool/lbs_pools.h"

#define LBS_MARKER_HEADER "LBSticky-Hop"
#define LBS_MARKER_PURPOSE "peer" /* of lbs_secret_key() */
#define LBS_MARKER_LINE 64        /* bytes */

/**
 * Sign a marker, dated now.
 *
 * @param about  what the request says; pool and member are filled in
 * @param hops   how often the request was forwarded, this time included
 */
void lbs_marker_sign(const lbs_pool_t *pool, const lbs_member_t *m,
                     lbs_hop_about_t about, unsigned hops,
                     char out[LBS_HOP_LEN + 1]);

/**
 * The header line of a check's marker: the member answers the check itself
 * and does not balance it.
 *
 * @param about  what the check says; pool and member are filled in
 * @param line   out, LBS_MARKER_LINE bytes: the header; "" where the pool has
 *               no LBStickyLocal self
 */
void lbs_marker_line(const lbs_pool_t *pool, const lbs_member_t *m,
                     lbs_hop_about_t about, char *line);

#endif
