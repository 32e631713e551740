/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_remote.h - the other proxy that ProxyRemote puts between httpd and a
 * member, found as mod_proxy finds it: ProxyRemote, ProxyRemoteMatch, NoProxy.
 */
#ifndef LBS_REMOTE_H
#define LBS_REMOTE_H

#include <httpd.h>

typedef struct lbs_remote_t {
    const char *host;  /* NULL: none, the member is connected to directly */
    const char *creds; /* of Proxy-Authorization; NULL: none */
    apr_port_t port;
} lbs_remote_t;

/** The proxy for a URL of a member, in the course of a request. NoProxy looks
 * at the visitor's Host. Cost: a comparison for each line; NoProxy with an
 * address looks the name in Host up. */
lbs_remote_t lbs_remote_find(request_rec *r, const char *url);

/** The same for a request of our own.
 *
 * @param memory  for the look-up of a name
 * @param host    what it says in Host, without a port
 */
lbs_remote_t lbs_remote_find_for(apr_pool_t *memory, const server_rec *s,
                                 const char *host, const char *url);

#endif
