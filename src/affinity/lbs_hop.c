/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_hop.c - see lbs_hop.h. */
#include "src/affinity/lbs_hop.h"

#include <string.h>

#include "src/base/lbs_bytes.h"
#include "src/base/lbs_hex.h"

#define VERSION '1'
#define TIME_AT 2
#define TIME_LEN 8
#define POOL_AT (TIME_AT + TIME_LEN + 1)
#define ID_LEN 16
#define MEMBER_AT (POOL_AT + ID_LEN + 1)
#define ADDR_AT (MEMBER_AT + ID_LEN + 1)
#define MAC_LEN 32

_Static_assert(ADDR_AT + 2 * LBS_HOP_ADDR + 1 + MAC_LEN <= LBS_HOP_MAX,
               "a marker fits");

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
                         const char *front, apr_size_t len,
                         const lbs_hop_about_t *about)
{
    lbs_hash_key_t key;
    apr_uint64_t hash;

    lbs_hash_derive(&key, master, purpose);
    hash = lbs_hash_bytes(&key, front, len);
    hash = chain(&key, hash, about->method);
    hash = chain(&key, hash, about->target);
    hash = chain(&key, hash, about->proto);
    return chain(&key, hash, about->port);
}

static void put_mac(char to[MAC_LEN], const char *front, apr_size_t len,
                    const lbs_hash_key_t *key, const lbs_hop_about_t *about)
{
    lbs_hex_put(to, MAC_LEN / 2, half(key, "hop mac 0", front, len, about));
    lbs_hex_put(to + MAC_LEN / 2, MAC_LEN / 2,
                half(key, "hop mac 1", front, len, about));
}

void lbs_hop_write(char out[LBS_HOP_MAX + 1], const lbs_hash_key_t *key,
                   const lbs_hop_t *hop, const lbs_hop_about_t *about)
{
    apr_size_t front = ADDR_AT + 2 * hop->addr_len + 1;
    apr_size_t i;

    memset(out, '-', front);
    out[0] = VERSION;
    lbs_hex_put(out + TIME_AT, TIME_LEN, hop->made);
    lbs_hex_put(out + POOL_AT, ID_LEN, hop->pool);
    lbs_hex_put(out + MEMBER_AT, ID_LEN, hop->member);
    for (i = 0; i < hop->addr_len; i++) {
        lbs_hex_put(out + ADDR_AT + 2 * i, 2, hop->addr[i]);
    }
    put_mac(out + front, out, front, key, about);
    out[front + MAC_LEN] = '\0';
}

/* @return length of what the MAC covers; 0: no marker has this shape */
static apr_size_t parse(const char *text, lbs_hop_t *hop)
{
    apr_size_t len = strlen(text);
    apr_uint64_t value;
    apr_size_t i;

    if (len < ADDR_AT + 1 + MAC_LEN || len > LBS_HOP_MAX || text[0] != VERSION
        || text[1] != '-' || text[POOL_AT - 1] != '-'
        || text[MEMBER_AT - 1] != '-' || text[ADDR_AT - 1] != '-'
        || text[len - MAC_LEN - 1] != '-'
        || !lbs_hex_get(text + TIME_AT, TIME_LEN, &value)
        || !lbs_hex_get(text + POOL_AT, ID_LEN, &hop->pool)
        || !lbs_hex_get(text + MEMBER_AT, ID_LEN, &hop->member)) {
        return 0;
    }
    hop->made = (apr_uint32_t)value;
    len -= MAC_LEN;
    hop->addr_len = (len - 1 - ADDR_AT) / 2;
    if (ADDR_AT + 2 * hop->addr_len + 1 != len
        || (hop->addr_len != 0 && hop->addr_len != 4
            && hop->addr_len != LBS_HOP_ADDR)) {
        return 0;
    }
    for (i = 0; i < hop->addr_len; i++) {
        if (!lbs_hex_get(text + ADDR_AT + 2 * i, 2, &value)) {
            return 0;
        }
        hop->addr[i] = (unsigned char)value;
    }
    return len;
}

apr_status_t lbs_hop_read(const char *text, const lbs_hash_key_t *key,
                          const lbs_hop_about_t *about, apr_uint32_t now,
                          lbs_hop_t *hop)
{
    lbs_hop_t found = {0};
    apr_size_t front = parse(text, &found);
    char wanted[MAC_LEN];
    unsigned differ = 0;
    int i;

    if (front == 0) {
        return APR_EACCES;
    }
    put_mac(wanted, text, front, key, about);
    for (i = 0; i < MAC_LEN; i++) {
        differ |= (unsigned)(wanted[i] ^ text[front + (apr_size_t)i]);
    }
    if (differ != 0) {
        return APR_EACCES;
    }
    *hop = found;
    return now - found.made <= LBS_HOP_AGE || found.made - now <= LBS_HOP_AGE
               ? APR_SUCCESS
               : APR_TIMEUP;
}
