/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_explain.h - /explain: what would be decided for a visitor, and why. */
#ifndef LBS_EXPLAIN_H
#define LBS_EXPLAIN_H

#include <httpd.h>

/**
 * Serve /explain?pool=P with cookie=TOKEN, ip=ADDRESS or key=SOURCE:VALUE, or
 * none of them for a visitor without a key; vhost= where two have the pool.
 * Reads what a request would read, and changes nothing: no count, no table
 * entry, no turn of round-robin.
 *
 * @return for the handler to return
 */
int lbs_explain_serve(request_rec *r);

#endif
