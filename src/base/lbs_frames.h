/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_frames.h - the frames of one direction of an HTTP/2 connection.
 *
 * mod_proxy_http2 does not say why a stream ended. The frames do: this file
 * cuts the bytes of a connection into frames and shows the first bytes of each
 * to the caller's function. It keeps nothing else and changes nothing. Source:
 * RFC 9113, 4.1.
 */
#ifndef LBS_FRAMES_H
#define LBS_FRAMES_H

#include <apr.h>

#define LBS_FRAMES_HEAD 9u     /* bytes before each frame's payload */
#define LBS_FRAMES_PREFACE 24u /* bytes a client sends before all frames */

#define LBS_FRAME_HEADERS 1u
#define LBS_FRAME_RST_STREAM 3u
#define LBS_FRAME_GOAWAY 7u

/* A frame, when its first eight bytes of payload are there. */
typedef struct lbs_frame_t {
    apr_uint32_t stream;
    apr_uint32_t type;
    apr_uint32_t word[2]; /* of the payload; 0 where it is shorter */
} lbs_frame_t;

/* Zero, or only skip is set, at the begin of the connection. */
typedef struct lbs_frames_t {
    apr_uint32_t skip; /* bytes that belong to no frame, or to one shown */
    apr_uint32_t have; /* bytes in start */
    unsigned char start[LBS_FRAMES_HEAD + 8];
} lbs_frames_t;

typedef void lbs_frames_seen_t(void *baton, const lbs_frame_t *frame);

/** More bytes have passed. Cost: some 20 instructions for each frame. */
void lbs_frames_feed(lbs_frames_t *frames, const char *data, apr_size_t n,
                     lbs_frames_seen_t *seen, void *baton);

/** @return 1 when the last byte that passed was the last one of a frame */
int lbs_frames_between(const lbs_frames_t *frames);

#endif
