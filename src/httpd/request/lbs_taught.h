/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_taught.h - the keys that an answer hands out: `session=`, `header=`.
 *
 * The application's Set-Cookie lines and the field of the answer that has the
 * name of the source, as the client will see them: after ProxyPassReverse and
 * what the configuration makes of headers.
 */
#ifndef LBS_TAUGHT_H
#define LBS_TAUGHT_H

#include "src/httpd/request/lbs_request.h"

#define LBS_TAUGHT_MAX 8 /* keys of one source that an answer may hand out */

typedef struct lbs_taught_t {
    unsigned count;
    lbs_slice_t value[LBS_TAUGHT_MAX]; /* different, none empty */
    int replaces; /* the client shows one of them in place of its own */
    int ends;     /* what the client shows is gone, and nothing else is set */
} lbs_taught_t;

/**
 * The keys of a source in an answer.
 *
 * @param r       the request whose answer goes out
 * @param index   of a source `session=` or `header=`
 * @param taught  out; values point into the headers of the answer
 */
void lbs_taught_by(request_rec *r, const lbs_pool_t *pool, int index,
                   lbs_taught_t *taught);

/**
 * Does the member set a cookie of this module's name? It replaces this
 * server's at the client, which would lose its member with every answer. Says
 * so in the log, once a minute at most. To end the cookie is no such thing.
 *
 * @return 1: this server's has to be sent behind it; 0: it does not
 */
int lbs_taught_own(request_rec *r, const lbs_request_t *req);

#endif
