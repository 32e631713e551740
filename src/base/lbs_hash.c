/* SPDX-License-Identifier: Apache-2.0 */
#include "src/base/lbs_hash.h"

#include <string.h>

#include <apr_siphash.h>

_Static_assert(LBS_HASH_KEY_LEN == APR_SIPHASH_KSIZE, "SipHash's key");

/* Little endian on every machine, so that hashes of hashes agree. */
static void put64(unsigned char *to, apr_uint64_t value)
{
    int i;

    for (i = 0; i < 8; i++) {
        to[i] = (unsigned char)(value >> (8 * i));
    }
}

apr_uint64_t lbs_hash_bytes(const lbs_hash_key_t *key, const void *data,
                            apr_size_t len)
{
    return apr_siphash24(len != 0 ? data : "", len, key->bytes);
}

apr_uint64_t lbs_hash_two(const lbs_hash_key_t *key, const void *a,
                          apr_size_t alen, const void *b, apr_size_t blen)
{
    unsigned char pair[32];

    put64(pair, lbs_hash_bytes(key, a, alen));
    put64(pair + 8, alen);
    put64(pair + 16, lbs_hash_bytes(key, b, blen));
    put64(pair + 24, blen);
    return lbs_hash_bytes(key, pair, sizeof(pair));
}

void lbs_hash_derive(lbs_hash_key_t *out, const lbs_hash_key_t *master,
                     const char *purpose)
{
    apr_size_t len = strlen(purpose);
    lbs_hash_key_t made;

    put64(made.bytes, lbs_hash_two(master, "derive 0", 8, purpose, len));
    put64(made.bytes + 8, lbs_hash_two(master, "derive 1", 8, purpose, len));
    *out = made;
}
