/* SPDX-License-Identifier: Apache-2.0 */
/* A value, numbers in little endian:
 *
 *     byte 0   version    1
 *     byte 1   zero       7 bytes
 *     byte 8   member id  8
 *     byte 16  created    8, Unix seconds
 *     byte 24  expires    8, Unix seconds
 *     byte 32  MAC        16, over the name and bytes 0 to 31
 */
#include "src/state/lbs_store_record.h"

#include <string.h>

#include "src/base/lbs_hex.h"
#include "src/state/lbs_bytes_int.h"

#define VERSION 1
#define SIGNED_LEN 32
#define MAC_LEN 16

_Static_assert(LBS_STORE_RECORD_VALUE_LEN == SIGNED_LEN + MAC_LEN, "layout");

void lbs_store_record_secret(lbs_store_record_secret_t *out,
                             const lbs_hash_key_t *master)
{
    lbs_hash_derive(&out->name[0], master, "store name 0");
    lbs_hash_derive(&out->name[1], master, "store name 1");
    lbs_hash_derive(&out->mac[0], master, "store mac 0");
    lbs_hash_derive(&out->mac[1], master, "store mac 1");
}

void lbs_store_record_name(const lbs_store_record_secret_t *secret,
                           apr_uint64_t pool_id, const char *source,
                           const void *key, apr_size_t len,
                           char name[LBS_STORE_RECORD_NAME_LEN + 1])
{
    unsigned char id[8];
    int half;

    lbs_bytes_put64(id, pool_id);
    for (half = 0; half < 2; half++) {
        const lbs_hash_key_t *of = &secret->name[half];
        unsigned char where[8];

        lbs_bytes_put64(
            where, lbs_hash_two(of, id, sizeof(id), source, strlen(source)));
        lbs_hex_put(name + half * 16, 16,
                    lbs_hash_two(of, where, sizeof(where), key, len));
    }
    name[LBS_STORE_RECORD_NAME_LEN] = '\0';
}

static void sign(const lbs_store_record_secret_t *secret, const char *name,
                 const unsigned char *value, unsigned char mac[MAC_LEN])
{
    int half;

    for (half = 0; half < 2; half++) {
        lbs_bytes_put64(mac + half * 8,
                        lbs_hash_two(&secret->mac[half], name, strlen(name),
                                     value, SIGNED_LEN));
    }
}

/* Takes the same time wherever the first difference is. */
static int same_mac(const unsigned char *a, const unsigned char *b)
{
    unsigned int differ = 0;
    int i;

    for (i = 0; i < MAC_LEN; i++) {
        differ |= (unsigned int)(a[i] ^ b[i]);
    }
    return differ == 0;
}

void lbs_store_record_encode(const lbs_store_record_secret_t *secret,
                             const char *name,
                             const lbs_store_record_t *record,
                             unsigned char value[LBS_STORE_RECORD_VALUE_LEN])
{
    memset(value, 0, SIGNED_LEN);
    value[0] = VERSION;
    lbs_bytes_put64(value + 8, record->member_id);
    lbs_bytes_put64(value + 16, record->created);
    lbs_bytes_put64(value + 24, record->expires);
    sign(secret, name, value, value + SIGNED_LEN);
}

apr_status_t lbs_store_record_decode(const lbs_store_record_secret_t *secret,
                                     const char *name, const void *value,
                                     apr_size_t len, apr_uint64_t now,
                                     lbs_store_record_t *record)
{
    const unsigned char *bytes = value;
    unsigned char mac[MAC_LEN];
    lbs_store_record_t found;

    if (len != LBS_STORE_RECORD_VALUE_LEN || bytes[0] != VERSION) {
        return APR_EINVAL;
    }
    sign(secret, name, bytes, mac);
    if (!same_mac(mac, bytes + SIGNED_LEN)) {
        return APR_EGENERAL;
    }
    found.member_id = lbs_bytes_get64(bytes + 8);
    found.created = lbs_bytes_get64(bytes + 16);
    found.expires = lbs_bytes_get64(bytes + 24);
    if (now >= found.expires) {
        return APR_TIMEUP;
    }
    *record = found;
    return APR_SUCCESS;
}
