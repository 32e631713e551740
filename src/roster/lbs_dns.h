/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_dns.h - answers of name servers, read (RFC 1035, 2181, 2782, 3596).
 *
 * An answer is taken whole or not at all: of one that was cut short anywhere
 * nothing is used, for what is missing would look like members that are gone.
 * Alias names are followed within the answer. Records that belong to no name
 * asked for are passed over.
 *
 * Pure: bytes in memory. Cost: quadratic in the records of an answer.
 */
#ifndef LBS_DNS_H
#define LBS_DNS_H

#include <apr.h>
#include <apr_pools.h>
#include <apr_tables.h>

#include "src/base/lbs_net.h"
#include "src/roster/lbs_roster.h"

#define LBS_DNS_RECORDS 4096 /* of an answer; more is refused */

typedef enum lbs_dns_type_t {
    LBS_DNS_A = 1,
    LBS_DNS_AAAA = 28,
    LBS_DNS_SRV = 33
} lbs_dns_type_t;

typedef struct lbs_dns_record_t {
    lbs_net_t net;         /* of A and AAAA */
    const char *target;    /* of SRV: lower case, no dot at its end; "." where
                              the service is not there */
    apr_uint32_t priority; /* these too */
    apr_uint32_t weight;
    apr_uint32_t port;
} lbs_dns_record_t;

/* An address that the answer gives beside what was asked. */
typedef struct lbs_dns_more_t {
    const char *name; /* as lbs_dns_record_t.target */
    lbs_dns_type_t type;
    apr_uint32_t ttl;
    lbs_net_t net;
} lbs_dns_more_t;

typedef struct lbs_dns_reply_t {
    lbs_roster_said_t said;      /* LBS_ROSTER_GOOD: there are records */
    apr_array_header_t *records; /* of lbs_dns_record_t, each once */
    apr_array_header_t *more;    /* of lbs_dns_more_t */
    apr_uint32_t ttl;            /* seconds: the least of all that was used */
} lbs_dns_reply_t;

#define LBS_DNS_AT(list, i, type)                                             \
    (&((const type *)(const void *)(list)->elts)[i])

/**
 * Read an answer.
 *
 * @param bytes  n of them
 * @param type   that was asked for
 * @return .said: LBS_ROSTER_GOOD, and records; LBS_ROSTER_NO_NAME,
 *         LBS_ROSTER_NO_DATA, LBS_ROSTER_FAILS, LBS_ROSTER_REFUSES,
 *         LBS_ROSTER_CUT or LBS_ROSTER_GARBLED
 */
lbs_dns_reply_t lbs_dns_read(const unsigned char *bytes, apr_size_t n,
                             lbs_dns_type_t type, apr_pool_t *pool);

/**
 * Look a name up in the text of a hosts file.
 *
 * @param reply  out, when it is there
 * @return 1; 0: the text has no address of this type for the name
 */
int lbs_dns_hosts(const char *text, const char *name, lbs_dns_type_t type,
                  apr_pool_t *pool, lbs_dns_reply_t *reply);

/** @return 1 when a text may be asked for: labels of letters, digits, - and _
 * with dots between, at most 253 bytes; with or without a dot at its end */
int lbs_dns_is_name(const char *text, apr_size_t n);

#endif
