/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_ask.h - the input of a decision, beside the keys that the visitor shows.
 * Filled by the caller of lbs_decide(), never changed by it.
 */
#ifndef LBS_ASK_H
#define LBS_ASK_H

#include <httpd.h>

#include "src/httpd/decide/lbs_visit.h"
#include "src/httpd/pool/lbs_pools.h"

typedef struct lbs_ask_t {
    request_rec *r;
    const lbs_pool_t *pool;
    apr_time_t now; /* monotonic: when it is asked */
    int idempotent; /* the request may be processed twice */
    int waited;     /* it stood in a queue already: once is enough */
    int traceless;  /* only a question: the decision is not remembered and
                       takes no turn */

    /* An answered request of the same page: its token is this one's, too. */
    const lbs_visit_t *earlier; /* NULL: there is none */
    int earlier_member;         /* that answered it */
} lbs_ask_t;

#endif
