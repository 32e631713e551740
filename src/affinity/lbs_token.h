/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_token.h - the value of the module's cookie.
 *
 * A token is 36 bytes, written as 48 characters of base64url:
 *
 *     byte 0            12     16      20        28        36
 *          | MAC        | issued | created | sid | member   |
 *                       '------- encrypted ---------------- '
 *
 * MAC 96 bits: SipHash-2-4 under two keys of the secret, 64 bits of the first
 *         and 32 of the second, over the pool and the four fields. Without the
 *         secret a forgery has one chance in 2^96 per try, however many tokens
 *         the forger has seen; SipHash is made for exactly this. fields
 *         numbers, least significant byte first, XORed with SipHash in counter
 *         mode under a third key. Its nonce is the MAC, so no two different
 *         tokens use one stream, and no counter has to be kept. To a client
 *         the whole token is 36 random bytes.
 *
 * Member and pool are 64-bit identities. They are hashed without a secret:
 * the pool is never sent and the member only encrypted. So they stay
 * comparable when secrets are rotated, and equal on every server.
 */
#ifndef LBS_TOKEN_H
#define LBS_TOKEN_H

#include <apr_errno.h>

#include "src/affinity/lbs_secret.h"

#define LBS_TOKEN_LEN 48 /* characters, without the NUL */

typedef struct lbs_token_t {
    apr_uint32_t issued;  /* seconds since 1970: when this token was made */
    apr_uint32_t created; /* seconds since 1970: when the session began */
    apr_uint64_t sid;     /* random, names the session in the table */
    apr_uint64_t member;  /* lbs_token_member_id() */
} lbs_token_t;

/**
 * Write a token, signed with the first secret. The same arguments give the
 * same token.
 *
 * @param out   LBS_TOKEN_LEN characters and a NUL
 * @param pool  lbs_token_pool_id() of the pool that may accept it
 */
void lbs_token_sign(char out[LBS_TOKEN_LEN + 1], const lbs_token_t *token,
                    const lbs_secret_t *secret, apr_uint64_t pool);

/**
 * Read a token. Every secret is tried, in order. The time a wrong token takes
 * says nothing about the right one.
 *
 * @param token  out
 * @param p, n   the cookie's value; any bytes, need not end with a NUL
 * @param pool   lbs_token_pool_id() of the pool it is shown to
 * @return APR_SUCCESS: signed by one of the secrets for this pool, its dates
 *         are the caller's to judge; APR_EINVAL: not the shape of a token;
 *         APR_EACCES: the shape, but forged, for another pool, or signed by
 *         a secret no longer known. Only APR_SUCCESS writes token.
 */
apr_status_t lbs_token_verify(lbs_token_t *token, const char *p, apr_size_t n,
                              const lbs_secret_t *secret, apr_uint64_t pool);

/**
 * The identity of a pool: the same on all servers that name it alike.
 *
 * @param server  the virtual host's ServerName
 * @param pool    the balancer's name
 */
apr_uint64_t lbs_token_pool_id(const char *server, const char *pool);

/**
 * The identity of a member within its pool.
 *
 * @param pool    the balancer's name
 * @param member  its route, else its URL
 */
apr_uint64_t lbs_token_member_id(const char *pool, const char *member);

#endif
