/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_frames.c - see lbs_frames.h. */
#include "src/base/lbs_frames.h"

#include <string.h>

static apr_uint32_t word_at(const unsigned char *p)
{
    return (apr_uint32_t)p[0] << 24 | (apr_uint32_t)p[1] << 16
           | (apr_uint32_t)p[2] << 8 | p[3];
}

static apr_uint32_t length_of(const lbs_frames_t *frames)
{
    return word_at(frames->start) >> 8;
}

/* Bytes of the frame that have to be there before it is shown. */
static apr_uint32_t wanted(const lbs_frames_t *frames)
{
    apr_uint32_t length;

    if (frames->have < LBS_FRAMES_HEAD) {
        return LBS_FRAMES_HEAD;
    }
    length = length_of(frames);
    return LBS_FRAMES_HEAD + (length < 8 ? length : 8);
}

static void show(lbs_frames_t *frames, lbs_frames_seen_t *seen, void *baton)
{
    lbs_frame_t frame;

    memset(frames->start + frames->have, 0,
           sizeof(frames->start) - frames->have);
    frame.type = frames->start[3];
    frame.stream = word_at(frames->start + 5) & 0x7fffffffu;
    frame.word[0] = word_at(frames->start + LBS_FRAMES_HEAD);
    frame.word[1] = word_at(frames->start + LBS_FRAMES_HEAD + 4);
    frames->skip = length_of(frames) + LBS_FRAMES_HEAD - frames->have;
    frames->have = 0;
    seen(baton, &frame);
}

void lbs_frames_feed(lbs_frames_t *frames, const char *data, apr_size_t n,
                     lbs_frames_seen_t *seen, void *baton)
{
    while (n > 0) {
        apr_uint32_t some =
            frames->skip > 0 ? frames->skip : wanted(frames) - frames->have;

        if (some > n) {
            some = (apr_uint32_t)n;
        }
        if (frames->skip > 0) {
            frames->skip -= some;
        }
        else {
            memcpy(frames->start + frames->have, data, some);
            frames->have += some;
            if (frames->have >= LBS_FRAMES_HEAD
                && frames->have == wanted(frames)) {
                show(frames, seen, baton);
            }
        }
        data += some;
        n -= some;
    }
}

int lbs_frames_between(const lbs_frames_t *frames)
{
    return frames->skip == 0 && frames->have == 0;
}
