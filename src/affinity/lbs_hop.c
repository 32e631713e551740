/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_hop.c - see lbs_hop.h. */
#include "src/affinity/lbs_hop.h"

#include <string.h>

#include "src/base/lbs_bytes.h"
#include "src/base/lbs_hex.h"

#define TIME_AT 2
#define TIME_LEN 8
#define MAC_AT (TIME_AT + TIME_LEN + 1)
#define MAC_LEN 32

_Static_assert(MAC_AT + MAC_LEN == LBS_HOP_LEN, "layout");

static apr_uint64_t chain(const lbs_hash_key_t *key, apr_uint64_t before,
                          const char *text)
{
    unsigned char head[8];

    lbs_bytes_put64(head, before);
    return lbs_hash_two(key, head, sizeof(head), text,
                        text != NULL ? strlen(text) : 0);
}

/* One half of the MAC. `front` is the marker's own text before it. */
static apr_uint64_t half(const lbs_hash_key_t *master, const char *purpose,
                         const char *front, const lbs_hop_about_t *about)
{
    unsigned char ids[16];
    lbs_hash_key_t key;
    apr_uint64_t hash;

    lbs_hash_derive(&key, master, purpose);
    lbs_bytes_put64(ids, about->pool);
    lbs_bytes_put64(ids + 8, about->member);
    hash = lbs_hash_two(&key, ids, sizeof(ids), front, MAC_AT);
    hash = chain(&key, hash, about->method);
    hash = chain(&key, hash, about->target);
    hash = chain(&key, hash, about->proto);
    return chain(&key, hash, about->port);
}

static void put_mac(char *text, const lbs_hash_key_t *key,
                    const lbs_hop_about_t *about)
{
    lbs_hex_put(text + MAC_AT, MAC_LEN / 2,
                half(key, "hop mac 0", text, about));
    lbs_hex_put(text + MAC_AT + MAC_LEN / 2, MAC_LEN / 2,
                half(key, "hop mac 1", text, about));
    text[LBS_HOP_LEN] = '\0';
}

void lbs_hop_write(char out[LBS_HOP_LEN + 1], const lbs_hash_key_t *key,
                   const lbs_hop_about_t *about, unsigned hops,
                   apr_uint32_t now)
{
    memset(out, '-', LBS_HOP_LEN);
    out[0] = (char)('0' + (hops < LBS_HOP_MAX ? hops : LBS_HOP_MAX));
    lbs_hex_put(out + TIME_AT, TIME_LEN, now);
    put_mac(out, key, about);
}

unsigned lbs_hop_count(const char *text)
{
    return text[0] >= '1' && text[0] <= '9' && text[1] == '-'
               ? (unsigned)(text[0] - '0')
               : 1;
}

apr_status_t lbs_hop_verify(const char *text, const lbs_hash_key_t *key,
                            const lbs_hop_about_t *about, apr_uint32_t now)
{
    char wanted[LBS_HOP_LEN + 1];
    apr_uint64_t time;
    apr_uint32_t made;
    unsigned differ = 0;
    int i;

    if (strlen(text) != LBS_HOP_LEN || text[1] != '-'
        || text[MAC_AT - 1] != '-'
        || !lbs_hex_get(text + TIME_AT, TIME_LEN, &time)) {
        return APR_EACCES;
    }
    made = (apr_uint32_t)time;
    memcpy(wanted, text, MAC_AT);
    put_mac(wanted, key, about);
    for (i = MAC_AT; i < LBS_HOP_LEN; i++) {
        differ |= (unsigned)(wanted[i] ^ text[i]);
    }
    if (differ != 0) {
        return APR_EACCES;
    }
    return now - made <= LBS_HOP_AGE || made - now <= LBS_HOP_AGE ? APR_SUCCESS
                                                                  : APR_TIMEUP;
}
