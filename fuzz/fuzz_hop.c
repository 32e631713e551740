/* SPDX-License-Identifier: Apache-2.0 */
/* A marker and a trail as a client may send them, and a target: what is read
 * of a marker is what its writer wrote, byte for byte, and a trail grows by
 * one tag and passes on nothing but tags. */
#include "src/affinity/lbs_hop.h"
#include "src/affinity/lbs_trail.h"

#include "fuzz/input.h"

#define NOW 1700000000u

static const lbs_hash_key_t key = {"a key of servers"};

static void check_marker(const char *text, const lbs_hop_about_t *about)
{
    char again[LBS_HOP_MAX + 1];
    lbs_hop_t hop, same;
    apr_status_t rv = lbs_hop_read(text, &key, about, NOW, &hop);

    if (rv == APR_EACCES) {
        return;
    }
    must(rv == APR_SUCCESS || rv == APR_TIMEUP);
    lbs_hop_write(again, &key, &hop, about);
    must(strcmp(again, text) == 0);
    must(lbs_hop_read(again, &key, about, NOW, &same) == rv);
    must(same.addr_len == hop.addr_len && same.pool == hop.pool);
}

/* The text is taken for what a marker may say: written and read again. */
static void check_written(const char *text, const lbs_hop_about_t *about)
{
    static const apr_size_t lengths[] = {0, 4, LBS_HOP_ADDR};
    char marker[LBS_HOP_MAX + 1];
    unsigned char bytes[2 * LBS_HOP_ADDR] = {0};
    apr_size_t n = strlen(text);
    lbs_hop_t hop = {.made = NOW}, found;

    memcpy(bytes, text, n < sizeof(bytes) ? n : sizeof(bytes));
    memcpy(&hop.pool, bytes, sizeof(hop.pool));
    memcpy(&hop.member, bytes + 8, sizeof(hop.member));
    memcpy(hop.addr, bytes + LBS_HOP_ADDR, LBS_HOP_ADDR);
    hop.addr_len = lengths[n % 3];
    lbs_hop_write(marker, &key, &hop, about);
    must(strlen(marker) <= LBS_HOP_MAX);
    must(lbs_hop_read(marker, &key, about, NOW, &found) == APR_SUCCESS);
    must(found.pool == hop.pool && found.member == hop.member);
    must(found.addr_len == hop.addr_len
         && memcmp(found.addr, hop.addr, hop.addr_len) == 0);
}

static void check_trail(const char *text, const char *target)
{
    lbs_trail_about_t about = {7, "GET", target};
    char one[LBS_TRAIL_MAX + 1], two[LBS_TRAIL_MAX + 1];

    lbs_trail_extend(one, text, &key, &about, NOW);
    must(strlen(one) <= LBS_TRAIL_MAX);
    must(strlen(one) % (LBS_TRAIL_TAG + 1) == LBS_TRAIL_TAG);
    must(strspn(one, "0123456789abcdef,") == strlen(one));
    must(lbs_trail_has(one, &key, &about, NOW));
    lbs_trail_extend(two, one, &key, &about, NOW);
    must(strlen(two) == LBS_TRAIL_MAX
         || strlen(two) == strlen(one) + 1 + LBS_TRAIL_TAG);
    (void)lbs_trail_has(text, &key, &about, NOW);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input_t in = input_open(data, size);
    lbs_hop_about_t about = {"GET", in.name, "https", "443"};

    check_marker(in.text, &about);
    check_written(in.text, &about);
    check_trail(in.text, in.name);
    input_close(&in);
    return 0;
}
