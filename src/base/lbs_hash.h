/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_hash.h - the one hash of the module: SipHash-2-4, always keyed.
 *
 * Keys that a client chose are hashed only with a key it cannot know, so no
 * client can aim at a bucket. Every result is the same on every machine,
 * whatever its byte order or word size: servers that share a secret agree.
 */
#ifndef LBS_HASH_H
#define LBS_HASH_H

#include <apr.h>

#define LBS_HASH_KEY_LEN 16 /* bytes */

typedef struct lbs_hash_key_t {
    unsigned char bytes[LBS_HASH_KEY_LEN];
} lbs_hash_key_t;

/**
 * Hash one string of bytes. Cost: linear in len.
 *
 * @param data  may be NULL if len is 0
 * @return 64 bits, random to a reader without the key
 */
apr_uint64_t lbs_hash_bytes(const lbs_hash_key_t *key, const void *data,
                            apr_size_t len);

/**
 * Hash an ordered pair of strings. ("ab","c") and ("a","bc") differ, and so do
 * ("","x") and ("x",""): the lengths are hashed, too.
 *
 * @param a, b  may be NULL if their length is 0
 */
apr_uint64_t lbs_hash_two(const lbs_hash_key_t *key, const void *a,
                          apr_size_t alen, const void *b, apr_size_t blen);

/* The state of lbs_hash_two() after its first string: for many pairs that
 * begin alike. */
typedef struct lbs_hash_head_t {
    apr_uint64_t hash;
    apr_uint64_t len;
} lbs_hash_head_t;

/** lbs_hash_two() in two halves, under the same key. */
lbs_hash_head_t lbs_hash_head(const lbs_hash_key_t *key, const void *a,
                              apr_size_t alen);
apr_uint64_t lbs_hash_tail(const lbs_hash_key_t *key, lbs_hash_head_t head,
                           const void *b, apr_size_t blen);

/**
 * Make a key of its own for one purpose, so that a value hashed for one use
 * says nothing about another.
 *
 * @param out      the new key; may be the same object as master
 * @param master   the key to derive from; cannot be found from out
 * @param purpose  a literal naming the use, for example "table"
 */
void lbs_hash_derive(lbs_hash_key_t *out, const lbs_hash_key_t *master,
                     const char *purpose);

/**
 * Spread a number over 64 bits (the finaliser of splitmix64). A bijection, not
 * keyed: for numbers of our own only, never for values that a client chose.
 */
static inline apr_uint64_t lbs_hash_mix(apr_uint64_t x)
{
    x = (x ^ (x >> 30)) * APR_UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * APR_UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

#endif
