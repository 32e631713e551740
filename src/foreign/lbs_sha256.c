/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_sha256.c - see lbs_sha256.h; the names are those of FIPS 180-4. */
#include "src/foreign/lbs_sha256.h"

#include <string.h>

#define BLOCK 64

static const apr_uint32_t k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
    0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
    0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
    0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
    0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static apr_uint32_t rotr(apr_uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

static void expand(apr_uint32_t w[64], const unsigned char *block)
{
    int t;

    for (t = 0; t < 16; t++) {
        w[t] = (apr_uint32_t)block[4 * t] << 24
               | (apr_uint32_t)block[4 * t + 1] << 16
               | (apr_uint32_t)block[4 * t + 2] << 8 | block[4 * t + 3];
    }
    for (; t < 64; t++) {
        apr_uint32_t s0 =
            rotr(w[t - 15], 7) ^ rotr(w[t - 15], 18) ^ w[t - 15] >> 3;
        apr_uint32_t s1 =
            rotr(w[t - 2], 17) ^ rotr(w[t - 2], 19) ^ w[t - 2] >> 10;

        w[t] = s1 + w[t - 7] + s0 + w[t - 16];
    }
}

static void add_block(apr_uint32_t hash[8], const unsigned char *block)
{
    apr_uint32_t w[64], v[8];
    int t, i;

    expand(w, block);
    memcpy(v, hash, sizeof(v));
    for (t = 0; t < 64; t++) {
        apr_uint32_t s1 = rotr(v[4], 6) ^ rotr(v[4], 11) ^ rotr(v[4], 25);
        apr_uint32_t ch = (v[4] & v[5]) ^ (~v[4] & v[6]);
        apr_uint32_t t1 = v[7] + s1 + ch + k[t] + w[t];
        apr_uint32_t s0 = rotr(v[0], 2) ^ rotr(v[0], 13) ^ rotr(v[0], 22);
        apr_uint32_t maj = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);

        memmove(v + 1, v, 7 * sizeof(v[0]));
        v[4] += t1;
        v[0] = t1 + s0 + maj;
    }
    for (i = 0; i < 8; i++) {
        hash[i] += v[i];
    }
}

void lbs_sha256(unsigned char digest[LBS_SHA256_LEN], const void *data,
                apr_size_t len)
{
    apr_uint32_t hash[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                            0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    const unsigned char *at = data;
    unsigned char last[2 * BLOCK] = {0};
    apr_uint64_t bits = (apr_uint64_t)len * 8;
    apr_size_t rest = len % BLOCK;
    apr_size_t end = rest + 9 <= BLOCK ? BLOCK : 2 * BLOCK;
    apr_size_t i;

    for (; len >= BLOCK; at += BLOCK, len -= BLOCK) {
        add_block(hash, at);
    }
    if (rest != 0) {
        memcpy(last, at, rest);
    }
    last[rest] = 0x80;
    for (i = 0; i < 8; i++) {
        last[end - 1 - i] = (unsigned char)(bits >> 8 * i);
    }
    for (i = 0; i < end; i += BLOCK) {
        add_block(hash, last + i);
    }
    for (i = 0; i < LBS_SHA256_LEN; i++) {
        digest[i] = (unsigned char)(hash[i / 4] >> (24 - 8 * (i % 4)));
    }
}
