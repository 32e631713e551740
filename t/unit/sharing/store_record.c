/* SPDX-License-Identifier: Apache-2.0 */
#include "src/sharing/lbs_store_record.h"
#include "t/unit/tap.h"

#include <ctype.h>

static const lbs_hash_key_t master = {"a shared secret"};
static const lbs_hash_key_t other = {"another secret."};
static const lbs_store_record_t record = {APR_UINT64_C(0x0123456789abcdef),
                                          1000, 2000};

static void names(void)
{
    lbs_store_record_secret_t ours, theirs;
    char a[LBS_STORE_RECORD_NAME_LEN + 1], b[LBS_STORE_RECORD_NAME_LEN + 1];
    size_t i, hex = 0;

    lbs_store_record_secret(&ours, &master);
    lbs_store_record_secret(&theirs, &other);
    lbs_store_record_name(&ours, 1, "session=sid", "abc", 3, a);
    for (i = 0; a[i] != '\0'; i++) {
        hex += isxdigit((unsigned char)a[i]) && !isupper((unsigned char)a[i]);
    }
    is_int(hex, LBS_STORE_RECORD_NAME_LEN,
           "a name is 32 lower case hex digits");
    is_str(a, "04488d7e707adca65c936e891e044b21",
           "the same on every machine, whatever its byte order");
    lbs_store_record_name(&ours, 2, "session=sid", "abc", 3, b);
    ok(strcmp(a, b) != 0, "two pools do not share a key");
    lbs_store_record_name(&ours, 1, "session=si", "dabc", 4, b);
    ok(strcmp(a, b) != 0, "where source ends and key begins counts");
    lbs_store_record_name(&theirs, 1, "session=sid", "abc", 3, b);
    ok(strcmp(a, b) != 0, "without the secret nobody knows the name");
    lbs_store_record_name(&ours, 1, "session=sid", "abc\0d", 5, b);
    ok(strcmp(a, b) != 0, "a key does not end at a NUL");
}

static void another_server_reads_it(void)
{
    lbs_store_record_secret_t one, two;
    unsigned char value[LBS_STORE_RECORD_VALUE_LEN];
    lbs_store_record_t got = {0, 0, 0};

    lbs_store_record_secret(&one, &master);
    lbs_store_record_secret(&two, &master);
    lbs_store_record_encode(&one, "name", &record, value);
    is_int(lbs_store_record_decode(&two, "name", value, sizeof(value), 1999,
                                   &got),
           APR_SUCCESS, "a server with the same secret reads it");
    ok(got.member_id == record.member_id && got.created == 1000
           && got.expires == 2000,
       "all of it");
    memset(&got, 0, sizeof(got));
    is_int(lbs_store_record_decode(&two, "name", value, sizeof(value), 2000,
                                   &got),
           APR_TIMEUP, "at its end it is over");
    is_int(got.member_id, 0, "and tells nothing");
    is_int(
        lbs_store_record_decode(&two, "eman", value, sizeof(value), 1, &got),
        APR_EGENERAL, "moved to another name it is refused");
    lbs_store_record_secret(&two, &other);
    is_int(
        lbs_store_record_decode(&two, "name", value, sizeof(value), 1, &got),
        APR_EGENERAL, "of another secret it is refused");
}

static void damaged(void)
{
    lbs_store_record_secret_t secret;
    unsigned char value[LBS_STORE_RECORD_VALUE_LEN + 1] = {0};
    lbs_store_record_t got;
    size_t i;
    int bit, taken = 0;

    lbs_store_record_secret(&secret, &master);
    lbs_store_record_encode(&secret, "name", &record, value);
    for (i = 0; i < LBS_STORE_RECORD_VALUE_LEN; i++) {
        for (bit = 0; bit < 8; bit++) {
            value[i] ^= (unsigned char)(1 << bit);
            taken +=
                lbs_store_record_decode(&secret, "name", value,
                                        LBS_STORE_RECORD_VALUE_LEN, 1, &got)
                == APR_SUCCESS;
            value[i] ^= (unsigned char)(1 << bit);
        }
    }
    is_int(taken, 0, "no value with a flipped bit is taken");
    for (i = 0; i <= LBS_STORE_RECORD_VALUE_LEN + 1; i++) {
        taken += lbs_store_record_decode(&secret, "name", value, i, 1, &got)
                 == APR_SUCCESS;
    }
    is_int(taken, 1, "of all lengths only the right one is taken");
}

int main(void)
{
    names();
    another_server_reads_it();
    damaged();
    return done_testing();
}
