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
#include "src/sharing/lbs_store_record.h"

#include <string.h>

#include "src/base/lbs_hex.h"
#include "src/base/lbs_bytes.h"
#include "src/sharing/lbs_store_record_int.h"

#define VERSION 1
#define SIGNED_LEN 32

_Static_assert(LBS_STORE_RECORD_VALUE_LEN
                   == SIGNED_LEN + LBS_STORE_RECORD_MAC_LEN,
               "layout");

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

void lbs_store_record_beside(char name[LBS_STORE_RECORD_NAME_LEN + 1])
{
    apr_uint64_t digit = 0;

    (void)lbs_hex_get(name, 1, &digit);
    lbs_hex_put(name, 1, 15 - digit);
}

void lbs_store_record_sign(const lbs_store_record_secret_t *secret,
                           const char *name, const unsigned char *value,
                           apr_size_t len,
                           unsigned char mac[LBS_STORE_RECORD_MAC_LEN])
{
    int half;

    for (half = 0; half < 2; half++) {
        lbs_bytes_put64(
            mac + half * 8,
            lbs_hash_two(&secret->mac[half], name, strlen(name), value, len));
    }
}

int lbs_store_record_is_signed(
    const lbs_store_record_secret_t *secret, const char *name,
    const unsigned char *value, apr_size_t len,
    const unsigned char mac[LBS_STORE_RECORD_MAC_LEN])
{
    unsigned char right[LBS_STORE_RECORD_MAC_LEN];
    unsigned int differ = 0;
    int i;

    lbs_store_record_sign(secret, name, value, len, right);
    for (i = 0; i < LBS_STORE_RECORD_MAC_LEN; i++) {
        differ |= (unsigned int)(mac[i] ^ right[i]);
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
    lbs_store_record_sign(secret, name, value, SIGNED_LEN, value + SIGNED_LEN);
}

apr_status_t lbs_store_record_decode(const lbs_store_record_secret_t *secret,
                                     const char *name, const void *value,
                                     apr_size_t len, apr_uint64_t now,
                                     lbs_store_record_t *record)
{
    const unsigned char *bytes = value;
    lbs_store_record_t found;

    if (len != LBS_STORE_RECORD_VALUE_LEN || bytes[0] != VERSION) {
        return APR_EINVAL;
    }
    if (!lbs_store_record_is_signed(secret, name, bytes, SIGNED_LEN,
                                    bytes + SIGNED_LEN)) {
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
