/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_asked.h - what an application has asked for a session (LBStickyControl):
 * words in the table beside the session's own.
 *
 * A pseudo-member of the pool owns them, so that no member's count of sessions
 * contains them. They last as long as a session may be idle, and a hold as
 * long as it says. Where LBStickyControl is off there are none, and each
 * question costs one comparison; else one look-up.
 */
#ifndef LBS_ASKED_H
#define LBS_ASKED_H

#include "src/httpd/pool/lbs_key.h"
#include "src/httpd/pool/lbs_pools.h"

/**
 * The next request of the session goes to another member.
 *
 * @param hash  of the session, as the table knows it
 * @param from  the member where it is; what was asked is void at another one
 * @param to    the member wanted; LBS_NO_MEMBER: any
 * @param now   monotonic microseconds
 */
void lbs_asked_move(const lbs_pool_t *pool, apr_uint64_t hash, int from,
                    int to, apr_time_t now);

/** Is the session to leave this member? */
int lbs_asked_leaves(const lbs_pool_t *pool, apr_uint64_t hash, int member,
                     apr_time_t now);

/** @return the member where it wants to go; LBS_NO_MEMBER: any */
int lbs_asked_target(const lbs_pool_t *pool, apr_uint64_t hash,
                     apr_time_t now);

/** It has left the member. */
void lbs_asked_left(const lbs_pool_t *pool, apr_uint64_t hash, int member,
                    apr_time_t now);

/** The session is not moved so long. @param hold  microseconds; 0: it may be
 */
void lbs_asked_hold(const lbs_pool_t *pool, apr_uint64_t hash,
                    apr_interval_time_t hold, apr_time_t now);

int lbs_asked_holds(const lbs_pool_t *pool, apr_uint64_t hash, apr_time_t now);

/** The session is over, also for those who go on showing its token. */
void lbs_asked_release(const lbs_pool_t *pool, apr_uint64_t hash,
                       apr_time_t now);

int lbs_asked_released(const lbs_pool_t *pool, apr_uint64_t hash,
                       apr_time_t now);

#endif
