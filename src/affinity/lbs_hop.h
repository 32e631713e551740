/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_hop.h - the marker of a request that one server forwards to another.
 *
 *     1-67a1f3c0-0123456789abcdef-fedcba9876543210-cb007109-<32 digits>
 *     | |        |                |                |        |
 *     | |        pool             member           |        MAC, 128 bits
 *     | Unix seconds when it was made              visitor's address
 *     version of the format
 *
 * The address is 8 digits (IPv4), 32 (IPv6), or empty: no visitor, a check.
 *
 * The MAC is made with a key that servers share. It covers the text before it,
 * method, request target and what the member is told of the scheme, so a
 * marker fits that request alone. An attacker who reads one off the network
 * can send the same request once more, within LBS_HOP_AGE, and nothing else;
 * it is judged by the address of the visitor who sent it first. Body, cookies
 * and credentials are not covered: the attacker has read those, too.
 *
 * Text without a valid signature means nothing.
 *
 * Pure: time and keys are arguments.
 */
#ifndef LBS_HOP_H
#define LBS_HOP_H

#include <apr.h>
#include <apr_errno.h>

#include "src/base/lbs_hash.h"

#define LBS_HOP_MAX 111 /* characters at most, without the NUL */
#define LBS_HOP_ADDR 16 /* bytes at most */
#define LBS_HOP_AGE 60  /* seconds a marker is good for, either way */

/* The contents of a marker. */
typedef struct lbs_hop_t {
    apr_uint32_t made;                /* Unix seconds */
    apr_uint64_t pool;                /* lbs_token_pool_id() */
    apr_uint64_t member;              /* lbs_token_member_id() */
    unsigned char addr[LBS_HOP_ADDR]; /* of the visitor, network order */
    apr_size_t addr_len;              /* bytes: 0, 4 or 16 */
} lbs_hop_t;

/* The parts of a request that a marker is bound to. NULL counts as "". */
typedef struct lbs_hop_about_t {
    const char *method;
    const char *target; /* path and query as they stand in the request line */
    const char *proto;  /* X-Forwarded-Proto as sent along */
    const char *port;   /* X-Forwarded-Port as sent along */
} lbs_hop_about_t;

/**
 * Write a marker.
 *
 * @param out  the text, with a NUL
 * @param key  from the servers' secret, derived for this purpose
 */
void lbs_hop_write(char out[LBS_HOP_MAX + 1], const lbs_hash_key_t *key,
                   const lbs_hop_t *hop, const lbs_hop_about_t *about);

/**
 * Read a marker.
 *
 * Cost: linear in what it is bound to; the same wherever it differs.
 *
 * @param text  as received
 * @param now   Unix seconds
 * @param hop   out: written on APR_SUCCESS and APR_TIMEUP
 * @return APR_SUCCESS; APR_TIMEUP: it was right, but its time is not now: a
 *         replay, or clocks that differ; APR_EACCES: no server with this key
 *         made it for this request
 */
apr_status_t lbs_hop_read(const char *text, const lbs_hash_key_t *key,
                          const lbs_hop_about_t *about, apr_uint32_t now,
                          lbs_hop_t *hop);

#endif
