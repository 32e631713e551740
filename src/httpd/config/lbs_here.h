/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_here.h - how a member's address relates to this httpd.
 *
 * A member is this httpd when its host is an address of this machine and some
 * Listen covers that address and port.
 */
#ifndef LBS_HERE_H
#define LBS_HERE_H

#include <httpd.h>

#include "src/httpd/proxy/lbs_worker.h"

typedef enum lbs_here_t {
    LBS_HERE_NOT,     /* on another machine, or by a scheme of other servers */
    LBS_HERE_MACHINE, /* this machine, but this httpd does not listen there */
    LBS_HERE_HTTPD
} lbs_here_t;

/**
 * Find where a member is. Its name is looked up; one that cannot be resolved
 * is not here.
 *
 * @param url  of a member, as mod_proxy has it
 */
lbs_here_t lbs_here_find(apr_pool_t *ptemp, const char *url);

/**
 * Does this httpd listen where a member is? Names are not looked up, but for
 * localhost.
 *
 * @param addr  out, when it does: the member's address and port
 * @return 1: it does
 */
int lbs_here_listens(apr_pool_t *ptemp, const proxy_worker *worker,
                     apr_sockaddr_t **addr);

#endif
