/* SPDX-License-Identifier: Apache-2.0 */
#include "src/affinity/lbs_hop.h"

#include <string.h>

#include "t/unit/tap.h"

static const lbs_hash_key_t key = {"a key of servers"};
static const lbs_hash_key_t other_key = {"another of them."};

static const lbs_hop_about_t about = {"GET", "/a?b=c", "https", "443"};

#define NOW 1700000000u

static const lbs_hop_t hop = {NOW, 1, 2, {203, 0, 113, 9}, 4};

static apr_status_t shown_at(const char *text, const lbs_hop_about_t *to,
                             apr_uint32_t now, lbs_hop_t *found)
{
    lbs_hop_t unused;

    return lbs_hop_read(text, &key, to, now, found != NULL ? found : &unused);
}

static apr_status_t shown(const char *text, const lbs_hop_about_t *to)
{
    return shown_at(text, to, NOW, NULL);
}

static void a_marker_is_good_for_its_request(void)
{
    char text[LBS_HOP_MAX + 1];
    lbs_hop_t found;

    lbs_hop_write(text, &key, &hop, &about);
    is_int(shown_at(text, &about, NOW, &found), APR_SUCCESS, "right");
    is_int(found.made, NOW, "its time");
    is_int(found.pool, 1, "its pool");
    is_int(found.member, 2, "its member");
    is_int(found.addr_len, 4, "an IPv4 address");
    is_mem(found.addr, hop.addr, 4, "the visitor's");
    is_int(lbs_hop_read(text, &other_key, &about, NOW, &found), APR_EACCES,
           "another secret");
    is_str(text,
           "1-6553f100-0000000000000001-0000000000000002-cb007109-"
           "23648359a3aba0cf6e27cee56a2bb92c",
           "the same on every machine");
}

static void addresses_of_all_lengths(void)
{
    char text[LBS_HOP_MAX + 1];
    lbs_hop_t six = hop, none = hop, found;
    int i;

    six.addr_len = LBS_HOP_ADDR;
    for (i = 0; i < LBS_HOP_ADDR; i++) {
        six.addr[i] = (unsigned char)(i * 17);
    }
    lbs_hop_write(text, &key, &six, &about);
    is_int(strlen(text), LBS_HOP_MAX - 1, "the longest fits");
    is_int(shown_at(text, &about, NOW, &found), APR_SUCCESS, "IPv6");
    is_mem(found.addr, six.addr, LBS_HOP_ADDR, "whole");
    none.addr_len = 0;
    lbs_hop_write(text, &key, &none, &about);
    is_int(shown_at(text, &about, NOW, &found), APR_SUCCESS, "no visitor");
    is_int(found.addr_len, 0, "no address");
}

static void a_marker_is_good_for_no_other_request(void)
{
    char text[LBS_HOP_MAX + 1];
    lbs_hop_about_t to;

    lbs_hop_write(text, &key, &hop, &about);
#define DIFFERS(field, value)                                                 \
    to = about;                                                               \
    to.field = value;                                                         \
    is_int(shown(text, &to), APR_EACCES, "another " #field)
    DIFFERS(method, "POST");
    DIFFERS(method, "GET/a");
    DIFFERS(target, "/a?b=d");
    DIFFERS(target, NULL);
    DIFFERS(proto, "http");
    DIFFERS(port, "80");
    DIFFERS(port, NULL);
#undef DIFFERS
}

static int changes_unseen(char *text)
{
    lbs_hop_t found = {0};
    apr_size_t n = strlen(text), i;
    int wrong = 0;

    for (i = 0; i < n; i++) {
        char kept = text[i];

        text[i] = kept == '4' ? '5' : '4';
        wrong += shown_at(text, &about, NOW, &found) != APR_EACCES;
        text[i] = '\0';
        wrong += shown_at(text, &about, NOW, &found) != APR_EACCES;
        text[i] = kept;
    }
    return wrong + (found.made != 0);
}

static void no_character_can_be_changed(void)
{
    char text[LBS_HOP_MAX + 1], longer[LBS_HOP_MAX + 3];
    lbs_hop_t six = hop;

    six.addr_len = LBS_HOP_ADDR;
    lbs_hop_write(text, &key, &six, &about);
    is_int(changes_unseen(text), 0, "each change is seen, with IPv6");
    lbs_hop_write(text, &key, &hop, &about);
    is_int(changes_unseen(text), 0, "with IPv4, and nothing is written");
    is_int(shown(text, &about), APR_SUCCESS, "and the whole is right again");
    memcpy(longer, text, strlen(text) + 1);
    strcat(longer, "0");
    is_int(shown(longer, &about), APR_EACCES, "a digit more");
    is_int(shown("", &about), APR_EACCES, "nothing");
    is_int(shown("3-", &about), APR_EACCES, "a count, as 1.0 wrote it");
    for (longer[0] = '\0'; strlen(longer) < LBS_HOP_MAX;) {
        strcat(longer, "-");
    }
    is_int(shown(longer, &about), APR_EACCES, "only separators");
}

static void upper_case_is_another_text(void)
{
    char text[LBS_HOP_MAX + 1];
    char *c;

    lbs_hop_write(text, &key, &hop, &about);
    for (c = text; *c != '\0'; c++) {
        *c = *c >= 'a' && *c <= 'f' ? (char)(*c - 32) : *c;
    }
    is_int(shown(text, &about), APR_EACCES, "one spelling only");
}

static void a_marker_ages(void)
{
    char text[LBS_HOP_MAX + 1];
    lbs_hop_t last = hop, found;

    lbs_hop_write(text, &key, &hop, &about);
#define AT(now, status, what)                                                 \
    is_int(shown_at(text, &about, now, &found), status, what)
    AT(NOW + LBS_HOP_AGE, APR_SUCCESS, "a minute later");
    AT(NOW + LBS_HOP_AGE + 1, APR_TIMEUP, "and a second");
    is_int(found.member, 2, "what it says is known all the same");
    AT(NOW - LBS_HOP_AGE, APR_SUCCESS, "our clock is a minute behind");
    AT(NOW - LBS_HOP_AGE - 1, APR_TIMEUP, "and a second");
    last.made = APR_UINT32_MAX;
    lbs_hop_write(text, &key, &last, &about);
    AT(3, APR_SUCCESS, "when 32 bits are full");
    AT(NOW, APR_TIMEUP, "and far from that");
#undef AT
}

int main(void)
{
    a_marker_is_good_for_its_request();
    addresses_of_all_lengths();
    a_marker_is_good_for_no_other_request();
    no_character_can_be_changed();
    upper_case_is_another_text();
    a_marker_ages();
    return done_testing();
}
