/* SPDX-License-Identifier: Apache-2.0 */
#include "src/affinity/lbs_token.h"

#include <string.h>

#include "src/base/lbs_bytes.h"
#include "src/base/lbs_siphash.h"

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

/* Digits backwards: the value of a digit + 1; 0 for any other byte. Each
 * request of a known visitor has 48 of them. */
static const unsigned char value_of[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,
    ['G'] = 7,  ['H'] = 8,  ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12,
    ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18,
    ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30,
    ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36,
    ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42,
    ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54,
    ['2'] = 55, ['3'] = 56, ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60,
    ['8'] = 61, ['9'] = 62, ['-'] = 63, ['_'] = 64,
};

/* LBS_TOKEN_LEN characters to TOKEN_BYTES bytes; 0 if one is no digit. */
static int decode(unsigned char *bytes, const char *p)
{
    const unsigned char *from = (const unsigned char *)p;
    const unsigned char *end = from + LBS_TOKEN_LEN;

    for (; from < end; from += 4) {
        unsigned a = value_of[from[0]], b = value_of[from[1]];
        unsigned c = value_of[from[2]], d = value_of[from[3]];
        unsigned group =
            (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);

        if (a == 0 || b == 0 || c == 0 || d == 0) {
            return 0;
        }
        *bytes++ = (unsigned char)(group >> 16);
        *bytes++ = (unsigned char)(group >> 8);
        *bytes++ = (unsigned char)group;
    }
    return 1;
}

/* The fields as the words that are hashed and encrypted. */
typedef struct fields_t {
    apr_uint64_t word[FIELDS_LEN / 8];
} fields_t;

static void make_mac(unsigned char *mac, const fields_t *fields,
                     const lbs_secret_keys_t *keys, apr_uint64_t pool)
{
    apr_uint64_t half[2];
    int i, w;

    for (i = 0; i < 2; i++) {
        lbs_siphash_t state = lbs_siphash_begin(keys->mac[i].bytes);

        lbs_siphash_add(&state, pool);
        for (w = 0; w < FIELDS_LEN / 8; w++) {
            lbs_siphash_add(&state, fields->word[w]);
        }
        half[i] =
            lbs_siphash_end(&state, (apr_uint64_t)(8 + FIELDS_LEN) << 56);
    }
    lbs_bytes_put64(mac, half[0]);
    lbs_bytes_put32(mac + 8, (apr_uint32_t)half[1]);
}

/* Encrypt or decrypt: XOR the fields with the stream that the MAC begins. Its
 * words are hashes of the MAC and a number, so they share their first round.
 */
static void whiten(fields_t *fields, const unsigned char *mac,
                   const lbs_secret_keys_t *keys)
{
    lbs_siphash_t begun = lbs_siphash_begin(keys->stream.bytes);
    apr_uint64_t last =
        (apr_uint64_t)(MAC_LEN + 1) << 56 | lbs_bytes_get32(mac + 8);
    apr_uint64_t i;

    lbs_siphash_add(&begun, lbs_bytes_get64(mac));
    for (i = 0; i < FIELDS_LEN / 8; i++) {
        lbs_siphash_t state = begun;

        fields->word[i] ^= lbs_siphash_end(&state, last | i << 32);
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

static void put_fields(unsigned char *bytes, const fields_t *fields)
{
    int i;

    for (i = 0; i < FIELDS_LEN / 8; i++) {
        lbs_bytes_put64(bytes + 8 * i, fields->word[i]);
    }
}

static fields_t get_fields(const unsigned char *bytes)
{
    fields_t fields;
    int i;

    for (i = 0; i < FIELDS_LEN / 8; i++) {
        fields.word[i] = lbs_bytes_get64(bytes + 8 * i);
    }
    return fields;
}

void lbs_token_sign(char out[LBS_TOKEN_LEN + 1], const lbs_token_t *token,
                    const lbs_secret_t *secret, apr_uint64_t pool)
{
    unsigned char bytes[TOKEN_BYTES];
    fields_t fields = {{
        token->issued | (apr_uint64_t)token->created << 32,
        token->sid,
        token->member,
    }};

    make_mac(bytes, &fields, &secret->keys[0], pool);
    whiten(&fields, bytes, &secret->keys[0]);
    put_fields(bytes + MAC_LEN, &fields);
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
        fields_t fields = get_fields(bytes + MAC_LEN);
        unsigned char mac[MAC_LEN];

        whiten(&fields, bytes, &secret->keys[i]);
        make_mac(mac, &fields, &secret->keys[i], pool);
        if (same_mac(mac, bytes)) {
            token->issued = (apr_uint32_t)fields.word[0];
            token->created = (apr_uint32_t)(fields.word[0] >> 32);
            token->sid = fields.word[1];
            token->member = fields.word[2];
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
