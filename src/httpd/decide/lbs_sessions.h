/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_sessions.h - a session is remembered with its member, and forgotten: in
 * the table, in the words beside its own, and in the store.
 */
#ifndef LBS_SESSIONS_H
#define LBS_SESSIONS_H

#include "src/httpd/decide/lbs_choice.h"
#include "src/httpd/decide/lbs_visit.h"
#include "src/httpd/pool/lbs_pools.h"

/**
 * A member has answered a request that showed, or was given, a key: the
 * session is there from now on, or is away from home for a while. One that was
 * given while the visitor is away is known where the answer came from, and has
 * the home of the visitor's other one. A route is never stored, except for the
 * member that took its session from one that is gone.
 *
 * Cost: a few words of the table; with LBStickyStore a call to it where that
 * does not know yet.
 *
 * @param visit  of the request: its token, and its time for the store
 * @param index  of the source whose key it is
 * @param now    monotonic microseconds
 */
void lbs_sessions_remember(const lbs_pool_t *pool, lbs_visit_t *visit,
                           const lbs_choice_t *choice, int index,
                           const lbs_key_t *key, apr_time_t now);

/** The application ends the session that a key names. */
void lbs_sessions_end(const lbs_pool_t *pool, const lbs_key_t *key,
                      lbs_store_wait_t *wait);

/** The operator ends one session: also for tokens and for other servers. */
void lbs_sessions_forget(const lbs_pool_t *pool, const lbs_key_t *key);

/**
 * The operator ends all sessions of a member.
 *
 * Cost: a walk over the table.
 *
 * @param memory  for the walk
 */
void lbs_sessions_forget_all(const lbs_member_t *m, apr_pool_t *memory);

#endif
