/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_nonce.c - proof that a form came from our own page. */
#include "src/status/lbs_nonce.h"

#include <string.h>

#define TIME_LEN 8 /* hex digits; the rest is the hash */

static void put_hex(char *to, apr_uint64_t value, int digits)
{
    while (digits-- > 0) {
        to[digits] = "0123456789abcdef"[value & 15];
        value >>= 4;
    }
}

/* @return what the hex digits say; digits that are none make a wrong number,
 * whose hash is not the one that stands behind it */
static apr_uint32_t get_hex(const char *from)
{
    apr_uint32_t value = 0;
    int i;

    for (i = 0; i < TIME_LEN; i++) {
        const char *digits = "0123456789abcdef";
        const char *at = strchr(digits, from[i]);

        value = value << 4 | (at != NULL ? (apr_uint32_t)(at - digits) : 0);
    }
    return value;
}

static void make(const lbs_hash_key_t *key, const char *scope,
                 apr_uint32_t made, char nonce[LBS_NONCE_LEN + 1])
{
    put_hex(nonce, made, TIME_LEN);
    put_hex(nonce + TIME_LEN,
            lbs_hash_two(key, nonce, TIME_LEN, scope, strlen(scope)),
            LBS_NONCE_LEN - TIME_LEN);
    nonce[LBS_NONCE_LEN] = '\0';
}

void lbs_nonce_make(const lbs_hash_key_t *key, const char *scope,
                    apr_int64_t now, char nonce[LBS_NONCE_LEN + 1])
{
    make(key, scope, (apr_uint32_t)now, nonce);
}

int lbs_nonce_good(const lbs_hash_key_t *key, const char *scope,
                   apr_int64_t now, const char *nonce)
{
    char want[LBS_NONCE_LEN + 1];
    unsigned char differs = 0;
    apr_uint32_t made, age;
    int i;

    if (strlen(nonce) != LBS_NONCE_LEN) {
        return 0;
    }
    made = get_hex(nonce);
    make(key, scope, made, want);
    /* All of it, always: how soon it ends must not tell how much was right. */
    for (i = 0; i < LBS_NONCE_LEN; i++) {
        differs = (unsigned char)(differs | (want[i] ^ nonce[i]));
    }
    age = (apr_uint32_t)now - made;
    return differs == 0 && age <= LBS_NONCE_LIFE_S;
}
