/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_wire_frames.h - what the frames of an HTTP/2 connection say about the
 * attempt of this thread: its stream, the heads on it, why it was closed.
 */
#ifndef LBS_WIRE_FRAMES_H
#define LBS_WIRE_FRAMES_H

#include <apr_buckets.h>

#include "src/httpd/wire/lbs_backend_int.h"

/** These bytes are sent to the member; nothing of them is changed. */
void lbs_wire_frames_out(lbs_connection_t *connection,
                         const apr_bucket_brigade *bb);

/** These bytes came from the member; nothing of them is changed. */
void lbs_wire_frames_in(lbs_connection_t *connection,
                        const apr_bucket_brigade *bb);

#endif
