/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_check_request.h - the request of a check or a probe.
 *
 * A check is a visitor's request in small: it names the virtual host and says
 * by which scheme and port that is reached, so that an application that looks
 * at them (Django's ALLOWED_HOSTS and SECURE_SSL_REDIRECT) answers it as it
 * answers a visitor.
 *
 * A probe (lbs_probe.h) is the check where the pool has one, else HEAD of the
 * member's root. That is safe (RFC 9110 9.2.1), brings no body, and every
 * server answers it somehow: 200, 302, 401, 404, 405 are all answers. OPTIONS
 * * would be cheaper, but a server in front of an application that hangs
 * answers that by itself. An ejected member is asked by GET, for it may be
 * ejected because its answers break off.
 */
#ifndef LBS_CHECK_REQUEST_H
#define LBS_CHECK_REQUEST_H

#include "src/httpd/pool/lbs_marker.h"
#include "src/httpd/pool/lbs_pools.h"
#include "src/httpd/check/lbs_check_tls.h"

typedef enum lbs_check_request_kind_t {
    LBS_CHECK_REQUEST_CONNECT, /* no http member: is there a connection to be
                                  had? */
    LBS_CHECK_REQUEST_HTTP,
    LBS_CHECK_REQUEST_H2, /* HTTP/2, by ALPN where there is TLS */
    LBS_CHECK_REQUEST_KINDS
} lbs_check_request_kind_t;

/* Why a member is asked. */
typedef enum lbs_check_request_why_t {
    LBS_CHECK_REQUEST_CHECK, /* LBStickyCheck says so */
    LBS_CHECK_REQUEST_REACH, /* can it be connected to? */
    LBS_CHECK_REQUEST_PROBE, /* does it answer? */
} lbs_check_request_why_t;

typedef struct lbs_check_request_t {
    lbs_check_request_kind_t kind;
    const char *method;
    const char *url;        /* scheme and name asked for, no path */
    const char *connect_to; /* "::host:port", for libcurl; NULL: socket */
    const char *tunnel;     /* "http://host:port" of a proxy that is asked to
                               CONNECT there; NULL: none is */
    const char *creds;      /* for ProxyRemote's proxy; NULL: none */
    int remote; /* it goes to ProxyRemote's proxy: being connected is not to
                   be connected to the member */
    const char *socket;     /* path of a unix socket; NULL: connect_to */
    const char *host;       /* of the member, for texts */
    const char *path;       /* of the member */
    const char *target;     /* as it stands in the request line */
    const char *headers[5]; /* NULL behind the last one */
    const char *proto;      /* as in the headers */
    const char *port;
    char hop[LBS_MARKER_LINE]; /* one of the headers, or "" */
    const lbs_check_tls_t *tls;
} lbs_check_request_t;

/** @return 1 when a connection tells whether the member is there: there is no
 * other proxy between. Cost: with NoProxy it may look a name up.
 * @param memory  for what is forgotten at once */
int lbs_check_request_reaches(apr_pool_t *memory, const lbs_pool_t *pool,
                              const lbs_member_t *m,
                              const lbs_check_tls_t *tls);

/** The kind of probe that a member can answer, see lbs_probe.h.
 * @param reaches  as lbs_check_request_reaches() says */
lbs_probe_kind_t lbs_check_request_probe(const lbs_member_t *m, int reaches);

/**
 * Describe a member's check and probe. Cost: some allocations.
 *
 * @param tls   of its pool
 * @param request  out: the texts live as long as pool and `memory` do
 */
void lbs_check_request_describe(apr_pool_t *memory, const lbs_pool_t *pool,
                                const lbs_member_t *m,
                                const lbs_check_tls_t *tls,
                                lbs_check_request_why_t why,
                                lbs_check_request_t *request);

/** Fill in the parts that depend on the time and on the member's state,
 * shortly before it is asked. */
void lbs_check_request_date(const lbs_pool_t *pool, const lbs_member_t *m,
                            lbs_check_request_t *request);

#endif
