/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_connection.h - the Connection field of a request.
 *
 * It names header fields that end at this server (RFC 9110 7.6.1), and
 * mod_proxy takes those out of what a member gets. A client must not be able
 * to remove fields that way which this module writes or relies on. mod_proxy's
 * own reading of the field differs from version to version (blanks, quotes,
 * semicolons), so it always gets the plain form: tokens with one comma between
 * them.
 */
#ifndef LBS_CONNECTION_H
#define LBS_CONNECTION_H

#include <apr_pools.h>

#include "src/base/lbs_slice.h"

/**
 * @param name  a token of the field: letters, digits and !#$%&'*+-.^_`|~
 * @return 1 when no client may name that field
 */
typedef int lbs_connection_fn(void *baton, lbs_slice_t name);

/** Fields that the module writes or relies on in every pool:
 * X-Forwarded-Proto, X-Forwarded-Port, Cookie, Host, LBSticky-*,
 * Idempotency-Key, Content-Length, Transfer-Encoding. A lbs_connection_fn
 * without a baton. */
int lbs_connection_protects(void *none, lbs_slice_t name);

/** X-Forwarded-* and Forwarded: a proxy in front may have written them. */
int lbs_connection_is_forwarded(lbs_slice_t name);

/** @return 1 when a token is about the connection and names no field that
 * another module could have set: close, keep-alive, Upgrade, TE ... */
int lbs_connection_is_usual(lbs_slice_t name);

/**
 * The next token. Any other character separates two tokens.
 *
 * @param at    where to go on; moved behind the token
 * @param name  out, when there is one
 * @return 1; 0: there is no more
 */
int lbs_connection_next(const char **at, lbs_slice_t *name);

/**
 * The field in its plain form, without the names that are protected.
 *
 * Cost: linear in the field. Allocates only where something has to go.
 *
 * @return `field` itself where nothing had to be done; NULL: nothing is left
 */
const char *lbs_connection_clean(apr_pool_t *pool, const char *field,
                                 lbs_connection_fn *fn, void *baton);

#endif
