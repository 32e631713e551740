/* SPDX-License-Identifier: Apache-2.0 */
#include "src/base/lbs_hash.h"

#include <string.h>

#include "src/base/lbs_bytes.h"
#include "src/base/lbs_siphash.h"

_Static_assert(LBS_HASH_KEY_LEN == LBS_SIPHASH_KEY_LEN, "SipHash's key");

apr_uint64_t lbs_hash_bytes(const lbs_hash_key_t *key, const void *data,
                            apr_size_t len)
{
    lbs_siphash_t state = lbs_siphash_begin(key->bytes);
    const unsigned char *p = data;
    apr_uint64_t last = (apr_uint64_t)len << 56;
    apr_size_t left;

    for (left = len; left >= 8; left -= 8, p += 8) {
        lbs_siphash_add(&state, lbs_bytes_get64(p));
    }
    while (left-- > 0) {
        last |= (apr_uint64_t)p[left] << (8 * left);
    }
    return lbs_siphash_end(&state, last);
}

lbs_hash_head_t lbs_hash_head(const lbs_hash_key_t *key, const void *a,
                              apr_size_t alen)
{
    lbs_hash_head_t head = {lbs_hash_bytes(key, a, alen), alen};

    return head;
}

/* Little endian on every machine, so that hashes of hashes agree. */
apr_uint64_t lbs_hash_tail(const lbs_hash_key_t *key, lbs_hash_head_t head,
                           const void *b, apr_size_t blen)
{
    unsigned char pair[32];

    lbs_bytes_put64(pair, head.hash);
    lbs_bytes_put64(pair + 8, head.len);
    lbs_bytes_put64(pair + 16, lbs_hash_bytes(key, b, blen));
    lbs_bytes_put64(pair + 24, blen);
    return lbs_hash_bytes(key, pair, sizeof(pair));
}

apr_uint64_t lbs_hash_two(const lbs_hash_key_t *key, const void *a,
                          apr_size_t alen, const void *b, apr_size_t blen)
{
    return lbs_hash_tail(key, lbs_hash_head(key, a, alen), b, blen);
}

void lbs_hash_derive(lbs_hash_key_t *out, const lbs_hash_key_t *master,
                     const char *purpose)
{
    apr_size_t len = strlen(purpose);
    lbs_hash_key_t made;

    lbs_bytes_put64(made.bytes,
                    lbs_hash_two(master, "derive 0", 8, purpose, len));
    lbs_bytes_put64(made.bytes + 8,
                    lbs_hash_two(master, "derive 1", 8, purpose, len));
    *out = made;
}
