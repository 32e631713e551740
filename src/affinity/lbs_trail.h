/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_trail.h - which servers a forwarded request has passed already.
 *
 * Servers that do not share a secret cannot read each other's markers
 * (lbs_hop.h) and would send a request round in a ring. So each server adds
 * a tag of its own, and passes on those that it cannot read:
 *
 *     67a1f3c00123456789abcdef,67a1f3c0fedcba9876543210
 *     |       |
 *     |       MAC, 64 bits
 *     Unix seconds when it was made
 *
 * A server that finds a tag with its own signature has had the request
 * before. The MAC covers the pool, the method and the target from its last
 * slash on: a ring may add a path at each turn, but it leaves the end.
 *
 * Only the signature counts, never how many tags there are: a client can
 * write tags, but none that a server takes for its own.
 *
 * Pure: time and keys are arguments.
 */
#ifndef LBS_TRAIL_H
#define LBS_TRAIL_H

#include <apr.h>

#include "src/base/lbs_hash.h"

#define LBS_TRAIL_TAG 24 /* characters */
#define LBS_TRAIL_TAGS 16
#define LBS_TRAIL_MAX (LBS_TRAIL_TAGS * (LBS_TRAIL_TAG + 1) - 1)
#define LBS_TRAIL_AGE 60 /* seconds a tag is good for, either way */

typedef struct lbs_trail_about_t {
    apr_uint64_t pool; /* lbs_token_pool_id() */
    const char *method;
    const char *target; /* path and query */
} lbs_trail_about_t;

/**
 * Add a tag. Of what is there the last LBS_TRAIL_TAGS - 1 tags stay, and
 * nothing that is no tag.
 *
 * Cost: linear in `before`.
 *
 * @param out     the new trail, with a NUL
 * @param before  as received; may be NULL
 * @param now     Unix seconds
 */
void lbs_trail_extend(char out[LBS_TRAIL_MAX + 1], const char *before,
                      const lbs_hash_key_t *key,
                      const lbs_trail_about_t *about, apr_uint32_t now);

/**
 * Was the request here before?
 *
 * Cost: linear in the trail, and LBS_TRAIL_TAGS hashes at the most.
 *
 * @param text  as received
 * @return 1 when one of the last LBS_TRAIL_TAGS tags is signed with this key
 *         for this request, and its time is now
 */
int lbs_trail_has(const char *text, const lbs_hash_key_t *key,
                  const lbs_trail_about_t *about, apr_uint32_t now);

#endif
