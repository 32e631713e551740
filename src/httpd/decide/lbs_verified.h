/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_verified.h - the token that a connection has shown before.
 *
 * A browser shows the same token with each request of a kept-alive connection.
 * What its verification takes is paid once: afterwards the bytes are compared
 * with those that were found good.
 */
#ifndef LBS_VERIFIED_H
#define LBS_VERIFIED_H

#include <httpd.h>

#include "src/affinity/lbs_token.h"
#include "src/base/lbs_slice.h"

/**
 * As lbs_token_verify() with this process's secrets.
 *
 * Cost: for a token that this connection showed last, one comparison. One
 * token is kept per connection; the streams of HTTP/2 keep none, because
 * threads share their connection.
 *
 * @param pool  lbs_token_pool_id() of the pool it is shown to
 */
apr_status_t lbs_verified_token(conn_rec *c, apr_uint64_t pool,
                                lbs_slice_t value, lbs_token_t *token);

#endif
