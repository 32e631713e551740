/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_nonce.c - proof that a form came from our own page. */
#include "src/affinity/lbs_nonce.h"

#include <string.h>

#include "src/base/lbs_hex.h"

#define TIME_LEN 8 /* hex digits; the rest is the hash */

static void make(const lbs_hash_key_t *key, const char *scope,
                 apr_uint32_t made, char nonce[LBS_NONCE_LEN + 1])
{
    lbs_hex_put(nonce, TIME_LEN, made);
    lbs_hex_put(nonce + TIME_LEN, LBS_NONCE_LEN - TIME_LEN,
                lbs_hash_two(key, nonce, TIME_LEN, scope, strlen(scope)));
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
    apr_uint64_t made;
    apr_uint32_t age;
    int i;

    if (strlen(nonce) != LBS_NONCE_LEN
        || !lbs_hex_get(nonce, TIME_LEN, &made)) {
        return 0;
    }
    make(key, scope, (apr_uint32_t)made, want);
    /* All of it, always: how soon it ends must not tell how much was right. */
    for (i = 0; i < LBS_NONCE_LEN; i++) {
        differs = (unsigned char)(differs | (want[i] ^ nonce[i]));
    }
    age = (apr_uint32_t)now - (apr_uint32_t)made;
    return differs == 0 && age <= LBS_NONCE_LIFE_S;
}
