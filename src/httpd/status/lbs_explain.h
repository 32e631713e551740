/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_explain.h - /explain: the decision that a visitor would get, and why. */
#ifndef LBS_EXPLAIN_H
#define LBS_EXPLAIN_H

#include <httpd.h>

/**
 * Serve /explain?pool=P with cookie=TOKEN, ip=ADDRESS or key=SOURCE:VALUE, or
 * none of them for a visitor without a key; vhost= where two have the pool.
 * Reads all that a request would read, and changes nothing: no count, no table
 * entry, no turn of round-robin.
 *
 * @return for the handler to return
 */
int lbs_explain_serve(request_rec *r);

#endif
