/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_wire_ahead.h - what a member has sent is read in one piece, and handed
 * out by lines.
 *
 * httpd's network filter splits its buckets for each line of a head, and once
 * more for each look whether the next line continues the one before. Where no
 * other filter stands between, the connection to a member takes the network
 * filter's buckets over, with the socket at their end (AP_MODE_EXHAUSTIVE),
 * and a line is a part of the first of them.
 */
#ifndef LBS_WIRE_AHEAD_H
#define LBS_WIRE_AHEAD_H

#include <util_filter.h>

#include "src/httpd/wire/lbs_backend_int.h"

/** Take over the buckets of the filters beneath f, unless one of them wants to
 * see what comes. Before the first read of a connection without TLS and
 * HTTP/2. */
void lbs_wire_ahead_take(ap_filter_t *f);

/** As ap_get_brigade(f->next, ...); f->ctx is an lbs_connection_t. Lines and
 * what is read speculatively are transient buckets, as those of mod_ssl; of
 * AP_MODE_READBYTES at most one bucket is handed out. */
apr_status_t lbs_wire_ahead_get(ap_filter_t *f, apr_bucket_brigade *bb,
                                ap_input_mode_t mode, apr_read_type_e block,
                                apr_off_t bytes);

#endif
