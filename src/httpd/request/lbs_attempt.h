/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_attempt.h - one attempt: a request at one member, until it is answered
 * or has failed. Zeroed when it begins.
 */
#ifndef LBS_ATTEMPT_H
#define LBS_ATTEMPT_H

#include <apr_time.h>

#include "src/httpd/request/lbs_backend.h"
#include "src/member/lbs_inflight.h"

typedef struct lbs_attempt_t {
    lbs_flight_t flight;   /* its place among what the member has in flight */
    lbs_backend_t backend; /* what was seen of the member's connection */
    apr_time_t sent_at;    /* monotonic */
    apr_time_t first_at;   /* the first byte came back; 0: not seen */
    int keepalives; /* of the client's connection, while we hide them; -1 */
    int forwarding; /* inside the scheme's own handler */
    int answered;   /* the member's answer has begun to come */
    int broken;     /* the answer broke off */
    int judged;     /* ejection knows that it was an answer */
    int discarding; /* and is thrown away: another one is asked */
    apr_uint64_t bytes_out;
    int unmeasured; /* a part of it came as a socket (scgi) */
} lbs_attempt_t;

#endif
