/* SPDX-License-Identifier: Apache-2.0 */
#include "src/affinity/lbs_hop.h"

#include "t/unit/tap.h"

static const lbs_hash_key_t key = {"a key of servers"};
static const lbs_hash_key_t other_key = {"another of them."};

static const lbs_hop_about_t about = {1, 2, "GET", "/a?b=c", "https", "443"};

#define NOW 1700000000u

static apr_status_t shown(const char *text, const lbs_hop_about_t *to)
{
    return lbs_hop_verify(text, &key, to, NOW);
}

static void a_marker_is_good_for_its_request(void)
{
    char text[LBS_HOP_LEN + 1];

    lbs_hop_write(text, &key, &about, 1, NOW);
    is_int(strlen(text), LBS_HOP_LEN, "length");
    is_int(shown(text, &about), APR_SUCCESS, "right");
    is_int(lbs_hop_count(text), 1, "first hop");
    is_int(lbs_hop_verify(text, &other_key, &about, NOW), APR_EACCES,
           "another secret");
    is_str(text, "1-6553f100-17affa977003c094a4e3cd6c7902ee42",
           "the same on every machine");
}

static void a_marker_is_good_for_no_other_request(void)
{
    char text[LBS_HOP_LEN + 1];
    lbs_hop_about_t to;

    lbs_hop_write(text, &key, &about, 1, NOW);
#define DIFFERS(field, value)                                                 \
    to = about;                                                               \
    to.field = value;                                                         \
    is_int(shown(text, &to), APR_EACCES, "another " #field)
    DIFFERS(pool, 3);
    DIFFERS(member, 1);
    DIFFERS(method, "POST");
    DIFFERS(method, "GET/a");
    DIFFERS(target, "/a?b=d");
    DIFFERS(target, NULL);
    DIFFERS(proto, "http");
    DIFFERS(port, "80");
    DIFFERS(port, NULL);
#undef DIFFERS
}

static void no_character_can_be_changed(void)
{
    char text[LBS_HOP_LEN + 1];
    int i, wrong = 0;

    lbs_hop_write(text, &key, &about, 3, NOW);
    for (i = 0; i < LBS_HOP_LEN; i++) {
        char kept = text[i];

        text[i] = kept == '4' ? '5' : '4';
        wrong += shown(text, &about) != APR_EACCES;
        text[i] = '\0';
        wrong += shown(text, &about) != APR_EACCES;
        text[i] = kept;
    }
    is_int(wrong, 0, "each change is seen");
    is_int(shown(text, &about), APR_SUCCESS, "and the whole is right again");
    is_int(shown("", &about), APR_EACCES, "nothing");
    is_int(shown("1-6553f100-17AFFA977003C094A4E3CD6C7902EE42", &about),
           APR_EACCES, "one spelling only");
}

static void a_marker_ages(void)
{
    char text[LBS_HOP_LEN + 1];

    lbs_hop_write(text, &key, &about, 1, NOW);
#define AT(now, status, what)                                                 \
    is_int(lbs_hop_verify(text, &key, &about, now), status, what)
    AT(NOW + LBS_HOP_AGE, APR_SUCCESS, "a minute later");
    AT(NOW + LBS_HOP_AGE + 1, APR_TIMEUP, "and a second");
    AT(NOW - LBS_HOP_AGE, APR_SUCCESS, "our clock is a minute behind");
    AT(NOW - LBS_HOP_AGE - 1, APR_TIMEUP, "and a second");
    lbs_hop_write(text, &key, &about, 1, APR_UINT32_MAX);
    AT(3, APR_SUCCESS, "when 32 bits are full");
    AT(NOW, APR_TIMEUP, "and far from that");
#undef AT
}

static void hops_are_counted(void)
{
    char text[LBS_HOP_LEN + 1];

    lbs_hop_write(text, &key, &about, 9, NOW);
    is_int(lbs_hop_count(text), 9, "nine");
    lbs_hop_write(text, &key, &about, 4000000000u, NOW);
    is_int(lbs_hop_count(text), 9, "many");
    is_int(lbs_hop_count(""), 1, "nothing");
    is_int(lbs_hop_count("7"), 1, "another shape");
    is_int(lbs_hop_count("0-"), 1, "none");
    is_int(lbs_hop_count("7-x"), 7, "is believed of anybody");
}

int main(void)
{
    a_marker_is_good_for_its_request();
    a_marker_is_good_for_no_other_request();
    no_character_can_be_changed();
    a_marker_ages();
    hops_are_counted();
    return done_testing();
}
