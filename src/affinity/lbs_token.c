/* SPDX-License-Identifier: Apache-2.0 */
#include "src/affinity/lbs_token.h"

#include <string.h>

#define MAC_LEN 12
#define FIELDS_LEN 24
#define TOKEN_BYTES (MAC_LEN + FIELDS_LEN)

_Static_assert(TOKEN_BYTES % 3 == 0 && TOKEN_BYTES / 3 * 4 == LBS_TOKEN_LEN,
               "no padding: every token has exactly one spelling");

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                             "abcdefghijklmnopqrstuvwxyz0123456789-_";

/* Public: they only keep these identities apart from other hashes. */
static const lbs_hash_key_t pool_key = {"lbsticky pool 01"};
static const lbs_hash_key_t member_key = {"lbsticky member1"};

/* Little endian on every machine: servers read each other's tokens. */
static void put(unsigned char *to, int bytes, apr_uint64_t value)
{
    int i;

    for (i = 0; i < bytes; i++) {
        to[i] = (unsigned char)(value >> (8 * i));
    }
}

static apr_uint64_t get(const unsigned char *from, int bytes)
{
    apr_uint64_t value = 0;
    int i;

    for (i = bytes - 1; i >= 0; i--) {
        value = value << 8 | from[i];
    }
    return value;
}

static void encode(char *out, const unsigned char *bytes)
{
    int i;

    for (i = 0; i < TOKEN_BYTES; i += 3) {
        unsigned group = (unsigned)bytes[i] << 16 | (unsigned)bytes[i + 1] << 8
                         | bytes[i + 2];

        *out++ = digits[group >> 18];
        *out++ = digits[group >> 12 & 63];
        *out++ = digits[group >> 6 & 63];
        *out++ = digits[group & 63];
    }
    *out = '\0';
}

/* The value of one base64url digit, -1 for any other byte. */
static int digit_value(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

/* LBS_TOKEN_LEN characters to TOKEN_BYTES bytes; 0 if one is no digit. */
static int decode(unsigned char *bytes, const char *p)
{
    unsigned group = 0;
    int i;

    for (i = 0; i < LBS_TOKEN_LEN; i++) {
        int value = digit_value(p[i]);

        if (value < 0) {
            return 0;
        }
        group = group << 6 | (unsigned)value;
        if (i % 4 == 3) {
            *bytes++ = (unsigned char)(group >> 16);
            *bytes++ = (unsigned char)(group >> 8);
            *bytes++ = (unsigned char)group;
        }
    }
    return 1;
}

static void make_mac(unsigned char *mac, const unsigned char *fields,
                     const lbs_secret_keys_t *keys, apr_uint64_t pool)
{
    unsigned char text[8 + FIELDS_LEN];

    put(text, 8, pool);
    memcpy(text + 8, fields, FIELDS_LEN);
    put(mac, 8, lbs_hash_bytes(&keys->mac[0], text, sizeof(text)));
    put(mac + 8, 4, lbs_hash_bytes(&keys->mac[1], text, sizeof(text)));
}

/* Encrypt or decrypt: XOR the fields with the stream that the MAC begins. */
static void whiten(unsigned char *to, const unsigned char *fields,
                   const unsigned char *mac, const lbs_secret_keys_t *keys)
{
    unsigned char nonce[MAC_LEN + 1];
    int i;

    memcpy(nonce, mac, MAC_LEN);
    for (i = 0; i < FIELDS_LEN; i += 8) {
        nonce[MAC_LEN] = (unsigned char)(i / 8);
        put(to + i, 8,
            get(fields + i, 8)
                ^ lbs_hash_bytes(&keys->stream, nonce, sizeof(nonce)));
    }
}

/* Looks at all bytes, so its time does not tell where they differ. */
static int same_mac(const unsigned char *a, const unsigned char *b)
{
    unsigned differ = 0;
    int i;

    for (i = 0; i < MAC_LEN; i++) {
        differ |= (unsigned)(a[i] ^ b[i]);
    }
    return differ == 0;
}

void lbs_token_sign(char out[LBS_TOKEN_LEN + 1], const lbs_token_t *token,
                    const lbs_secret_t *secret, apr_uint64_t pool)
{
    unsigned char fields[FIELDS_LEN], bytes[TOKEN_BYTES];

    put(fields, 4, token->issued);
    put(fields + 4, 4, token->created);
    put(fields + 8, 8, token->sid);
    put(fields + 16, 8, token->member);
    make_mac(bytes, fields, &secret->keys[0], pool);
    whiten(bytes + MAC_LEN, fields, bytes, &secret->keys[0]);
    encode(out, bytes);
}

apr_status_t lbs_token_verify(lbs_token_t *token, const char *p, apr_size_t n,
                              const lbs_secret_t *secret, apr_uint64_t pool)
{
    unsigned char bytes[TOKEN_BYTES];
    apr_size_t i;

    if (n != LBS_TOKEN_LEN || !decode(bytes, p)) {
        return APR_EINVAL;
    }
    for (i = 0; i < secret->count; i++) {
        unsigned char fields[FIELDS_LEN], mac[MAC_LEN];

        whiten(fields, bytes + MAC_LEN, bytes, &secret->keys[i]);
        make_mac(mac, fields, &secret->keys[i], pool);
        if (same_mac(mac, bytes)) {
            token->issued = (apr_uint32_t)get(fields, 4);
            token->created = (apr_uint32_t)get(fields + 4, 4);
            token->sid = get(fields + 8, 8);
            token->member = get(fields + 16, 8);
            return APR_SUCCESS;
        }
    }
    return APR_EACCES;
}

apr_uint64_t lbs_token_pool_id(const char *server, const char *pool)
{
    return lbs_hash_two(&pool_key, server, strlen(server), pool, strlen(pool));
}

apr_uint64_t lbs_token_member_id(const char *pool, const char *member)
{
    return lbs_hash_two(&member_key, pool, strlen(pool), member,
                        strlen(member));
}
