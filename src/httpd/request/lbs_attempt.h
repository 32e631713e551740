/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_attempt.h - one attempt: send a request to one member and judge the
 * result.
 *
 * The scheme's own handler does the work; this file runs it under observation
 * (lbs_backend.h, lbs_body.h, lbs_answer.h), finds the cause of its end and
 * lets the member be judged by it.
 */
#ifndef LBS_ATTEMPT_H
#define LBS_ATTEMPT_H

#include <httpd.h>
#include <mod_proxy.h>

#include "src/httpd/request/lbs_headers.h"
#include "src/httpd/request/lbs_request.h"
#include "src/evidence/lbs_cause.h"

/* Arguments that mod_proxy hands through to the scheme's own handler. */
typedef struct lbs_route_t {
    proxy_server_conf *conf;
    const char *proxyhost; /* of ProxyRemote; NULL without */
    apr_port_t proxyport;
    int status; /* as it was before any answer: OK, or of an
                   ErrorDocument the error */
    const char *status_line;
    apr_table_t *headers_out; /* the same; NULL: none */
    apr_table_t *err_headers_out;
    const lbs_headers_t *saved; /* the client's */
} lbs_route_t;

/**
 * Send the request to req->choice.member: enter its row, run the scheme's
 * handler, judge, leave the row.
 *
 * @param url     as lbs_worker_aim() made it
 * @param status  out: the status for mod_proxy if this was the last attempt
 * @return why there is no answer; LBS_CAUSE_NONE: there is one
 */
lbs_cause_t lbs_attempt_make(request_rec *r, lbs_request_t *req,
                             const lbs_route_t *route, char *url, int *status);

#endif
