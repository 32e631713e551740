/* SPDX-License-Identifier: Apache-2.0 */
#include "src/base/lbs_frames.h"
#include "t/unit/tap.h"

static lbs_frame_t shown[64];
static unsigned count;

static void seen(void *baton, const lbs_frame_t *frame)
{
    (void)baton;
    if (count < 64) {
        shown[count++] = *frame;
    }
}

/* A preface, SETTINGS without and with a setting, HEADERS, DATA of 300 bytes,
 * RST_STREAM, GOAWAY. */
static apr_size_t make(unsigned char *to)
{
    static const unsigned char rest[] = {
        0, 0, 4, 3, 0, 0x80, 0, 0, 1, 0, 0, 0, 7, /* the top bit is none */
        0, 0, 8, 7, 0, 0,    0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 2,
    };
    static const unsigned char first[] = {
        0, 0, 0, 4,    0, 0, 0,    0, 0,   0, 0, 6, 4, 0, 0,
        0, 0, 0, 0,    3, 0, 0,    0, 100, 0, 0, 1, 1, 4, 0,
        0, 0, 1, 0x88, 0, 1, 0x2c, 0, 0,   0, 0, 0, 1,
    };
    unsigned char *p = to;

    memset(p, 'P', LBS_FRAMES_PREFACE);
    p += LBS_FRAMES_PREFACE;
    memcpy(p, first, sizeof(first));
    p += sizeof(first);
    memset(p, 3, 300);
    p += 300;
    memcpy(p, rest, sizeof(rest));
    return (apr_size_t)(p - to) + sizeof(rest);
}

static void check(const char *how)
{
    is_int((int)count, 6, "%s: six frames", how);
    is_int((int)shown[0].type, 4, "an empty one");
    is_int((int)shown[1].word[0], 0x00030000, "a setting");
    is_int((int)shown[2].type, LBS_FRAME_HEADERS, "a head");
    is_int((int)shown[2].stream, 1, "of stream 1");
    is_int((int)shown[2].word[0], (int)0x88000000u, "of one byte");
    is_int((int)shown[3].word[1], 0x03030303, "data");
    is_int((int)shown[4].type, LBS_FRAME_RST_STREAM, "a reset");
    is_int((int)shown[4].stream, 1, "of stream 1");
    is_int((int)shown[4].word[0], 7, "refused");
    is_int((int)shown[5].type, LBS_FRAME_GOAWAY, "an end");
    is_int((int)shown[5].word[0], 5, "after stream 5");
    is_int((int)shown[5].word[1], 2, "because of 2");
}

static void frames_come_in_any_pieces(void)
{
    unsigned char bytes[512];
    apr_size_t n = make(bytes);
    apr_size_t piece, at;

    for (piece = 1; piece <= n; piece += piece < 20 ? 1 : 97) {
        lbs_frames_t frames = {.skip = LBS_FRAMES_PREFACE};
        int between = 0;
        char how[32];

        count = 0;
        for (at = 0; at < n; at += piece) {
            lbs_frames_feed(&frames, (const char *)bytes + at,
                            n - at < piece ? n - at : piece, seen, NULL);
            between += lbs_frames_between(&frames);
        }
        sprintf(how, "%d bytes at once", (int)piece);
        check(how);
        ok(lbs_frames_between(&frames), "and nothing is open");
        ok(piece > 1 || between == 7, "seven times in all");
    }
}

int main(void)
{
    frames_come_in_any_pieces();
    return done_testing();
}
