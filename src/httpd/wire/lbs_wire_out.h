/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_wire_out.h - filters on what is sent to a member. They see whether and
 * when something was sent, refuse a kept-alive connection that a request which
 * cannot be repeated should not trust, and let the answer be read of a member
 * that reads no more.
 */
#ifndef LBS_WIRE_OUT_H
#define LBS_WIRE_OUT_H

#include <util_filter.h>

/** Filter function; f->ctx is an lbs_connection_t. Above TLS. */
apr_status_t lbs_wire_out(ap_filter_t *f, apr_bucket_brigade *bb);

/** Filter function; f->ctx is an lbs_connection_t. Beneath TLS, which does not
 * read where it could not write. */
apr_status_t lbs_wire_out_sink(ap_filter_t *f, apr_bucket_brigade *bb);

#endif
