/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_forgotten.h - sessions that an administrator wants forgotten although
 * the visitor's token still names a member.
 *
 * A token is good without an entry in the table, so removing the entry alone
 * forgets nothing. Beside the table stands, for each member, up to when its
 * tokens are forgotten, and the latest LBS_FORGOTTEN_SESSIONS single sessions.
 * Only sessions that the table does not know are looked up here. Shared
 * memory, all zero when new; every word stands for itself, nothing locks. A
 * state file keeps it.
 */
#ifndef LBS_FORGOTTEN_H
#define LBS_FORGOTTEN_H

#include <apr.h>

#include "src/base/lbs_atomic.h"
#include "src/table/lbs_table.h"

#define LBS_FORGOTTEN_SESSIONS 1024 /* single ones; the oldest goes */

typedef struct lbs_forgotten_t {
    lbs_atomic32_t until[LBS_TABLE_SLOTS]; /* Unix seconds */
    lbs_atomic64_t session[LBS_FORGOTTEN_SESSIONS];
    lbs_atomic32_t next;   /* place in session[]; counts on for ever */
    lbs_atomic32_t orders; /* how often a member was forgotten */
} lbs_forgotten_t;

/**
 * Forget all sessions of a member that have a token by now.
 *
 * @param slot  of the member; one that is out of range is ignored
 * @param now   seconds on the clock of the tokens
 */
void lbs_forgotten_add_member(lbs_forgotten_t *forgotten, apr_uint32_t slot,
                              apr_uint32_t now);

/** Forget one session. @param hash  as the table knows it */
void lbs_forgotten_add_session(lbs_forgotten_t *forgotten, apr_uint64_t hash);

/**
 * Is a token of no use any more? Cost: LBS_FORGOTTEN_SESSIONS reads.
 *
 * @param slot    of the member it names
 * @param issued  its date
 * @param hash    of its session, as the table knows it
 */
int lbs_forgotten_has(const lbs_forgotten_t *forgotten, apr_uint32_t slot,
                      apr_uint32_t issued, apr_uint64_t hash);

/** The same where only member and date are known: a session in a store, whose
 * key may begin a new session. */
int lbs_forgotten_has_member(const lbs_forgotten_t *forgotten,
                             apr_uint32_t slot, apr_uint32_t issued);

/** @return a number that grows whenever something is forgotten */
apr_uint64_t lbs_forgotten_count(const lbs_forgotten_t *forgotten);

/**
 * Walk the single sessions, the oldest first.
 *
 * @param at  0 to LBS_FORGOTTEN_SESSIONS - 1
 * @return a hash as the table knows it; 0: none stands here
 */
apr_uint64_t lbs_forgotten_session(const lbs_forgotten_t *forgotten,
                                   apr_uint32_t at);

#endif
