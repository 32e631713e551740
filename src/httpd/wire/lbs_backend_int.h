/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_backend_int.h - a connection to a member, and the attempt on it. */
#ifndef LBS_BACKEND_INT_H
#define LBS_BACKEND_INT_H

#include <apr_buckets.h>
#include <apr_network_io.h>

#include "src/base/lbs_frames.h"
#include "src/httpd/wire/lbs_backend.h"

/* State of a connection while it is kept alive. */
typedef struct lbs_connection_t {
    apr_socket_t *socket;
    apr_time_t used_at; /* monotonic */
    unsigned number;    /* of all this process has opened, from 1 */
    int secured;        /* by TLS: reading is interrupted beneath it */
    int used;           /* something was sent on it */
    int through;        /* something of this attempt was sent */
    int deaf;           /* the member reads no more of what it is sent */
    int owes_blank;     /* the line after a 100 that we say */
    int whole;          /* before the first read: may what comes be read in
                           one piece? */
    apr_bucket_brigade *ahead; /* what was read in one piece and is not handed
                                  out yet, with the socket at its end; NULL:
                                  the filters beneath keep it */
    lbs_frames_t out, in;
} lbs_connection_t;

/* The attempt of this thread, or NULL: mod_proxy works on a request in one
 * thread from end to end. */
extern __thread lbs_backend_t *lbs_backend_current;

#endif
