/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_posted.c - see lbs_posted.h. */
#include "src/httpd/status/lbs_posted.h"

#include <http_protocol.h>
#include <string.h>
#include <strings.h>

#include "src/view/lbs_form.h"

int lbs_posted_is_form(request_rec *r)
{
    static const char type[] = "application/x-www-form-urlencoded";
    const char *have = apr_table_get(r->headers_in, "Content-Type");
    apr_size_t len = sizeof(type) - 1;

    return have != NULL && strncasecmp(have, type, len) == 0
           && (have[len] == '\0' || have[len] == ';' || have[len] == ' ');
}

int lbs_posted_read(request_rec *r, char *to, apr_size_t *len)
{
    int status = ap_setup_client_block(r, REQUEST_CHUNKED_DECHUNK);
    long got = 1;

    *len = 0;
    if (status != OK || !ap_should_client_block(r)) {
        return status;
    }
    if (r->remaining > LBS_FORM_BYTES) {
        return HTTP_REQUEST_ENTITY_TOO_LARGE;
    }
    while (got > 0 && *len <= LBS_FORM_BYTES) {
        got = ap_get_client_block(r, to + *len, LBS_FORM_BYTES + 1 - *len);
        if (got < 0) {
            return HTTP_BAD_REQUEST;
        }
        *len += (apr_size_t)got;
    }
    return *len > LBS_FORM_BYTES ? HTTP_REQUEST_ENTITY_TOO_LARGE : OK;
}
