/* SPDX-License-Identifier: Apache-2.0 */
/* Golden values: servers of different machines must hash alike, and a
 * session must outlive an update. None of these may ever change. */
#include "src/base/lbs_hash.h"

#include <apr_siphash.h>

#include "t/unit/tap.h"

static lbs_hash_key_t key; /* 00 01 ... 0f, as in the paper on SipHash */

static void is_hash(apr_uint64_t got, apr_uint64_t want, const char *what)
{
    if (!ok(got == want, "%s", what)) {
        diag("got 0x%016" APR_UINT64_T_HEX_FMT, got);
    }
}

/* Appendix A of the paper, and the vectors of its reference code. */
static void test_reference(void)
{
    unsigned char data[15];
    size_t i;

    for (i = 0; i < sizeof(data); i++) {
        data[i] = (unsigned char)i;
    }
    is_hash(lbs_hash_bytes(&key, data, 15), APR_UINT64_C(0xa129ca6149be45e5),
            "the example of the paper");
    is_hash(lbs_hash_bytes(&key, data, 1), APR_UINT64_C(0x74f839c593dc67fd),
            "one byte");
    is_hash(lbs_hash_bytes(&key, data, 0), APR_UINT64_C(0x726fdb47dd0e0e31),
            "no byte");
    is_hash(lbs_hash_bytes(&key, NULL, 0), APR_UINT64_C(0x726fdb47dd0e0e31),
            "no byte and no address");
}

/* All lengths around the words, with keys that have the highest bits set. */
static void test_twin(void)
{
    unsigned char data[600];
    lbs_hash_key_t other;
    size_t i, len;
    int differ = 0;

    for (i = 0; i < sizeof(data); i++) {
        data[i] = (unsigned char)(i * 151 + 7);
    }
    for (len = 0; len + 7 < sizeof(data); len++) {
        for (i = 0; i < sizeof(other.bytes); i++) {
            other.bytes[i] = (unsigned char)(255 - len * 3 - i * 29);
        }
        differ += lbs_hash_bytes(&other, data + len % 7, len)
                  != apr_siphash24(data + len % 7, len, other.bytes);
    }
    ok(differ == 0, "APR's SipHash for all lengths up to 592");
}

static void test_signs(void)
{
    is_hash(lbs_hash_bytes(&key, "\x80\xff\x7f", 3),
            APR_UINT64_C(0x515e5e5126879d12), "bytes are not signed");
}

static void test_two(void)
{
    apr_uint64_t abc = lbs_hash_two(&key, "ab", 2, "c", 1);

    is_hash(abc, APR_UINT64_C(0x69e5eca3955c5b0c), "a pair");
    ok(abc != lbs_hash_two(&key, "a", 1, "bc", 2), "cut at another place");
    ok(abc != lbs_hash_two(&key, "c", 1, "ab", 2), "in another order");
    ok(lbs_hash_two(&key, NULL, 0, "x", 1)
           != lbs_hash_two(&key, "x", 1, NULL, 0),
       "with an empty side");
    ok(lbs_hash_two(&key, "a\0b", 3, "", 0)
           != lbs_hash_two(&key, "a", 1, "", 0),
       "a NUL ends nothing");
    is_hash(lbs_hash_tail(&key, lbs_hash_head(&key, "ab", 2), "c", 1), abc,
            "in two halves");
}

static void test_derive(void)
{
    lbs_hash_key_t table;
    lbs_hash_key_t token;
    lbs_hash_key_t self = key;

    lbs_hash_derive(&table, &key, "table");
    lbs_hash_derive(&token, &key, "token");
    lbs_hash_derive(&self, &self, "table");
    ok(memcmp(&table, &token, sizeof(table)) != 0, "one key per purpose");
    ok(memcmp(&table, &key, sizeof(table)) != 0, "none is the master");
    ok(memcmp(table.bytes, table.bytes + 8, 8) != 0, "with two halves");
    is_mem(&self, &table, sizeof(table), "derived in place");
    is_hash(lbs_hash_bytes(&table, "a", 1), APR_UINT64_C(0xdc9e1bc3c3d8ea47),
            "a hash with a derived key");
}

/* Inverse of x ^ (x >> shift). */
static apr_uint64_t unshift(apr_uint64_t x, int shift)
{
    apr_uint64_t y = x;
    int done;

    for (done = shift; done < 64; done += shift) {
        y = x ^ (y >> shift);
    }
    return y;
}

/* Undoing the steps proves that no two numbers meet. */
static void test_mix(void)
{
    apr_uint64_t x = 1;
    int lost = 0;
    int i;

    for (i = 0; i < 10000; i++) {
        apr_uint64_t y = unshift(lbs_hash_mix(x), 31);

        y = unshift(y * APR_UINT64_C(0x319642b2d24d8ec3), 27);
        y = unshift(y * APR_UINT64_C(0x96de1b173f119089), 30);
        lost += y != x;
        x = x * APR_UINT64_C(6364136223846793005) + 1;
    }
    is_int(lost, 0, "the mixer is a bijection");
    is_hash(lbs_hash_mix(1), APR_UINT64_C(0x5692161d100b05e5),
            "and that of splitmix64");
}

int main(void)
{
    int i;

    for (i = 0; i < LBS_HASH_KEY_LEN; i++) {
        key.bytes[i] = (unsigned char)i;
    }
    test_reference();
    test_twin();
    test_signs();
    test_two();
    test_derive();
    test_mix();
    return done_testing();
}
