/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_siphash.h - SipHash-2-4 (Aumasson and Bernstein, 2012), word by word.
 *
 * For messages whose words the caller has at hand, and for several messages
 * that begin alike: a state is a value and may be copied. Bytes of any length
 * are hashed by lbs_hash_bytes(). A message of n bytes is n / 8 words, little
 * endian, and one last word: the bytes that are left, and in its highest byte
 * n modulo 256.
 */
#ifndef LBS_SIPHASH_H
#define LBS_SIPHASH_H

#include <apr.h>

#include "src/base/lbs_bytes.h"

#define LBS_SIPHASH_KEY_LEN 16 /* bytes */

typedef struct lbs_siphash_t {
    apr_uint64_t v0, v1, v2, v3;
} lbs_siphash_t;

static inline apr_uint64_t lbs_siphash_rotl(apr_uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void lbs_siphash_round(lbs_siphash_t *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = lbs_siphash_rotl(s->v1, 13) ^ s->v0;
    s->v3 = lbs_siphash_rotl(s->v3, 16) ^ s->v2;
    s->v0 = lbs_siphash_rotl(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = lbs_siphash_rotl(s->v1, 17) ^ s->v2;
    s->v3 = lbs_siphash_rotl(s->v3, 21) ^ s->v0;
    s->v2 = lbs_siphash_rotl(s->v2, 32);
}

/** The state before the first word. @param key LBS_SIPHASH_KEY_LEN bytes */
static inline lbs_siphash_t lbs_siphash_begin(const unsigned char *key)
{
    apr_uint64_t k0 = lbs_bytes_get64(key), k1 = lbs_bytes_get64(key + 8);

    return (lbs_siphash_t){
        .v0 = k0 ^ APR_UINT64_C(0x736f6d6570736575),
        .v1 = k1 ^ APR_UINT64_C(0x646f72616e646f6d),
        .v2 = k0 ^ APR_UINT64_C(0x6c7967656e657261),
        .v3 = k1 ^ APR_UINT64_C(0x7465646279746573),
    };
}

/** Take in one word. */
static inline void lbs_siphash_add(lbs_siphash_t *s, apr_uint64_t word)
{
    s->v3 ^= word;
    lbs_siphash_round(s);
    lbs_siphash_round(s);
    s->v0 ^= word;
}

/** Take in the last word. @return the hash; the state is used up */
static inline apr_uint64_t lbs_siphash_end(lbs_siphash_t *s, apr_uint64_t last)
{
    lbs_siphash_add(s, last);
    s->v2 ^= 0xff;
    lbs_siphash_round(s);
    lbs_siphash_round(s);
    lbs_siphash_round(s);
    lbs_siphash_round(s);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

#endif
