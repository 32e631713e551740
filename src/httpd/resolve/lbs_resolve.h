/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_resolve.h - questions to name servers, over c-ares.
 *
 * Nothing here waits: questions are asked and answers taken in steps. A round
 * of questions has a resolver of its own, so each knows /etc/resolv.conf as it
 * is then.
 *
 * A build without c-ares has no resolver, see lbs_resolve_missing().
 */
#ifndef LBS_RESOLVE_H
#define LBS_RESOLVE_H

#include <apr.h>
#include <apr_pools.h>
#include <apr_time.h>

#include "src/roster/lbs_dns.h"

typedef struct lbs_resolve_t lbs_resolve_t;

/** An answer, or that there is none. @param reply  as long as the pool of
 * lbs_resolve_open() */
typedef void lbs_resolve_fn(void *baton, const lbs_dns_reply_t *reply);

/** @return NULL; or why nothing can be looked up: completes "wanted ..." */
const char *lbs_resolve_missing(void);

/**
 * Read a list of name servers.
 *
 * @param text  ADDRESS[:PORT][,...]; an address of version 6 that has a port
 *              stands in brackets
 * @return NULL; or what was wanted
 */
const char *lbs_resolve_check_servers(const char *text);

/**
 * Begin a round.
 *
 * @param servers  as lbs_resolve_check_servers() has read them; names are
 *                 taken as they are written then. NULL: those of
 *                 /etc/resolv.conf, with its search list and /etc/hosts
 * @param first    the server to ask first: a number, modulo how many there are
 * @return NULL: there is no memory, or no name server
 */
lbs_resolve_t *lbs_resolve_open(const char *servers, unsigned first,
                                apr_pool_t *pool);

/** Ask. The function is called once, perhaps before this returns; never after
 * lbs_resolve_close(). */
void lbs_resolve_ask(lbs_resolve_t *resolver, const char *name,
                     lbs_dns_type_t type, lbs_resolve_fn *then, void *baton);

/** Take the answers that are there. Cost: never waits. */
void lbs_resolve_step(lbs_resolve_t *resolver);

void lbs_resolve_close(lbs_resolve_t *resolver);

#endif
