/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_posted.h - the body of a form that was posted. */
#ifndef LBS_POSTED_H
#define LBS_POSTED_H

#include <httpd.h>

/** @return 1 when the request says that its body is a form */
int lbs_posted_is_form(request_rec *r);

/**
 * Read the body.
 *
 * @param to   out: of LBS_FORM_BYTES + 1
 * @param len  out
 * @return OK, or the status of a refusal; a form that is too long is not read
 * to its end, httpd closes the connection
 */
int lbs_posted_read(request_rec *r, char *to, apr_size_t *len);

#endif
