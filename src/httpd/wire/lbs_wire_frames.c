/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_wire_frames.c - see lbs_wire_frames.h. */
#include "src/httpd/wire/lbs_wire_frames.h"

/* RFC 9113, 7: the stream was closed before anything was done. */
#define REFUSED_STREAM 7

static void frame_out(void *baton, const lbs_frame_t *frame)
{
    (void)baton;
    if (lbs_backend_current != NULL && frame->type == LBS_FRAME_HEADERS) {
        lbs_backend_current->stream = frame->stream;
    }
}

/* RFC 9113, 8.7: what was refused, and what a GOAWAY leaves out, was not
 * processed. */
static void frame_in(void *baton, const lbs_frame_t *frame)
{
    (void)baton;
    if (lbs_backend_current == NULL || lbs_backend_current->stream == 0) {
        return;
    }
    if (frame->type == LBS_FRAME_HEADERS
        && frame->stream == lbs_backend_current->stream) {
        lbs_backend_current->heads++;
    }
    if (frame->type == LBS_FRAME_RST_STREAM
        && frame->stream == lbs_backend_current->stream
        && frame->word[0] == REFUSED_STREAM) {
        lbs_backend_current->unprocessed = 1;
    }
    if (frame->type == LBS_FRAME_GOAWAY
        && (frame->word[0] & 0x7fffffffu) < lbs_backend_current->stream) {
        lbs_backend_current->unprocessed = 1;
    }
}

static void feed(lbs_frames_t *frames, const apr_bucket_brigade *bb,
                 lbs_frames_seen_t *seen)
{
    apr_bucket *e;
    const char *data;
    apr_size_t n;

    for (e = APR_BRIGADE_FIRST(bb); e != APR_BRIGADE_SENTINEL(bb);
         e = APR_BUCKET_NEXT(e)) {
        if (!APR_BUCKET_IS_METADATA(e)
            && apr_bucket_read(e, &data, &n, APR_BLOCK_READ) == APR_SUCCESS) {
            lbs_frames_feed(frames, data, n, seen, NULL);
        }
    }
}

void lbs_wire_frames_out(lbs_connection_t *connection,
                         const apr_bucket_brigade *bb)
{
    feed(&connection->out, bb, frame_out);
}

void lbs_wire_frames_in(lbs_connection_t *connection,
                        const apr_bucket_brigade *bb)
{
    feed(&connection->in, bb, frame_in);
}
