/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_hop.h - the marker of a request that one server forwards to another.
 *
 *     2-67a1f3c0-0123456789abcdef0123456789abcdef
 *     |     |                  |
 *     |     |                  MAC over all below, 128 bits
 *     |     Unix seconds when it was made
 *     forwarded for the n-th time, 1 to 9
 *
 * The MAC is made with a key that servers share. It covers the pool, the
 * member that is meant, method, request target and what the member is told of
 * the scheme, so a marker fits that request alone. Whoever reads one off the
 * network can send the same request once more, within LBS_HOP_AGE, and have
 * it served by the member it was meant for: nothing else.
 *
 * The count is believed also where the MAC is not right. It ends rings of
 * servers that do not share a secret, or whose clocks differ.
 *
 * Pure: time and keys are arguments.
 */
#ifndef LBS_HOP_H
#define LBS_HOP_H

#include <apr.h>
#include <apr_errno.h>

#include "src/base/lbs_hash.h"

#define LBS_HOP_LEN 43 /* characters, without the NUL */
#define LBS_HOP_AGE 60 /* seconds a marker is good for, either way */
#define LBS_HOP_MAX 9

/* What a marker is bound to. NULL counts as "". */
typedef struct lbs_hop_about_t {
    apr_uint64_t pool;   /* lbs_token_pool_id() */
    apr_uint64_t member; /* lbs_token_member_id() */
    const char *method;
    const char *target; /* path and query as they stand in the request line */
    const char *proto;  /* X-Forwarded-Proto as sent along */
    const char *port;   /* X-Forwarded-Port as sent along */
} lbs_hop_about_t;

/**
 * Write a marker.
 *
 * @param key   what the servers share, derived for this purpose
 * @param hops  1 to LBS_HOP_MAX; more is written as LBS_HOP_MAX
 * @param now   Unix seconds
 */
void lbs_hop_write(char out[LBS_HOP_LEN + 1], const lbs_hash_key_t *key,
                   const lbs_hop_about_t *about, unsigned hops,
                   apr_uint32_t now);

/** @return how often a request was forwarded by what its marker says, true or
 * not: 1 to LBS_HOP_MAX, 1 if it has another shape */
unsigned lbs_hop_count(const char *text);

/**
 * Check a marker.
 *
 * Cost: linear in what it is bound to; the same wherever it differs.
 *
 * @param text  as received
 * @return APR_SUCCESS; APR_TIMEUP: it was right, but its time is not now: a
 *         replay, or clocks that differ; APR_EACCES: nobody with this key
 *         made it for this request
 */
apr_status_t lbs_hop_verify(const char *text, const lbs_hash_key_t *key,
                            const lbs_hop_about_t *about, apr_uint32_t now);

#endif
