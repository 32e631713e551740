/* SPDX-License-Identifier: Apache-2.0 */
#include "src/affinity/lbs_nonce.h"
#include "t/unit/tap.h"

#define NOW 1700000000

static const lbs_hash_key_t key = {"0123456789abcde"};
static const lbs_hash_key_t other = {"1123456789abcde"};

static void lifetime(const char *nonce)
{
    ok(lbs_nonce_good(&key, "www:80", NOW, nonce), "good at once");
    ok(lbs_nonce_good(&key, "www:80", NOW + LBS_NONCE_LIFE_S, nonce),
       "good to the end");
    ok(!lbs_nonce_good(&key, "www:80", NOW + LBS_NONCE_LIFE_S + 1, nonce),
       "not good after it");
    ok(!lbs_nonce_good(&key, "www:80", NOW - 1, nonce),
       "not good before it was made");
}

static void forging(const char *nonce)
{
    char wrong[LBS_NONCE_LEN + 1];
    int i, bit, good = 0;

    ok(!lbs_nonce_good(&other, "www:80", NOW, nonce), "another key");
    ok(!lbs_nonce_good(&key, "www:8080", NOW, nonce), "another host");
    ok(!lbs_nonce_good(&key, "www:80", NOW, ""), "an empty one");
    ok(!lbs_nonce_good(&key, "www:80", NOW, "000000000000000000000000"),
       "zeros");
    for (i = 0; i < LBS_NONCE_LEN; i++) {
        for (bit = 0; bit < 8; bit++) {
            strcpy(wrong, nonce);
            wrong[i] = (char)(wrong[i] ^ (1 << bit));
            good +=
                wrong[i] != '\0' && lbs_nonce_good(&key, "www:80", NOW, wrong);
        }
    }
    is_int(good, 0, "no single bit may be turned");
    strcpy(wrong, nonce);
    wrong[LBS_NONCE_LEN - 1] = '\0';
    ok(!lbs_nonce_good(&key, "www:80", NOW, wrong), "one digit less");
}

int main(void)
{
    char nonce[LBS_NONCE_LEN + 1], later[LBS_NONCE_LEN + 1];

    lbs_nonce_make(&key, "www:80", NOW, nonce);
    lbs_nonce_make(&key, "www:80", NOW + 1, later);
    is_int(strlen(nonce), LBS_NONCE_LEN, "its length");
    ok(strcmp(nonce, later) != 0, "each second has its own");
    lifetime(nonce);
    forging(nonce);
    return done_testing();
}
