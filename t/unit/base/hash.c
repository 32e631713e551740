/* SPDX-License-Identifier: Apache-2.0 */
/* Golden vectors: a hash that depends on byte order, on the sign of char or
 * on the word size of the machine sends every session elsewhere. None of the
 * constants was made by the code under test. */
#include "src/base/lbs_hash.h"

#include "t/unit/tap.h"

/* The key of the SipHash paper: 00 01 .. 0f. */
static lbs_hash_key_t paper_key(void)
{
    lbs_hash_key_t key;
    int i;

    for (i = 0; i < LBS_HASH_KEY_LEN; i++) {
        key.bytes[i] = (unsigned char)i;
    }
    return key;
}

int main(void)
{
    lbs_hash_key_t key = paper_key();
    lbs_hash_key_t one;
    lbs_hash_key_t two;
    unsigned char text[64];
    int i;

    for (i = 0; i < 64; i++) {
        text[i] = (unsigned char)i;
    }
    /* From vectors_sip64 of the reference implementation. */
    ok(lbs_hash_bytes(&key, NULL, 0) == 0x726fdb47dd0e0e31u, "0 bytes");
    ok(lbs_hash_bytes(&key, text, 1) == 0x74f839c593dc67fdu, "1 byte");
    ok(lbs_hash_bytes(&key, text, 7) == 0xab0200f58b01d137u, "7 bytes");
    ok(lbs_hash_bytes(&key, text, 8) == 0x93f5f5799a932462u, "8 bytes");
    ok(lbs_hash_bytes(&key, text, 15) == 0xa129ca6149be45e5u,
       "15 bytes, the example of the paper");
    ok(lbs_hash_bytes(&key, text, 63) == 0x958a324ceb064572u, "63 bytes");

    ok(lbs_hash_two(&key, "ab", 2, "c", 1)
           != lbs_hash_two(&key, "a", 1, "bc", 2),
       "where a pair is cut matters");
    ok(lbs_hash_two(&key, "", 0, "x", 1) != lbs_hash_two(&key, "x", 1, "", 0),
       "so does the order");
    ok(lbs_hash_two(&key, NULL, 0, NULL, 0)
           == lbs_hash_two(&key, "", 0, "", 0),
       "no string is an empty string");
    ok(lbs_hash_two(&key, "ab", 2, "c", 1) == 0x69e5eca3955c5b0cu,
       "the golden pair");

    lbs_hash_derive(&one, &key, "table");
    lbs_hash_derive(&two, &key, "token");
    ok(memcmp(&one, &two, sizeof(one)) != 0, "one key for each purpose");
    ok(memcmp(one.bytes, one.bytes + 8, 8) != 0, "of two different halves");
    is_mem(one.bytes,
           "\x6c\x99\x28\xe7\xe2\x68\xcd\xd2\x2d\xff\xee\x86\xe7\x19\xee\x25",
           16, "the golden key");
    two = key;
    lbs_hash_derive(&two, &two, "table");
    is_mem(&two, &one, sizeof(one), "a key can be derived in place");

    ok(lbs_hash_mix(0) == 0, "mix of 0");
    ok(lbs_hash_mix(0x9e3779b97f4a7c15u) == 0xe220a8397b1dcdafu,
       "mix of what splitmix64 mixes first");
    return done_testing();
}
