/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_client.h - how the visitor reached the site: scheme and port.
 *
 * Three sources may tell it: the connection, a proxy in front that
 * mod_remoteip trusts, and the configuration (RequestHeader). Values of
 * X-Forwarded-Proto and -Port that the client itself wrote are ignored. A
 * value that is no longer the one the client sent was set by the
 * configuration.
 */
#ifndef LBS_CLIENT_H
#define LBS_CLIENT_H

#include <httpd.h>

#define LBS_CLIENT_PROTO "X-Forwarded-Proto"
#define LBS_CLIENT_PORT "X-Forwarded-Port"

/** Register the hook that notes what the client sent. In register_hooks. */
void lbs_client_register(void);

/** @return 1 when a proxy that mod_remoteip trusts, or a peer
 * (src/httpd/pool/lbs_received.h), speaks for the client */
int lbs_client_trusted(const request_rec *r);

/** @return the field's value where it is to be believed: the configuration
 * or a trusted proxy wrote it; NULL: it did not, or the client did
 * @param name  LBS_CLIENT_PROTO or LBS_CLIENT_PORT */
const char *lbs_client_told(const request_rec *r, const char *name);

/** @return 1 when the client speaks https
 * @param proto  what lbs_client_told() says of LBS_CLIENT_PROTO */
int lbs_client_https(const request_rec *r, const char *proto);

/** @return 1 when the client itself wrote https into X-Forwarded-Proto, which
 * is believed of a proxy that mod_remoteip trusts, and of nobody else */
int lbs_client_claims_https(const request_rec *r);

/** @return the port of the site as the visitor sees it
 * @param proto  as above */
apr_port_t lbs_client_port(const request_rec *r, const char *proto);

#endif
