/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_identity.h - the identity of a pool or a member: a number made of its
 * names.
 *
 * A pool is (server name, pool name); a member is (pool, route), or without a
 * route (pool, URL). The names are hashed whole, with a public key, so the
 * number is the same on every server, after every restart, and wherever in
 * the configuration the member stands.
 */
#ifndef LBS_IDENTITY_H
#define LBS_IDENTITY_H

#include <apr.h>

#define LBS_IDENTITY_VHOST_LEN 511 /* bytes of a server name, without NUL */

/**
 * @param vhost  ServerName[:port], at most LBS_IDENTITY_VHOST_LEN bytes;
 *               letter case does not count
 * @param pool   the pool's name without balancer://, any length
 * @return the id, never 0
 */
apr_uint64_t lbs_identity_pool(const char *vhost, const char *pool);

/**
 * @param pool_id  from lbs_identity_pool()
 * @param route    NULL or "": the member has none
 * @param url      counts only without a route
 * @return the id, never 0
 */
apr_uint64_t lbs_identity_member(apr_uint64_t pool_id, const char *route,
                                 const char *url);

/**
 * @param spelling  a word of LBStickyForeign: haproxy:SRV
 * @return the id, never 0
 */
apr_uint64_t lbs_identity_reader(const char *spelling);

#endif
