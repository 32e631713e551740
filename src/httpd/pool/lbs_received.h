/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_received.h - marker and trail of a request that came in.
 *
 * As soon as the header has been read, before any other module looks at it,
 * the marker and the trail of a peer (lbs_marker.h) are taken out of it. A
 * request with a marker that is signed for it is the visitor's of whom the
 * marker speaks: from here on that is its client address, for Require, logs,
 * sources and applications. mod_remoteip then goes on from that address.
 *
 * Where the marker is signed but too old, the address in it proves nothing,
 * and that of the connection is a server's: unless mod_remoteip knows better
 * the request has the address 0.0.0.0, which no Require lets in by name.
 *
 * A visitor at a server's own loopback address is, at another server, a
 * visitor at that server: there the address of the connection stays.
 *
 * A marker without a valid signature changes nothing.
 */
#ifndef LBS_RECEIVED_H
#define LBS_RECEIVED_H

#include <httpd.h>

#include "src/affinity/lbs_hop.h"

typedef enum lbs_received_from_t {
    LBS_RECEIVED_CLIENT, /* no marker, or none that is signed */
    LBS_RECEIVED_PEER,   /* a server with our secret sent it */
    LBS_RECEIVED_LATE    /* the same, but dated more than LBS_HOP_AGE away */
} lbs_received_from_t;

typedef struct lbs_received_t {
    lbs_received_from_t from;
    lbs_hop_t hop;     /* of LBS_RECEIVED_PEER and _LATE */
    const char *trail; /* NULL: none */
    const char *method;
    const char *target; /* path and query */
    /* The header as the client sent it; NULL where its field Connection names
     * nothing out of the ordinary. */
    const apr_table_t *headers;
} lbs_received_t;

/** Register the hooks. Once, in register_hooks. */
void lbs_received_register(void);

/** Marker and trail of this request; for a subrequest or an internal redirect,
 * those of the request that it began with. Cost: one look-up. */
const lbs_received_t *lbs_received_of(const request_rec *r);

/** The PROXY protocol (RemoteIPProxyProtocol) names the client of this
 * connection. */
int lbs_received_is_framed(const conn_rec *c);

#endif
